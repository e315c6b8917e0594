//! Which endpoint of a backend answers.

use framex_tests::{Conf, Gateway, Load, NameServer, Shop, Upstream, eventually, refused_address};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// A backend that says its name, with a status that can be changed, after a time that can be.
struct Named {
    upstream: Upstream,
    status: Arc<AtomicU16>,
    hangs: Arc<AtomicBool>,
    milliseconds: Arc<AtomicU16>,
}

impl Named {
    async fn start(name: &'static str) -> Self {
        Self::start_on(name, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    async fn start_on(name: &'static str, address: SocketAddr) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let hangs = Arc::new(AtomicBool::new(false));
        let milliseconds = Arc::new(AtomicU16::new(0));
        let (now, is_hanging, delay) = (status.clone(), hangs.clone(), milliseconds.clone());
        let upstream = Upstream::serving_on(address, move |mut exchange| {
            let (now, is_hanging, delay) = (now.clone(), is_hanging.clone(), delay.clone());
            async move {
                exchange.body().await?;
                sleep(Duration::from_millis(delay.load(Ordering::Relaxed).into())).await;
                if is_hanging.load(Ordering::Relaxed) {
                    exchange.until_closed().await;
                    return Err(exchange.close());
                }
                exchange.reply(now.load(Ordering::Relaxed), &[], name).await?;
                Ok(exchange)
            }
        })
        .await;
        Self { upstream, status, hangs, milliseconds }
    }

    fn url(&self) -> String {
        self.upstream.url()
    }
}

fn yaml(endpoints: &str, settings: &str, route: &str) -> String {
    format!(
        "backends: {{ app: {{ http: {{ {endpoints}, {settings} }} }} }}
routes: [{{ name: app, match: {{ path: '/api/v1/demo/{{id}}/**' }}, to: app, public: true, {route} }}]"
    )
}

fn listed(endpoints: &[&Named]) -> String {
    format!("endpoints: {:?}", endpoints.iter().map(|named| named.url()).collect::<Vec<_>>())
}

async fn start(yaml: &str) -> Gateway {
    Gateway::start(Conf::new().namespace("demo", yaml)).await
}

/// Who answers so many requests, and how often.
async fn who(gateway: &Gateway, count: usize, target: &str, fields: &[(&str, &str)]) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..count {
        let call = fields.iter().fold(gateway.get(target), |call, (name, value)| call.header(name, value));
        *answers.entry(call.await.text()).or_default() += 1;
    }
    answers
}

#[tokio::test]
async fn endpoints_answer_in_turn_by_their_weight() {
    let (one, two) = (Named::start("one").await, Named::start("two").await);
    let endpoints = format!("endpoints: [{{ url: \"{}\", weight: 3 }}, \"{}\"]", one.url(), two.url());
    let gateway = start(&yaml(&endpoints, "", "")).await;
    let answers = who(&gateway, 40, "/api/v1/demo/1/x", &[]).await;
    assert_eq!((answers["one"], answers["two"]), (30, 10));
}

#[tokio::test]
async fn the_one_with_fewer_requests_under_way_answers() {
    let (busy, free) = (Named::start("busy").await, Named::start("free").await);
    let gateway = start(&yaml(&listed(&[&busy, &free]), "balance: least_outstanding", "")).await;
    busy.milliseconds.store(3000, Ordering::Relaxed);
    // Until one of them is at the slow one.
    let mut waiting = Vec::new();
    while busy.upstream.requests().is_empty() {
        let mut raw = gateway.raw().await;
        raw.send("GET /api/v1/demo/1/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
        waiting.push(raw);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(who(&gateway, 30, "/api/v1/demo/1/x", &[]).await, BTreeMap::from([("free".to_owned(), 30)]));
}

#[tokio::test]
async fn the_same_value_goes_to_the_same_endpoint_and_to_another_one_only_when_that_is_gone() {
    let named = [Named::start("a").await, Named::start("b").await, Named::start("c").await];
    let all: Vec<&Named> = named.iter().collect();
    for (balance, target, field) in [
        ("{ header: X-Tenant }", "/api/v1/demo/1/x", ("X-Tenant", "%")),
        ("{ cookie: session }", "/api/v1/demo/1/x", ("Cookie", "other=1; session=%")),
        ("{ path: id }", "/api/v1/demo/%/x", ("X-None", "-")),
    ] {
        let text = |all: &[&Named]| yaml(&listed(all), &format!("balance: {balance}"), "");
        let gateway = start(&text(&all)).await;
        let owners = async || {
            let mut owners = BTreeMap::new();
            for value in 0..30 {
                let put = |text: &str| text.replace('%', &value.to_string());
                let answers = who(&gateway, 3, &put(target), &[(field.0, &put(field.1))]).await;
                assert_eq!(answers.len(), 1, "{balance} {value}: {answers:?}");
                owners.insert(value, answers.into_keys().next().expect("one"));
            }
            owners
        };
        let before = owners().await;
        assert_eq!(before.values().collect::<std::collections::BTreeSet<_>>().len(), 3, "{before:?}");
        gateway.write_namespace("demo", &text(&all[..2]));
        gateway.reload().await;
        let after = owners().await;
        let moved: Vec<_> = before.iter().filter(|(value, owner)| after[*value] != **owner).collect();
        assert!(!moved.is_empty() && moved.iter().all(|(_, owner)| *owner == "c"), "{moved:?}");
    }
}

#[tokio::test]
async fn the_subject_decides_where_it_is_asked_to() {
    let (one, two) = (Named::start("one").await, Named::start("two").await);
    let text = yaml(&listed(&[&one, &two]), "balance: { subject: true }", "").replace("public: true, ", "");
    let gateway = start(&text).await;
    let mut owners = std::collections::BTreeSet::new();
    for subject in 0..12 {
        let token = format!("Bearer {}", gateway.token(&format!("user-{subject}"), "demo"));
        let answers = who(&gateway, 3, "/api/v1/demo/1/x", &[("Authorization", &token)]).await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        owners.extend(answers.into_keys());
    }
    assert_eq!(owners.len(), 2);
}

#[tokio::test]
async fn a_cookie_of_the_gateway_leads_back_to_whoever_has_answered() {
    let (one, two) = (Named::start("one").await, Named::start("two").await);
    let gateway = start(&yaml(&listed(&[&one, &two]), "balance: { sticky: at }", "")).await;
    let first = gateway.get("/api/v1/demo/1/x").await;
    let cookie = first.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    assert!(cookie.starts_with("at=") && !cookie.contains("127.0"), "{cookie}");
    for _ in 0..10 {
        let again = gateway.get("/api/v1/demo/1/x").header("Cookie", &cookie).await;
        assert_eq!((again.text(), again.header("set-cookie")), (first.text(), ""));
    }
    let (gone, other) = if first.text() == "one" { (one, "two") } else { (two, "one") };
    drop(gone);
    let moved = gateway.get("/api/v1/demo/1/x").header("Cookie", &cookie).await;
    assert_eq!(moved.text(), other);
    assert!(moved.header("set-cookie").starts_with("at="), "another cookie");
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone_for_a_while_and_comes_back_slowly() {
    let good = Named::start("good").await;
    let address = refused_address().await;
    let endpoints = format!("endpoints: [\"{}\", \"http://{address}\"]", good.url());
    let settings = "ejection: { failures: 2, duration: 600ms, longest: 600ms, slow_start: 20s }";
    let gateway = start(&yaml(&endpoints, settings, "")).await;
    assert_eq!(who(&gateway, 20, "/api/v1/demo/1/x", &[]).await, BTreeMap::from([("good".to_owned(), 20)]));
    let status: serde_json::Value = gateway.admin("GET", "/admin/v1/status").await.json();
    assert_eq!(status["namespaces"]["demo"]["backends"]["app"][address.to_string()], "ejected", "{status:#}");
    assert!(gateway.metric("upstream_connect_failures_total", &[("backend", "app")]).await < 4.0);
    assert!(gateway.metric("upstream_ejections_total", &[("backend", "app")]).await >= 1.0);

    let back = Named::start_on("back", address).await;
    eventually("it is asked again", async || {
        (!back.upstream.requests().is_empty() || gateway.get("/api/v1/demo/1/x").await.status != 200).then_some(())
    })
    .await;
    let answers = who(&gateway, 60, "/api/v1/demo/1/x", &[]).await;
    assert!(answers["good"] > 35, "it has its whole share at once: {answers:?}");
}

#[tokio::test]
async fn an_endpoint_that_errs_or_is_slower_than_the_others_is_left_alone_but_never_too_many() {
    let named = [Named::start("a").await, Named::start("b").await, Named::start("c").await];
    let settings = "ejection: { errors: 50%, latency: 3, least: 5, interval: 300ms, duration: 30s, most: 34% }";
    let gateway = start(&yaml(&listed(&[&named[0], &named[1], &named[2]]), settings, "")).await;
    named[1].milliseconds.store(60, Ordering::Relaxed);
    eventually("the slow one is left alone", async || {
        who(&gateway, 12, "/api/v1/demo/1/x", &[]).await;
        (gateway.metric("upstream_ejections_total", &[("backend", "app")]).await == 1.0).then_some(())
    })
    .await;
    assert!(!who(&gateway, 12, "/api/v1/demo/1/x", &[]).await.contains_key("b"));
    // One of three is all that may be left alone at once.
    named[0].status.store(500, Ordering::Relaxed);
    for _ in 0..4 {
        who(&gateway, 20, "/api/v1/demo/1/x", &[]).await;
        sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(gateway.metric("upstream_ejections_total", &[("backend", "app")]).await, 1.0);
    assert!(who(&gateway, 12, "/api/v1/demo/1/x", &[]).await.contains_key("a"));
}

#[tokio::test]
async fn a_health_check_wants_the_status_and_the_text_that_it_is_told() {
    let (one, two) = (Named::start("all is well").await, Named::start("all is lost").await);
    one.status.store(204, Ordering::Relaxed);
    let settings =
        "health: { path: /health, interval: 100ms, status: [200, 203], body: well, host: check.example.com }";
    let gateway = start(&yaml(&listed(&[&one, &two]), settings, "")).await;
    let healthy = async |named: &Named| {
        let endpoint = named.upstream.address().to_string();
        gateway.metric("upstream_endpoint_healthy", &[("endpoint", &endpoint)]).await
    };
    eventually("neither is healthy", async || (healthy(&one).await + healthy(&two).await == 0.0).then_some(())).await;
    one.status.store(203, Ordering::Relaxed);
    eventually("the right status and text", async || (healthy(&one).await == 1.0).then_some(())).await;
    assert_eq!(healthy(&two).await, 0.0);
    let check = one.upstream.requests().pop().expect("a check");
    assert_eq!((check.target(), check.field("host")), ("/health", Some("check.example.com")));
    assert_eq!(who(&gateway, 10, "/api/v1/demo/1/x", &[]).await.len(), 1, "only the healthy one answers");
}

#[tokio::test]
async fn what_is_known_of_endpoints_outlives_a_reload_that_changes_their_backend() {
    let good = Named::start("good").await;
    let address = refused_address().await;
    let endpoints = format!("endpoints: [\"{}\", \"http://{address}\"]", good.url());
    let text = |timeout: &str| {
        let settings = format!("ejection: {{ failures: 1, duration: 60s }}, timeouts: {{ connect: {timeout} }}");
        yaml(&endpoints, &settings, "")
    };
    let gateway = start(&text("5s")).await;
    who(&gateway, 6, "/api/v1/demo/1/x", &[]).await;
    assert_eq!(gateway.metric("upstream_connect_failures_total", &[("backend", "app")]).await, 1.0);
    gateway.write_namespace("demo", &text("4s"));
    gateway.reload().await;
    who(&gateway, 6, "/api/v1/demo/1/x", &[]).await;
    assert_eq!(gateway.metric("upstream_connect_failures_total", &[("backend", "app")]).await, 1.0, "asked again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_of_a_file_come_and_go_without_a_reload_and_a_broken_file_changes_nothing() {
    let (one, two) = (Named::start("one").await, Named::start("two").await);
    let conf = Conf::new()
        .namespace("demo", &yaml("discover: { file: ../endpoints.yaml }", "ejection: { failures: 1 }", ""))
        .file("endpoints.yaml", format!("- {}\n", one.url()));
    let gateway = Gateway::start(conf).await;
    assert_eq!(who(&gateway, 4, "/api/v1/demo/1/x", &[]).await, BTreeMap::from([("one".to_owned(), 4)]));
    let load = Load::start(gateway.address(), "/api/v1/demo/1/x", 4);
    let file = gateway.folder().join("endpoints.yaml");
    std::fs::write(&file, format!("[\"{}\", {{ url: \"{}\", weight: 2 }}]", one.url(), two.url())).expect("a file");
    eventually("the second answers", async || (!two.upstream.requests().is_empty()).then_some(())).await;
    std::fs::write(&file, "[not: an: endpoint").expect("a file");
    gateway.logs("cannot take endpoints from a file; they stay as they are").await;
    std::fs::write(&file, format!("[\"{}\"]", two.url())).expect("a file");
    eventually("the first is gone", async || {
        (who(&gateway, 6, "/api/v1/demo/1/x", &[]).await == BTreeMap::from([("two".to_owned(), 6)])).then_some(())
    })
    .await;
    let loaded = load.finish().await;
    eprintln!("{loaded}");
    assert_eq!(loaded.lost(), 0, "{loaded}");
}

/// Two addresses of this machine with the same port, which names may stand for.
async fn at_one_port(names: [&'static str; 2]) -> ([Named; 2], u16) {
    for _ in 0..20 {
        let first = Named::start_on(names[0], SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0))).await;
        let port = first.upstream.address().port();
        let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 3), port));
        // Somebody may have it there.
        if tokio::net::TcpListener::bind(other).await.is_ok() {
            return ([first, Named::start_on(names[1], other).await], port);
        }
    }
    panic!("no port is free at two addresses");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_means_others_is_followed_within_its_time_to_live_and_without_a_lost_request() {
    let ([one, two], port) = at_one_port(["one", "two"]).await;
    let mut names = NameServer::start("127.0.0.2 app.test\n", &[]).await;
    let conf = Conf::new()
        .platform(&format!("dns: {{ servers: [\"{}\"] }}", names.address()))
        .namespace("demo", &yaml(&format!("endpoints: [\"http://app.test:{port}\"]"), "", ""));
    let gateway = Gateway::start(conf).await;
    assert_eq!(who(&gateway, 4, "/api/v1/demo/1/x", &[]).await, BTreeMap::from([("one".to_owned(), 4)]));
    let load = Load::start(gateway.address(), "/api/v1/demo/1/x", 4);
    names.change("127.0.0.2 app.test\n127.0.0.3 app.test\n", &[]).await;
    eventually("both answer", async || (!two.upstream.requests().is_empty()).then_some(())).await;
    names.change("127.0.0.3 app.test\n", &[]).await;
    eventually("the other one alone answers", async || {
        (who(&gateway, 6, "/api/v1/demo/1/x", &[]).await == BTreeMap::from([("two".to_owned(), 6)])).then_some(())
    })
    .await;
    drop(one);
    // A name server that is away changes nothing.
    names.stop().await;
    gateway.logs("cannot look up an endpoint").await;
    let loaded = load.finish().await;
    eprintln!("{loaded}");
    assert_eq!(loaded.lost(), 0, "{loaded}");
}

#[tokio::test]
async fn a_service_record_says_hosts_ports_and_weights_of_the_first_priority() {
    let named = [Named::start("one").await, Named::start("two").await, Named::start("spare").await];
    let ports = [0, 1, 2].map(|index: usize| named[index].upstream.address().port());
    let records = [
        format!("_http._tcp.app.test,a.test,{},1,30", ports[0]),
        format!("_http._tcp.app.test,b.test,{},1,10", ports[1]),
        format!("_http._tcp.app.test,b.test,{},2,10", ports[2]),
    ];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let mut names = NameServer::start("127.0.0.1 a.test\n127.0.0.1 b.test\n", &records).await;
    let conf = Conf::new()
        .platform(&format!("dns: {{ servers: [\"{}\"] }}", names.address()))
        .namespace("demo", &yaml("discover: { srv: _http._tcp.app.test }", "", ""));
    let gateway = Gateway::start(conf).await;
    let answers = who(&gateway, 40, "/api/v1/demo/1/x", &[]).await;
    assert_eq!(answers, BTreeMap::from([("one".to_owned(), 30), ("two".to_owned(), 10)]));
    names.change("127.0.0.1 a.test\n127.0.0.1 b.test\n", &records[2..]).await;
    eventually("the spare one alone answers", async || {
        (who(&gateway, 6, "/api/v1/demo/1/x", &[]).await == BTreeMap::from([("spare".to_owned(), 6)])).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_hangs_costs_no_request() {
    let named = [Named::start("a").await, Named::start("b").await, Named::start("c").await];
    let all: Vec<&Named> = named.iter().collect();
    let gateway =
        start(&yaml(&listed(&all), "ejection: { failures: 2, duration: 20s }", "timeouts: { attempt: 300ms }")).await;
    let load = Load::start(gateway.address(), "/api/v1/demo/1/x", 6);
    sleep(Duration::from_millis(500)).await;
    named[1].hangs.store(true, Ordering::Relaxed);
    gateway.metric_becomes("upstream_ejections_total", &[("backend", "app")], 1.0).await;
    sleep(Duration::from_millis(500)).await;
    let loaded = load.finish().await;
    eprintln!("{loaded}");
    assert_eq!(loaded.lost(), 0, "{loaded}");
    assert!(loaded.slowest < Duration::from_secs(5), "{loaded}");
    let line = gateway.access_line("another try", |line| line["attempts"] == 2).await;
    assert_eq!(line["status"], json!(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_service_that_is_killed_and_one_that_is_reloaded_cost_no_request() {
    let (mut first, second) = (Some(Shop::start().await), Shop::start().await);
    let urls =
        [first.as_ref().expect("a service").address(), second.address()].map(|address| format!("http://{address}"));
    let text = |connect: &str| {
        format!(
            "backends: {{ app: {{ http: {{ endpoints: {urls:?}, timeouts: {{ connect: {connect} }} }} }} }}
routes: [{{ match: {{ path: /api/v1/demo/** }}, to: app, public: true, rewrite: {{ strip_prefix: /api/v1/demo }} }}]"
        )
    };
    let gateway = start(&text("5s")).await;
    let load = Load::start(gateway.address(), "/api/v1/demo/items", 6);
    sleep(Duration::from_millis(700)).await;
    // SIGKILL, with requests under way.
    drop(first.take());
    sleep(Duration::from_millis(700)).await;
    for connect in ["4s", "3s", "2s"] {
        gateway.write_namespace("demo", &text(connect));
        gateway.reload().await;
        sleep(Duration::from_millis(300)).await;
    }
    let loaded = load.finish().await;
    eprintln!("{loaded}");
    assert!(loaded.sent > 100, "{loaded}");
    assert_eq!(loaded.lost(), 0, "{loaded}");
}

#[tokio::test]
async fn an_endpoint_that_leaves_ends_what_it_has_under_way() {
    let (one, two) = (Named::start("one").await, Named::start("two").await);
    let conf = Conf::new()
        .namespace("demo", &yaml("discover: { file: ../endpoints.yaml }", "", ""))
        .file("endpoints.yaml", format!("[\"{}\"]", one.url()));
    let gateway = Gateway::start(conf).await;
    one.milliseconds.store(3000, Ordering::Relaxed);
    let running = tokio::spawn(gateway.get("/api/v1/demo/1/x").into_future());
    eventually("it is under way", async || (!one.upstream.requests().is_empty()).then_some(())).await;
    std::fs::write(gateway.folder().join("endpoints.yaml"), format!("[\"{}\"]", two.url())).expect("a file");
    let address = one.upstream.address().to_string();
    eventually("it is leaving", async || {
        let status: serde_json::Value = gateway.admin("GET", "/admin/v1/status").await.json();
        (status["namespaces"]["demo"]["backends"]["app"][&address] == "draining").then_some(())
    })
    .await;
    assert_eq!(who(&gateway, 4, "/api/v1/demo/1/x", &[]).await, BTreeMap::from([("two".to_owned(), 4)]));
    assert_eq!(running.await.expect("no panic").text(), "one");
    let status: serde_json::Value = gateway.admin("GET", "/admin/v1/status").await.json();
    assert!(status["namespaces"]["demo"]["backends"]["app"][&address].is_null(), "{status:#}");
}
