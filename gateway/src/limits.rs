//! How much: request rates and requests at once.
//!
//! Pure over a clock that is passed in. What has one count for all requests takes no lock; counts by caller are in tables whose
//! locks are spread over the callers. Who is counted as what is decided in `asker`.

mod asker;
mod bucket;
mod concurrency;
mod keyed_counters;
mod quota;
mod rate_limiter;
mod sliding_window;

pub use asker::{Asker, CountedAs};
pub use concurrency::{ConcurrencyLimit, Permit};
pub use quota::{Quota, Refusal};
pub use rate_limiter::{RateLimiter, Taken};
