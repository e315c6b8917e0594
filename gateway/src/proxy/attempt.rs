//! One request may be sent more than once, and to more than one backend: which endpoint is asked, what is noted of how it answered,
//! and whether another one is asked after that.

use super::context::RequestContext;
use super::watchdog::Watchdog;
use crate::backends::{Cluster, NotTaken, Outcome, Pass, Taken, Wish};
use crate::config::{Balance, Protocol};
use crate::dispatch::{affinity_value, circuit_open};
use crate::rejection::{Reason, Rejection};
use crate::request::session_cookie;
use crate::snapshot::Route;
use http::StatusCode;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, ErrorType};
use pingora_proxy::Session;
use rand::Rng;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What is known of the attempts of one request.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// How many endpoints were asked.
    pub(super) count: u32,
    /// Those that are not asked again while there are others.
    tried: Vec<pingora_core::protocols::l4::socket::SocketAddr>,
    /// Whether the backend that is asked now has let the request in.
    has_entered: bool,
    /// Leave of its circuit breaker.
    pass: Option<Pass>,
    /// When the endpoint was chosen that is asked now.
    began: Option<Instant>,
    /// The status with which it began to answer.
    status: Option<StatusCode>,
    /// Whether the request goes to another endpoint because of that status.
    is_for_status: bool,
    /// Whether to wait before the next one.
    backs_off: bool,
    watchdog: Option<Watchdog>,
    /// Which time is over.
    late: Option<Late>,
}

/// A time that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// That of one attempt.
    Attempt,
    /// That of the whole request.
    Request,
}

/// Takes a place at an endpoint of whoever is to answer now.
pub(super) async fn choose(session: &Session, context: &mut RequestContext) -> Result<Taken, Rejection> {
    let (Some(route), Some(cluster)) = (context.route.clone(), context.cluster().cloned()) else {
        return Err(Reason::Internal.into());
    };
    context.place = None;
    context.attempts.watchdog = None;
    context.attempts.status = None;
    if is_late(&route, context) {
        context.attempts.late = Some(Late::Request);
        return Err(late(&cluster, Late::Request));
    }
    if std::mem::take(&mut context.attempts.backs_off) {
        let wait = backoff(&route, context.attempts.count);
        sleep(wait).await;
    }
    if !std::mem::replace(&mut context.attempts.has_entered, true) {
        let entered = cluster.enter(Instant::now());
        context.attempts.pass = entered.map_err(|after| circuit_open(&cluster.config.name, after))?;
    }
    let request = session.req_header();
    let value = affinity_value(&cluster, &route, &request.headers, &context.identity, context.path(request));
    let mut taken = cluster.take_or_wait(&Wish { tried: &context.attempts.tried, value }).await;
    if taken.as_ref().is_err_and(|refused| *refused == NotTaken::None) && !context.attempts.tried.is_empty() {
        // All were tried; whoever is asked again may have come back.
        taken = cluster.take_or_wait(&Wish { tried: &[], value }).await;
    }
    let taken = taken.map_err(|refused| not_taken(refused, &cluster))?;
    if let Balance::Sticky(name) = &cluster.config.balance
        && value != Some(taken.endpoint.sticky_name().as_bytes())
    {
        context.endpoint_cookie = session_cookie(name, taken.endpoint.sticky_name(), context.via_tls);
    }
    context.attempts.began = Some(Instant::now());
    context.attempts.count += 1;
    Ok(taken)
}

fn not_taken(refused: NotTaken, cluster: &Cluster) -> Rejection {
    let name = &cluster.config.name;
    match refused {
        NotTaken::Full => {
            let detail = format!("every endpoint of the backend `{name}` is at its limit");
            Rejection::new(Reason::Busy, detail).with_retry_after(Duration::from_secs(1))
        }
        NotTaken::None if cluster.workers().is_some() => {
            let detail = format!("no process of the plugin `{name}` is ready");
            Rejection::new(Reason::Unavailable, detail).with_retry_after(Duration::from_secs(1))
        }
        NotTaken::None => {
            Rejection::new(Reason::BackendUnreachable, format!("no endpoint of the backend `{name}` is known"))
        }
    }
}

