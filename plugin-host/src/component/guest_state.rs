//! What the host keeps beside each instance: its view of WASI and the accounts of its limits.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::p2::types::HostResponseOutparam;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::cpu_budget::CpuBudget;
use super::guest_log::{GuestOutput, LogVolume};
use super::http_hooks::HttpHooks;
use super::limits::ComponentLimits;
use super::memory_limiter::MemoryLimiter;
use crate::{CallError, Caller};

/// Streams, bodies, headers and pollables a guest may hold at once.
const MAX_RESOURCES: usize = 1024;
/// Of these, how many may be left when an instance is used again: language runtimes keep their standard streams.
const MAX_LEFT_BEHIND: usize = 256;
/// Header fields of one request or response, in memory.
const MAX_FIELD_BYTES: usize = 32 * 1024;
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
    log: LogVolume,
    /// While a call is served.
    cpu: Option<CpuBudget>,
}

impl GuestState {
    /// A guest sees the environment it was given, and no files, sockets or arguments; it may tell the time, get random
    /// numbers, and log.
    pub(super) fn new(
        plugin: &Arc<str>,
        environment: &[(String, String)],
        hooks: HttpHooks,
        memory: MemoryLimiter,
    ) -> Self {
        let (stdout, stderr, log) = GuestOutput::pair(plugin);
        let wasi = WasiCtx::builder()
            .envs(environment)
            .stdout(stdout)
            .stderr(stderr)
            .max_random_size(MAX_RANDOM_BYTES)
            .build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MAX_FIELD_BYTES);
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(MAX_RESOURCES);
        Self { wasi, http, resources, hooks, memory, log, cpu: None }
    }

    /// Makes the store and puts its limits in force.
    pub(super) fn into_store(self, engine: &Engine) -> Store<Self> {
        let mut store = Store::new(engine, self);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(MAX_HOST_CALL_BYTES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| match &mut store.data_mut().cpu {
            Some(cpu) => cpu.on_tick(),
            None => Err(wasmtime::Error::msg("a guest runs outside of a call")),
        });
        store
    }

    /// Everything from now on is charged to this call.
    pub(super) fn begin_call(&mut self, caller: Caller, cpu: CpuBudget, limits: &ComponentLimits) {
        self.memory.begin_call(Arc::clone(&caller.context.usage));
        self.log.begin_call(limits.log);
        self.hooks.begin_call(caller, limits.outgoing_calls);
        self.cpu = Some(cpu);
    }

    /// Lets go of the call and of everything that came with it.
    pub(super) fn end_call(&mut self) {
        self.hooks.end_call();
        self.cpu = None;
    }

    /// Whether the guest has left nothing behind that could hold up a later call or grow with each.
    pub(super) fn is_tidy(&mut self) -> bool {
        let mut entries = 0;
        self.resources.iter_mut().all(|entry| {
            entries += 1;
            entries <= MAX_LEFT_BEHIND && !entry.is::<HostOutgoingBody>() && !entry.is::<HostResponseOutparam>()
        })
    }

    pub(super) fn ran_out_of_cpu(&self) -> bool {
        self.cpu.as_ref().is_some_and(CpuBudget::is_exhausted)
    }

    /// What the guest was refused during this call, if anything.
    pub(super) fn refusal(&self) -> Option<&CallError> {
        self.memory.refusal()
    }

    pub(super) fn host_is_stopping(&self) -> bool {
        self.cpu.as_ref().is_some_and(CpuBudget::host_is_stopping)
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
