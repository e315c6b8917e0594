//! What answers over the network: HTTP services and FrameX instances.

use super::balance::{Balance, RawBalance};
use super::breaker::{Breaker, Hold, RawBreaker, RawRetryBudget, RetryBudget};
use super::discovery::{Discovery, RawDiscovery};
use super::ejection::{Ejection, RawEjection};
use super::endpoint::{Endpoint, RawEndpoint, validate_endpoints};
use super::health::{Health, RawHealth};
use super::learning::{Learning, LearningPlatform, RawLearning};
use super::problem::{ProblemList, ValuePath};
use super::secret::Secret;
use super::units::Span;
use super::worker::Worker;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A network backend: exactly one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawBackend {
    /// A FastAPI service, or any HTTP service.
    Http(RawHttp),
    /// A remote FrameX instance (framex-kit), or another gateway.
    Framex(RawFramex),
}

/// An HTTP service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawHttp {
    /// Base addresses, like `http://10.0.0.7:8000` or `https://app.example.com`; or with a weight, like
    /// `{ url: http://10.0.0.7:8000, weight: 3 }`. Requests are spread over the healthy ones. A name stands for all its addresses.
    #[serde(default)]
    endpoints: Vec<RawEndpoint>,
    /// Where the endpoints come from, in place of `endpoints`.
    discover: Option<RawDiscovery>,
    /// `preserve` (the client's Host header), `endpoint` (the endpoint's own name) or a fixed host name. Default: preserve.
    /// A name that is almost one of the two words is written with its port.
    host: Option<String>,
    /// Which HTTP version to speak. Default: http1; `auto` offers HTTP/2 over TLS; `h2` demands it, also without TLS.
    protocol: Option<RawProtocol>,
    /// How a TLS endpoint is checked.
    #[serde(default)]
    tls: RawBackendTls,
    /// How long the gateway waits.
    #[serde(default)]
    timeouts: RawTimeouts,
    /// Active health check. Without it every endpoint counts as healthy.
    health: Option<RawHealth>,
    /// How requests are spread over the endpoints. Default: round_robin.
    balance: Option<RawBalance>,
    /// When an endpoint gets no requests for a while because of how it answered them.
    #[serde(default)]
    ejection: RawEjection,
    /// When the whole backend is left alone for a while because it fails. `{}` for the defaults. Default: never.
    breaker: Option<RawBreaker>,
    /// How many requests may be sent a second time.
    #[serde(default)]
    retry_budget: RawRetryBudget,
    /// Where its OpenAPI document is: its endpoints are learnt from there, routed and shown in the gateway's own document.
    openapi: Option<RawLearning>,
    /// Whether the caller's token goes on to the backend on closed routes. Default: false: a backend that is given the
    /// token could use it elsewhere.
    #[serde(default)]
    forward_token: bool,
}

/// A FrameX instance.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawFramex {
    /// Base addresses of instances of one FrameX deployment, like `http://10.0.0.7:8080`; or with a weight, like
    /// `{ url: http://10.0.0.7:8080, weight: 3 }`.
    #[serde(default)]
    endpoints: Vec<RawEndpoint>,
    /// Where the endpoints come from, in place of `endpoints`.
    discover: Option<RawDiscovery>,
    /// The instance's API key, sent raw in `Authorization` in place of the caller's token. Use `${VAR}`.
    key: Option<String>,
    /// `preserve`, `endpoint` or a fixed host name. Default: preserve, which OAuth instances need (they compare Host).
    host: Option<String>,
    /// How a TLS endpoint is checked.
    #[serde(default)]
    tls: RawBackendTls,
    /// How long the gateway waits.
    #[serde(default)]
    timeouts: RawTimeouts,
    /// Active health check, like `{ path: /health }`. Without it every endpoint counts as healthy.
    health: Option<RawHealth>,
    /// How requests are spread over the endpoints. Default: round_robin.
    balance: Option<RawBalance>,
    /// When an endpoint gets no requests for a while because of how it answered them.
    #[serde(default)]
    ejection: RawEjection,
    /// When the whole backend is left alone for a while because it fails. `{}` for the defaults. Default: never.
    breaker: Option<RawBreaker>,
    /// How many requests may be sent a second time.
    #[serde(default)]
    retry_budget: RawRetryBudget,
    /// Functions of its plugins, like `reports.build_report`, that callers of the namespace may call by name, by
    /// `POST /api/v1/proxy/remote` of the gateway. Default: none; calls of others, and calls that name classes, are refused.
    #[serde(default)]
    functions: Vec<String>,
    /// Which of its endpoints are learnt from its OpenAPI document, routed and shown in the gateway's own document. Write `{}`
    /// for all.
    openapi: Option<RawLearning>,
}

