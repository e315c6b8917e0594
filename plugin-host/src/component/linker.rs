//! What components may import: this list is the capabilities of a plugin.

use wasmtime::Engine;
use wasmtime::component::Linker;

use super::guest_state::GuestState;

/// Links every interface the host offers. Files and sockets are linked because language runtimes import them, but
/// nothing is granted: no directory is open and no address may be used.
pub(super) fn link_interfaces(engine: &Engine, wasi_03: bool) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    if wasi_03 {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    Ok(linker)
}
