//! A router that is obviously right: it tries every route and compares every pair of those that match.

use super::super::*;
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::cmp::Ordering;

/// The methods that tests ask for.
pub(super) const ASKED_METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PURGE", "OPTIONS"];

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Route {
    /// `x.test`, or `*.x.test`.
    hosts: Vec<&'static str>,
    path: Vec<Piece>,
    methods: Vec<&'static str>,
    headers: Vec<(&'static str, Test)>,
    query: Vec<(&'static str, Test)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    Literal(&'static str),
    Param(&'static str, &'static str),
    Rest { named: bool },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Test {
    Exact(&'static str),
    Present,
    Absent,
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) host: &'static str,
    pub(super) path: String,
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

/// The route that wins, by comparing every pair.
pub(super) fn winner(routes: &[Route], request: &Request, method: &str) -> Option<usize> {
    let matching: Vec<usize> = (0..routes.len()).filter(|&index| routes[index].matches(request, method)).collect();
    let beats_all =
        |&one: &usize| matching.iter().all(|&two| one == two || beats(&routes[one], &routes[two], request, method));
    let winner = matching.iter().copied().find(beats_all);
    assert_eq!(winner.is_some(), !matching.is_empty(), "one route always wins");
    winner
}

/// The methods of the routes that match in everything but the method.
pub(super) fn refused_methods(routes: &[Route], request: &Request) -> Option<MethodSet> {
    let refusing: Vec<&Route> = routes.iter().filter(|route| route.matches_but_for_method(request)).collect();
    (!refusing.is_empty())
        .then(|| refusing.iter().flat_map(|route| &route.methods).map(|name| name.parse::<Method>().unwrap()).collect())
}

/// Rules 1 to 4 for two routes that match.
pub(super) fn beats(one: &Route, two: &Route, request: &Request, method: &str) -> bool {
    one.host_rank(request)
        .cmp(&two.host_rank(request))
        .then_with(|| compare_paths(&one.path, &two.path))
        .then_with(|| (two.headers.len() + two.query.len()).cmp(&(one.headers.len() + one.query.len())))
        .then_with(|| one.method_rank(method).cmp(&two.method_rank(method)))
        .is_lt()
}

/// The definition of a conflict.
pub(super) fn conflict(one: &Route, two: &Route) -> bool {
    let same_host =
        (one.hosts.is_empty() && two.hosts.is_empty()) || one.hosts.iter().any(|host| two.hosts.contains(host));
    let same_method =
        (one.methods.is_empty() && two.methods.is_empty()) || one.methods.iter().any(|name| two.methods.contains(name));
    let same_count = one.headers.len() + one.query.len() == two.headers.len() + two.query.len();
    same_host
        && same_method
        && same_count
        && one.shape() == two.shape()
        && !apart(&one.headers, &two.headers)
        && !apart(&one.query, &two.query)
}

fn apart(one: &[(&str, Test)], two: &[(&str, Test)]) -> bool {
    one.iter().any(|(name, test)| two.iter().any(|(other, against)| name == other && test.never_with(*against)))
}

impl Test {
    fn never_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(two)) => one != two,
            (Self::Absent, other) | (other, Self::Absent) => other != Self::Absent,
            _ => false,
        }
    }

    fn holds(self, values: &[&str]) -> bool {
        match self {
            Self::Exact(expected) => values == [expected],
            Self::Present => !values.is_empty(),
            Self::Absent => values.is_empty(),
        }
    }

    fn to_test(self) -> ValueTest {
        match self {
            Self::Exact(value) => ValueTest::Exact(value.to_owned()),
            Self::Present => ValueTest::Present(true),
            Self::Absent => ValueTest::Present(false),
        }
    }
}

