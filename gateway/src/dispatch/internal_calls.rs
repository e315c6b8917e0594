//! Answers the requests that plugins make.

use super::account::{Account, Books, Destination};
use super::answer_envelope::AnswerEnvelope;
use super::call_scope::CallScope;
use super::call_tickets::{CallTickets, Ticketed};
use super::counted_body::{TooLong, counted};
use super::cut_body::cut_when;
use super::function_calls::refuse_function_calls;
use super::kept_body::kept;
use super::network_call::NetworkCalls;
use super::outbound_call::{OutboundCalls, outgoing_error};
use super::plugin_failure::{enter_plugin, leave_plugin, rejection_of};
use super::plugin_request::{PluginRequest, plugin_request};
use super::problem::{problem, problem_fields};
use super::size_limits::{check_answer, check_request};
use crate::backends::{CallingPlugin, OutboundClient};
use crate::config::WrittenAnswer;
use crate::identity::{Identity, PluginIdentity, PluginOnBehalf};
use crate::limits::Asker;
use crate::rejection::{Reason, Rejection};
use crate::request::field::X_FRAMEX_CALL;
use crate::request::{RequestView, normal_path};
use crate::snapshot::{Admission, Route, Routed, Snapshot, Target};
use crate::telemetry::{AccessLog, Metrics, RequestId, TraceContext};
use async_trait::async_trait;
use framex_plugin_host::{Body, Caller, Outgoing, OutgoingError, full_body};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, header};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Names below this one are the gateway's own; they mean namespaces.
const INTERNAL: &str = ".framex.internal";
/// What metrics and log call the answer that is written in a route.
pub(crate) const WRITTEN_ANSWER: &str = "answer";
/// Plugins that may stand between a request from outside and a backend.
const DEEPEST: usize = 8;

/// Answers the requests that plugins make, by the rules of requests from outside.
#[derive(Debug)]
pub struct InternalCalls {
    books: Books,
    network: NetworkCalls,
    outbound: OutboundCalls,
    tickets: CallTickets,
}

impl InternalCalls {
    /// Calls are recorded in `metrics` and `access_log`; those to hosts outside go through `outbound`.
    #[must_use]
    pub fn new(metrics: Metrics, access_log: Arc<AccessLog>, outbound: OutboundClient) -> Self {
        let tickets = CallTickets::default();
        Self {
            books: Books { metrics, access_log },
            network: NetworkCalls::new(tickets.clone()),
            outbound: OutboundCalls::new(outbound),
            tickets,
        }
    }

    /// The tickets that workers are given with the requests they answer.
    #[must_use]
    pub(crate) fn tickets(&self) -> &CallTickets {
        &self.tickets
    }

    /// Answers a request that the worker `plugin` makes: for the request whose ticket it shows, or, without one, for itself and by
    /// the configuration `now`.
    pub(crate) async fn call_of_worker(
        &self,
        mut request: Request<Body>,
        plugin: Arc<CallingPlugin>,
        now: Arc<Snapshot>,
    ) -> Response<Body> {
        let is_head = *request.method() == Method::HEAD;
        let fields = request.headers_mut();
        // The worker's own token is for the gateway alone.
        fields.remove(header::AUTHORIZATION);
        let (scope, deadline, cancelled) = match fields.remove(X_FRAMEX_CALL) {
            None => {
                let ids = (RequestId::of(fields), TraceContext::of(fields));
                (Arc::new(CallScope::of_itself(now, ids, plugin)), None, CancellationToken::new())
            }
            Some(ticket) => match self.tickets.find(&ticket, &plugin) {
                Some(Ticketed { scope, deadline, cancelled }) => (scope, deadline, cancelled),
                None => {
                    let detail = "X-FrameX-Call names no request that the plugin is answering now";
                    tracing::warn!(plugin = plugin.identity.name, "a plugin's call was denied: {detail}");
                    self.unrouted(&plugin.identity, OutgoingError::Denied);
                    return refuse(&Rejection::new(Reason::CallForbidden, detail), None, is_head);
                }
            },
        };
        let id = scope.ids.as_ref().map(|(id, _)| id.as_str());
        let host = request.uri().host().map(str::to_ascii_lowercase);
        let namespace = host.as_deref().and_then(|host| host.strip_suffix(INTERNAL));
        // The request that the worker answers may be over before its own are.
        let answered = cancelled.run_until_cancelled(Box::pin(self.call(&scope, deadline, request, namespace))).await;
        match answered {
            Some(Ok(answer)) => answer.map(|body| cut_when(cancelled, body)),
            Some(Err(error)) => refuse(&rejection_of_error(error), id, is_head),
            None => refuse(&Reason::ClientClosed.into(), id, is_head),
        }
    }

