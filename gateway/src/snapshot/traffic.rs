//! How much traffic a route or a namespace takes, and whether it takes one more request.

use super::route::Route;
use crate::config::{CountedBy, RateLimit, TrafficLimits};
use crate::limits::{
    Asker, CallEnd, ConcurrencyLimit, CountedAs, Key, NoRoom, Permit, Quota, RateLimiter, Refusal, SharedCount,
    SharedCounters, SharedLimit,
};
use crate::rejection::{Reason, Rejection};
use crate::request::Priority;
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
    concurrency: Option<Arc<ConcurrencyLimit>>,
    /// Where shared rates are counted; `None` when there are none.
    shared: Option<Arc<SharedCounters>>,
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
    limit: RateLimit,
    /// Counts here; where the limit is shared, the part of this gateway while Redis is away.
    limiter: Arc<RateLimiter>,
    shared: Option<SharedLimit>,
    /// By what it counts, for metrics and logs.
    name: Arc<str>,
}

/// What is left to do before a request is taken: to ask somebody else, or to wait for room.
#[derive(Debug)]
pub struct Pending {
    shared: Option<SharedRates>,
    priority: Priority,
}

/// Shared rates that are to be asked.
#[derive(Debug)]
struct SharedRates {
    counters: Arc<SharedCounters>,
    /// Shared rates that count the request, and whose they are.
    rates: Vec<(Arc<Traffic>, Rate, Key)>,
    counts: Vec<SharedCount>,
    /// What was taken already, to be given back if these refuse.
    taken: Vec<(Arc<RateLimiter>, Key)>,
    now: Instant,
}

/// What a request holds while it runs under limits.
#[derive(Debug, Default)]
pub struct Admission {
    permits: [Option<Permit>; 2],
    /// What is left of the tightest rate, where the caller may know.
    quota: Option<Quota>,
    /// How long it waited for room, if it had to.
    queued: Option<Duration>,
}

impl Traffic {
    /// Counts for `limits`. What is limited as in `old` goes on from there.
    pub(super) fn carry(
        old: Option<&Arc<Self>>,
        limits: &TrafficLimits,
        owner: Owner<'_>,
        metrics: &Metrics,
        shared: Option<&Arc<SharedCounters>>,
    ) -> Arc<Self> {
        if let Some(old) = old.filter(|old| old.limits == *limits) {
            return old.clone();
        }
        let now = Instant::now();
        // One limit may stand there twice; each is carried once.
        let mut known: Vec<Rate> = old.map(|old| old.rates.clone()).unwrap_or_default();
        let rates = limits.rates.iter().map(|limit| match known.iter().position(|rate| rate.limit == *limit) {
            Some(index) => known.swap_remove(index),
            None => Rate::new(limit, owner, now, shared),
        });
        let rates: Vec<Rate> = rates.collect();
        let shared = shared.filter(|_| rates.iter().any(|rate| rate.shared.is_some())).cloned();
        let same_concurrency = old.filter(|old| old.limits.concurrency == limits.concurrency);
        Arc::new(Self {
            limits: limits.clone(),
            of: if owner.route.is_some() { "route" } else { "namespace" },
            rates,
            shared,
            concurrency: match same_concurrency {
                Some(old) => old.concurrency.clone(),
                None => limits.concurrency.map(|concurrency| ConcurrencyLimit::new(concurrency, now)),
            },
            metrics: metrics.limits(owner.namespace, owner.route.unwrap_or_default()),
        })
    }

