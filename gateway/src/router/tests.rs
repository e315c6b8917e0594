//! The router against a naive one that is written straight from the documentation of the module.

mod naive;

use super::*;
use crate::request::RequestView;
use http::{HeaderMap, Method};
use naive::{ASKED_METHODS, Request, Route, any_request, any_routes};
use proptest::prelude::*;

fn table(routes: &[&str]) -> RouteTable {
    RouteTable::build(routes.iter().map(|text| route(text)).collect()).unwrap()
}

/// Reads `GET,POST host/path`; the methods and the host may be missing.
fn route(text: &str) -> RouteMatch {
    let (methods, target) = text.split_once(' ').unwrap_or(("*", text));
    let (host, path) = target.split_at(target.find('/').unwrap());
    let hosts = if host.is_empty() { vec![] } else { vec![HostPattern::parse(host).unwrap()] };
    RouteMatch { hosts, methods: methods.parse().unwrap(), ..RouteMatch::path(PathPattern::parse(path).unwrap()) }
}

fn find(table: &RouteTable, method: &str, target: &str) -> Lookup {
    let (host, path) = target.split_at(target.find('/').unwrap());
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    table.find(&RequestView { method: &method, host, path, query: None, headers: &HeaderMap::new() })
}

fn found(table: &RouteTable, method: &str, target: &str) -> Option<usize> {
    match find(table, method, target) {
        Lookup::Found(found) => Some(found.route),
        _ => None,
    }
}

#[test]
fn the_more_specific_route_wins() {
    let table = table(&[
        "/**",
        "/{x}",
        "/a/{x}/c",
        "/a/b/**",
        "example.com/**",
        "*.example.com/**",
        "*.b.example.com/**",
        "/v{x}",
        "/v{x}.json",
        "GET /m",
        "HEAD /m",
        "/m",
    ]);
    for (target, expected) in [
        ("/", 0),
        ("/x", 1),
        ("/x/y", 0),
        ("/a/b/c", 3),
        ("/a/x/c", 2),
        ("/a/x/d", 0),
        ("example.com/a/b/c", 4),
        ("a.example.com/", 5),
        ("a.b.example.com/", 6),
        ("b.example.com/", 5),
        ("other/x", 1),
        ("/v1", 7),
        ("/v1.json", 8),
        ("/v.json", 7),
        ("/m", 9),
    ] {
        assert_eq!(found(&table, "GET", target), Some(expected), "{target}");
    }
    assert_eq!(found(&table, "HEAD", "/m"), Some(10));
    assert_eq!(found(&table, "POST", "/m"), Some(11));
}

#[test]
fn a_less_specific_route_with_the_right_method_wins_over_a_405() {
    let table = table(&["POST /a/b", "GET /a/{x}", "PURGE example.com/a/{x}", "DELETE /c"]);
    assert_eq!(found(&table, "GET", "/a/b"), Some(1));
    assert_eq!(found(&table, "POST", "example.com/a/b"), Some(0));
    assert_eq!(find(&table, "PUT", "/a/b"), Lookup::MethodNotAllowed("GET, POST".parse().unwrap()));
    assert_eq!(find(&table, "PUT", "example.com/a/b"), Lookup::MethodNotAllowed("GET, POST, PURGE".parse().unwrap()));
    assert_eq!(find(&table, "OPTIONS", "/c"), Lookup::MethodNotAllowed("DELETE".parse().unwrap()));
    assert_eq!(find(&table, "GET", "/d"), Lookup::NotFound);
}

#[test]
fn a_failing_condition_is_no_405() {
    let mut guarded = route("POST /a");
    guarded.query.push(QueryCondition { name: "q".to_owned(), test: ValueTest::Present(true) });
    let table = RouteTable::build(vec![guarded]).unwrap();
    assert_eq!(find(&table, "GET", "/a"), Lookup::NotFound);
}

#[test]
fn a_conflict_names_both_routes_and_what_they_share() {
    let routes = ["GET,POST /a/{x}", "GET /a/b", "POST,PURGE /a/{y}", "DELETE /a/{z}", "GET example.com/a/{x}"];
    let conflicts = RouteTable::build(routes.iter().map(|text| route(text)).collect()).unwrap_err();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((conflicts[0].first, conflicts[0].second), (0, 2));
    let expected = "both answer POST for `/a/{x}` and `/a/{y}`, which are the same path, on any host, without conditions on \
                    headers or query";
    assert_eq!(conflicts[0].reason, expected);
}