    /// The answer for whoever shows no token of a worker, or a wrong one.
    pub(crate) fn refuse_unknown(&self, shows_token: bool) -> Response<Body> {
        let reason = if shows_token { Reason::TokenInvalid } else { Reason::TokenMissing };
        tracing::warn!(code = reason.code(), "a call was denied: it shows no token of a worker that runs");
        self.books.metrics.rejected("", reason);
        refuse(&Rejection::new(reason, "workers call with the token in $FRAMEX_GATEWAY_TOKEN"), None, false)
    }

    /// Counts a call that came to no route, and so has no record.
    fn unrouted(&self, plugin: &PluginIdentity, error: OutgoingError) -> OutgoingError {
        self.books.metrics.rejected(&plugin.namespace, rejection_of_error(error).reason);
        error
    }
}

#[async_trait]
impl Outgoing for InternalCalls {
    async fn send(&self, request: Request<Body>, caller: &Caller) -> Result<Response<Body>, OutgoingError> {
        let scope = caller.context.extensions.get::<Arc<CallScope>>().ok_or(OutgoingError::Denied)?;
        let host = request.uri().host().unwrap_or_default().to_ascii_lowercase();
        let Some(namespace) = host.strip_suffix(INTERNAL) else {
            return self.call_outside(scope, scope.ends, request).await;
        };
        self.call(scope, scope.ends, request, Some(namespace)).await
    }
}

/// Why a call gets no answer of a backend.
enum Refusal {
    /// The gateway answers, as it would outside.
    Answer(Box<Rejection>),
    /// The plugin is told in the words of `wasi:http`.
    Error(OutgoingError),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Answer(Box::new(rejection))
    }
}

