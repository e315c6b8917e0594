//! Instances that have served a call and wait for the next: for components that allow their instances to be reused.

use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use super::instance::Instance;
use super::loaded::Loaded;

/// The waiting instances of one component. The one that waits least is taken first, so in quiet times the others can go.
#[derive(Default)]
pub(super) struct WarmInstances {
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    since: Instant,
    instance: Instance,
}

impl WarmInstances {
    pub(super) fn take(&self) -> Option<Instance> {
        self.lock().pop().map(|waiting| waiting.instance)
    }

    pub(super) fn put(&self, instance: Instance) {
        self.lock().push(Waiting { since: Instant::now(), instance });
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Ends the instance that waits longest. Whether there was one.
    pub(super) fn end_oldest(&self) -> bool {
        let oldest = {
            let mut waiting = self.lock();
            (!waiting.is_empty()).then(|| waiting.remove(0))
        };
        // The instance goes when the lock has: giving back its memory takes a while.
        oldest.is_some()
    }

    /// Ends the instances that have waited since before `since`.
    pub(super) fn end_older_than(&self, since: Instant) {
        let old: Vec<Waiting> = {
            let mut waiting = self.lock();
            let old = waiting.iter().take_while(|waiting| waiting.since < since).count();
            waiting.drain(..old).collect()
        };
        drop(old);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        // A panic cannot leave a vector of whole instances half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every component whose instances may wait, to find one that can be ended when there is no room.
#[derive(Default)]
pub(super) struct WarmComponents {
    components: Mutex<Vec<Weak<Loaded>>>,
}

impl WarmComponents {
    pub(super) fn add(&self, component: Weak<Loaded>) {
        let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        components.retain(|component| component.strong_count() > 0);
        components.push(component);
    }

    /// Makes room for one instance by ending another that only waits. Whether there was one.
    pub(super) fn make_room(&self) -> bool {
        let components = self.components.lock().unwrap_or_else(PoisonError::into_inner).clone();
        components.iter().filter_map(Weak::upgrade).any(|component| component.warm.end_oldest())
    }

    /// Ends the instances that nobody has needed for as long as their component says.
    pub(super) fn end_idle(&self, now: Instant) {
        let components = self.components.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for component in components.iter().filter_map(Weak::upgrade) {
            if let Some(since) = now.checked_sub(component.limits.idle) {
                component.warm.end_older_than(since);
            }
        }
    }
}
