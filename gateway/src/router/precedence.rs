//! Which of two matching routes wins; the rules are in the documentation of [`crate::router`].
//!
//! `Less` means: comes first. For two routes that one request can match, each function is decided by what the routes
//! ask alone, so candidates are sorted once, when the table is built.

use super::host_pattern::HostPattern;
use super::method_set::MethodSet;
use super::path_pattern::{Param, PathPattern, Segment};
use super::route_match::RouteMatch;
use http::Method;
use std::cmp::{Ordering, Reverse};

/// Rule 1, for the host patterns by which the routes match; `None` is any host.
pub(super) fn compare_hosts(one: Option<&HostPattern>, two: Option<&HostPattern>) -> Ordering {
    host_rank(one).cmp(&host_rank(two))
}

fn host_rank(host: Option<&HostPattern>) -> (u8, Reverse<usize>) {
    match host {
        Some(HostPattern::Exact(_)) => (0, Reverse(0)),
        Some(HostPattern::Wildcard(suffix)) => (1, Reverse(suffix.len())),
        None => (2, Reverse(0)),
    }
}

/// Rule 2. `Equal` only for patterns that are the same but for names; text that keeps two patterns apart is compared as
/// text, so that a sorted list reads well.
pub(super) fn compare_paths(one: &PathPattern, two: &PathPattern) -> Ordering {
    let length = one.segments().len().max(two.segments().len());
    let orders = (0..=length).map(|index| path_rank(one, index).cmp(&path_rank(two, index)));
    orders.fold(Ordering::Equal, Ordering::then)
}

/// What a pattern asks at one place, ordered as rule 2 says. The end comes first: of two patterns that match one
/// path, it can only meet a rest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum PathRank<'a> {
    End,
    Literal(&'a str),
    Affixed(AffixRank, &'a str, &'a str),
    Param,
    Rest,
}

fn path_rank(pattern: &PathPattern, index: usize) -> PathRank<'_> {
    match pattern.segments().get(index) {
        Some(Segment::Literal(literal)) => PathRank::Literal(literal),
        Some(Segment::Param(param)) if param.is_bare() => PathRank::Param,
        Some(Segment::Param(param)) => PathRank::Affixed(affix_rank(param), &param.prefix, &param.suffix),
        None if pattern.has_rest() && index == pattern.segments().len() => PathRank::Rest,
        None => PathRank::End,
    }
}

/// The longer fixed text first, then the longer prefix. Two that are equal here differ in letters and match no
/// segment both.
pub(super) type AffixRank = (Reverse<usize>, Reverse<usize>);

pub(super) fn affix_rank(param: &Param) -> AffixRank {
    (Reverse(param.prefix.len() + param.suffix.len()), Reverse(param.prefix.len()))
}

/// Rules 3 and 4.
pub(super) fn compare_demands(one: &RouteMatch, two: &RouteMatch) -> Ordering {
    two.conditions().cmp(&one.conditions()).then_with(|| method_rank(&one.methods).cmp(&method_rank(&two.methods)))
}

/// That a set names HEAD matters only against one that names GET and not HEAD, when HEAD is asked.
fn method_rank(methods: &MethodSet) -> u8 {
    match methods {
        methods if methods.is_all() => 2,
        methods if methods.names(&Method::HEAD) => 0,
        _ => 1,
    }
}