impl InternalCalls {
    /// Answers a call that a plugin makes in `scope`; in `namespace`, if it has named one.
    async fn call(
        &self,
        scope: &Arc<CallScope>,
        deadline: Option<Instant>,
        request: Request<Body>,
        namespace: Option<&str>,
    ) -> Result<Response<Body>, OutgoingError> {
        let plugin = &scope.plugin.identity;
        let path = match normal_path(request.uri().path()) {
            Ok(path) => path.into_owned(),
            Err(_not_a_path) => return Err(self.unrouted(plugin, OutgoingError::NotFound)),
        };
        // Servers that read `_` as `-` would take such a field for one of the gateway's own.
        if let Some(name) = request.headers().keys().find(|name| name.as_str().contains('_')) {
            tracing::warn!(plugin = plugin.name, %name, "a plugin's call was denied: `_` in the name of a header field");
            return Err(self.unrouted(plugin, OutgoingError::Denied));
        }
        let view = RequestView {
            method: request.method(),
            host: "",
            path: &path,
            query: request.uri().query(),
            headers: request.headers(),
        };
        let allowed = scope.plugin.may_call(&view).filter(|allowed| {
            // The namespace that it names has to be the one that it requires.
            allowed.namespace.is_none_or(|required| namespace.is_none_or(|named| named == required))
        });
        let Some(allowed) = allowed else {
            let method = request.method();
            tracing::warn!(plugin = plugin.name, %method, path, "a plugin's call was denied: it is not in its `requires`");
            return Err(self.unrouted(plugin, OutgoingError::Denied));
        };
        let namespace = namespace.or(allowed.namespace);
        if scope.chain.len() > DEEPEST {
            return Err(self.unrouted(plugin, OutgoingError::Loop));
        }
        let mut account = self.open(scope, deadline, &request, &path);
        let method = request.method().clone();
        let is_head = method == Method::HEAD;
        match self.answer(&mut account, request, namespace, &path).await {
            Ok(answer) => {
                let (mut head, mut body) = answer.into_parts();
                let mut outcome = None;
                if let Some(route) = &account.route {
                    if let Some(envelope) = route.envelope.then(|| AnswerEnvelope::begin(&mut head, &method)).flatten()
                    {
                        outcome = envelope.hidden_status();
                        body = envelope.around(body);
                    }
                    route.rewrite.edit_response(&mut head.headers);
                }
                account.admission.tell(&mut head.headers);
                account.answer_began(head.status.as_u16(), &head.headers);
                account.outcome = outcome;
                Ok(Response::from_parts(head, account.closes_with(body)))
            }
            Err(Refusal::Answer(rejection)) => {
                let mut answer = refuse(&rejection, account.scope.ids.as_ref().map(|(id, _)| id.as_str()), is_head);
                account.admission.tell(answer.headers_mut());
                account.status = rejection.reason.status();
                account.rejection = Some(*rejection);
                Ok(answer)
            }
            Err(Refusal::Error(error)) => {
                let rejection = rejection_of_error(error);
                account.status = rejection.reason.status();
                account.rejection = Some(rejection);
                Err(error)
            }
        }
    }