/// Which HTTP version the gateway speaks to a backend.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 where TLS offers it, else HTTP/1.1.
    Auto,
    /// HTTP/2 always.
    H2,
}

/// How a TLS endpoint is checked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawBackendTls {
    /// Whether certificate and name are verified. Default: true. `false` trusts whoever answers.
    verify: Option<bool>,
    /// PEM file with the certificate authorities to trust instead of the system's; relative to this file.
    ca_file: Option<PathBuf>,
    /// The name asked for (SNI) and verified, where it is not the endpoint's host.
    server_name: Option<String>,
}

/// How long the gateway waits for a backend.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawTimeouts {
    /// Longest time to connect, TLS included. Default: 5s.
    connect: Option<Span>,
    /// Longest silence: before the first byte of the answer, and between two parts of it. Default: 60s. A route's
    /// `timeout` takes precedence. Quiet event streams need a longer one.
    silence: Option<Span>,
    /// How long an idle connection is kept for reuse. Default: 4s, because uvicorn, which runs most FastAPI services and
    /// every FrameX instance, closes after 5s; who closes first never loses a request. At most 4s for `framex`.
    idle: Option<Span>,
}

/// A network backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its name in the namespace.
    pub name: String,
    /// What kind of service it is.
    pub kind: NetworkKind,
    /// Where it is; empty if that is discovered.
    pub endpoints: Vec<Endpoint>,
    /// Where its endpoints come from.
    pub discover: Option<Discovery>,
    /// Which Host header it gets.
    pub host: HostHeader,
    /// Which HTTP version it is spoken to in.
    pub protocol: Protocol,
    /// How a TLS endpoint is checked.
    pub tls: BackendTls,
    /// How long the gateway waits.
    pub timeouts: Timeouts,
    /// Active health check.
    pub health: Option<Health>,
    /// How requests are spread over the endpoints.
    pub balance: Balance,
    /// When an endpoint gets no requests for a while.
    pub ejection: Ejection,
    /// When the whole backend is left alone for a while.
    pub breaker: Option<Breaker>,
    /// How many requests may be sent a second time.
    pub retry_budget: RetryBudget,
    /// How requests wait while no endpoint can take them.
    pub hold: Option<Hold>,
}

/// What kind of service a network backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// An HTTP service.
    Http {
        /// Whether the caller's token goes on to it on closed routes.
        forward_token: bool,
    },
    /// A FrameX instance.
    Framex {
        /// Its API key.
        key: Option<Secret<String>>,
        /// Functions of its plugins that may be called by name.
        functions: Vec<String>,
    },
    /// A process that the gateway runs; it says itself where it is.
    Worker(Box<Worker>),
}

/// Which Host header a backend gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostHeader {
    /// The client's.
    Preserve,
    /// The endpoint's.
    Endpoint,
    /// This one.
    Fixed(String),
}

/// Which HTTP version the gateway speaks to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 where TLS offers it.
    Auto,
    /// HTTP/2 always.
    H2,
}

/// How a TLS endpoint is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendTls {
    /// Whether certificate and name are verified.
    pub verify: bool,
    /// Certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The name asked for and verified.
    pub server_name: Option<String>,
}

/// How long the gateway waits for a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Longest time to connect.
    pub connect: Duration,
    /// Longest silence.
    pub silence: Duration,
    /// How long an idle connection is kept.
    pub idle: Duration,
}

/// uvicorn closes idle connections after 5 s; one second of margin keeps the gateway from using a closing one.
const UVICORN_IDLE: Duration = Duration::from_secs(4);

impl RawBackend {
    /// Takes out what is learnt of the backend, if anything; `path` is the backend's.
    pub(super) fn validate_learning(
        &mut self,
        name: &str,
        path: &ValuePath,
        platform: LearningPlatform<'_>,
        problems: &mut ProblemList,
    ) -> Option<Learning> {
        let (raw, kind) = self.take_learning();
        let path = path.key(kind).key("openapi");
        raw.map(|raw| raw.validate(name, kind == "framex", &path, platform, problems))
    }

