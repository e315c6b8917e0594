//! A live instance of a component with the store it lives in, serving one call at a time.

use std::future::poll_fn;
use std::sync::Arc;

use http::Request;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::Accessor;
use wasmtime::{AsContextMut, Store};
use wasmtime_wasi_http::handler::{Prepared, Proxy};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as ErrorCode03;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::cpu_budget::CpuBudget;
use super::cpu_meter::CpuMeter;
use super::guest_state::GuestState;
use super::held_answer::Answer;
use super::http_hooks::into_guest_body;
use super::loaded::Loaded;
use crate::{Body, CallContext, CallError, Caller};

/// A live instance.
pub(super) struct Instance {
    store: Store<GuestState>,
    proxy: Proxy,
    /// Calls it has served.
    served: u32,
    /// Its place among those that may live; a component that is only tried out needs none.
    _room: Option<OwnedSemaphorePermit>,
}

impl Instance {
    /// Makes an instance for a call. What making it costs is charged to the call.
    pub(super) async fn start(
        loaded: &Loaded,
        context: CallContext,
        meter: Arc<CpuMeter>,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, CallError> {
        let mut store = loaded.new_store();
        begin(&mut store, loaded, context, meter);
        let proxy = match loaded.proxy.instantiate_async(&mut store).await {
            Ok(proxy) => proxy,
            Err(error) => {
                return Err(loaded.classify(&error, store.data(), |reason| CallError::Instantiate { reason }));
            }
        };
        Ok(Self { store, proxy, served: 0, _room: room })
    }

    /// Everything from now on is charged to this call.
    pub(super) fn begin_call(&mut self, loaded: &Loaded, context: CallContext, meter: Arc<CpuMeter>) {
        // Ticks that passed while nothing ran are not this call's.
        self.store.set_epoch_deadline(1);
        begin(&mut self.store, loaded, context, meter);
        loaded.counters.count_reused();
    }

    /// Hands the guest the request and lets it run until it returns. An instance whose call did not end well, or was
    /// dropped in the middle, must not be used again.
    pub(super) async fn serve(
        &mut self,
        loaded: &Loaded,
        request: Request<Body>,
        answer: Answer,
    ) -> Result<(), CallError> {
        self.served = self.served.saturating_add(1);
        let request = request.map(into_guest_body);
        let end = match &self.proxy {
            Proxy::P2(guest) => {
                let mut http = self.store.data_mut().http();
                let request = http.new_incoming_request(Scheme::Http, request).map_err(|error| internal(&error))?;
                let out = http.new_response_outparam_from_callback(move |response| {
                    answer.set(response.map_err(|code| wasmtime_wasi_http::Error::from(code).to_string()));
                });
                let out = out.map_err(|error| internal(&error))?;
                guest.wasi_http_incoming_handler().call_handle(&mut self.store, request, out).await
            }
            Proxy::P3(_) => serve_03(&mut self.store, &self.proxy, request, answer).await,
        };
        end.map_err(|error| loaded.classify(&error, self.store.data(), |reason| CallError::Trapped { reason }))
    }

    /// Lets go of a call that ended well. `None` when the instance has served its share or left something behind.
    pub(super) fn end_call(mut self, most: u32) -> Option<Self> {
        self.store.data_mut().end_call();
        (self.served < most && self.store.data_mut().is_tidy()).then_some(self)
    }
}

fn begin(store: &mut Store<GuestState>, loaded: &Loaded, context: CallContext, meter: Arc<CpuMeter>) {
    let cpu = CpuBudget::new(meter, loaded.limits.cpu, loaded.shared.pulse.enter());
    let caller = Caller { plugin: Arc::clone(&loaded.name), context };
    store.data_mut().begin_call(caller, cpu, &loaded.limits);
}

/// Serves a request with a component of `wasi:http` 0.3: the response is returned, and tasks of the guest may go on
/// writing its body. The call is over when the last of them is.
async fn serve_03(
    store: &mut Store<GuestState>,
    proxy: &Proxy,
    request: Request<WasiBody>,
    answer: Answer,
) -> wasmtime::Result<()> {
    let (sender, receiver) = futures_channel::oneshot::channel();
    let prepared = Prepared::new(store.as_context_mut(), proxy, request, WasiHttpView::http, sender)?;
    store
        .run_concurrent(async move |accessor: &Accessor<GuestState>| {
            // The wall time is kept outside, where it also ends a guest that computes.
            prepared.run(accessor, std::future::pending()).await?;
            match receiver.await {
                Ok(Ok(response)) => answer.set(Ok(response)),
                Ok(Err(error)) => match error.downcast::<ErrorCode03>() {
                    Ok(code) => answer.set(Err(wasmtime_wasi_http::Error::from(code).to_string())),
                    // A trap: whoever waits learns of it from the end of the guest.
                    Err(trap) => return Err(trap),
                },
                Err(_never_answered) => {}
            }
            poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
            Ok(())
        })
        .await?
}

fn internal(error: &wasmtime::Error) -> CallError {
    CallError::Internal { reason: format!("{error:#}") }
}
