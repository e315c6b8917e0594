//! Why a request goes where it goes, for people.

use super::host_pattern::HostPattern;
use super::precedence::{compare_demands, compare_hosts, compare_paths};
use super::route_match::RouteMatch;
use crate::request::RequestView;
use std::cmp::Ordering;
use std::fmt;

/// What one route has to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The index of the route.
    pub route: usize,
    /// Whether it matches, or the first reason why not.
    pub outcome: Outcome,
}

/// Whether a route matches a request, or the first reason why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It matches and wins.
    Chosen,
    /// It matches, but the route with this index comes first.
    Outranked(usize),
    /// None of its hosts matches.
    Host,
    /// Its path does not match.
    Path,
    /// This condition does not hold.
    Condition(String),
    /// It matches in everything but the method.
    Method,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("matches and wins"),
            Self::Outranked(_) => f.write_str("matches, but another route comes first"),
            Self::Host => f.write_str("is for another host"),
            Self::Path => f.write_str("is for another path"),
            Self::Condition(condition) => write!(f, "asks that {condition}"),
            Self::Method => f.write_str("does not answer the method"),
        }
    }
}

/// Judges every route. Those whose host matches come first, in the order in which they are tried; the others follow.
pub(super) fn explain(routes: &[RouteMatch], request: &RequestView<'_>) -> Vec<Explanation> {
    let mut judged: Vec<Judged<'_>> =
        routes.iter().enumerate().map(|(index, route)| judge(index, route, request)).collect();
    judged.sort_by(Judged::compare);
    let winner = judged.iter().find(|judged| judged.outcome == Outcome::Chosen).map(|judged| judged.index);
    judged
        .into_iter()
        .map(|Judged { index, outcome, .. }| match (outcome, winner) {
            (Outcome::Chosen, Some(winner)) if winner != index => {
                Explanation { route: index, outcome: Outcome::Outranked(winner) }
            }
            (outcome, _) => Explanation { route: index, outcome },
        })
        .collect()
}

struct Judged<'a> {
    index: usize,
    route: &'a RouteMatch,
    /// The best host pattern that matches.
    host: Option<&'a HostPattern>,
    outcome: Outcome,
}

impl Judged<'_> {
    fn compare(&self, other: &Self) -> Ordering {
        (self.outcome == Outcome::Host)
            .cmp(&(other.outcome == Outcome::Host))
            .then_with(|| compare_hosts(self.host, other.host))
            .then_with(|| compare_paths(&self.route.path, &other.route.path))
            .then_with(|| compare_demands(self.route, other.route))
    }
}

fn judge<'a>(index: usize, route: &'a RouteMatch, request: &RequestView<'_>) -> Judged<'a> {
    let matching = route.hosts.iter().filter(|host| host.matches(request.host));
    let host = matching.min_by(|one, two| compare_hosts(Some(one), Some(two)));
    let outcome = if host.is_none() && !route.hosts.is_empty() {
        Outcome::Host
    } else if route.path.capture(request.path).is_none() {
        Outcome::Path
    } else if let Some(condition) = failing_condition(route, request) {
        Outcome::Condition(condition)
    } else if !route.methods.allows(request.method) {
        Outcome::Method
    } else {
        Outcome::Chosen
    };
    Judged { index, route, host, outcome }
}

fn failing_condition(route: &RouteMatch, request: &RequestView<'_>) -> Option<String> {
    let header = route.headers.iter().find(|condition| !condition.holds(request.headers)).map(ToString::to_string);
    header.or_else(|| route.query.iter().find(|condition| !condition.holds(request.query)).map(ToString::to_string))
}
