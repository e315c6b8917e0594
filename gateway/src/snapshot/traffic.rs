//! How much traffic a route or a namespace takes, and whether it takes one more request.

use super::route::Route;
use crate::config::{CountedBy, TrafficLimits};
use crate::limits::{Asker, ConcurrencyLimit, CountedAs, Permit, Quota, RateLimiter, Refusal};
use crate::rejection::{Reason, Rejection};
use crate::telemetry::{LimitMetrics, Metrics};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is said of the rates (draft-ietf-httpapi-ratelimit-headers-06 §5).
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The counts of one set of traffic limits.
#[derive(Debug)]
pub struct Traffic {
    limits: TrafficLimits,
    of: &'static str,
    rates: Vec<Rate>,
    concurrency: Option<ConcurrencyLimit>,
    metrics: LimitMetrics,
}

/// Whose limits they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'a> {
    pub(super) namespace: &'a str,
    /// `None` where all routes of the namespace share them.
    pub(super) route: Option<&'a str>,
}

/// One rate of them.
#[derive(Clone, Debug)]
struct Rate {
    limiter: Arc<RateLimiter>,
    /// By what it counts, for metrics and logs.
    name: Arc<str>,
}

/// What a request holds while it runs under limits.
#[derive(Debug, Default)]
pub struct Admission {
    permits: [Option<Permit>; 2],
    /// What is left of the tightest rate, where the caller may know.
    quota: Option<Quota>,
}

impl Traffic {
    /// Counts for `limits`. What is limited as in `old` goes on from there.
    pub(super) fn carry(
        old: Option<&Arc<Self>>,
        limits: &TrafficLimits,
        owner: Owner<'_>,
        metrics: &Metrics,
    ) -> Arc<Self> {
        if let Some(old) = old.filter(|old| old.limits == *limits) {
            return old.clone();
        }
        let now = Instant::now();
        // One limit may stand there twice; each is carried once.
        let mut known: Vec<Rate> = old.map(|old| old.rates.clone()).unwrap_or_default();
        let rates = limits.rates.iter().map(|limit| match known.iter().position(|rate| rate.limiter.limit == *limit) {
            Some(index) => known.swap_remove(index),
            None => Rate { limiter: Arc::new(RateLimiter::new(limit.clone(), now)), name: name_of(&limit.by).into() },
        });
        let rates = rates.collect();
        let same_concurrency = old.filter(|old| old.limits.concurrency == limits.concurrency);
        Arc::new(Self {
            limits: limits.clone(),
            of: if owner.route.is_some() { "route" } else { "namespace" },
            rates,
            concurrency: match same_concurrency {
                Some(old) => old.concurrency.clone(),
                None => limits.concurrency.map(ConcurrencyLimit::new),
            },
            metrics: metrics.limits(owner.namespace, owner.route.unwrap_or_default()),
        })
    }

    /// What its limits are called in the metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rates.iter().map(|rate| &*rate.name).chain([CONCURRENCY])
    }

    /// The rates that count the request, with what each counts it as.
    fn counting<'a>(&'a self, asker: &'a Asker<'_>) -> impl Iterator<Item = (&'a Rate, CountedAs<'a>)> {
        self.rates.iter().filter_map(|rate| Some((rate, asker.counted_as(&rate.limiter.limit.by)?)))
    }

    /// Takes the request from every rate, or from none.
    fn take(&self, asker: &Asker<'_>, now: Instant, quota: &mut Option<Quota>) -> Result<(), Rejection> {
        for (index, (rate, who)) in self.counting(asker).enumerate() {
            match rate.limiter.take(&who, now) {
                Ok(left) => self.note(left, quota),
                Err(refusal) => {
                    self.counting(asker).take(index).for_each(|(rate, who)| rate.give_back(&who, now));
                    self.note(refusal.quota(), quota);
                    return Err(self.refuse(rate, refusal));
                }
            }
        }
        Ok(())
    }

    fn give_back(&self, asker: &Asker<'_>, now: Instant) {
        self.counting(asker).for_each(|(rate, who)| rate.give_back(&who, now));
    }

    fn note(&self, left: Quota, quota: &mut Option<Quota>) {
        if !self.limits.hide_rates {
            *quota = Some(quota.map_or(left, |quota| quota.tighter(left)));
        }
    }

    fn refuse(&self, rate: &Rate, refusal: Refusal) -> Rejection {
        self.metrics.refused(&rate.name);
        let detail = format!("the {} takes no more requests now", self.of);
        let note = format!("rate of the {} by {}", self.of, rate.name);
        Rejection::new(Reason::RateLimited, detail).with_note(note).with_retry_after(refusal.after)
    }

    fn run(&self) -> Result<Option<Permit>, Rejection> {
        let Some(limit) = &self.concurrency else { return Ok(None) };
        limit.enter().map(Some).ok_or_else(|| {
            self.metrics.refused(CONCURRENCY);
            let detail = format!("the {} is at its limit of requests at once", self.of);
            Rejection::new(Reason::Busy, detail).with_retry_after(Duration::from_secs(1))
        })
    }
}

/// What the limit of requests at once is called in the metrics.
const CONCURRENCY: &str = "concurrency";

fn name_of(by: &CountedBy) -> String {
    match by {
        CountedBy::All => "all".to_owned(),
        CountedBy::Subject => "subject".to_owned(),
        CountedBy::Key => "key".to_owned(),
        CountedBy::Address => "address".to_owned(),
        CountedBy::Plugin => "plugin".to_owned(),
        CountedBy::Header(name) => format!("header {name}"),
    }
}

impl Rate {
    fn give_back(&self, who: &CountedAs<'_>, now: Instant) {
        self.limiter.give_back(self.limiter.receipt(who, now));
    }
}

impl Route {
    /// Takes the request under the limits of route and namespace; what is known of the rates is in `admission` in any case.
    ///
    /// # Errors
    /// A 429 or 503 with `Retry-After`.
    pub fn enter(&self, asker: &Asker<'_>, now: Instant, admission: &mut Admission) -> Result<(), Rejection> {
        let [route, namespace] = &self.traffic;
        route.take(asker, now, &mut admission.quota)?;
        // What is refused is counted nowhere.
        namespace.take(asker, now, &mut admission.quota).inspect_err(|_| route.give_back(asker, now))?;
        admission.permits = [route.run()?, namespace.run()?];
        Ok(())
    }
}

impl Admission {
    /// What the answer says of the rates.
    pub fn fields(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let fields = self.quota.map(|Quota { limit, remaining, reset }| {
            // Whole seconds, rounded up as in `Retry-After`.
            let reset = u64::try_from(reset.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
            [(LIMIT, limit.into()), (REMAINING, remaining.into()), (RESET, reset.into())]
        });
        fields.into_iter().flatten()
    }

    /// Puts that into the fields of an answer.
    pub fn tell(&self, answer: &mut HeaderMap) {
        answer.extend(self.fields());
    }
}
