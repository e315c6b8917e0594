//! Holds all memories of one instance together to one limit.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::engine::MAX_TABLE_ELEMENTS;
use super::stats::Counters;
use crate::CallUsage;

/// Asked by wasmtime before any memory or table is made or grows.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    limit: u64,
    used: u64,
    refused: bool,
    counters: Arc<Counters>,
    usage: Arc<CallUsage>,
}

impl MemoryLimiter {
    pub(super) fn new(limit: u64, counters: Arc<Counters>, usage: Arc<CallUsage>) -> Self {
        Self { limit, used: 0, refused: false, counters, usage }
    }

    /// Whether the guest was ever refused memory.
    pub(super) fn has_refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        let total = self.used.saturating_add(growth);
        if total > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = total;
        self.usage.raise_peak_memory(total);
        self.counters.raise_peak_memory(total);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_of_an_instance_share_one_limit() {
        let mut limiter = MemoryLimiter::new(100, Arc::default(), Arc::default());
        let mut grow = |current, desired| limiter.memory_growing(current, desired, None).expect("never an error");
        assert!(grow(0, 40), "the first memory");
        assert!(grow(0, 40), "the second memory");
        assert!(!grow(40, 61), "21 more would make 101");
        assert!(grow(40, 60), "20 more make 100");
        assert!(limiter.has_refused());
        assert_eq!(limiter.usage.peak_memory(), 100);
    }

    #[test]
    fn tables_are_limited() {
        let mut limiter = MemoryLimiter::new(100, Arc::default(), Arc::default());
        let mut grow = |desired| limiter.table_growing(0, desired, None).expect("never an error");
        assert!(grow(MAX_TABLE_ELEMENTS));
        assert!(!grow(MAX_TABLE_ELEMENTS + 1));
    }
}
