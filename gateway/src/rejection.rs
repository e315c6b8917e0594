//! The reasons for which the gateway itself answers, in one table.
//!
//! A [`Reason`] fixes the status, the stable `code` (in problem+json, the access log and the metrics) and the
//! title; a [`Rejection`] adds what is special to one request. `proxy::reply` is the only place that writes one.

use std::borrow::Cow;
use std::time::Duration;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $status:literal, $code:literal, $title:literal;)*) => {
        /// Why the gateway answered by itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, for documentation and for metrics that exist before they are counted.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The HTTP status of the answer (RFC 9110 §15).
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }

            /// The stable code: clients may branch on it, dashboards may name it.
            #[must_use]
            pub const fn code(self) -> &'static str { match self { $(Self::$name => $code,)* } }

            /// One sentence for people.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title,)* } }
        }
    };
}

reasons! {
    /// The request target is not in a form that every server reads alike.
    BadTarget => 400, "bad_target", "The request target is not valid";
    /// The message framing can be read in two ways (request smuggling).
    AmbiguousFraming => 400, "ambiguous_framing", "The length of the request is ambiguous";
    /// `Host` is missing or no host name.
    BadHost => 400, "bad_host", "The Host header is missing or not valid";
    /// A header field that servers are known to read differently.
    BadHeader => 400, "bad_header", "A header field is not valid";
    /// The client broke the protocol in a way that the parser found.
    BadRequest => 400, "bad_request", "The request is not valid HTTP";
    /// The route is closed and the request shows no token.
    TokenMissing => 401, "token_missing", "This route needs a bearer token";
    /// The token is malformed, not signed by a known key, or not meant for this gateway.
    TokenInvalid => 401, "token_invalid", "The token is not valid";
    /// The token's time is over.
    TokenExpired => 401, "token_expired", "The token has expired";
    /// The token is good but does not open this namespace.
    NamespaceForbidden => 403, "namespace_forbidden", "The token does not grant this namespace";
    /// The token is good but lacks a claim that the route asks for.
    ClaimForbidden => 403, "claim_forbidden", "The token lacks a claim that this route needs";
    /// The request would call Python functions of a FrameX instance by name, objects of any class included.
    FunctionForbidden => 403, "function_forbidden", "Functions of the FrameX instance cannot be called";
    /// A plugin calls what its `requires` does not name, or for a request that is over.
    CallForbidden => 403, "call_forbidden", "The plugin may not call this";
    /// Nothing is routed at this host and path.
    RouteNotFound => 404, "route_not_found", "No route matches the request";
    /// The path is routed, but not for this method.
    MethodNotAllowed => 405, "method_not_allowed", "The route does not answer this method";
    /// The client was too slow to send its request.
    RequestTimeout => 408, "request_timeout", "The request did not arrive in time";
    /// The request body passes the route's limit.
    BodyTooLarge => 413, "body_too_large", "The request body is too large";
    /// The path and query pass the route's limit.
    UriTooLong => 414, "uri_too_long", "The request target is too long";
    /// Too many requests in a time.
    RateLimited => 429, "rate_limited", "Too many requests";
    /// The request head passes the limit of the listener or the route.
    HeadTooLarge => 431, "head_too_large", "The request head is too large";
    /// The client closed the connection before an answer existed. The status is for logs only (as in nginx).
    ClientClosed => 499, "client_closed", "The client closed the connection";
    /// A defect of the gateway.
    Internal => 500, "internal", "The gateway failed";
    /// A method that the gateway refuses for everyone (TRACE, CONNECT).
    MethodNotImplemented => 501, "method_not_implemented", "The gateway does not answer this method";
    /// No connection to any endpoint of the backend.
    BackendUnreachable => 502, "backend_unreachable", "The backend cannot be reached";
    /// The backend broke off before a complete answer.
    BackendBroken => 502, "backend_broken", "The backend sent no valid answer";
    /// The answer passes the route's limit.
    ResponseTooLarge => 502, "response_too_large", "The answer is too large";
    /// The plugin trapped (panic, illegal access, stack overflow).
    PluginTrapped => 502, "plugin_trapped", "The plugin failed";
    /// The plugin asked for more memory than its limit.
    PluginMemory => 502, "plugin_memory", "The plugin exceeded its memory limit";
    /// The plugin asked for a larger table than its limit.
    PluginTable => 502, "plugin_table", "The plugin exceeded its table limit";
    /// The plugin's answer is larger than its limit.
    PluginResponse => 502, "plugin_response", "The answer of the plugin is too large";
    /// The plugin ended without an answer, or with an error of its own.
    PluginNoAnswer => 502, "plugin_no_answer", "The plugin gave no answer";
    /// The route's plugin or backend is at its concurrency limit.
    Busy => 503, "busy", "The service is at its concurrency limit";
    /// The backend or plugin fails so much that it is left alone for a while.
    CircuitOpen => 503, "circuit_open", "The service fails and is left alone for a while";
    /// No instance of the plugin could be made.
    PluginNotStarted => 503, "plugin_not_started", "The plugin could not be started";
    /// The gateway refuses the less important requests for the sake of the others.
    Overloaded => 503, "overloaded", "The gateway has too much to do";
    /// The namespace, plugin or gateway is not ready to serve.
    Unavailable => 503, "unavailable", "The service is not available";
    /// The backend was silent for longer than the route's timeout.
    BackendTimeout => 504, "backend_timeout", "The backend did not answer in time";
    /// The time that the route gives to a request was over.
    DeadlineExceeded => 504, "deadline_exceeded", "The request took too long";
    /// The plugin used more CPU time than its limit.
    PluginCpu => 504, "plugin_cpu", "The plugin exceeded its CPU time limit";
    /// The plugin took longer than its wall-time limit.
    PluginTimeout => 504, "plugin_timeout", "The plugin did not answer in time";
    /// Plugins call each other in a circle, or too many in a row (RFC 5842 §7.2).
    CallLoop => 508, "call_loop", "The calls of plugins go round in a loop";
}

