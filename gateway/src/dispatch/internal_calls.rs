//! Answers the requests that components make.

use super::account::{Account, Books};
use super::call_scope::CallScope;
use super::counted_body::{TooLong, counted};
use super::function_calls::refuse_function_calls;
use super::network_call::NetworkCalls;
use super::plugin_failure::rejection_of;
use super::plugin_request::{PluginRequest, plugin_request};
use super::problem::{problem, problem_fields};
use crate::identity::{Identity, PluginOnBehalf};
use crate::rejection::{Reason, Rejection};
use crate::request::{RequestView, normal_path};
use crate::snapshot::{Route, Routed, Target};
use crate::telemetry::{AccessLog, Metrics};
use async_trait::async_trait;
use framex_plugin_host::{Body, Caller, Outgoing, OutgoingError, empty_body, full_body};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use tokio::time::Instant;

/// Names below this one are the gateway's own; they mean namespaces.
const INTERNAL: &str = ".framex.internal";
/// Plugins that may stand between a request from outside and a backend.
const DEEPEST: usize = 8;

/// Answers the requests that components make, by the rules of requests from outside.
#[derive(Debug)]
pub struct InternalCalls {
    books: Books,
    network: NetworkCalls,
}

impl InternalCalls {
    /// Calls are recorded in `metrics` and `access_log`.
    #[must_use]
    pub fn new(metrics: Metrics, access_log: Arc<AccessLog>) -> Self {
        Self { books: Books { metrics, access_log }, network: NetworkCalls::default() }
    }
}

#[async_trait]
impl Outgoing for InternalCalls {
    async fn send(&self, request: Request<Body>, caller: &Caller) -> Result<Response<Body>, OutgoingError> {
        let scope = caller.context.extensions.get::<Arc<CallScope>>().ok_or(OutgoingError::Denied)?;
        let host = request.uri().host().unwrap_or_default().to_ascii_lowercase();
        let Some(namespace) = host.strip_suffix(INTERNAL) else {
            tracing::warn!(plugin = %caller.plugin, host, "a plugin's request was denied: it may not call other hosts");
            return Err(OutgoingError::Denied);
        };
        let path = match normal_path(request.uri().path()) {
            Ok(path) => path.into_owned(),
            Err(_not_a_path) => return Err(OutgoingError::NotFound),
        };
        let view = RequestView {
            method: request.method(),
            host: "",
            path: &path,
            query: request.uri().query(),
            headers: request.headers(),
        };
        if !scope.plugin.may_call(&view) {
            let method = request.method();
            tracing::warn!(plugin = %caller.plugin, %method, path, "a plugin's call was denied: it is not in its `requires`");
            return Err(OutgoingError::Denied);
        }
        if scope.chain.len() > DEEPEST {
            return Err(OutgoingError::Loop);
        }
        let identity = Identity::Plugin(Arc::new(PluginOnBehalf {
            plugin: scope.plugin.identity.clone(),
            on_behalf_of: scope.on_behalf_of.clone(),
        }));
        let mut account = self.open(scope, identity, &request, &host, &path);
        let is_head = *request.method() == Method::HEAD;
        match self.answer(&mut account, request, namespace, &path, caller).await {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                account.answer_began(head.status.as_u16(), &head.headers);
                Ok(Response::from_parts(head, account.closes_with(body)))
            }
            Err(Refusal::Answer(rejection)) => {
                let answer = refuse(&rejection, account.scope.ids.as_ref().map(|(id, _)| id.as_str()), is_head);
                account.status = rejection.reason.status();
                account.rejection = Some(*rejection);
                Ok(answer)
            }
            Err(Refusal::Error(error)) => Err(error),
        }
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
    fn open(
        &self,
        scope: &Arc<CallScope>,
        identity: Identity,
        request: &Request<Body>,
        host: &str,
        path: &str,
    ) -> Account {
        Account {
            books: self.books.clone(),
            scope: scope.clone(),
            identity,
            started: Instant::now(),
            time: SystemTime::now(),
            method: request.method().clone(),
            host: host.to_owned(),
            path: path.to_owned(),
            route: None,
            status: 0,
            rejection: None,
            on_fallback: false,
            endpoint: None,
            attempts: 0,
            bytes_in: Arc::default(),
            bytes_out: 0,
            first_byte: None,
            streamed: false,
            usage: None,
            guards: [None, None],
            in_flight: None,
        }
    }

