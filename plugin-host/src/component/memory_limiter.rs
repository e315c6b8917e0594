//! Holds all memories of one instance together to one limit, and each of its tables to another.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::limits::ComponentLimits;
use super::stats::Counters;
use crate::{CallError, CallUsage};

/// Asked by wasmtime before any memory or table is made or grows.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    limit: u64,
    table_elements: u32,
    used: u64,
    refusal: Option<CallError>,
    counters: Arc<Counters>,
    usage: Arc<CallUsage>,
}

impl MemoryLimiter {
    pub(super) fn new(limits: &ComponentLimits, counters: Arc<Counters>) -> Self {
        Self {
            limit: limits.memory,
            table_elements: limits.table_elements,
            used: 0,
            refusal: None,
            counters,
            usage: Arc::default(),
        }
    }

    /// What the instance grows from now on is this call's; what it holds already counts too.
    pub(super) fn begin_call(&mut self, usage: Arc<CallUsage>) {
        usage.raise_peak_memory(self.used);
        self.usage = usage;
        self.refusal = None;
    }

    /// What the guest was refused during this call, if anything.
    pub(super) fn refusal(&self) -> Option<&CallError> {
        self.refusal.as_ref()
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        let total = self.used.saturating_add(growth);
        if total > self.limit {
            self.refusal = Some(CallError::MemoryExceeded { limit: self.limit });
            return Ok(false);
        }
        self.used = total;
        self.usage.raise_peak_memory(total);
        self.counters.raise_peak_memory(total);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.table_elements as usize;
        if !fits {
            self.refusal = Some(CallError::TableExceeded { limit: self.table_elements });
        }
        Ok(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> MemoryLimiter {
        let limits = ComponentLimits { memory: 100, table_elements: 10, ..ComponentLimits::default() };
        MemoryLimiter::new(&limits, Arc::default())
    }

    #[test]
    fn all_memories_of_an_instance_share_one_limit() {
        let mut limiter = limiter();
        let mut grow = |current, desired| limiter.memory_growing(current, desired, None).expect("never an error");
        assert!(grow(0, 40), "the first memory");
        assert!(grow(0, 40), "the second memory");
        assert!(!grow(40, 61), "21 more would make 101");
        assert!(grow(40, 60), "20 more make 100");
        assert_eq!(limiter.refusal(), Some(&CallError::MemoryExceeded { limit: 100 }));
        assert_eq!(limiter.usage.peak_memory(), 100);
    }

    #[test]
    fn tables_are_limited() {
        let mut limiter = limiter();
        let mut grow = |desired| limiter.table_growing(0, desired, None).expect("never an error");
        assert!(grow(10));
        assert!(!grow(11));
        assert_eq!(limiter.refusal(), Some(&CallError::TableExceeded { limit: 10 }));
    }

    #[test]
    fn a_call_is_not_charged_with_the_refusals_of_the_one_before() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 60, None).expect("never an error"));
        assert!(!limiter.memory_growing(60, 200, None).expect("never an error"));
        let next = Arc::new(CallUsage::default());
        limiter.begin_call(Arc::clone(&next));
        assert_eq!((limiter.refusal(), next.peak_memory()), (None, 60));
    }
}
