//! How much: request rates and requests at once, counted in this process.
//!
//! Pure over a clock that is passed in; state is a few atomics, so a check takes no lock.

mod concurrency;
mod rate_limiter;

pub use concurrency::{ConcurrencyLimit, Permit};
pub use rate_limiter::RateLimiter;
