//! What the host keeps beside each instance: its view of WASI and the accounts of its limits.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::cpu_budget::CpuBudget;
use super::guest_log::GuestOutput;
use super::http_hooks::HttpHooks;
use super::memory_limiter::MemoryLimiter;

/// Streams, bodies, headers and pollables a guest may hold at once.
const MAX_RESOURCES: usize = 4096;
/// Header fields of one request or response, in memory.
const MAX_FIELD_BYTES: usize = 64 * 1024;
/// What the host copies from the guest in a single call.
const MAX_HOST_CALL_BYTES: usize = 8 << 20;
/// What a guest may ask of the random number generator in a single call.
const MAX_RANDOM_BYTES: u64 = 64 * 1024;

/// The data of a store.
pub(super) struct GuestState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    resources: ResourceTable,
    hooks: HttpHooks,
    memory: MemoryLimiter,
    cpu: CpuBudget,
}

impl GuestState {
    /// A guest sees no environment, files, sockets or arguments; it may tell the time, get random numbers, and log.
    pub(super) fn new(
        plugin: &Arc<str>,
        log_limit: u64,
        hooks: HttpHooks,
        memory: MemoryLimiter,
        cpu: CpuBudget,
    ) -> Self {
        let (stdout, stderr) = GuestOutput::pair(plugin, log_limit);
        let wasi = WasiCtx::builder().stdout(stdout).stderr(stderr).max_random_size(MAX_RANDOM_BYTES).build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MAX_FIELD_BYTES);
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(MAX_RESOURCES);
        Self { wasi, http, resources, hooks, memory, cpu }
    }

    /// Makes the store and puts its limits in force.
    pub(super) fn into_store(self, engine: &Engine) -> Store<Self> {
        let mut store = Store::new(engine, self);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(MAX_HOST_CALL_BYTES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| store.data_mut().cpu.on_tick());
        store
    }

    pub(super) fn ran_out_of_cpu(&self) -> bool {
        self.cpu.is_exhausted()
    }

    pub(super) fn was_refused_memory(&self) -> bool {
        self.memory.has_refused()
    }

    pub(super) fn host_is_stopping(&self) -> bool {
        self.cpu.host_is_stopping()
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.resources }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.resources, hooks: &mut self.hooks }
    }
}
