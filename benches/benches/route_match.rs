//! Finding the route of a request, in tables of 10, 1,000 and 10,000 routes.
//!
//! *hot* asks for one path again and again, *spread* for every route in turn (the tree is not in the cache), *miss* for
//! paths that lead far into the tree and match nothing.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use framex_gateway::request::RequestView;
use framex_gateway::router::{Lookup, PathPattern, RouteMatch, RouteTable};
use http::{HeaderMap, Method};
use std::hint::black_box;

const SIZES: [usize; 3] = [10, 1_000, 10_000];

/// Routes as teams write them: 50 a namespace; literals, parameters and rests.
fn pattern(index: usize) -> String {
    let (team, route) = (index / 50, index % 50);
    match route % 5 {
        0 => format!("/api/v1/team-{team}/items-{route}/{{id}}"),
        1 => format!("/api/v1/team-{team}/items-{route}/{{id}}/parts/{{part}}"),
        2 => format!("/api/v1/team-{team}/files-{route}/**"),
        3 => format!("/api/v1/team-{team}/report-{route}/{{name}}.json"),
        _ => format!("/api/v1/team-{team}/action-{route}"),
    }
}

fn path(pattern: &str) -> String {
    pattern.replace("{id}", "4711").replace("{part}", "17").replace("{name}", "today").replace("**", "a/b/c.txt")
}

fn view<'a>(path: &'a str, headers: &'a HeaderMap) -> RequestView<'a> {
    RequestView { method: &Method::GET, host: "api.example.com", path, query: Some("verbose=1"), headers }
}

fn route_match(criterion: &mut Criterion) {
    let headers = HeaderMap::new();
    let mut group = criterion.benchmark_group("route_match");
    for size in SIZES {
        let patterns: Vec<String> = (0..size).map(pattern).collect();
        let routes =
            patterns.iter().map(|text| RouteMatch::path(PathPattern::parse(text).expect("a pattern"))).collect();
        let table = RouteTable::build(routes).expect("no conflicts");
        let paths: Vec<String> = patterns.iter().map(|text| path(text)).collect();
        let missing: Vec<String> = paths.iter().map(|path| format!("{path}/none").replace("files-", "none-")).collect();

        let hot = &paths[size / 2];
        group.bench_function(BenchmarkId::new("hot", size), |bencher| {
            bencher.iter(|| table.find(black_box(&view(hot, &headers))));
        });
        let mut next = paths.iter().cycle();
        group.bench_function(BenchmarkId::new("spread", size), |bencher| {
            bencher.iter(|| {
                let path = next.next().expect("a cycle does not end");
                let found = table.find(black_box(&view(path, &headers)));
                assert!(matches!(found, Lookup::Found(_)));
                found
            });
        });
        let mut next = missing.iter().cycle();
        group.bench_function(BenchmarkId::new("miss", size), |bencher| {
            bencher.iter(|| {
                let path = next.next().expect("a cycle does not end");
                let found = table.find(black_box(&view(path, &headers)));
                assert_eq!(found, Lookup::NotFound);
                found
            });
        });
    }
    group.finish();
}

criterion_group!(benches, route_match);
criterion_main!(benches);