    /// What its limits are called in the metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rates.iter().map(|rate| &*rate.name).chain([CONCURRENCY, QUEUE])
    }

    /// The rates that count the request, with what each counts it as.
    fn counting<'a>(&'a self, asker: &'a Asker<'_>) -> impl Iterator<Item = (&'a Rate, CountedAs<'a>)> {
        self.rates.iter().filter_map(|rate| Some((rate, asker.counted_as(&rate.limit.by)?)))
    }

    /// The same without those that are shared.
    fn counting_here<'a>(&'a self, asker: &'a Asker<'_>) -> impl Iterator<Item = (&'a Rate, Key)> {
        let here = self.counting(asker).filter(|(rate, _)| rate.shared.is_none());
        here.map(|(rate, who)| (rate, rate.limiter.key(&who)))
    }

    /// Takes the request from every rate that is counted here, or from none.
    fn take(&self, asker: &Asker<'_>, now: Instant, quota: &mut Option<Quota>) -> Result<(), Rejection> {
        for (index, (rate, key)) in self.counting_here(asker).enumerate() {
            match rate.limiter.take(key, now) {
                Ok(left) => self.note(left, quota),
                Err(refusal) => {
                    self.counting_here(asker).take(index).for_each(|(rate, key)| rate.limiter.give_back(key, now));
                    self.note(refusal.quota(), quota);
                    return Err(self.refuse(rate, refusal));
                }
            }
        }
        Ok(())
    }

    fn give_back(&self, asker: &Asker<'_>, now: Instant) {
        self.counting_here(asker).for_each(|(rate, key)| rate.limiter.give_back(key, now));
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

    /// Room for one more; the inner `None` where there is no limit, the outer one where there may be room later.
    fn run(&self) -> Result<Option<Option<Permit>>, Rejection> {
        let Some(limit) = &self.concurrency else { return Ok(Some(None)) };
        match limit.enter() {
            Some(permit) => Ok(Some(Some(permit))),
            None if limit.config.queue > 0 => Ok(None),
            None => Err(self.no_room(NoRoom::NoQueue)),
        }
    }

    async fn wait(&self, priority: Priority) -> Result<Option<Permit>, Rejection> {
        let Some(limit) = &self.concurrency else { return Ok(None) };
        limit.wait(priority).await.map(Some).map_err(|no_room| self.no_room(no_room))
    }

    fn no_room(&self, why: NoRoom) -> Rejection {
        let (limit, detail) = match why {
            NoRoom::NoQueue => (CONCURRENCY, "is at its limit of requests at once"),
            NoRoom::QueueFull => (QUEUE, "is at its limit of requests at once, and its queue is full"),
            NoRoom::TooLong => (QUEUE, "is at its limit of requests at once, and no room came in time"),
        };
        self.metrics.refused(limit);
        let note = format!("{limit} of the {}: {why:?}", self.of);
        let rejection = Rejection::new(Reason::Busy, format!("the {} {detail}", self.of)).with_note(note);
        rejection.with_retry_after(Duration::from_secs(1))
    }

    /// How many requests may run, run and wait, where that is limited.
    #[must_use]
    pub fn at_once(&self) -> Option<[u32; 3]> {
        self.concurrency.as_ref().map(|limit| [limit.most(), limit.running(), limit.waiting()])
    }
}

/// What the limit of requests at once is called in the metrics, and its queue.
const CONCURRENCY: &str = "concurrency";
const QUEUE: &str = "queue";

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
    fn new(limit: &RateLimit, owner: Owner<'_>, now: Instant, shared: Option<&Arc<SharedCounters>>) -> Self {
        let name = name_of(&limit.by);
        let owner = (owner.namespace, owner.route.unwrap_or_default());
        let shared = shared.filter(|_| limit.shared);
        let here = shared.map_or_else(|| limit.clone(), |shared| shared.share_of(limit));
        Self {
            limit: limit.clone(),
            limiter: Arc::new(RateLimiter::new(here, now)),
            shared: shared.map(|shared| shared.limit(limit, &name, owner)),
            name: name.into(),
        }
    }
}

impl Route {
    /// Takes the request under the limits of route and namespace; what is known of the rates is in `admission` in any case.
    /// Where somebody else has to be asked, that is left to do.
    ///
    /// # Errors
    /// A 429 or 503 with `Retry-After`.
    pub fn enter(
        &self,
        asker: &Asker<'_>,
        now: Instant,
        admission: &mut Admission,
    ) -> Result<Option<Box<Pending>>, Rejection> {
        let [route, namespace] = &self.traffic;
        route.take(asker, now, &mut admission.quota)?;
        // What is refused is counted nowhere.
        namespace.take(asker, now, &mut admission.quota).inspect_err(|_| route.give_back(asker, now))?;
        let priority = asker.priority(self.priority);
        if let Some(shared) = self.shared_rates(asker, now) {
            return Ok(Some(Box::new(Pending { shared: Some(shared), priority })));
        }
        let is_in = self.run(admission)?;
        Ok((!is_in).then(|| Box::new(Pending { shared: None, priority })))
    }