    /// Nothing is learnt where there is no namespace to route it in; `path` is the backend's.
    pub(super) fn refuse_learning(&mut self, path: &ValuePath, problems: &mut ProblemList) {
        if let (Some(_), kind) = self.take_learning() {
            let message = "endpoints are learnt for a namespace; name the backend in a namespace file";
            problems.report(path.key(kind).key("openapi"), message);
        }
    }

    fn take_learning(&mut self) -> (Option<RawLearning>, &'static str) {
        match self {
            Self::Http(raw) => (raw.openapi.take(), "http"),
            Self::Framex(raw) => (raw.openapi.take(), "framex"),
        }
    }

    pub(super) fn validate(self, name: &str, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Backend {
        let (kind, path, protocol, network) = match self {
            Self::Http(RawHttp {
                endpoints,
                discover,
                host,
                protocol,
                tls,
                timeouts,
                health,
                balance,
                ejection,
                breaker,
                retry_budget,
                openapi: _,
                forward_token,
            }) => {
                let kind = NetworkKind::Http { forward_token };
                let network = Network {
                    endpoints,
                    discover,
                    host,
                    tls,
                    timeouts,
                    health,
                    balance,
                    ejection,
                    breaker,
                    retry_budget,
                };
                (kind, path.key("http"), protocol, network)
            }
            Self::Framex(RawFramex {
                endpoints,
                discover,
                key,
                host,
                tls,
                timeouts,
                health,
                balance,
                ejection,
                breaker,
                retry_budget,
                functions,
                openapi: _,
            }) => {
                let path = path.key("framex");
                if key.as_ref().is_some_and(|key| !is_header_value(key)) {
                    problems.report(path.key("key"), "is no header value; a key is visible ASCII");
                }
                check_functions(&functions, &path.key("functions"), problems);
                let kind = NetworkKind::Framex { key: key.map(Secret::new), functions };
                let network = Network {
                    endpoints,
                    discover,
                    host,
                    tls,
                    timeouts,
                    health,
                    balance,
                    ejection,
                    breaker,
                    retry_budget,
                };
                (kind, path, None, network)
            }
        };
        let Network { endpoints, discover, host, tls, timeouts, health, balance, ejection, breaker, retry_budget } =
            network;
        let framex = matches!(kind, NetworkKind::Framex { .. });
        if discover.is_some() && !endpoints.is_empty() {
            problems.report(
                path.key("discover"),
                "`endpoints` are written out already; one of the two says where they are",
            );
        }
        let is_discovered = discover.is_some();
        Backend {
            name: name.to_owned(),
            kind,
            endpoints: validate_endpoints(endpoints, is_discovered, &path.key("endpoints"), problems),
            discover: discover.and_then(|discover| discover.validate(&path.key("discover"), base, problems)),
            host: validate_host(host.as_deref(), &path.key("host"), problems),
            protocol: match protocol {
                None | Some(RawProtocol::Http1) => Protocol::Http1,
                Some(RawProtocol::Auto) => Protocol::Auto,
                Some(RawProtocol::H2) => Protocol::H2,
            },
            tls: tls.validate(base),
            timeouts: timeouts.validate(&path.key("timeouts"), framex, problems),
            health: health.map(|health| health.validate(&path.key("health"), problems)),
            balance: balance.map(|balance| balance.validate(&path.key("balance"), problems)).unwrap_or_default(),
            ejection: ejection.validate(&path.key("ejection"), problems),
            breaker: breaker.map(|breaker| breaker.validate(&path.key("breaker"), problems)),
            retry_budget: retry_budget.validate(),
            hold: None,
        }
    }
}

/// What every backend on the network has.
struct Network {
    endpoints: Vec<RawEndpoint>,
    discover: Option<RawDiscovery>,
    host: Option<String>,
    tls: RawBackendTls,
    timeouts: RawTimeouts,
    health: Option<RawHealth>,
    balance: Option<RawBalance>,
    ejection: RawEjection,
    breaker: Option<RawBreaker>,
    retry_budget: RawRetryBudget,
}

fn check_functions(functions: &[String], path: &ValuePath, problems: &mut ProblemList) {
    for (index, function) in functions.iter().enumerate() {
        let is_name = |part: &str| !part.is_empty() && part.chars().all(|each| each.is_alphanumeric() || each == '_');
        if !function.contains('.') || !function.split('.').all(is_name) {
            let message = format!("`{function}` is no function with its module, like `reports.build_report`");
            problems.report(path.index(index), message);
        }
    }
}

impl Backend {
    /// The backend in front of a worker.
    #[must_use]
    pub fn of_worker(name: &str, worker: Worker) -> Self {
        Self {
            name: name.to_owned(),
            endpoints: Vec::new(),
            host: HostHeader::Preserve,
            protocol: Protocol::Http1,
            tls: BackendTls { verify: true, ca_file: None, server_name: None },
            timeouts: Timeouts { connect: Duration::from_secs(5), silence: worker.silence, idle: UVICORN_IDLE },
            health: None,
            discover: None,
            balance: Balance::default(),
            ejection: Ejection::default(),
            breaker: None,
            retry_budget: RetryBudget::default(),
            hold: None,
            kind: NetworkKind::Worker(Box::new(worker)),
        }
    }

