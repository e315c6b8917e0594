//! How the requests of one route are shared out among several that answer: by canary, by what sticks, by chance.

use super::route::Route;
use crate::access::ClaimRule;
use crate::config::Sticky;
use crate::identity::Identity;
use crate::request::cookie_value;
use crate::router::HeaderCondition;
use crate::sharing::{Lot, share_of};
use http::HeaderMap;
use std::sync::Arc;

/// How requests are shared out.
#[derive(Debug)]
pub(super) struct Split {
    /// The share of the route that has the split.
    pub(super) own: Lot,
    /// The others with their shares.
    pub(super) others: Vec<(Lot, Arc<Route>)>,
    /// What keeps a caller with the same share.
    pub(super) sticky: Option<Sticky>,
    /// Requests to which the shares do not apply; the first that fits counts.
    pub(super) canaries: Vec<Canary>,
}

/// Requests that go to one target whatever the shares say.
#[derive(Debug)]
pub(super) struct Canary {
    /// Which one, counted as [`Route::shares`] does.
    pub(super) to: usize,
    pub(super) headers: Vec<HeaderCondition>,
    pub(super) claims: Vec<ClaimRule>,
}

/// Who answers one request.
#[derive(Debug)]
pub struct Pick<'a> {
    /// The route to it.
    pub route: &'a Arc<Route>,
    /// What has decided.
    pub why: Why,
    /// The cookie that keeps the caller there, name and value, where it has none yet.
    pub cookie: Option<(&'a str, String)>,
}

/// What has decided who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody else does.
    Alone,
    /// A canary's conditions.
    Canary,
    /// The value that sticks.
    Sticky,
    /// Chance.
    Chance,
}

impl Split {
    pub(super) fn pick<'a>(&'a self, own: &'a Arc<Route>, headers: &HeaderMap, identity: &Identity) -> Pick<'a> {
        let pick = |index, why, cookie| Pick { route: self.at(own, index), why, cookie };
        if let Some(canary) = self.canaries.iter().find(|canary| canary.takes(headers, identity)) {
            return pick(canary.to, Why::Canary, None);
        }
        let sticky = match &self.sticky {
            Some(Sticky::Header(name)) => headers.get(name).map(|value| value.as_bytes()),
            Some(Sticky::Cookie { name, .. }) => cookie_value(headers, name),
            Some(Sticky::Subject) => identity.subject().map(str::as_bytes),
            None => None,
        };
        if let Some(index) = sticky.filter(|value| !value.is_empty()).and_then(|value| self.share_of(value)) {
            return pick(index, Why::Sticky, None);
        }
        // A value that the next request shows is as good as chance for this one.
        let value: u64 = rand::random();
        if let Some(Sticky::Cookie { name, set: true }) = &self.sticky {
            let value = format!("{value:016x}");
            let index = self.share_of(value.as_bytes()).unwrap_or(0);
            return pick(index, Why::Chance, Some((name, value)));
        }
        pick(self.share_of(&value.to_le_bytes()).unwrap_or(0), Why::Chance, None)
    }

    /// Whether a canary leads to the share.
    pub(super) fn is_canary(&self, index: usize) -> bool {
        self.canaries.iter().any(|canary| canary.to == index)
    }

    fn share_of(&self, value: &[u8]) -> Option<usize> {
        share_of(value, std::iter::once(self.own).chain(self.others.iter().map(|(lot, _)| *lot)))
    }

    fn at<'a>(&'a self, own: &'a Arc<Route>, index: usize) -> &'a Arc<Route> {
        index.checked_sub(1).and_then(|index| self.others.get(index)).map_or(own, |(_, route)| route)
    }
}

impl Canary {
    fn takes(&self, headers: &HeaderMap, identity: &Identity) -> bool {
        let holds = |rule: &ClaimRule| identity.on_behalf_of().is_some_and(|caller| rule.holds(&caller.claims));
        self.headers.iter().all(|condition| condition.holds(headers)) && self.claims.iter().all(holds)
    }
}
