//! The host: the engine, what components may import, and the threads they run on.

use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Component;
use super::compile_cache::CompileCache;
use super::engine::start_engine;
use super::epoch::Pulse;
use super::lanes::LaneThreads;
use super::limits::ComponentLimits;
use super::linker::link_interfaces;
use super::load::{self, LoadError, Workshop};
use super::loaded::Shared;
use super::settings::HostSettings;
use super::warm_instances::WarmComponents;

const MAX_MEMORY: u64 = 4 << 30;
/// How often instances are looked for that nobody needs any more.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// Runs components. One per process is enough; it is meant to be kept in an `Arc`.
///
/// Dropping it, also from inside a runtime, stops its threads: calls that are running fail with
/// [`crate::CallError::HostStopped`], and so does every later one.
pub struct ComponentHost {
    workshop: Workshop,
    shared: Shared,
    max_memory: u64,
    /// Declared last: the threads go when all else has.
    _threads: LaneThreads,
}

/// Why the host did not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A setting is out of bounds.
    #[error("{name} must be between 1 and {max}, not {given}")]
    Setting {
        /// Which setting of [`HostSettings`].
        name: &'static str,
        /// What was asked for.
        given: u64,
        /// The most possible.
        max: u64,
    },
    /// The WebAssembly engine did not start.
    #[error("could not start the WebAssembly engine")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A thread could not be started.
    #[error("could not start the threads for plugins")]
    Threads(#[source] io::Error),
}

impl ComponentHost {
    /// Starts the engine and its threads.
    pub fn start(settings: HostSettings) -> Result<Self, HostError> {
        let max_memory = settings.max_memory_per_instance;
        check_setting("max_memory_per_instance", max_memory, MAX_MEMORY)?;
        check_setting("max_instances", settings.max_instances.into(), 65_536)?;
        let engine = start_engine(&settings)?;
        let linker = link_interfaces(&engine, settings.wasi_03).map_err(|error| HostError::Engine(error.into()))?;
        let threads = LaneThreads::start(&settings).map_err(HostError::Threads)?;
        let pulse = Pulse::start(engine.clone()).map_err(HostError::Threads)?;
        let max_instances = settings.max_instances as usize;
        let warm = Arc::<WarmComponents>::default();
        threads.lanes().spawn_housekeeping(end_idle_instances(Arc::downgrade(&warm)));
        let cache = CompileCache::open(settings.cache_directory);
        let shared = Shared {
            engine,
            lanes: threads.lanes().clone(),
            pulse,
            outgoing: settings.outgoing,
            instances: Arc::new(Semaphore::new(max_instances)),
            max_instances,
            warm,
        };
        let workshop = Workshop { linker, cache, wasi_03: settings.wasi_03 };
        Ok(Self { workshop, shared, max_memory, _threads: threads })
    }

    /// Compiles a component, links it, and tries to start one instance. Blocks for as long as that takes: a tenth of a
    /// second for a small component, many seconds for one with an interpreter inside. `name` labels its logs.
    pub fn load(&self, name: &str, wasm: &[u8], limits: &ComponentLimits) -> Result<Component, LoadError> {
        self.load_with(name, wasm, limits, &[], &|| ())
    }

    /// Like [`Self::load`], with variables for the component's environment (`wasi:cli/environment`). `compiled` is called when it is
    /// compiled and about to be tried.
    pub fn load_with(
        &self,
        name: &str,
        wasm: &[u8],
        limits: &ComponentLimits,
        environment: &[(String, String)],
        compiled: &dyn Fn(),
    ) -> Result<Component, LoadError> {
        limits.check(self.max_memory)?;
        let shared = self.shared.clone();
        load::load(&self.workshop, shared, name, wasm, limits.clone(), environment, compiled).map(Component::new)
    }
}

impl Drop for ComponentHost {
    fn drop(&mut self) {
        self.shared.pulse.stop();
    }
}

impl fmt::Debug for ComponentHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ComponentHost")
            .field("max_memory", &self.max_memory)
            .field("max_instances", &self.shared.max_instances)
            .finish_non_exhaustive()
    }
}

/// Ends instances that have waited for too long, until the host is gone.
async fn end_idle_instances(warm: Weak<WarmComponents>) {
    loop {
        tokio::time::sleep(TIDY_INTERVAL).await;
        let Some(warm) = warm.upgrade() else { return };
        warm.end_idle(Instant::now());
    }
}

fn check_setting(name: &'static str, given: u64, max: u64) -> Result<(), HostError> {
    if (1..=max).contains(&given) { Ok(()) } else { Err(HostError::Setting { name, given, max }) }
}