#[test]
fn the_same_condition_twice_counts_once() {
    let present = |name: &str| QueryCondition { name: name.to_owned(), test: ValueTest::Present(true) };
    let with = |names: &[&str]| RouteMatch { query: names.iter().map(|name| present(name)).collect(), ..route("/a") };
    assert!(RouteTable::build(vec![with(&["x", "x"]), with(&["x"])]).is_err());
    assert!(RouteTable::build(vec![with(&["x", "y"]), with(&["x"])]).is_ok());
}

#[test]
fn many_equal_routes_give_one_conflict_each() {
    let conflicts = RouteTable::build(vec![route("a.com/x"); 1000]).unwrap_err();
    assert_eq!(conflicts.len(), 999);
    assert!(conflicts.iter().all(|conflict| conflict.first == 0 && conflict.reason.contains("host `a.com`")));
}

#[test]
fn every_route_is_explained_with_the_first_reason_why_not() {
    let mut guarded = route("/a/b");
    guarded.headers.push(HeaderCondition { name: "x-v".parse().unwrap(), test: ValueTest::Exact("2".to_owned()) });
    let mut routes = vec![guarded];
    routes.extend(["POST /a/b", "/c", "example.com/a/b", "/a/{x}", "/**"].map(route));
    let table = RouteTable::build(routes).unwrap();
    let headers = HeaderMap::new();
    let request = RequestView { method: &Method::GET, host: "h", path: "/a/b", query: None, headers: &headers };
    let explained: Vec<_> =
        table.explain(&request).into_iter().map(|explanation| (explanation.route, explanation.outcome)).collect();
    let expected = [
        (0, Outcome::Condition("header `x-v` is \"2\"".to_owned())),
        (1, Outcome::Method),
        (4, Outcome::Chosen),
        (2, Outcome::Path),
        (5, Outcome::Outranked(4)),
        (3, Outcome::Host),
    ];
    assert_eq!(explained, expected);
}

#[test]
fn a_hostile_host_costs_no_more_than_a_long_one() {
    let table = table(&["*.example.com/a", "/a"]);
    let host = "a.".repeat(30_000);
    assert_eq!(found(&table, "GET", &format!("{host}/a")), Some(1));
    assert_eq!(found(&table, "GET", &format!("{}.example.com/a", "a.".repeat(100))), Some(0));
    assert_eq!(found(&table, "GET", ".example.com/a"), Some(1), "a wildcard stands for at least one label");
}

#[test]
fn a_path_with_many_slashes_is_searched_no_deeper_than_the_patterns() {
    let table = table(&["/a/**", "/{x}/{y}/z"]);
    assert_eq!(found(&table, "GET", &format!("/a{}", "/".repeat(60_000))), Some(0));
    assert_eq!(found(&table, "GET", &format!("/b{}", "/b".repeat(60_000))), None);
}

fn build(routes: &[Route]) -> Result<RouteTable, Vec<Conflict>> {
    RouteTable::build(routes.iter().map(Route::to_match).collect())
}

/// Leaves out routes until none conflict.
fn without_conflicts(mut routes: Vec<Route>) -> (Vec<Route>, RouteTable) {
    loop {
        match build(&routes) {
            Ok(table) => return (routes, table),
            Err(conflicts) => conflicts.iter().rev().for_each(|conflict| drop(routes.remove(conflict.second))),
        }
    }
}

fn ask(table: &RouteTable, request: &Request, method: &Method) -> (Lookup, Vec<Explanation>) {
    let headers = request.headers();
    let query = request.query();
    let view =
        RequestView { method, host: request.host, path: &request.path, query: query.as_deref(), headers: &headers };
    (table.find(&view), table.explain(&view))
}

