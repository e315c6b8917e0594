//! What happens at every epoch tick while a guest computes: it is ended, or it gives way to others, or it goes on.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::UpdateDeadline;

use super::cpu_meter::CpuMeter;
use super::epoch::{AliveGuest, TICK};

/// The CPU time one call may use.
#[derive(Debug)]
pub(super) struct CpuBudget {
    meter: Arc<CpuMeter>,
    limit: Duration,
    exhausted: bool,
    alive: AliveGuest,
}

impl CpuBudget {
    pub(super) fn new(meter: Arc<CpuMeter>, limit: Duration, alive: AliveGuest) -> Self {
        Self { meter, limit, exhausted: false, alive }
    }

    /// Whether the guest was ended because it used up its time.
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    pub(super) fn host_is_stopping(&self) -> bool {
        self.alive.host_is_stopping()
    }

    pub(super) fn on_tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.alive.host_is_stopping() {
            return Err(wasmtime::Error::msg("the plugin host is stopping"));
        }
        let current = self.meter.current_poll();
        if self.meter.used() + current >= self.limit {
            self.exhausted = true;
            return Err(wasmtime::Error::msg("out of CPU time"));
        }
        // A guest that has only just been woken has given way already.
        if current < TICK / 2 {
            return Ok(UpdateDeadline::Continue(1));
        }
        // tokio's own yield lets the runtime look at timers and sockets first; wasmtime's would come back at once.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    }
}
