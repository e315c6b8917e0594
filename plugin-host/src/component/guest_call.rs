//! One call, from the guest's side: make an instance, hand it the request, see it to its end.

use std::sync::Arc;

use http::{Request, Response};
use tokio::sync::oneshot;
use tokio::time::Instant;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::cpu_meter::CpuMeter;
use super::guest_end::EndReporter;
use super::guest_state::GuestState;
use super::http_hooks::into_guest_body;
use super::lease::Cancelled;
use super::loaded::{Admission, Loaded};
use crate::{Body, CallContext, CallError, CallUsage};

/// What a guest sets as its response.
pub(super) type GuestResponse = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// When a call must be over, and what it means if it is not.
#[derive(Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) error: CallError,
}

/// Everything a guest needs to serve one call.
pub(super) struct GuestCall {
    pub(super) loaded: Arc<Loaded>,
    pub(super) request: Request<Body>,
    pub(super) context: CallContext,
    pub(super) meter: Arc<CpuMeter>,
    pub(super) deadline: Deadline,
    pub(super) admission: Arc<Admission>,
    pub(super) cancelled: Cancelled,
    pub(super) response: oneshot::Sender<GuestResponse>,
    pub(super) end: EndReporter,
}

impl GuestCall {
    /// Runs the guest until it returns, fails, runs into a limit, or nobody wants its answer any more.
    pub(super) async fn run(self) {
        let Self { loaded, request, context, meter, deadline, admission, mut cancelled, response, end } = self;
        // The order of these bindings is the reverse of their drops: the end is reported before the store goes,
        // because the store takes the response body with it, which must not look complete; and the call counts as
        // running until the instance has gone.
        let _admission = admission;
        let _instance = match loaded.reserve_instance() {
            Ok(permit) => permit,
            Err(busy) => return end.failed(busy),
        };
        let usage = Arc::clone(&context.usage);
        let mut store = loaded.new_store(context, meter);
        let end = end;

        tokio::select! {
            biased;
            () = cancelled.wait() => end.cancelled(),
            () = tokio::time::sleep_until(deadline.at) => end.failed(deadline.error),
            result = serve(&loaded, &usage, &mut store, request, response) => match result {
                Ok(()) => end.returned(),
                // Writing to somebody who went away makes many guests panic.
                Err(_) if cancelled.happened() => end.cancelled(),
                Err(error) => end.failed(error),
            },
        }
    }
}

async fn serve(
    loaded: &Loaded,
    usage: &CallUsage,
    store: &mut Store<GuestState>,
    request: Request<Body>,
    response: oneshot::Sender<GuestResponse>,
) -> Result<(), CallError> {
    let started = Instant::now();
    let proxy = match loaded.proxy.instantiate_async(&mut *store).await {
        Ok(proxy) => proxy,
        Err(error) => {
            return Err(loaded.classify(&error, store.data(), |reason| CallError::Instantiate { reason }));
        }
    };
    let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    usage.set_instantiate(nanoseconds);
    loaded.counters.count_instantiation(nanoseconds);

    let mut http = store.data_mut().http();
    let request =
        http.new_incoming_request(Scheme::Http, request.map(into_guest_body)).map_err(|error| internal(&error))?;
    let outparam = http.new_response_outparam(response).map_err(|error| internal(&error))?;
    proxy
        .wasi_http_incoming_handler()
        .call_handle(&mut *store, request, outparam)
        .await
        .map_err(|error| loaded.classify(&error, store.data(), |reason| CallError::Trapped { reason }))
}

fn internal(error: &wasmtime::Error) -> CallError {
    CallError::Internal { reason: format!("{error:#}") }
}