    fn shared_rates(&self, asker: &Asker<'_>, now: Instant) -> Option<SharedRates> {
        let counters = self.traffic.iter().find_map(|traffic| traffic.shared.clone())?;
        let (mut rates, mut counts) = (Vec::new(), Vec::new());
        for traffic in &self.traffic {
            for (rate, who) in traffic.counting(asker) {
                if let Some(shared) = &rate.shared {
                    counts.push(shared.count(&who));
                    rates.push((traffic.clone(), rate.clone(), rate.limiter.key(&who)));
                }
            }
        }
        let here = self.traffic.iter().flat_map(|traffic| traffic.counting_here(asker));
        let taken = here.map(|(rate, key)| (rate.limiter.clone(), key)).collect();
        (!rates.is_empty()).then_some(SharedRates { counters, rates, counts, taken, now })
    }

    /// Whether there is room under both limits now; permits are in `admission` up to where there is not.
    fn run(&self, admission: &mut Admission) -> Result<bool, Rejection> {
        for (traffic, permit) in self.traffic.iter().zip(&mut admission.permits) {
            match traffic.run()? {
                Some(entered) => *permit = entered,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Waits for room under both limits.
    async fn wait(&self, priority: Priority, admission: &mut Admission) -> Result<(), Rejection> {
        let began = Instant::now();
        for (traffic, permit) in self.traffic.iter().zip(&mut admission.permits) {
            if permit.is_none() {
                *permit = traffic.wait(priority).await.inspect_err(|_| admission.queued = Some(began.elapsed()))?;
            }
        }
        admission.queued = Some(began.elapsed());
        Ok(())
    }
}

impl Pending {
    /// Asks and waits, and takes the request. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// As of [`Route::enter`].
    pub async fn finish(self: Box<Self>, route: &Route, admission: &mut Admission) -> Result<(), Rejection> {
        if let Some(shared) = &self.shared {
            shared.ask(admission).await?;
            if route.run(admission)? {
                return Ok(());
            }
        }
        route.wait(self.priority, admission).await
    }
}

impl SharedRates {
    async fn ask(&self, admission: &mut Admission) -> Result<(), Rejection> {
        let answers = self.counters.take(&self.counts).await.unwrap_or_else(|| self.take_shares());
        let rates = || self.rates.iter().zip(&answers);
        for ((traffic, rate, _), answer) in rates() {
            if let Err(refusal) = answer {
                self.taken.iter().for_each(|(limiter, key)| limiter.give_back(*key, self.now));
                traffic.note(refusal.quota(), &mut admission.quota);
                return Err(traffic.refuse(rate, *refusal));
            }
        }
        for ((traffic, ..), answer) in rates() {
            if let Ok(left) = answer {
                traffic.note(*left, &mut admission.quota);
            }
        }
        Ok(())
    }

    /// Takes the request from every part of this gateway, or from none. What follows a refusal is not asked.
    fn take_shares(&self) -> Vec<Result<Quota, Refusal>> {
        let mut answers = Vec::with_capacity(self.rates.len());
        for (_, rate, key) in &self.rates {
            let answer = rate.limiter.take(*key, self.now);
            let is_refused = answer.is_err();
            answers.push(answer);
            if is_refused {
                let before = self.rates.iter().take(answers.len() - 1);
                before.for_each(|(_, rate, key)| rate.limiter.give_back(*key, self.now));
                break;
            }
        }
        answers
    }
}

impl Admission {
    /// How long the request waited for room, if it had to.
    #[must_use]
    pub fn queued(&self) -> Option<Duration> {
        self.queued
    }

    /// Says how the call ended, for limits that learn from it: why the gateway answered itself or cut the answer, the status,
    /// and when the answer of whoever was asked began.
    pub fn ended(&mut self, reason: Option<Reason>, status: u16, answered: Option<Instant>) {
        let end = match (reason, status, answered) {
            (Some(Reason::BackendTimeout | Reason::PluginTimeout | Reason::PluginCpu), ..)
            | (None, 503 | 504, Some(_)) => CallEnd::Overloaded,
            // Failures are often fast, and say nothing about how long an answer takes.
            (None, ..500, Some(answered)) => CallEnd::Answered(answered),
            _ => CallEnd::Unknown,
        };
        for permit in self.permits.iter_mut().flatten() {
            permit.ended(end);
        }
    }

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
