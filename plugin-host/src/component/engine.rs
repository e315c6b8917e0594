//! How wasmtime is set up: what components may use of WebAssembly, and where their instances are allocated.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::host::HostError;
use super::limits::ComponentLimits;
use super::settings::HostSettings;

/// What one component may consist of. Interpreters compiled to WebAssembly (Python) are dozens of core modules.
const MAX_CORE_INSTANCES_PER_COMPONENT: u32 = 100;
const MAX_TABLES_PER_COMPONENT: u32 = 100;
const MAX_MEMORIES_PER_COMPONENT: u32 = 20;
const MAX_INSTANCE_METADATA: usize = 4 << 20;

/// Slots beyond those for calls, so that a component can be tried out while the host is full.
const SPARE_INSTANCES: u32 = 4;

/// Pages of a finished instance that are cleaned in place rather than given back to the kernel.
const KEEP_RESIDENT: usize = 16 << 20;
/// The same for each table. A component has a few; 128 thousand functions fit into this.
const KEEP_TABLE_RESIDENT: usize = 1 << 20;
/// Slots that may keep such pages while unused; with the constants above, at most 512 MiB of memories stay resident, and what was
/// used of their tables.
const MAX_WARM_SLOTS: u32 = 32;

/// Makes the engine with pooled instances or, on a machine that has no room for the pool, without.
pub(super) fn start_engine(settings: &HostSettings) -> Result<Engine, HostError> {
    let mut pooled = base_config();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    match Engine::new(&pooled) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(
                max_instances = settings.max_instances,
                "no pool for plugin instances, allocating them one by one: {error:#}"
            );
            Engine::new(&base_config()).map_err(|error| HostError::Engine(error.into()))
        }
    }
}

fn base_config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // `memory.atomic.wait` would block a whole thread of the host, and shared memories escape the memory limit.
    config.wasm_threads(false);
    config
}

fn pool(settings: &HostSettings) -> PoolingAllocationConfig {
    let instances = settings.max_instances.saturating_add(SPARE_INSTANCES);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(MAX_CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances)
        .max_core_instances_per_component(MAX_CORE_INSTANCES_PER_COMPONENT)
        .max_tables_per_component(MAX_TABLES_PER_COMPONENT)
        .max_memories_per_component(MAX_MEMORIES_PER_COMPONENT)
        .max_core_instance_size(MAX_INSTANCE_METADATA)
        .max_component_instance_size(MAX_INSTANCE_METADATA)
        .table_elements(ComponentLimits::MAX_TABLE_ELEMENTS as usize)
        .max_memory_size(usize::try_from(settings.max_memory_per_instance).unwrap_or(usize::MAX))
        .max_unused_warm_slots(MAX_WARM_SLOTS.min(instances));
    // Cleaning pages in place pays only where the kernel can tell which pages were touched; without, it costs more
    // than giving them all back.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_TABLE_RESIDENT);
    }
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_is_made_with_the_defaults_and_with_the_most_memory() {
        let most_memory = HostSettings { max_memory_per_instance: 4 << 30, ..HostSettings::default() };
        for settings in [HostSettings::default(), most_memory] {
            let engine = start_engine(&settings).expect("an engine");
            assert!(engine.pooling_allocator_metrics().is_some(), "needs 1 TiB of address space: {settings:?}");
        }
    }
}
