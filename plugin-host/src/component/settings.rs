//! How much of the machine all components together may take.

use std::fmt;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crate::{DenyOutgoing, Outgoing};

const MEBIBYTE: u64 = 1024 * 1024;

/// What a [`super::ComponentHost`] is started with.
#[derive(Clone)]
pub struct HostSettings {
    /// Threads on which components normally run. Default: one per core. Fewer than the cores leaves the others to the
    /// rest of the process even when every component is busy.
    pub guest_threads: usize,
    /// Threads, at nice level 10, to which a call moves once it has used 30 ms of CPU. Default: one per core. They are
    /// what keeps short calls short while others compute.
    pub heavy_threads: usize,
    /// Instances that may live at once, over all components. Default: 256. Each reserves about 4 GiB of address space,
    /// not memory; where that much cannot be reserved, instances are allocated one by one, which is slower. A call
    /// beyond the limit is refused as [`crate::CallError::Busy`].
    pub max_instances: u32,
    /// The most memory a component's limits may ask for, in bytes. Default: 512 MiB; at most 4 GiB.
    pub max_memory_per_instance: u64,
    /// Whether components of `wasi:http` 0.3 are accepted besides 0.2. Default: no. wasmtime calls its support
    /// experimental, and may not mend flaws in it within a release.
    pub wasi_03: bool,
    /// Where compiled components are kept, with mode 0700; native code in it is trusted. Default: nowhere, so every start
    /// compiles anew.
    pub cache_directory: Option<PathBuf>,
    /// Answers the components' own requests. Default: refuse them all.
    pub outgoing: Arc<dyn Outgoing>,
}

impl Default for HostSettings {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            guest_threads: cores,
            heavy_threads: cores,
            max_instances: 256,
            max_memory_per_instance: 512 * MEBIBYTE,
            wasi_03: false,
            cache_directory: None,
            outgoing: Arc::new(DenyOutgoing),
        }
    }
}

impl fmt::Debug for HostSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HostSettings")
            .field("guest_threads", &self.guest_threads)
            .field("heavy_threads", &self.heavy_threads)
            .field("max_instances", &self.max_instances)
            .field("max_memory_per_instance", &self.max_memory_per_instance)
            .field("wasi_03", &self.wasi_03)
            .field("cache_directory", &self.cache_directory)
            .finish_non_exhaustive()
    }
}