/// Rule 2: the first difference decides.
fn compare_paths(one: &[Piece], two: &[Piece]) -> Ordering {
    for index in 0..one.len().max(two.len()) {
        let rank = |piece: Option<&Piece>| match piece {
            None | Some(Piece::Literal(_)) => (0, 0, 0),
            Some(Piece::Param("", "")) => (2, 0, 0),
            Some(Piece::Param(prefix, suffix)) => (1, 9 - prefix.len() - suffix.len(), 9 - prefix.len()),
            Some(Piece::Rest { .. }) => (3, 0, 0),
        };
        let order = rank(one.get(index)).cmp(&rank(two.get(index)));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

impl Route {
    pub(super) fn matches(&self, request: &Request, method: &str) -> bool {
        let method = self.methods.is_empty() || self.method_rank(method) < 2;
        method && self.matches_but_for_method(request)
    }

    fn matches_but_for_method(&self, request: &Request) -> bool {
        let values = |of: &[(&str, &'static str)], name: &str| -> Vec<&'static str> {
            of.iter().filter(|(other, _)| *other == name).map(|(_, value)| *value).collect()
        };
        self.host_rank(request).is_some()
            && self.try_captures(&request.path).is_some()
            && self.headers.iter().all(|(name, test)| test.holds(&values(&request.headers, name)))
            && self.query.iter().all(|(name, test)| {
                let values = values(&request.query, name);
                test.holds(&values[..values.len().min(1)])
            })
    }

    /// The values of the parameters of a path that matches.
    pub(super) fn captures<'a>(&self, path: &'a str) -> Vec<&'a str> {
        self.try_captures(path).unwrap()
    }

    fn try_captures<'a>(&self, path: &'a str) -> Option<Vec<&'a str>> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let mut captures = Vec::new();
        for (index, piece) in self.path.iter().enumerate() {
            match piece {
                Piece::Rest { named } => {
                    let skipped: usize = segments[..index].iter().map(|segment| segment.len() + 1).sum();
                    if *named {
                        captures.push(path.get(skipped + 1..).unwrap_or(""));
                    }
                    return Some(captures);
                }
                Piece::Literal(literal) => (segments.get(index)? == literal).then_some(())?,
                Piece::Param(prefix, suffix) => {
                    let segment = segments.get(index)?;
                    let fits = segment.len() > prefix.len() + suffix.len();
                    (fits && segment.starts_with(prefix) && segment.ends_with(suffix)).then_some(())?;
                    captures.push(&segment[prefix.len()..segment.len() - suffix.len()]);
                }
            }
        }
        (segments.len() == self.path.len()).then_some(captures)
    }

    /// The best rank by which a host matches: exact, the longer wildcard first, any.
    fn host_rank(&self, request: &Request) -> Option<(u8, usize)> {
        if self.hosts.is_empty() {
            return Some((2, 0));
        }
        let rank = |host: &&str| match host.strip_prefix('*') {
            None => (*host == request.host).then_some((0, 0)),
            Some(suffix) => request.host.ends_with(suffix).then(|| (1, 99 - suffix.len())),
        };
        self.hosts.iter().filter_map(rank).min()
    }

    fn method_rank(&self, method: &str) -> u8 {
        match method {
            method if self.methods.contains(&method) => 0,
            "HEAD" if self.methods.contains(&"GET") => 1,
            _ => 2,
        }
    }

    fn shape(&self) -> Vec<Piece> {
        let unnamed = |piece: &Piece| match piece {
            Piece::Rest { .. } => Piece::Rest { named: false },
            other => *other,
        };
        self.path.iter().map(unnamed).collect()
    }

    pub(super) fn to_match(&self) -> RouteMatch {
        let text: String = self.path.iter().enumerate().map(|(index, piece)| piece.text(index)).collect();
        let header =
            |(name, test): &(&str, Test)| HeaderCondition { name: name.parse().unwrap(), test: test.to_test() };
        let query = |(name, test): &(&str, Test)| QueryCondition { name: (*name).to_owned(), test: test.to_test() };
        RouteMatch {
            hosts: self.hosts.iter().map(|host| host.parse().unwrap()).collect(),
            path: text.parse().unwrap(),
            methods: self.methods.iter().map(|name| name.parse::<Method>().unwrap()).collect(),
            headers: self.headers.iter().map(header).collect(),
            query: self.query.iter().map(query).collect(),
        }
    }
}

impl Piece {
    fn text(self, index: usize) -> String {
        match self {
            Self::Literal(literal) => format!("/{literal}"),
            Self::Param(prefix, suffix) => format!("/{prefix}{{p{index}}}{suffix}"),
            Self::Rest { named: true } => "/{rest...}".to_owned(),
            Self::Rest { named: false } => "/**".to_owned(),
        }
    }
}

impl Request {
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    pub(super) fn query(&self) -> Option<String> {
        let pairs: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("&"))
    }
}

pub(super) fn any_routes(most: usize) -> impl Strategy<Value = Vec<Route>> {
    prop::collection::vec(any_route(), 0..=most)
}

fn any_route() -> impl Strategy<Value = Route> {
    let hosts = prop_oneof![
        2 => Just(Vec::new()),
        1 => subsequence(vec!["test", "x.test", "y.x.test", "*.test", "*.x.test"], 1..=2),
    ];
    let methods = prop_oneof![
        1 => Just(Vec::new()),
        2 => subsequence(vec!["GET", "HEAD", "POST", "PURGE"], 1..=2),
    ];
    let conditions = |names: [&'static str; 2]| {
        prop_oneof![
            2 => Just(Vec::new()),
            1 => (subsequence(names.to_vec(), 1..=2), prop::collection::vec(any_test(), 2))
                .prop_map(|(names, tests)| names.into_iter().zip(tests).collect()),
        ]
    };
    (hosts, any_path(), methods, conditions(["h1", "h2"]), conditions(["q1", "q2"]))
        .prop_map(|(hosts, path, methods, headers, query)| Route { hosts, path, methods, headers, query })
}

fn any_test() -> impl Strategy<Value = Test> {
    select(vec![Test::Exact("1"), Test::Exact("2"), Test::Present, Test::Absent])
}

fn any_path() -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![
        3 => select(vec!["a", "b", "ab"]).prop_map(Piece::Literal),
        2 => Just(Piece::Param("", "")),
        1 => select(vec![("a", ""), ("", "b"), ("a", "b"), ("b", ""), ("ab", ""), ("", "ab")])
            .prop_map(|(prefix, suffix)| Piece::Param(prefix, suffix)),
    ];
    let end = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Piece::Literal(""))),
        1 => any::<bool>().prop_map(|named| Some(Piece::Rest { named })),
    ];
    (prop::collection::vec(piece, 0..4), end).prop_map(|(mut path, end)| {
        path.extend(end);
        if path.is_empty() {
            path.push(Piece::Literal(""));
        }
        path
    })
}

pub(super) fn any_request() -> impl Strategy<Value = Request> {
    let host = select(vec!["", "test", "x.test", "y.x.test", "z.y.x.test", "xtest"]);
    let segments = prop::collection::vec(select(vec!["a", "b", "ab", "aab", "", "abab"]), 1..5);
    let pairs =
        |names: [&'static str; 2]| prop::collection::vec((select(names.to_vec()), select(vec!["1", "2", "3"])), 0..3);
    (host, segments, pairs(["h1", "h2"]), pairs(["q1", "q2"])).prop_map(|(host, segments, headers, query)| Request {
        host,
        path: format!("/{}", segments.join("/")),
        headers,
        query,
    })
}
