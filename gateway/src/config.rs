//! The configuration: read and validated.
//!
//! Promises: every problem of every file is found in one go and carries file, line, column, path and a way out;
//! nothing unknown is passed over; reading touches only the files named. Leaves to others: whether key files,
//! certificates and components can be used (`snapshot` finds out when it compiles), and everything at run time.
//!
//! | stage | from → to | in |
//! |---|---|---|
//! | read | bytes → raw types, private to this module | `load`, `node`, `environment` |
//! | validate | raw types → the plain types exported here | the section files |

mod api_key;
mod backend;
mod balance;
mod breaker;
mod caching;
mod canary;
mod concurrency;
mod discovery;
mod documentation;
mod edit_shares;
mod ejection;
mod endpoint;
mod environment;
mod fallback;
mod gateway;
mod grant;
mod health;
mod invoke;
mod issuer;
mod learning;
mod limits;
mod listener;
mod load;
mod locate;
mod name;
mod namespace;
mod node;
mod plugin;
mod problem;
mod rate_limit;
mod retry;
mod rewrite;
mod route;
mod schema;
mod secret;
mod shadow;
mod shared_limits;
mod shedding;
mod sticky;
mod units;
mod worker;

pub use api_key::ApiKey;
pub use backend::{Backend, BackendTls, HostHeader, NetworkKind, Protocol, Timeouts};
pub use balance::{Affinity, Balance};
pub use breaker::{Breaker, Hold, RetryBudget};
pub use caching::{CacheRoom, CacheRules, Caching};
pub use canary::Canary;
pub use concurrency::{Concurrency, MostAtOnce};
pub use discovery::Discovery;
pub use documentation::Documentation;
pub use edit_shares::{EditError, edit_shares};
pub use ejection::Ejection;
pub use endpoint::{Endpoint, parse_endpoint, parse_endpoints};
pub use fallback::WrittenAnswer;
pub use gateway::{AccessLog, Components, Gateway, Remote};
pub(crate) use grant::lies_in;
pub use grant::{Grant, Grants};
pub use health::Health;
pub use invoke::Invoke;
pub use issuer::{Issuer, Keys};
pub use learning::Learning;
pub use limits::{SizeLimits, TrafficLimits};
pub use listener::{ConnectionLimits, Listener, ListenerTls};
pub use load::{Document, Sources, load};
pub use name::is_name;
pub use namespace::Namespace;
pub use plugin::{GivenLimits, Outbound, PackageSource, Plugin, PluginLimits, PluginReuse, Requirement};
pub use problem::{Problem, ProblemList, Spot, Step, ValuePath};
pub use rate_limit::{CountedBy, RateLimit, Window};
pub use retry::{Retry, RouteTimeouts};
pub use rewrite::{HeaderEdits, Rewrite};
pub use route::{Match, Route, Share, Target, Test};
pub use schema::schemas;
pub use secret::Secret;
pub use shadow::{Compare, Shadow};
pub use shared_limits::Redis;
pub use shedding::{ShedMemory, Shedding};
pub use sticky::Sticky;
pub use units::Rate;
pub use worker::Worker;