proptest! {
    #[test]
    fn the_router_agrees_with_the_naive_one(routes in any_routes(24), requests in prop::collection::vec(any_request(), 12)) {
        let (routes, table) = without_conflicts(routes);
        for (request, name) in requests.iter().flat_map(|request| ASKED_METHODS.map(|name| (request, name))) {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            let (lookup, explained) = ask(&table, request, &method);
            let chosen = explained.iter().find(|explanation| explanation.outcome == Outcome::Chosen);
            match naive::winner(&routes, request, name) {
                Some(expected) => {
                    let Lookup::Found(found) = lookup else { panic!("{lookup:?} instead of {expected}") };
                    prop_assert_eq!(found.route, expected);
                    prop_assert_eq!(chosen.map(|explanation| explanation.route), Some(expected));
                    let captured: Vec<_> = (0..found.params.len()).filter_map(|index| found.params.get(index, &request.path)).collect();
                    prop_assert_eq!(captured, routes[expected].captures(&request.path));
                }
                None => {
                    prop_assert!(chosen.is_none());
                    let methods = naive::refused_methods(&routes, request);
                    match lookup {
                        Lookup::MethodNotAllowed(set) => prop_assert_eq!(set, methods.unwrap()),
                        other => prop_assert!(methods.is_none() && other == Lookup::NotFound),
                    }
                }
            }
        }
    }

    #[test]
    fn routes_without_a_conflict_are_always_ordered(routes in any_routes(12), request in any_request()) {
        let (routes, _) = without_conflicts(routes);
        for name in ASKED_METHODS {
            let matching: Vec<&Route> = routes.iter().filter(|route| route.matches(&request, name)).collect();
            for (index, one) in matching.iter().enumerate() {
                for two in &matching[..index] {
                    prop_assert!(naive::beats(one, two, &request, name) != naive::beats(two, one, &request, name));
                }
            }
        }
    }

    #[test]
    fn conflicts_are_those_of_the_naive_pairwise_check(routes in any_routes(24)) {
        let conflicts = build(&routes).err().unwrap_or_default();
        for conflict in &conflicts {
            prop_assert!(conflict.first < conflict.second);
            prop_assert!(naive::conflict(&routes[conflict.first], &routes[conflict.second]));
        }
        for second in 0..routes.len() {
            let expected = (0..second).any(|first| naive::conflict(&routes[first], &routes[second]));
            prop_assert_eq!(conflicts.iter().any(|conflict| conflict.second == second), expected, "{}", second);
        }
    }

    #[test]
    fn the_order_of_the_files_does_not_matter(
        (routes, shuffled) in any_routes(16).prop_map(|routes| without_conflicts(routes).0)
            .prop_flat_map(|routes| (Just(routes.clone()), Just(routes).prop_shuffle())),
        request in any_request(),
    ) {
        let (table, other) = (build(&routes).unwrap(), build(&shuffled).unwrap());
        for name in ASKED_METHODS {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            match (ask(&table, &request, &method).0, ask(&other, &request, &method).0) {
                (Lookup::Found(one), Lookup::Found(two)) => {
                    prop_assert_eq!(&routes[one.route], &shuffled[two.route]);
                    prop_assert_eq!(one.params, two.params);
                }
                (one, two) => prop_assert_eq!(one, two),
            }
        }
        let in_order = |table: &RouteTable| -> Vec<RouteMatch> {
            table.in_precedence_order().into_iter().map(|index| table.routes()[index].clone()).collect()
        };
        prop_assert_eq!(in_order(&table), in_order(&other));
    }

    #[test]
    fn no_text_makes_a_parser_panic_and_what_is_accepted_shows_itself(text in ".{0,40}") {
        if let Ok(pattern) = PathPattern::parse(&text) {
            prop_assert_eq!(pattern.to_string(), text.as_str());
        }
        if let Ok(pattern) = HostPattern::parse(&text) {
            prop_assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern));
        }
        if let Ok(methods) = text.parse::<MethodSet>() {
            prop_assert_eq!(methods.to_string().parse::<MethodSet>().unwrap(), methods);
        }
    }

    #[test]
    fn text_like_a_pattern_is_accepted_or_refused_without_a_panic(text in "/[a{}./*%2ö]{0,12}", host in "[*.a\\[\\]:1-]{0,12}") {
        if let Ok(pattern) = PathPattern::parse(&text) {
            prop_assert_eq!(pattern.to_string(), text.as_str());
            prop_assert!(text.starts_with(pattern.literal_prefix()));
            let _ = pattern.capture(&text);
        }
        if let Ok(pattern) = HostPattern::parse(&host) {
            prop_assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern));
        }
    }
}
