//! What one route asks of a request.

use super::condition::{HeaderCondition, QueryCondition};
use super::host_pattern::HostPattern;
use super::method_set::MethodSet;
use super::path_pattern::PathPattern;
use crate::request::RequestView;
use std::fmt;

/// What one route asks of a request; all of it must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The hosts, of which one must match; none for any host.
    pub hosts: Vec<HostPattern>,
    /// The path.
    pub path: PathPattern,
    /// The methods; the empty set for all.
    pub methods: MethodSet,
    /// Conditions on header fields. The same condition twice counts once.
    pub headers: Vec<HeaderCondition>,
    /// Conditions on query parameters. The same condition twice counts once.
    pub query: Vec<QueryCondition>,
}

impl RouteMatch {
    /// A match of a path on any host, with any method and without conditions.
    #[must_use]
    pub fn path(path: PathPattern) -> Self {
        Self { hosts: Vec::new(), path, methods: MethodSet::all(), headers: Vec::new(), query: Vec::new() }
    }

    /// How many conditions there are on header fields and query parameters.
    pub(super) fn conditions(&self) -> usize {
        self.headers.len() + self.query.len()
    }

    /// Whether the conditions on header fields and query parameters hold.
    pub(super) fn conditions_hold(&self, request: &RequestView<'_>) -> bool {
        self.headers.iter().all(|condition| condition.holds(request.headers))
            && self.query.iter().all(|condition| condition.holds(request.query))
    }

    /// Whether some condition keeps the two routes from matching one request.
    pub(super) fn is_kept_apart_from(&self, other: &Self) -> bool {
        let headers = self
            .headers
            .iter()
            .any(|one| other.headers.iter().any(|two| one.name == two.name && one.test.excludes(&two.test)));
        headers
            || self
                .query
                .iter()
                .any(|one| other.query.iter().any(|two| one.name == two.name && one.test.excludes(&two.test)))
    }

    /// Drops what is there twice, so that counting conditions counts different ones.
    pub(super) fn without_repetition(mut self) -> Self {
        drop_repeated(&mut self.hosts);
        drop_repeated(&mut self.headers);
        drop_repeated(&mut self.query);
        self
    }
}

fn drop_repeated<T: PartialEq>(items: &mut Vec<T>) {
    let mut index = 0;
    while index < items.len() {
        if items[..index].contains(&items[index]) {
            items.remove(index);
        } else {
            index += 1;
        }
    }
}

/// One line for people, such as `POST /a/{x} on a.example.com if query `v` is "2"`.
impl fmt::Display for RouteMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.methods, self.path)?;
        for (index, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if index == 0 { " on " } else { ", " })?;
        }
        let headers = self.headers.iter().map(|condition| condition as &dyn fmt::Display);
        let query = self.query.iter().map(|condition| condition as &dyn fmt::Display);
        for (index, condition) in headers.chain(query).enumerate() {
            write!(f, "{}{condition}", if index == 0 { " if " } else { " and " })?;
        }
        Ok(())
    }
}