/// How patient Pingora is to be with the endpoint.
pub(super) fn set_timeouts(peer: &mut HttpPeer, context: &RequestContext) {
    let (Some(route), Some(cluster)) = (&context.route, context.cluster()) else { return };
    let options = &mut peer.options;
    if let Some(connect) = route.timeouts.connect {
        options.connection_timeout = Some(connect);
        options.total_connection_timeout = Some(connect);
    }
    if let Some(silence) = context.longest_silence() {
        options.read_timeout = Some(silence);
    }
    let own = [route.timeouts.attempt, remaining(route, context)].into_iter().flatten().min();
    if let Some(own) = own {
        for timeout in [&mut options.connection_timeout, &mut options.total_connection_timeout] {
            *timeout = Some(timeout.map_or(own, |timeout| timeout.min(own)));
        }
    }
    if cluster.config.protocol != Protocol::Http1 {
        // A connection that others use too cannot be shut down.
        let least = own.into_iter().chain(route.timeouts.first_byte).min();
        options.read_timeout = options.read_timeout.into_iter().chain(least).min();
    }
}

/// Watches that the head of the answer comes in time.
pub(super) fn connected(socket: RawFd, context: &mut RequestContext) {
    let Some(route) = &context.route else { return };
    let first_byte = route.timeouts.first_byte.map(|span| Instant::now() + span);
    let attempt = route.timeouts.attempt.zip(context.attempts.began).map(|(span, began)| began + span);
    let end = [first_byte, attempt, deadline(route, context)].into_iter().flatten().min();
    watch(socket, end, context);
}

fn watch(socket: RawFd, end: Option<Instant>, context: &mut RequestContext) {
    let is_http1 = context.cluster().is_some_and(|cluster| cluster.config.protocol == Protocol::Http1);
    context.attempts.watchdog = end.filter(|_| is_http1).and_then(|end| Watchdog::watch(socket, end));
}

/// Notes the head of an answer. Whether another endpoint is asked in its place.
pub(super) fn head_came(session: &Session, status: StatusCode, context: &mut RequestContext) -> bool {
    let Some((route, cluster)) = context.route.as_ref().zip(context.cluster()) else { return false };
    let latency = context.attempts.began.map(|began| began.elapsed()).unwrap_or_default();
    if let Some(endpoint) = &context.endpoint {
        let outcome = if status.is_server_error() { Outcome::Erred } else { Outcome::Answered(latency) };
        cluster.answered(endpoint, outcome);
    }
    let is_for_status = route.retry.statuses.contains(&status.as_u16())
        && may_repeat(session, context, route)
        && has_attempt_left(context, route, cluster);
    // From here on only the whole request has a time.
    let end = deadline(route, context).filter(|_| !is_for_status);
    context.attempts.status = Some(status);
    if is_for_status {
        context.attempts.is_for_status = true;
        set_aside(context);
    }
    match (end, context.upstream_socket) {
        (Some(end), Some(socket)) => watch(socket, Some(end), context),
        _ => context.attempts.watchdog = None,
    }
    is_for_status
}

/// The exchange is over, and its connection belongs to others soon.
pub(super) fn answer_is_whole(context: &mut RequestContext) {
    context.attempts.watchdog = None;
    context.place = None;
}

/// Notes that there was no connection. Whether the request goes on, to another endpoint or another backend: nothing was sent, so any
/// method may (RFC 9110 §9.2.2).
pub(super) fn did_not_connect(context: &mut RequestContext) -> bool {
    let Some((route, cluster)) = context.route.clone().zip(context.cluster().cloned()) else { return false };
    let Some(endpoint) = context.endpoint.clone() else { return false };
    context.place = None;
    cluster.metrics.connect_failed();
    cluster.answered(&endpoint, Outcome::Failed);
    set_aside(context);
    let another = cluster.has_another(&context.attempts.tried) && has_attempt_left(context, &route, &cluster);
    // The next one is somebody else; there is no reason to wait.
    context.attempts.backs_off = false;
    another || step_down(context)
}

/// Notes that an exchange failed. Whether the request is sent again.
pub(super) fn broke_off(session: &Session, error: &Error, reused: bool, context: &mut RequestContext) -> bool {
    let Some((route, cluster)) = context.route.clone().zip(context.cluster().cloned()) else { return false };
    if let Some(watchdog) = context.attempts.watchdog.take().filter(Watchdog::has_bitten) {
        drop(watchdog);
        context.attempts.late = Some(if is_late(&route, context) { Late::Request } else { Late::Attempt });
    }
    context.place = None;
    if std::mem::take(&mut context.attempts.is_for_status) {
        return true;
    }
    let is_upstream = *error.esource() == ErrorSource::Upstream;
    // A pooled connection that the backend had closed takes no byte of the request; that says nothing against the backend.
    let never_sent = reused && *error.etype() == ErrorType::WriteError && !context.body_forwarded;
    let was_idle = reused && *error.etype() == ErrorType::ConnectionClosed && context.attempts.late.is_none();
    if is_upstream
        && !never_sent
        && !was_idle
        && let Some(endpoint) = &context.endpoint
    {
        cluster.answered(endpoint, Outcome::Failed);
    }
    if context.answer_has_begun() || !is_upstream || context.attempts.late == Some(Late::Request) {
        return false;
    }
    if session.as_ref().retry_buffer_truncated() {
        return false;
    }
    if never_sent {
        return context.attempts.count < route.retry.attempts.max(2);
    }
    // Anything else may have been acted upon.
    if !may_repeat(session, context, &route) || !has_attempt_left(context, &route, &cluster) {
        return false;
    }
    if !was_idle {
        set_aside(context);
    }
    context.attempts.late = None;
    true
}

