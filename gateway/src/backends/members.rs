//! Which endpoint answers next. Pure over the endpoints' states; pingora-load-balancing keeps the turn.

use super::peer::{EndpointPeer, PickedEndpoint};
use crate::config::Balance;
use crate::sharing::{Lot, share_of};
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora_load_balancing::Backend as Member;
use pingora_load_balancing::selection::{BackendIter, BackendSelection, RoundRobin};
use rand::Rng;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a request asks of the endpoint that is to answer it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// Those that it has tried; not one of them again.
    pub tried: &'a [PeerAddress],
    /// The value that decides, where one does: the same one leads to the same endpoint.
    pub value: Option<&'a [u8]>,
}

/// Which endpoint answers.
#[derive(Debug)]
pub(super) enum Choice {
    /// This one.
    Endpoint(PickedEndpoint),
    /// There are some, and all have as many requests under way as they bear.
    Full,
    /// None is known, or all were tried.
    None,
}

/// The endpoints of a cluster, and whose turn it is.
pub(super) struct Members {
    pub(super) endpoints: Vec<PickedEndpoint>,
    turn: Arc<RoundRobin>,
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// What is good enough for a request, from the best on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standard {
    /// Healthy, not left alone.
    Good,
    /// Anything: a health check that is wrong must not take a working backend away.
    Any,
}

impl Members {
    pub(super) fn new(endpoints: Vec<PickedEndpoint>) -> Self {
        let turn = Arc::new(RoundRobin::build(&members(&endpoints)));
        Self { endpoints, turn }
    }

    /// Chooses an endpoint for `wish`. Allocates nothing.
    pub(super) fn choose(&self, balance: &Balance, wish: &Wish<'_>, slow_start: Duration, now: Instant) -> Choice {
        if let [only] = self.endpoints.as_slice() {
            return if wish.tried.contains(&only.address) {
                Choice::None
            } else if only.is_full() {
                Choice::Full
            } else {
                Choice::Endpoint(only.clone())
            };
        }
        for standard in [Standard::Good, Standard::Any] {
            let is_fit = |endpoint: &PickedEndpoint| {
                let is_good = || endpoint.state.is_healthy() && !endpoint.state.is_ejected(now);
                !wish.tried.contains(&endpoint.address)
                    && (standard == Standard::Any || is_good())
                    && !endpoint.is_full()
            };
            let chosen = match (balance, wish.value) {
                (Balance::RoundRobin, _) => self.by_turn(is_fit, slow_start, now),
                (Balance::Hash(_), Some(value)) => self.by_value(is_fit, value),
                (Balance::Sticky(_), Some(value)) => {
                    self.by_name(is_fit, value).or_else(|| self.by_load(is_fit, slow_start, now))
                }
                (Balance::LeastOutstanding | Balance::Hash(_) | Balance::Sticky(_), _) => {
                    self.by_load(is_fit, slow_start, now)
                }
            };
            if let Some(endpoint) = chosen {
                return Choice::Endpoint(endpoint.clone());
            }
        }
        let is_full = self.endpoints.iter().any(|endpoint| !wish.tried.contains(&endpoint.address));
        if is_full { Choice::Full } else { Choice::None }
    }

    /// The next in turn. One that starts slowly is passed over more often than not.
    fn by_turn(
        &self,
        is_fit: impl Fn(&PickedEndpoint) -> bool,
        slow_start: Duration,
        now: Instant,
    ) -> Option<&PickedEndpoint> {
        let mut turn = self.turn.iter(b"");
        for _ in 0..self.endpoints.len().saturating_mul(2) {
            let endpoint = self.at(turn.next()?)?;
            if is_fit(endpoint) && is_warm(endpoint, slow_start, now) {
                return Some(endpoint);
            }
        }
        self.endpoints.iter().find(|endpoint| is_fit(endpoint))
    }

    /// Of two at random the one with fewer requests under way for its weight ("the power of two choices").
    fn by_load(
        &self,
        is_fit: impl Fn(&PickedEndpoint) -> bool,
        slow_start: Duration,
        now: Instant,
    ) -> Option<&PickedEndpoint> {
        let mut random = rand::rng();
        let count = self.endpoints.len();
        if count == 0 {
            return None;
        }
        let from = |start: usize| (start..count).chain(0..start);
        let one = from(random.random_range(0..count)).find(|index| is_fit(&self.endpoints[*index]))?;
        let other = from(random.random_range(0..count))
            .find(|index| *index != one && is_fit(&self.endpoints[*index]))
            .map(|index| &self.endpoints[index]);
        let one = &self.endpoints[one];
        let load = |endpoint: &PickedEndpoint| {
            let share = f64::from(endpoint.weight) * endpoint.state.warmth(slow_start, now);
            f64::from(endpoint.state.outstanding() + 1) / share
        };
        Some(other.filter(|other| load(other) < load(one)).unwrap_or(one))
    }

    /// The one that the value falls to; when it cannot answer, that which the value would fall to without it.
    fn by_value(&self, is_fit: impl Fn(&PickedEndpoint) -> bool, value: &[u8]) -> Option<&PickedEndpoint> {
        let none = Lot::new("", 0);
        let lot = |endpoint: &PickedEndpoint| if is_fit(endpoint) { endpoint.lot } else { none };
        self.endpoints.get(share_of(value, self.endpoints.iter().map(lot))?)
    }

    /// The one whose name is the value.
    fn by_name(&self, is_fit: impl Fn(&PickedEndpoint) -> bool, value: &[u8]) -> Option<&PickedEndpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.sticky_name().as_bytes() == value && is_fit(endpoint))
    }

    fn at(&self, member: &Member) -> Option<&PickedEndpoint> {
        self.endpoints.get(member.ext.get::<Place>()?.0)
    }
}

/// Where an endpoint is in the list of its cluster.
#[derive(Clone, Copy, Debug)]
struct Place(usize);

/// The endpoints as pingora-load-balancing knows them.
pub(super) fn members(endpoints: &[PickedEndpoint]) -> BTreeSet<Member> {
    let member = |(place, endpoint): (usize, &PickedEndpoint)| {
        let mut ext = http::Extensions::new();
        ext.insert(Place(place));
        Member { addr: endpoint.address.clone(), weight: usize::try_from(endpoint.weight).unwrap_or(1), ext }
    };
    endpoints.iter().enumerate().map(member).collect()
}

fn is_warm(endpoint: &EndpointPeer, slow_start: Duration, now: Instant) -> bool {
    let warmth = endpoint.state.warmth(slow_start, now);
    warmth >= 1.0 || rand::rng().random_bool(warmth)
}
