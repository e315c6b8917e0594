//! So many at once, no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A bound on what runs at once.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    most: u32,
    running: Arc<AtomicU32>,
}

/// One that runs; dropping it makes room.
#[derive(Debug)]
pub struct Permit(Arc<AtomicU32>);

impl ConcurrencyLimit {
    /// At most `most` at once.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self { most, running: Arc::default() }
    }

    /// Room for one more, or `None`.
    #[must_use]
    pub fn enter(&self) -> Option<Permit> {
        let entered = self
            .running
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| (running < self.most).then_some(running + 1));
        entered.is_ok().then(|| Permit(self.running.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_as_many_as_allowed_and_again_after_one_left() {
        let limit = ConcurrencyLimit::new(2);
        let first = limit.enter();
        let second = limit.enter();
        assert!(first.is_some() && second.is_some() && limit.enter().is_none());
        drop(first);
        assert!(limit.enter().is_some());
    }
}