/// Whether the request may be acted upon twice.
fn may_repeat(session: &Session, context: &RequestContext, route: &Route) -> bool {
    let is_safe = session.req_header().method.is_idempotent() || route.retry.any_method;
    is_safe && !context.answer_has_begun() && !session.as_ref().retry_buffer_truncated()
}

/// Takes an attempt from the route's and the backend's number, if there is one left.
fn has_attempt_left(context: &RequestContext, route: &Route, cluster: &Cluster) -> bool {
    context.attempts.count < route.retry.attempts && !is_late(route, context) && cluster.may_retry(Instant::now())
}

/// Asks others first from now on.
fn set_aside(context: &mut RequestContext) {
    if let Some(endpoint) = &context.endpoint {
        // The first time there is likely somebody who is well.
        context.attempts.backs_off =
            context.attempts.count > 1 || context.cluster().is_some_and(|cluster| cluster.size() < 2);
        context.attempts.tried.push(endpoint.address.clone());
    }
}

/// Turns to the next one in the route's chain of fallbacks, if there is one.
pub(super) fn step_down(context: &mut RequestContext) -> bool {
    let Some(route) = context.route.clone() else { return false };
    let next = context.step + 1;
    let Some(cluster) = route.fallbacks.get(next - 1) else { return false };
    finish(context, true);
    route.metrics.fell_back(&cluster.config.name);
    context.step = next;
    context.attempts.has_entered = false;
    context.attempts.began = None;
    context.attempts.tried.clear();
    context.attempts.backs_off = false;
    context.endpoint = None;
    context.place = None;
    true
}

/// Tells the circuit breaker of the backend that was asked what came of it.
pub(super) fn finish(context: &mut RequestContext, failed: bool) {
    let Some(pass) = context.attempts.pass.take() else { return };
    // Whoever asked no endpoint of it has learnt nothing.
    if context.attempts.began.is_some()
        && let Some(cluster) = context.cluster()
    {
        cluster.left(pass, failed, Instant::now());
    }
}

/// The same at the end of a request.
pub(super) fn end(context: &mut RequestContext) {
    if context.attempts.pass.is_none() {
        return;
    }
    let reason = context.rejection.as_ref().map(|rejection| rejection.reason);
    let broke = matches!(
        reason,
        Some(Reason::BackendUnreachable | Reason::BackendBroken | Reason::BackendTimeout | Reason::DeadlineExceeded)
    );
    let status = context.outcome().or(context.attempts.status.map(|status| status.as_u16()));
    match status {
        // The caller has left, or was refused: nobody knows.
        None if !broke => context.attempts.pass = None,
        _ => finish(context, broke || status.is_some_and(|status| status >= 500)),
    }
}

/// Why the request failed, where its time was over.
pub(super) fn lateness(context: &RequestContext) -> Option<Rejection> {
    context.attempts.late.zip(context.cluster()).map(|(which, cluster)| late(cluster, which))
}

fn late(cluster: &Arc<Cluster>, which: Late) -> Rejection {
    let backend = &cluster.config.name;
    match which {
        Late::Attempt => {
            Rejection::new(Reason::BackendTimeout, format!("the backend `{backend}` did not begin its answer in time"))
        }
        Late::Request => Rejection::new(
            Reason::DeadlineExceeded,
            format!("the time of the request was over at the backend `{backend}`"),
        ),
    }
}

/// When the whole request must be over.
pub(super) fn deadline(route: &Route, context: &RequestContext) -> Option<Instant> {
    route.timeouts.total.map(|total| context.started + total)
}

fn remaining(route: &Route, context: &RequestContext) -> Option<Duration> {
    let deadline = deadline(route, context)?;
    Some(deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)))
}

fn is_late(route: &Route, context: &RequestContext) -> bool {
    deadline(route, context).is_some_and(|deadline| deadline <= Instant::now())
}

/// Half of it is chance, so that those who failed together do not come back together.
fn backoff(route: &Route, attempts: u32) -> Duration {
    let doubled = route.retry.backoff.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    doubled.min(route.retry.longest_backoff).mul_f64(rand::rng().random_range(0.5..=1.0))
}