impl Reason {
    /// Whether it says that whoever was to answer has seen nothing of the request, so that somebody else may.
    #[must_use]
    pub const fn is_out_of_reach(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::Unavailable | Self::PluginNotStarted | Self::BackendUnreachable | Self::CircuitOpen
        )
    }

    /// Whether it says that whoever was to answer could not, or did not: neither the caller nor a rule is the reason.
    #[must_use]
    pub const fn is_failure_behind(self) -> bool {
        matches!(
            self,
            Self::BackendUnreachable
                | Self::BackendBroken
                | Self::BackendTimeout
                | Self::DeadlineExceeded
                | Self::PluginTrapped
                | Self::PluginMemory
                | Self::PluginTable
                | Self::PluginResponse
                | Self::PluginNoAnswer
                | Self::PluginCpu
                | Self::PluginTimeout
                | Self::PluginNotStarted
                | Self::Busy
                | Self::CircuitOpen
                | Self::Unavailable
        )
    }
}

/// An answer of the gateway itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: Reason,
    /// What is special to this request, for the caller's eyes. Never holds credentials.
    pub detail: Cow<'static, str>,
    /// What the log adds for the operator and the caller must not learn (why a token failed).
    pub note: Cow<'static, str>,
    /// Header fields that go with the status.
    pub headers: RejectionHeaders,
}

/// The header fields that some statuses ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectionHeaders {
    /// `Allow` of a 405 (RFC 9110 §10.2.1).
    pub allow: Option<String>,
    /// `WWW-Authenticate` of a 401 or 403 (RFC 6750 §3).
    pub www_authenticate: Option<String>,
    /// `Retry-After` of a 429 or 503 (RFC 9110 §10.2.3), sent in whole seconds, rounded up.
    pub retry_after: Option<Duration>,
}

impl Rejection {
    /// A rejection with a detail for the caller.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into(), note: Cow::Borrowed(""), headers: RejectionHeaders::default() }
    }

    /// Adds what only the log may say.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Cow<'static, str>>) -> Self {
        self.note = note.into();
        self
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.headers.retry_after = Some(after);
        self
    }
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self::new(reason, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_unique_and_fit_for_a_label() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn every_status_is_an_error_status() {
        assert!(Reason::ALL.iter().all(|reason| (400..=599).contains(&reason.status())));
    }
}
