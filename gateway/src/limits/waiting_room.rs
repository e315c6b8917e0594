//! Who waits for room: by priority, and then in the order in which they came.

use crate::request::Priority;
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// Those who wait for a `T` each.
#[derive(Debug)]
pub(super) struct WaitingRoom<T> {
    /// By priority, from the lowest.
    lines: [VecDeque<(u64, oneshot::Sender<T>)>; Priority::ALL.len()],
    joined: u64,
}

impl<T> Default for WaitingRoom<T> {
    fn default() -> Self {
        Self { lines: Default::default(), joined: 0 }
    }
}

impl<T> WaitingRoom<T> {
    pub(super) fn len(&self) -> usize {
        self.lines.iter().map(VecDeque::len).sum()
    }

    /// Joins the line of its priority; the number to leave it by.
    pub(super) fn join(&mut self, priority: Priority, waiter: oneshot::Sender<T>) -> u64 {
        self.joined += 1;
        self.lines[priority as usize].push_back((self.joined, waiter));
        self.joined
    }

    /// Leaves the line, if it still stands there.
    pub(super) fn leave(&mut self, id: u64) {
        for line in &mut self.lines {
            if let Ok(index) = line.binary_search_by_key(&id, |(id, _)| *id) {
                line.remove(index);
                return;
            }
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self) -> Option<oneshot::Sender<T>> {
        self.lines.iter_mut().rev().find_map(VecDeque::pop_front).map(|(_, waiter)| waiter)
    }

    /// Sends away the last of those with the lowest priority, if that is below `priority`.
    pub(super) fn displace_below(&mut self, priority: Priority) -> bool {
        let below = &mut self.lines[..priority as usize];
        below.iter_mut().find_map(VecDeque::pop_back).is_some()
    }
}
