//! The program `framex-gateway`.

use std::process::ExitCode;

/// Chosen by measurement: a proxied request costs up to 15 % less CPU than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    framex_gateway::cli::main()
}