    /// The list of a request: route → authorise → limit → answer.
    async fn answer(
        &self,
        account: &mut Account,
        request: Request<Body>,
        namespace: &str,
        path: &str,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let scope = account.scope.clone();
        let route = find_route(&scope, &request, namespace, path)?;
        account.in_flight = Some(route.metrics.enter());
        account.route = Some(route.clone());
        route.rule.authorise(&account.identity)?;
        refuse_function_calls(&route, path)?;
        account.guards = route.enter(account.started)?;
        let (parts, body) = request.into_parts();
        let is_empty = body.size_hint().exact() == Some(0);
        let body = counted(body, account.bytes_in.clone(), route.request_body);
        let answered = self.ask(account, &parts, body, path, &route, caller).await;
        let Err(Refusal::Answer(rejection)) = &answered else { return answered };
        // Whoever answers sees only that the body broke off; why is known here.
        if let Some(limit) = route.request_body.filter(|limit| account.bytes_in.load(Ordering::Relaxed) > *limit) {
            return Err(Rejection::new(Reason::BodyTooLarge, TooLong(limit).to_string()).into());
        }
        let out_of_reach = matches!(
            rejection.reason,
            Reason::Busy | Reason::Unavailable | Reason::PluginNotStarted | Reason::BackendUnreachable
        );
        match route.fallback.as_ref().filter(|_| out_of_reach && is_empty) {
            None => answered,
            Some(fallback) => {
                route.metrics.fell_back();
                account.on_fallback = true;
                Ok(self.network.call(account, &parts, empty_body(), path, &route, fallback).await?)
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
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let scope = account.scope.clone();
        match &route.target {
            Target::Plugin(plugin) => {
                // A plugin that waits for itself, through others, may wait for ever: it holds a place that the inner call needs.
                if scope.chain.contains(&plugin.identity) {
                    return Err(Refusal::Error(OutgoingError::Loop));
                }
                let sent = PluginRequest {
                    method: &parts.method,
                    path,
                    query: parts.uri.query(),
                    fields: &parts.headers,
                    identity: &account.identity,
                    ids: scope.ids.as_ref(),
                };
                let request = plugin_request(&sent, route, plugin, body)?;
                let (context, usage) = scope.next(plugin).into_context(route, caller.context.deadline);
                account.usage = Some(usage);
                let answered = plugin.component.call(request, context).await;
                answered.map_err(|error| rejection_of(&error, plugin).into())
            }
            Target::Cluster(cluster) => Ok(self.network.call(account, parts, body, path, route, cluster).await?),
        }
    }
}

fn find_route(scope: &CallScope, request: &Request<Body>, namespace: &str, path: &str) -> Result<Arc<Route>, Refusal> {
    let view = RequestView {
        method: request.method(),
        host: "",
        path,
        query: request.uri().query(),
        headers: request.headers(),
    };
    match scope.snapshot.route(&view) {
        Routed::Route(route) if *route.namespace == *namespace => Ok(route.clone()),
        Routed::Route(_) | Routed::NotFound => Err(Refusal::Error(OutgoingError::NotFound)),
        Routed::Unavailable(_) => Err(Refusal::Error(OutgoingError::Unavailable)),
        Routed::MethodNotAllowed(allow) => {
            let mut rejection = Rejection::new(Reason::MethodNotAllowed, format!("allowed here: {allow}"));
            rejection.headers.allow = Some(allow);
            Err(rejection.into())
        }
    }
}

/// The same answer that a caller outside would get.
fn refuse(rejection: &Rejection, request_id: Option<&str>, is_head: bool) -> Response<Body> {
    let body = problem(rejection, request_id);
    let mut answer = Response::new(full_body(if is_head { Vec::new() } else { body }));
    *answer.status_mut() = StatusCode::from_u16(rejection.reason.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    *answer.headers_mut() = problem_fields(rejection);
    answer
}
