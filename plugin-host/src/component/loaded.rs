//! A component that is compiled and linked: everything its calls share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::cpu_budget::CpuBudget;
use super::cpu_meter::CpuMeter;
use super::epoch::Pulse;
use super::guest_state::GuestState;
use super::http_hooks::HttpHooks;
use super::lanes::Lanes;
use super::limits::ComponentLimits;
use super::memory_limiter::MemoryLimiter;
use super::stats::{Counters, InFlight};
use crate::{CallContext, CallError, Caller, Outgoing};

/// What every component of a host shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) lanes: Lanes,
    pub(super) pulse: Arc<Pulse>,
    pub(super) outgoing: Arc<dyn Outgoing>,
    /// One permit per instance that may live.
    pub(super) instances: Arc<Semaphore>,
    pub(super) max_instances: usize,
}

pub(super) struct Loaded {
    pub(super) name: Arc<str>,
    pub(super) proxy: ProxyPre<GuestState>,
    pub(super) limits: ComponentLimits,
    pub(super) counters: Arc<Counters>,
    pub(super) shared: Shared,
    calls: Arc<Semaphore>,
}

/// The right to run one call, given back when dropped.
#[derive(Debug)]
pub(super) struct Admission {
    _call: OwnedSemaphorePermit,
    _in_flight: InFlight,
}

impl Loaded {
    pub(super) fn new(name: &str, proxy: ProxyPre<GuestState>, limits: ComponentLimits, shared: Shared) -> Self {
        Self {
            name: name.into(),
            proxy,
            calls: Arc::new(Semaphore::new(limits.concurrency)),
            limits,
            counters: Arc::default(),
            shared,
        }
    }

    /// Lets a call in, or refuses it; nobody waits.
    pub(super) fn admit(&self) -> Result<Admission, CallError> {
        match Arc::clone(&self.calls).try_acquire_owned() {
            Ok(permit) => Ok(Admission { _call: permit, _in_flight: self.counters.enter() }),
            Err(_) => Err(CallError::Busy { limit: self.limits.concurrency }),
        }
    }

    /// Reserves room for one instance.
    pub(super) fn reserve_instance(&self) -> Result<OwnedSemaphorePermit, CallError> {
        Arc::clone(&self.shared.instances).try_acquire_owned().map_err(|_full| self.host_is_full())
    }

    /// The place for one instance to live in, with its limits.
    pub(super) fn new_store(&self, context: CallContext, meter: Arc<CpuMeter>) -> Store<GuestState> {
        let memory = MemoryLimiter::new(self.limits.memory, Arc::clone(&self.counters), Arc::clone(&context.usage));
        let cpu = CpuBudget::new(meter, self.limits.cpu, self.shared.pulse.enter());
        let caller = Caller { plugin: Arc::clone(&self.name), context };
        let hooks = HttpHooks::new(Arc::clone(&self.shared.outgoing), caller);
        GuestState::new(&self.name, self.limits.log, hooks, memory, cpu).into_store(self.proxy.engine())
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
        } else if state.was_refused_memory() {
            CallError::MemoryExceeded { limit: self.limits.memory }
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