    /// Answers a call to a host outside, if the plugin's permissions name it.
    async fn call_outside(
        &self,
        scope: &Arc<CallScope>,
        deadline: Option<Instant>,
        request: Request<Body>,
    ) -> Result<Response<Body>, OutgoingError> {
        let plugin = &scope.plugin.identity;
        if !scope.plugin.may_reach(request.uri()) {
            let target = request.uri();
            let (scheme, authority) =
                (target.scheme_str().unwrap_or("http"), target.authority().map_or("", |a| a.as_str()));
            tracing::warn!(
                plugin = plugin.name,
                "a plugin's request was denied: `{scheme}://{authority}` is not among its `permissions.outbound`"
            );
            return Err(self.unrouted(plugin, OutgoingError::Denied));
        }
        let path = request.uri().path().to_owned();
        let mut account = self.open(scope, deadline, &request, &path);
        account.destination = Destination::Outside;
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, counted(body, account.bytes_in.clone(), None));
        match self.outbound.call(request, scope.plugin.reaches_private_networks(), deadline).await {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                account.answer_began(head.status.as_u16(), &head.headers);
                Ok(Response::from_parts(head, account.closes_with(body)))
            }
            Err(error) => {
                let told = outgoing_error(&error);
                let rejection = rejection_of_error(told).with_note(error.to_string());
                account.status = rejection.reason.status();
                account.rejection = Some(rejection);
                Err(told)
            }
        }
    }

    fn open(&self, scope: &Arc<CallScope>, deadline: Option<Instant>, request: &Request<Body>, path: &str) -> Account {
        let identity = Identity::Plugin(Arc::new(PluginOnBehalf {
            plugin: scope.plugin.identity.clone(),
            on_behalf_of: scope.on_behalf_of.clone(),
        }));
        Account {
            books: self.books.clone(),
            scope: scope.clone(),
            destination: Destination::Inside,
            identity,
            started: Instant::now(),
            time: SystemTime::now(),
            method: request.method().clone(),
            host: request.uri().host().unwrap_or_default().to_ascii_lowercase(),
            path: path.to_owned(),
            route: None,
            status: 0,
            outcome: None,
            rejection: None,
            step: 0,
            endpoint: None,
            attempts: 0,
            bytes_in: Arc::default(),
            bytes_out: 0,
            first_byte: None,
            streamed: false,
            usage: None,
            is_of_share: false,
            admission: Admission::default(),
            in_flight: None,
            deadline,
            ticket: None,
        }
    }

    /// The list of a request: route → authorise → limit → answer.
    async fn answer(
        &self,
        account: &mut Account,
        request: Request<Body>,
        namespace: Option<&str>,
        path: &str,
    ) -> Result<Response<Body>, Refusal> {
        let scope = account.scope.clone();
        let route = find_route(&scope, &request, namespace, path)?;
        account.in_flight = Some(route.metrics.enter());
        account.route = Some(route.clone());
        route.rule.authorise(&account.identity)?;
        let route = account.pick(&route, request.headers());
        refuse_function_calls(&route, path)?;
        let asker = Asker { identity: &account.identity, address: scope.client, headers: request.headers() };
        check_request(&route.sizes, request.uri(), request.headers())?;
        if let Some(pending) = route.enter(&asker, account.started, &mut account.admission)? {
            pending.finish(&route, &mut account.admission).await?;
        }
        account.is_of_share = true;
        let own = route.timeouts.total.map(|total| account.started + total);
        account.deadline = account.deadline.into_iter().chain(own).min();
        let (parts, body) = request.into_parts();
        // Only where somebody else can step in is there a use for taking the body back.
        let lend = |body: Body| match route.fallbacks.is_empty() {
            true => (body, None),
            false => {
                let (body, kept) = kept(body);
                (body, Some(kept))
            }
        };
        let (body, mut last) = lend(body);
        let body = counted(body, account.bytes_in.clone(), route.sizes.request_body);
        let mut answered = self.ask(account, &parts, body, path, &route).await;
        for fallback in &route.fallbacks {
            let is_out_of_reach =
                |refusal: &Refusal| matches!(refusal, Refusal::Answer(rejection) if rejection.reason.is_out_of_reach());
            if !answered.as_ref().is_err_and(is_out_of_reach) {
                break;
            }
            // Whoever has read of it may have acted upon it.
            let Some(body) = last.take().and_then(|kept| kept.take_whole()) else { break };
            route.metrics.fell_back(&fallback.config.name);
            account.step += 1;
            let (body, kept) = lend(body);
            last = kept;
            let body = counted(body, account.bytes_in.clone(), route.sizes.request_body);
            let called = self.network.call(account, &parts, body, path, &route, fallback).await;
            answered = called.map_err(Refusal::from);
        }
        if parts.method != Method::HEAD
            && let Some(Err(rejection)) =
                answered.as_ref().ok().map(|answer| check_answer(&route.sizes, answer.headers()))
        {
            answered = Err(rejection.into());
        }
        let Err(Refusal::Answer(rejection)) = &answered else { return answered };
        // Whoever answers sees only that the body broke off; why is known here.
        if let Some(limit) = route.sizes.request_body.filter(|limit| account.bytes_in.load(Ordering::Relaxed) > *limit)
        {
            return Err(Rejection::new(Reason::BodyTooLarge, TooLong(limit).to_string()).into());
        }
        match route.last_answer.as_ref().filter(|_| rejection.reason.is_failure_behind()) {
            None => answered,
            Some(written) => {
                route.metrics.fell_back(WRITTEN_ANSWER);
                account.step = route.fallbacks.len() + 1;
                Ok(written_answer(written))
            }
        }
    }

    /// Asks the target of a route.
    async fn ask(
        &self,
        account: &mut Account,
        parts: &Parts,
        body: Body,
        path: &str,
        route: &Arc<Route>,
    ) -> Result<Response<Body>, Refusal> {
        let scope = account.scope.clone();
        let callee = match &route.target {
            Target::Plugin(plugin) => Some(&plugin.calling),
            Target::Cluster(cluster) => cluster.calling(),
        };
        // A plugin that waits for itself, through others, may wait for ever: it holds a place that the inner call needs.
        if callee.is_some_and(|callee| scope.chain.contains(&callee.identity)) {
            return Err(Refusal::Error(OutgoingError::Loop));
        }
        match &route.target {
            Target::Plugin(plugin) => {
                let sent = PluginRequest {
                    method: &parts.method,
                    path,
                    query: parts.uri.query(),
                    fields: &parts.headers,
                    identity: &account.identity,
                    ids: scope.ids.as_ref(),
                    deadline: account.deadline,
                };
                let request = plugin_request(&sent, route, plugin, body)?;
                let (context, usage) =
                    scope.next(&plugin.calling).into_context(route, plugin.config.limits.timeout, account.deadline);
                account.usage = Some(usage);
                let pass = enter_plugin(plugin)?;
                let answered = plugin.component.call(request, context).await;
                leave_plugin(plugin, pass, &answered);
                answered.map_err(|error| rejection_of(&error, plugin).into())
            }
            Target::Cluster(cluster) => Ok(self.network.call(account, parts, body, path, route, cluster).await?),
        }
    }
}

