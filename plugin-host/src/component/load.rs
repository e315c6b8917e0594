//! From the bytes of a file to a component that is known to start: everything slow happens here, once.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use wasmtime::component::{Component as Compiled, Linker};
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::{p2, p3};

use super::compile_cache::CompileCache;
use super::cpu_meter::{CpuMeter, Metered};
use super::guest_state::GuestState;
use super::instance::Instance;
use super::limits::{ComponentLimits, LimitError};
use super::loaded::{Loaded, Shared};
use crate::{CallContext, CallError};

/// How long the first instance may take to start.
const LONGEST_TRY_OUT: Duration = Duration::from_secs(10);

/// Why a component was refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A limit is out of bounds.
    #[error("a limit is out of bounds")]
    Limit(#[from] LimitError),
    /// The file is not WebAssembly at all.
    #[error("the file is not a WebAssembly component")]
    NotWebAssembly,
    /// The file is native code, precompiled from a component. Running it would put the host at its mercy.
    #[error("the file is precompiled native code, which is never accepted: deploy the .wasm component instead")]
    NativeCode,
    /// The file is a plain module; a component is needed.
    #[error(
        "the file is a core WebAssembly module, not a component: \
         make one of it with `wasm-tools component new`"
    )]
    CoreModule,
    /// It does not compile: it is damaged, or uses features that are not enabled.
    #[error("the component could not be compiled: {reason}")]
    Compile {
        /// What the compiler says.
        reason: String,
    },
    /// It imports something the host does not offer.
    #[error("the component cannot be linked: {reason}")]
    Import {
        /// Which import, and what is wrong with it.
        reason: String,
    },
    /// It cannot answer HTTP requests.
    #[error(
        "the component exports neither wasi:http/incoming-handler 0.2 nor wasi:http/handler 0.3, so it cannot answer requests"
    )]
    NoHttpExport,
    /// It is written against the next generation of `wasi:http`, which the host was not told to accept.
    #[error(
        "wasi:http 0.3 is not enabled here: build for wasi:http/proxy 0.2, or have 0.3 enabled for the whole gateway"
    )]
    NextGeneration,
    /// It does not start within its limits.
    #[error("the component does not start")]
    TryOut(#[source] CallError),
}

/// Compiles, links and tries out a component.
pub(super) fn load(
    workshop: &Workshop,
    shared: Shared,
    name: &str,
    wasm: &[u8],
    limits: ComponentLimits,
    environment: &[(String, String)],
    compiled_now: &dyn Fn(),
) -> Result<Arc<Loaded>, LoadError> {
    check_header(wasm)?;
    let compiled = workshop
        .cache
        .compile(workshop.linker.engine(), wasm)
        .map_err(|error| LoadError::Compile { reason: format!("{error:#}") })?;
    let generation = find_export(&compiled, workshop.wasi_03)?;
    let linked = workshop
        .linker
        .instantiate_pre(&compiled)
        .map_err(|error| LoadError::Import { reason: format!("{error:#}") })?;
    let proxy = match generation {
        Generation::Wasi02 => p2::bindings::ProxyPre::new(linked).map(ProxyPre::P2),
        Generation::Wasi03 => p3::bindings::ServicePre::new(linked).map(ProxyPre::P3),
    };
    let proxy = proxy.map_err(|error| {
        tracing::debug!("no usable wasi:http export: {error:#}");
        LoadError::NoHttpExport
    })?;
    let warm = Arc::clone(&shared.warm);
    let loaded = Arc::new(Loaded::new(name, proxy, limits, environment, shared));
    compiled_now();
    try_out(&loaded).map_err(LoadError::TryOut)?;
    if loaded.limits.reuse > 1 {
        warm.add(Arc::downgrade(&loaded));
    }
    Ok(loaded)
}

/// What turns bytes into components.
pub(super) struct Workshop {
    pub(super) linker: Linker<GuestState>,
    pub(super) cache: CompileCache,
    pub(super) wasi_03: bool,
}

/// Which `wasi:http` a component is written against.
#[derive(Clone, Copy, Debug)]
enum Generation {
    Wasi02,
    Wasi03,
}

/// Looks at the first bytes, to say what a wrong file is rather than where it fails to parse.
fn check_header(wasm: &[u8]) -> Result<(), LoadError> {
    const NATIVE: &[u8] = b"\x7fELF";
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    if wasm.starts_with(NATIVE) {
        Err(LoadError::NativeCode)
    } else if wasm.starts_with(MODULE) {
        Err(LoadError::CoreModule)
    } else if wasm.starts_with(COMPONENT) {
        Ok(())
    } else {
        Err(LoadError::NotWebAssembly)
    }
}

/// Makes sure that there is something to call, before the imports are looked at.
fn find_export(compiled: &Compiled, wasi_03: bool) -> Result<Generation, LoadError> {
    let exports = compiled.component_type();
    let exports_any = |prefix: &str| exports.exports(compiled.engine()).any(|(name, _)| name.starts_with(prefix));
    if exports_any("wasi:http/incoming-handler@0.2.") {
        Ok(Generation::Wasi02)
    } else if exports_any("wasi:http/handler@0.3.") {
        if wasi_03 { Ok(Generation::Wasi03) } else { Err(LoadError::NextGeneration) }
    } else {
        Err(LoadError::NoHttpExport)
    }
}

/// Makes one instance under the limits of a call, so that a component which cannot start never serves.
fn try_out(loaded: &Arc<Loaded>) -> Result<(), CallError> {
    let context = CallContext::default();
    // What is counted here are not calls.
    let meter = Arc::new(CpuMeter::new(Arc::default(), Arc::clone(&context.usage)));
    let (sender, receiver) = mpsc::sync_channel(1);
    let guest = {
        let loaded = Arc::clone(loaded);
        let meter = Arc::clone(&meter);
        async move {
            // Whoever loads is waiting, and others behind them.
            let wall = loaded.limits.wall.min(LONGEST_TRY_OUT);
            let started = Instance::start(&loaded, context, meter, None);
            let result = match tokio::time::timeout(wall, started).await {
                Ok(started) => started.map(drop),
                Err(_elapsed) => Err(CallError::WallExceeded { limit: wall }),
            };
            // `load` is waiting, unless its thread was killed.
            let _ = sender.send(result);
        }
    };
    loaded.shared.lanes.spawn(Metered::new(Box::pin(guest), meter), Arc::default());
    receiver.recv().unwrap_or(Err(CallError::HostStopped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_is_recognised_by_its_first_bytes() {
        assert!(matches!(check_header(b""), Err(LoadError::NotWebAssembly)));
        assert!(matches!(check_header(b"#!/bin/sh"), Err(LoadError::NotWebAssembly)));
        assert!(matches!(check_header(b"\x7fELF\x02"), Err(LoadError::NativeCode)));
        assert!(matches!(check_header(b"\0asm\x01\0\0\0"), Err(LoadError::CoreModule)));
        assert!(check_header(b"\0asm\x0d\0\x01\0").is_ok());
    }
}
