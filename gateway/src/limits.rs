//! How much: request rates and requests at once.
//!
//! Pure over a clock that is passed in, but for `shared`, which counts in Redis together with other gateways. What has one count for all requests takes no lock; counts by caller are in tables whose
//! locks are spread over the callers. `shedding` looks at the process itself. Who is counted as what is decided in `asker`.

mod asker;
mod bucket;
mod concurrency;
mod gradient;
mod keyed_counters;
mod memory;
mod quota;
mod rate_limiter;
mod shared;
mod shedding;
mod sliding_window;
mod waiting_room;

pub use asker::{Asker, CountedAs};
pub use concurrency::{CallEnd, ConcurrencyLimit, NoRoom, Permit};
pub use keyed_counters::Key;
pub use quota::{Quota, Refusal};
pub use rate_limiter::RateLimiter;
pub use shared::{SharedCount, SharedCounters, SharedError, SharedLimit, SharedStatus};
pub use shedding::{Shedder, Signal};
