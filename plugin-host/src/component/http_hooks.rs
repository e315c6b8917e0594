//! The guest's side of HTTP: how its requests leave, and how errors are translated between it and the host.

use std::sync::Arc;

use http::uri::Scheme;
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error as WasiError, RequestOptions, WasiBody, WasiHttpHooks};

use crate::{Body, BodyError, Caller, Outgoing, OutgoingError};

/// The largest piece of a body a guest may hand over at once; the host holds up to two of them per call.
const OUTGOING_CHUNK: usize = 64 * 1024;

/// Connects the requests of an instance to the host's [`Outgoing`].
pub(super) struct HttpHooks {
    outgoing: Arc<dyn Outgoing>,
    /// The call that the instance is serving, and how many requests it may still send.
    call: Option<(Caller, u32)>,
}

impl HttpHooks {
    pub(super) fn new(outgoing: Arc<dyn Outgoing>) -> Self {
        Self { outgoing, call: None }
    }

    /// Requests from now on are made during this call.
    pub(super) fn begin_call(&mut self, caller: Caller, requests: u32) {
        self.call = Some((caller, requests));
    }

    /// Requests are refused until the next call.
    pub(super) fn end_call(&mut self) {
        self.call = None;
    }

    /// The caller to name in a request, if there may be one more.
    fn take_request(&mut self) -> Option<Caller> {
        let (caller, left) = self.call.as_mut()?;
        *left = left.checked_sub(1)?;
        Some(caller.clone())
    }
}

/// Finishes when the transfer of a body is over, with its error if any.
type Transfer = Box<dyn Future<Output = Result<(), WasiError>> + Send>;
type Sending = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Transfer), WasiError>> + Send>;

impl WasiHttpHooks for HttpHooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _response_processed: Transfer,
    ) -> Sending {
        let outgoing = Arc::clone(&self.outgoing);
        let Some(caller) = self.take_request() else {
            return Box::new(std::future::ready(Err(WasiError::HttpRequestDenied)));
        };
        let patience = options.and_then(|options| options.first_byte_timeout);
        Box::new(async move {
            let request = request.map(|body| body.map_err(BodyError::source).boxed_unsync());
            let sending = outgoing.send(request, &caller);
            let result = match patience {
                Some(patience) => tokio::time::timeout(patience, sending).await.unwrap_or(Err(OutgoingError::Timeout)),
                None => sending.await,
            };
            let response = result.map_err(outgoing_error)?.map(into_guest_body);
            let nothing_left_to_do: Transfer = Box::new(std::future::ready(Ok(())));
            Ok((response, nothing_left_to_do))
        })
    }

    /// Plugins are reached over plain HTTP inside the process.
    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTP)
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        OUTGOING_CHUNK
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        OUTGOING_CHUNK
    }
}

/// A body as the guest may read it.
pub(super) fn into_guest_body(body: Body) -> WasiBody {
    body.map_err(|error| body_error(&error)).boxed_unsync()
}

fn body_error(error: &BodyError) -> WasiError {
    match error {
        BodyError::Plugin(_) => WasiError::HttpResponseIncomplete,
        BodyError::Source(_) => WasiError::ConnectionTerminated,
    }
}

fn outgoing_error(error: OutgoingError) -> WasiError {
    match error {
        OutgoingError::Denied => WasiError::HttpRequestDenied,
        OutgoingError::NotFound => WasiError::DestinationNotFound,
        OutgoingError::Unavailable => WasiError::DestinationUnavailable,
        OutgoingError::Loop => WasiError::LoopDetected,
        OutgoingError::Timeout => WasiError::HttpResponseTimeout,
        OutgoingError::Broken => WasiError::ConnectionTerminated,
    }
}
