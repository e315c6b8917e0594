//! One call, from the guest's side: find an instance, hand it the request, see it to its end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use http::Request;
use tokio::time::Instant;

use super::cpu_meter::CpuMeter;
use super::guest_end::EndReporter;
use super::held_answer::{Answer, HeldAnswer};
use super::instance::Instance;
use super::lease::Cancelled;
use super::loaded::{Admission, Loaded};
use crate::{Body, CallContext, CallError};

/// When a call must be over, and what it means if it is not.
#[derive(Clone, Debug)]
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
    pub(super) answer: Answer,
    pub(super) held_answer: HeldAnswer,
    pub(super) end: EndReporter,
}

impl GuestCall {
    /// Runs the guest until it returns, fails, runs into a limit, or nobody wants its answer any more.
    pub(super) async fn run(self) {
        let Self { loaded, request, context, meter, deadline, admission, mut cancelled, answer, held_answer, end } =
            self;
        // The order of these bindings is the reverse of their drops: the end is reported before the instance goes,
        // because the instance takes the response body with it, which must not look complete; and the call counts as
        // running until the instance has gone.
        let _admission = admission;
        let mut instance = None;
        let mut held_answer = held_answer;
        let end = end;

        if deadline.at <= Instant::now() {
            return end.failed(deadline.error);
        }
        let served = {
            let mut serving = pin!(serve(&loaded, &mut instance, context, meter, request, answer));
            let serving = poll_fn(|turn| {
                let served = serving.as_mut().poll(turn);
                if served.is_pending() {
                    held_answer.deliver();
                }
                served
            });
            tokio::select! {
                biased;
                () = cancelled.wait() => return end.cancelled(),
                served = serving => served,
                // Last, because most calls are over before a timer has to be set.
                () = tokio::time::sleep_until(deadline.at) => return end.failed(deadline.error),
            }
        };
        match served {
            Ok(()) => {
                // Taken back before the end is told: whoever calls next as soon as it knows finds the instance waiting.
                if let Some(instance) = instance.take().and_then(|instance| instance.end_call(loaded.limits.reuse)) {
                    loaded.warm.put(instance);
                }
                end.returned();
            }
            // Writing to somebody who went away makes many guests panic.
            Err(_) if cancelled.happened() => end.cancelled(),
            Err(error) => end.failed(error),
        }
        held_answer.deliver();
    }
}

/// `instance` belongs to the caller, so that it outlives this future when that is dropped.
async fn serve(
    loaded: &Loaded,
    instance: &mut Option<Instance>,
    context: CallContext,
    meter: Arc<CpuMeter>,
    request: Request<Body>,
    answer: Answer,
) -> Result<(), CallError> {
    let instance = match loaded.warm.take() {
        Some(mut warm) => {
            warm.begin_call(loaded, context, meter);
            instance.insert(warm)
        }
        None => {
            let room = loaded.reserve_instance()?;
            let (started, usage) = (Instant::now(), Arc::clone(&context.usage));
            let fresh = Instance::start(loaded, context, meter, Some(room)).await?;
            let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            usage.set_instantiate(nanoseconds);
            loaded.counters.count_instantiation(nanoseconds);
            instance.insert(fresh)
        }
    };
    instance.serve(loaded, request, answer).await
}
