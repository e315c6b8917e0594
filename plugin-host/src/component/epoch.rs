//! The pulse of the host: one thread that advances the engine's epoch, so that running guests stop and look up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// How often a guest that computes without pause is interrupted.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Knows how many guests are alive and whether they should still be.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    stopping: AtomicBool,
    guests: AtomicUsize,
}

impl Pulse {
    /// Starts the thread. It ends by itself once the host is stopping and the last guest has gone: a spinning guest
    /// can only be ended by one more tick, so the thread must outlive it.
    pub(super) fn start(engine: Engine) -> std::io::Result<Arc<Self>> {
        let pulse = Arc::new(Self::default());
        let beating = Arc::clone(&pulse);
        thread::Builder::new().name("framex-epoch".into()).spawn(move || {
            while !(beating.is_stopping() && beating.guests.load(Ordering::SeqCst) == 0) {
                thread::sleep(TICK);
                engine.increment_epoch();
            }
        })?;
        Ok(pulse)
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Keeps the ticks coming until the returned token is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> AliveGuest {
        self.guests.fetch_add(1, Ordering::SeqCst);
        AliveGuest(Arc::clone(self))
    }
}

/// One store that may execute guest code.
#[derive(Debug)]
pub(super) struct AliveGuest(Arc<Pulse>);

impl AliveGuest {
    pub(super) fn host_is_stopping(&self) -> bool {
        self.0.is_stopping()
    }
}

impl Drop for AliveGuest {
    fn drop(&mut self) {
        self.0.guests.fetch_sub(1, Ordering::SeqCst);
    }
}