    /// The process behind the backend, if it is a worker.
    #[must_use]
    pub fn worker(&self) -> Option<&Worker> {
        match &self.kind {
            NetworkKind::Worker(worker) => Some(worker),
            NetworkKind::Http { .. } | NetworkKind::Framex { .. } => None,
        }
    }
}

impl RawBackendTls {
    fn validate(self, base: &Path) -> BackendTls {
        let Self { verify, ca_file, server_name } = self;
        BackendTls { verify: verify.unwrap_or(true), ca_file: ca_file.map(|file| base.join(file)), server_name }
    }
}

impl RawTimeouts {
    fn validate(self, path: &ValuePath, framex: bool, problems: &mut ProblemList) -> Timeouts {
        let Self { connect, silence, idle } = self;
        let timeouts = Timeouts {
            connect: connect.map_or(Duration::from_secs(5), |span| span.0),
            silence: silence.map_or(Duration::from_secs(60), |span| span.0),
            idle: idle.map_or(UVICORN_IDLE, |span| span.0),
        };
        if timeouts.connect.is_zero() {
            problems.report(path.key("connect"), "0 would never connect; the least is 1ms");
        }
        if timeouts.silence.is_zero() {
            problems.report(path.key("silence"), "0 would end every answer; the least is 1ms");
        }
        if framex && timeouts.idle > UVICORN_IDLE {
            problems.report(path.key("idle"), "at most 4s: FrameX closes idle connections after 5s");
        }
        timeouts
    }
}

fn is_header_value(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

fn validate_host(host: Option<&str>, path: &ValuePath, problems: &mut ProblemList) -> HostHeader {
    match host {
        None | Some("preserve") => HostHeader::Preserve,
        Some("endpoint") => HostHeader::Endpoint,
        Some(name) => {
            if let Some(meant) = meant_host(name) {
                let message = format!(
                    "`{name}` is unknown here; did you mean `{meant}`? A host that is really called so is written with its port, like `{name}:80`"
                );
                problems.report(path.clone(), message);
            } else if name.parse::<http::uri::Authority>().is_err() || name.contains('@') {
                problems
                    .report(path.clone(), format!("`{name}` is no host; write `preserve`, `endpoint` or a host name"));
            }
            HostHeader::Fixed(name.to_owned())
        }
    }
}

/// The word for which a host name was most likely meant: nothing else would tell a typing error from a name.
fn meant_host(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    ["preserve", "endpoint"].into_iter().find(|word| strsim::damerau_levenshtein(word, &name) <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_almost_a_word_is_refused_and_other_names_are_not() {
        for (text, meant) in
            [("preseve", "preserve"), ("Preserve", "preserve"), ("endpont", "endpoint"), ("endpoints", "endpoint")]
        {
            let mut problems = ProblemList::default();
            validate_host(Some(text), &ValuePath::default(), &mut problems);
            let found = problems.finish(Path::new("f"), "");
            assert!(found[0].message.contains(&format!("did you mean `{meant}`?")), "{text}: {found:?}");
        }
        for text in ["preseve:80", "preserve.example.com", "localhost", "api"] {
            let mut problems = ProblemList::default();
            let host = validate_host(Some(text), &ValuePath::default(), &mut problems);
            assert_eq!((host, problems.is_empty()), (HostHeader::Fixed(text.to_owned()), true));
        }
    }
}
