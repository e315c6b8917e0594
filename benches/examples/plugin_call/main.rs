//! What a call of a component costs beside the same answer from native code in this process, and from a worker behind a
//! Unix socket. `benches/README.md` says how to read the table.
//!
//! `plugin_call [--rounds 5] [--milliseconds 500] [--only <part of a name>] [--guest-threads <number>]`

#![expect(clippy::print_stdout, reason = "its output is the table")]

mod cases;
mod measure;
mod worker;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use framex_plugin_host::component::{Component, ComponentHost, HostSettings};
use framex_plugin_host::{Body, Caller, Outgoing, OutgoingError};
use http::{Request, Response};

use measure::Plan;
use worker::Worker;

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [option, socket] = &arguments[..]
        && option == worker::OPTION
    {
        return worker::serve(Path::new(socket));
    }
    let plan = Plan::from_arguments(&arguments).unwrap_or_else(|wrong| panic!("not an option: {wrong}"));
    let neighbour = Arc::new(Neighbour::default());
    let defaults = HostSettings::default();
    let host = ComponentHost::start(HostSettings {
        // Python and JavaScript take many seconds to compile.
        cache_directory: Some(cases::file("target/bench-cache")),
        outgoing: Arc::clone(&neighbour) as Arc<dyn Outgoing>,
        guest_threads: plan.guest_threads.map_or(defaults.guest_threads, |threads| threads as usize),
        ..defaults
    });
    let host = host.expect("the host starts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let worker = Worker::start();
    let mut cases = cases::all(&host, &neighbour.0, &worker.socket());
    cases.retain(|case| plan.measures(case.name));
    for case in &mut cases {
        runtime.block_on(case.learn());
    }
    let results = runtime.block_on(plan.run(&cases, &worker));
    measure::print_table(&cases, &results);
}

/// Answers every request of a component with a call of another one, in the process and with nothing in between.
#[derive(Default)]
struct Neighbour(OnceLock<Component>);

#[async_trait]
impl Outgoing for Neighbour {
    async fn send(&self, request: Request<Body>, caller: &Caller) -> Result<Response<Body>, OutgoingError> {
        let callee = self.0.get().ok_or(OutgoingError::NotFound)?;
        callee.call(request, caller.context.nested()).await.map_err(|_failed| OutgoingError::Broken)
    }
}
