//! A component that is compiled and linked: everything its calls share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi_http::handler::ProxyPre;

use super::epoch::Pulse;
use super::guest_call::Deadline;
use super::guest_state::GuestState;
use super::http_hooks::HttpHooks;
use super::lanes::Lanes;
use super::limits::ComponentLimits;
use super::memory_limiter::MemoryLimiter;
use super::stats::{Counters, InFlight};
use super::warm_instances::{WarmComponents, WarmInstances};
use crate::{CallError, Outgoing};

/// What every component of a host shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) lanes: Lanes,
    pub(super) pulse: Arc<Pulse>,
    pub(super) outgoing: Arc<dyn Outgoing>,
    /// One permit per instance that may live.
    pub(super) instances: Arc<Semaphore>,
    pub(super) max_instances: usize,
    /// Where to look for room when there is none.
    pub(super) warm: Arc<WarmComponents>,
}

pub(super) struct Loaded {
    pub(super) name: Arc<str>,
    pub(super) proxy: ProxyPre<GuestState>,
    pub(super) limits: ComponentLimits,
    environment: Box<[(String, String)]>,
    pub(super) counters: Arc<Counters>,
    pub(super) shared: Shared,
    /// Instances that wait for their next call.
    pub(super) warm: WarmInstances,
    calls: Arc<Semaphore>,
    queue: Semaphore,
}

/// The right to run one call, given back when dropped.
#[derive(Debug)]
pub(super) struct Admission {
    _call: OwnedSemaphorePermit,
    _in_flight: InFlight,
}

impl Loaded {
    pub(super) fn new(
        name: &str,
        proxy: ProxyPre<GuestState>,
        limits: ComponentLimits,
        environment: &[(String, String)],
        shared: Shared,
    ) -> Self {
        Self {
            name: name.into(),
            proxy,
            environment: environment.into(),
            warm: WarmInstances::default(),
            calls: Arc::new(Semaphore::new(limits.concurrency)),
            queue: Semaphore::new(limits.queue),
            limits,
            counters: Arc::default(),
            shared,
        }
    }

    /// Lets a call in, at once or when another has ended; refuses it when as many are waiting as may.
    pub(super) async fn admit(&self, deadline: &Deadline) -> Result<Admission, CallError> {
        let busy = || CallError::Busy { limit: self.limits.concurrency };
        let permit = match Arc::clone(&self.calls).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_full) => {
                let _place = self.queue.try_acquire().map_err(|_full| busy())?;
                self.counters.count_queued();
                let turn = Arc::clone(&self.calls).acquire_owned();
                match tokio::time::timeout_at(deadline.at, turn).await {
                    // The semaphore is never closed.
                    Ok(permit) => permit.map_err(|_closed| busy())?,
                    Err(_elapsed) => return Err(deadline.error.clone()),
                }
            }
        };
        Ok(Admission { _call: permit, _in_flight: self.counters.enter() })
    }

    /// Reserves room for one instance; one that only waits, of whichever component, makes way for it.
    pub(super) fn reserve_instance(&self) -> Result<OwnedSemaphorePermit, CallError> {
        loop {
            match Arc::clone(&self.shared.instances).try_acquire_owned() {
                Ok(room) => return Ok(room),
                Err(_full) if self.shared.warm.make_room() => {}
                Err(_full) => return Err(self.host_is_full()),
            }
        }
    }

    /// The place for one instance to live in, with its limits.
    pub(super) fn new_store(&self) -> Store<GuestState> {
        let memory = MemoryLimiter::new(&self.limits, Arc::clone(&self.counters));
        let hooks = HttpHooks::new(Arc::clone(&self.shared.outgoing));
        GuestState::new(&self.name, &self.environment, hooks, memory).into_store(&self.shared.engine)
    }

    /// Finds out why guest code failed. `otherwise` makes the error when it was no limit.
    pub(super) fn classify(
        &self,
        error: &wasmtime::Error,
        state: &GuestState,
        otherwise: impl FnOnce(String) -> CallError,
    ) -> CallError {
        tracing::debug!(plugin = %self.name, "plugin failed: {error:?}");
        if state.host_is_stopping() {
            CallError::HostStopped
        } else if state.ran_out_of_cpu() {
            CallError::CpuExhausted { limit: self.limits.cpu }
        } else if error.is::<PoolConcurrencyLimitError>() {
            self.host_is_full()
        } else if let Some(refusal) = state.refusal() {
            refusal.clone()
        } else {
            otherwise(short_reason(error))
        }
    }

    fn host_is_full(&self) -> CallError {
        CallError::Busy { limit: self.shared.max_instances }
    }
}

/// The cause alone: what wasmtime wraps around it is addresses and frames.
fn short_reason(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}