fn written_answer(written: &WrittenAnswer) -> Response<Body> {
    let mut answer = Response::new(full_body(written.body.clone().into_bytes()));
    *answer.status_mut() = StatusCode::from_u16(written.status).unwrap_or(StatusCode::OK);
    answer.headers_mut().extend(written.headers.iter().cloned());
    answer
}

fn find_route(
    scope: &CallScope,
    request: &Request<Body>,
    namespace: Option<&str>,
    path: &str,
) -> Result<Arc<Route>, Refusal> {
    let view = RequestView {
        method: request.method(),
        host: "",
        path,
        query: request.uri().query(),
        headers: request.headers(),
    };
    let Some(snapshot) = &scope.snapshot else { return Err(Refusal::Error(OutgoingError::NotFound)) };
    match snapshot.route(&view) {
        Routed::Route(route) if namespace.is_none_or(|named| *route.namespace == *named) => Ok(route.clone()),
        Routed::NotFound => snapshot.remote.clone().ok_or(Refusal::Error(OutgoingError::NotFound)),
        Routed::Route(_) => Err(Refusal::Error(OutgoingError::NotFound)),
        Routed::Unavailable(_) | Routed::NotLearnt(_) => Err(Refusal::Error(OutgoingError::Unavailable)),
        Routed::MethodNotAllowed(allow) => {
            let mut rejection = Rejection::new(Reason::MethodNotAllowed, format!("allowed here: {allow}"));
            rejection.headers.allow = Some(allow);
            Err(rejection.into())
        }
    }
}

/// What a component is told in the words of `wasi:http`, as an answer.
fn rejection_of_error(error: OutgoingError) -> Rejection {
    let reason = match error {
        OutgoingError::Denied => {
            let detail = "it is not in the plugin's `requires` or `permissions`, or a field's name has a `_`; the gateway's log says which";
            return Rejection::new(Reason::CallForbidden, detail);
        }
        OutgoingError::NotFound => Reason::RouteNotFound,
        OutgoingError::Unavailable => Reason::Unavailable,
        OutgoingError::Loop => Reason::CallLoop,
        OutgoingError::Timeout => Reason::BackendTimeout,
        OutgoingError::Broken => Reason::BackendBroken,
    };
    reason.into()
}

/// The same answer that a caller outside would get.
fn refuse(rejection: &Rejection, request_id: Option<&str>, is_head: bool) -> Response<Body> {
    let body = problem(rejection, request_id);
    let mut answer = Response::new(full_body(if is_head { Vec::new() } else { body }));
    *answer.status_mut() = StatusCode::from_u16(rejection.reason.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    *answer.headers_mut() = problem_fields(rejection);
    answer
}
