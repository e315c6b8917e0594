//! WebAssembly components that answer HTTP (`wasi:http/proxy` 0.2, `wasi:http/service` 0.3), run in this process.
//!
//! A [`ComponentHost`] turns the bytes of a component into a [`Component`], which answers calls until it is dropped.
//! Every call gets a fresh instance, so nothing one request leaves in memory is seen by the next, unless
//! [`ComponentLimits::reuse`] says otherwise. Bodies are streamed both ways, and whoever reads slowly slows down whoever
//! writes.
//!
//! A component runs under [`ComponentLimits`]; each limit fails the call with an error of its own, and nothing else. It
//! has no files, no sockets and no environment; it has clocks, random numbers and a log, and its HTTP requests go
//! through [`crate::Outgoing`].
//!
//! Guests never run on their caller's threads: see [`HostSettings`] for the threads they do run on.
//!
//! Components are separated by WebAssembly, not by processes: side channels of the processor (Spectre) are not excluded.
//! Code of hostile origin belongs in a process, or on a machine, of its own.

mod compile_cache;
mod cpu_budget;
mod cpu_meter;
mod engine;
mod epoch;
mod guest_call;
mod guest_end;
mod guest_log;
mod guest_state;
mod held_answer;
mod host;
mod http_hooks;
mod instance;
mod lanes;
mod lease;
mod limits;
mod linker;
mod load;
mod loaded;
mod memory_limiter;
mod response_body;
mod response_headers;
mod settings;
mod stats;
mod warm_instances;

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Request, Response, header};
use tokio::time::Instant;

pub use self::host::{ComponentHost, HostError};
pub use self::limits::{ComponentLimits, LimitError};
pub use self::load::LoadError;
pub use self::settings::HostSettings;
pub use self::stats::ComponentStats;

use self::cpu_meter::{CpuMeter, Metered};
use self::guest_call::{Deadline, GuestCall};
use self::guest_end::guest_end;
use self::held_answer::held_answer;
use self::lease::lease;
use self::loaded::Loaded;
use self::response_body::ResponseBody;
use self::response_headers::remove_hop_by_hop;
use crate::{Body, CallContext, CallError};

/// A component ready to be called. A cheap handle: clones are the same component.
#[derive(Clone)]
pub struct Component {
    loaded: Arc<Loaded>,
}

impl Component {
    fn new(loaded: Arc<Loaded>) -> Self {
        Self { loaded }
    }

    /// Sends a request to the component and waits for the head of its response.
    ///
    /// The request's URI must be absolute; its authority is what the component is told it was called by, and is never
    /// taken from a `host` header. Header fields that belong to a connection are removed from the response; trailers
    /// are the last frame of its body. The body must be polled to its end: a component that fails in the middle makes
    /// it end with [`crate::BodyError::Plugin`].
    ///
    /// Dropping the returned future, or the response body before its end, ends the component's work at once.
    pub async fn call(&self, request: Request<Body>, context: CallContext) -> Result<Response<Body>, CallError> {
        let counters = &self.loaded.counters;
        counters.count_call();
        let counted = |error: CallError| {
            counters.count_error(&error);
            error
        };

        let deadline = self.deadline(&context);
        let admitted = match request.uri().authority() {
            Some(_) => self.loaded.admit(&deadline).await,
            None => Err(CallError::Internal { reason: "the request's URI has no authority".into() }),
        };
        let admission = match admitted {
            Ok(admission) => Arc::new(admission),
            Err(refusal) => {
                context.usage.settle();
                return Err(counted(refusal));
            }
        };
        let (answer, held_answer, mut response_receiver) = held_answer();
        let (end_reporter, end_receiver) = guest_end(Arc::clone(&self.loaded.name), Arc::clone(counters));
        let meter = Arc::new(CpuMeter::new(Arc::clone(counters), Arc::clone(&context.usage)));
        // Made last, so dropped first: a guest is cancelled before it can see that nobody listens.
        let (lease, cancelled) = lease();
        let guest = GuestCall {
            loaded: Arc::clone(&self.loaded),
            request,
            context,
            meter: Arc::clone(&meter),
            deadline,
            admission: Arc::clone(&admission),
            cancelled,
            answer,
            held_answer,
            end: end_reporter,
        };
        let guest = Metered::new(Box::pin(guest.run()), meter);
        self.loaded.shared.lanes.spawn(guest, Arc::clone(counters));

        match (&mut response_receiver).await {
            Ok(Ok(response)) => {
                let (mut head, frames) = response.into_parts();
                if head.status.is_informational() {
                    let code = format!("{} is not the status of a response", head.status);
                    return Err(counted(CallError::GuestError { code }));
                }
                let limit = self.loaded.limits.response_body;
                if promised_length(&head.headers).is_some_and(|length| length > limit) {
                    return Err(counted(CallError::ResponseTooLarge { limit }));
                }
                remove_hop_by_hop(&mut head.headers);
                let counters = Arc::clone(counters);
                let body = ResponseBody::boxed(frames, lease, end_receiver, counters, limit, admission);
                Ok(Response::from_parts(head, body))
            }
            Ok(Err(code)) => {
                lease.release();
                Err(counted(CallError::GuestError { code }))
            }
            // The guest has let go of its chance to answer, but may still be running.
            Err(_unanswered) => match end_receiver.wait().await {
                Ok(()) => Err(counted(CallError::NoResponse)),
                Err(error) => Err(error),
            },
        }
    }

    /// What the component has done so far.
    pub fn stats(&self) -> ComponentStats {
        self.loaded.counters.snapshot(self.loaded.warm.len())
    }

    /// The name it was loaded under.
    pub fn name(&self) -> &str {
        &self.loaded.name
    }

    /// The limits it was loaded with.
    pub fn limits(&self) -> &ComponentLimits {
        &self.loaded.limits
    }

    fn deadline(&self, context: &CallContext) -> Deadline {
        let limit = self.loaded.limits.wall;
        let own = Instant::now() + limit;
        match context.deadline {
            Some(callers) if callers < own => Deadline { at: callers, error: CallError::DeadlineExceeded },
            _ => Deadline { at: own, error: CallError::WallExceeded { limit } },
        }
    }
}

fn promised_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl fmt::Debug for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Component")
            .field("name", &self.loaded.name)
            .field("limits", &self.loaded.limits)
            .finish_non_exhaustive()
    }
}
