//! Counts that several gateways share, in Redis.
//!
//! All counts of one request are asked for in one round trip, over one connection that every request uses; the script in
//! `shared/take.lua` takes the request from all of them or from none. When Redis is away, slow or talks nonsense, the caller is
//! told so and counts its share alone: no request waits longer than `timeout`, and after a few failures none waits at all until
//! Redis answers again. The connection has a thread of its own, because requests come from several runtimes.

mod link;

use super::quota::{Quota, Refusal};
use crate::config::{RateLimit, Redis, Window};
use link::Link;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts that several gateways share.
#[derive(Debug)]
pub struct SharedCounters {
    link: Arc<Link>,
    prefix: String,
    gateways: u32,
    in_redis: AtomicU64,
    alone: AtomicU64,
}

/// What became of the shared counts, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedStatus {
    /// Whether Redis counts now.
    pub is_connected: bool,
    /// Requests that Redis counted.
    pub in_redis: u64,
    /// Requests that this gateway counted alone.
    pub alone: u64,
    /// Calls of Redis that failed or took too long.
    pub failures: u64,
}

/// Why the shared counts cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    /// The address or the certificates cannot be used.
    #[error("the Redis of gateway.yaml cannot be used")]
    Settings(#[source] redis::RedisError),
    /// The file of certificates cannot be read.
    #[error("cannot read {0}")]
    Ca(std::path::PathBuf, #[source] std::io::Error),
    /// There is no thread for the connection.
    #[error("the thread of the connection to Redis cannot be started")]
    Thread(#[source] std::io::Error),
}

/// A limit as Redis knows it. Gateways that say the same of one route share it.
#[derive(Clone, Debug)]
pub struct SharedLimit {
    /// What the keys of all its counts begin with.
    stem: Arc<str>,
    arguments: Arc<[String; 4]>,
}

/// One count in Redis.
#[derive(Clone, Debug)]
pub struct SharedCount {
    limit: SharedLimit,
    key: String,
}

impl SharedCounters {
    /// Connects, and goes on without when that takes longer than a moment.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn start(settings: &Redis) -> Result<Self, SharedError> {
        Ok(Self {
            link: Link::start(settings)?,
            prefix: settings.prefix.clone(),
            gateways: settings.gateways,
            in_redis: AtomicU64::new(0),
            alone: AtomicU64::new(0),
        })
    }

    /// A limit that `owner` (a namespace and the name of its route) shares. All limits of a namespace are in one slot of a Redis
    /// cluster.
    #[must_use]
    pub fn limit(&self, limit: &RateLimit, by: &str, owner: (&str, &str)) -> SharedLimit {
        let (kind, burst) = match limit.window {
            Window::Bucket { burst } => ("bucket", burst),
            Window::Sliding => ("sliding", 0),
        };
        let requests = limit.rate.requests;
        // At least a microsecond, the resolution of the server's clock.
        let micros = limit.rate.per.as_micros().max(1);
        let arguments = [kind.to_owned(), requests.to_string(), micros.to_string(), burst.to_string()];
        let (namespace, route) = owner;
        let id = Sha256::digest(format!("{route}\n{by}\n{}", arguments.join(" ")));
        let stem = format!("{}{{{namespace}}}:{:.16}:", self.prefix, hex(&id));
        SharedLimit { stem: stem.into(), arguments: Arc::new(arguments) }
    }

    /// The part of a limit that this gateway counts while Redis is away.
    #[must_use]
    pub fn share_of(&self, limit: &RateLimit) -> RateLimit {
        let mut share = limit.clone();
        match &mut share.window {
            Window::Bucket { burst } => {
                share.rate.per = share.rate.per.saturating_mul(self.gateways);
                *burst = (*burst / self.gateways).max(1);
            }
            Window::Sliding => share.rate.requests = (share.rate.requests / self.gateways).max(1),
        }
        share
    }

    /// Takes one request from every count, or from none of them if one refuses. `None` when Redis does not say.
    pub async fn take(&self, counts: &[SharedCount]) -> Option<Vec<Result<Quota, Refusal>>> {
        let answer = self.link.run(counts).await;
        let counter = if answer.is_some() { &self.in_redis } else { &self.alone };
        counter.fetch_add(1, Ordering::Relaxed);
        let numbers = answer?;
        let read = |(count, numbers): (&SharedCount, &[i64])| {
            let limit = count.limit.burst_or_rate();
            let after = Duration::from_micros(u64::try_from(numbers[2]).unwrap_or(0));
            match numbers[0] {
                0 => Err(Refusal { limit, after }),
                _ => Ok(Quota { limit, remaining: u32::try_from(numbers[1]).unwrap_or(0), reset: after }),
            }
        };
        Some(counts.iter().zip(numbers.chunks_exact(link::NUMBERS)).map(read).collect())
    }

    /// What became of the shared counts so far.
    #[must_use]
    pub fn status(&self) -> SharedStatus {
        SharedStatus {
            is_connected: self.link.is_connected(),
            in_redis: self.in_redis.load(Ordering::Relaxed),
            alone: self.alone.load(Ordering::Relaxed),
            failures: self.link.failures(),
        }
    }
}

impl SharedLimit {
    /// The count of one caller. Redis is told a digest: who calls is nobody's business there.
    #[must_use]
    pub fn count(&self, who: &super::CountedAs<'_>) -> SharedCount {
        let key = match who {
            super::CountedAs::All => self.stem.to_string(),
            who => format!("{}{:.32}", self.stem, hex(&Sha256::digest(format!("{who:?}")))),
        };
        SharedCount { limit: self.clone(), key }
    }

    fn burst_or_rate(&self) -> u32 {
        let [kind, requests, _, burst] = &*self.arguments;
        if kind == "bucket" { burst } else { requests }.parse().unwrap_or(0)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CountedBy, Rate};

    #[test]
    fn shares_add_up_to_no_more_than_the_limit() {
        let rate = Rate { requests: 90, per: Duration::from_secs(1) };
        let counters = |gateways| SharedCounters {
            link: Arc::default(),
            prefix: String::new(),
            gateways,
            in_redis: AtomicU64::new(0),
            alone: AtomicU64::new(0),
        };
        for gateways in [1, 3, 7] {
            let share = |window| {
                let limit = RateLimit { by: CountedBy::All, rate, window, shared: true };
                counters(gateways).share_of(&limit)
            };
            let bucket = share(Window::Bucket { burst: 30 });
            let per_second = f64::from(bucket.rate.requests) / bucket.rate.per.as_secs_f64();
            assert!(per_second * f64::from(gateways) <= 90.001, "{per_second}");
            let Window::Bucket { burst } = bucket.window else { panic!("it stays a bucket") };
            assert!(burst * gateways <= 30);
            assert!(share(Window::Sliding).rate.requests * gateways <= 90);
        }
    }

    #[test]
    fn who_calls_is_not_in_the_keys_and_no_two_limits_have_one() {
        let counters = SharedCounters {
            link: Arc::default(),
            prefix: "framex:".to_owned(),
            gateways: 1,
            in_redis: AtomicU64::new(0),
            alone: AtomicU64::new(0),
        };
        let rate = |requests| RateLimit::of_all(Rate { requests, per: Duration::from_secs(1) });
        let limit = |requests, owner| counters.limit(&rate(requests), "subject", owner);
        let who = super::super::CountedAs::Subject("staff", "alice");
        let one = limit(5, ("shop", "all")).count(&who);
        assert!(one.key.starts_with("framex:{shop}:") && !one.key.contains("alice"), "{}", one.key);
        assert_eq!(one.key, limit(5, ("shop", "all")).count(&who).key, "every gateway finds the same");
        for other in [limit(6, ("shop", "all")), limit(5, ("shop", "one")), limit(5, ("text", "all"))] {
            assert_ne!(one.key, other.count(&who).key);
        }
    }
}
