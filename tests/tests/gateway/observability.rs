//! What the gateway tells its operators.

use crate::configurations::{one_backend, plugins};
use framex_tests::{Connection, Gateway, Protocol, Token, Upstream, eventually, one_route};
use nix::sys::signal::Signal;
use serde_json::json;

#[tokio::test]
async fn the_access_log_has_one_line_of_json_for_each_request_without_query_and_token() {
    let upstream = Upstream::replying("hello").await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "public: false")).await;
    let token = gateway.token("alice \"quoted\"\n", "demo");
    let good = gateway.token("alice", "demo");
    let connection = Connection::open(gateway.address(), Protocol::Http1).await;
    let call = gateway.post("/api/v1/demo/a%20b?key=hidden-in-the-query").host("Shop.Test:80").bearer(&good);
    connection.call(call.header("user-agent", "a \"browser\"\\").body("12345")).await;
    connection.call(gateway.get("/api/v1/demo/refused?key=hidden-in-the-query").bearer("hidden-token")).await;
    connection.call(gateway.get("/nowhere")).await;
    // A line is written after its answer; the next request is another connection's, which could be faster.
    gateway.access_line("the third request", |line| line["status"] == 404).await;
    gateway.get("/api/v1/demo/h2").over(Protocol::Http2).bearer(&token).await;
    let line = gateway.access_line("the last request", |line| line["path"] == "/api/v1/demo/h2").await;
    assert_eq!((&line["http"], &line["subject"]), (&json!("2"), &json!("alice \"quoted\"\n")));

    let lines = gateway.access_lines();
    assert_eq!(lines.len(), 4);
    let first = &lines[0];
    for (key, value) in [
        ("client", json!("127.0.0.1")),
        ("subject", json!("alice")),
        ("namespace", json!("demo")),
        ("route", json!("all")),
        ("backend_kind", json!("http")),
        ("backend", json!("service")),
        ("endpoint", json!(upstream.address().to_string())),
        ("method", json!("POST")),
        ("host", json!("shop.test")),
        ("path", json!("/api/v1/demo/a%20b")),
        ("http", json!("1.1")),
        ("status", json!(200)),
        ("bytes_in", json!(5)),
        ("bytes_out", json!(5)),
        ("user_agent", json!("a \"browser\"\\")),
        ("revision", json!(1)),
    ] {
        assert_eq!(first[key], value, "{key} in {first}");
    }
    assert!(
        first["duration_ms"].as_f64().zip(first["first_byte_ms"].as_f64()).is_some_and(|(all, first)| all >= first)
    );
    assert!(first["time"].as_str().is_some_and(|time| time.ends_with('Z')));
    assert_eq!((&lines[1]["status"], &lines[1]["code"]), (&json!(401), &json!("token_invalid")));
    assert_eq!(
        (&lines[2]["status"], &lines[2]["code"], &lines[2]["backend_kind"]),
        (&json!(404), &json!("route_not_found"), &json!("none"))
    );
    let text = gateway.access_text() + &gateway.log();
    for secret in ["hidden", &good, good.rsplit('.').next().unwrap_or(&good)] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn the_access_log_can_be_a_file_that_is_opened_anew_after_a_rotation() {
    let upstream = Upstream::replying("v1").await;
    let gateway =
        Gateway::start(one_route(&upstream).platform("telemetry: { access_log: { file: access.log } }")).await;
    let (file, rotated) = (gateway.folder().join("access.log"), gateway.folder().join("access.log.1"));
    let lines = |file: &std::path::Path| std::fs::read_to_string(file).unwrap_or_default().lines().count();
    gateway.get("/api/v1/demo/x").await;
    eventually("the first line", async || (lines(&file) == 1).then_some(())).await;
    std::fs::rename(&file, &rotated).expect("the log can be rotated");
    gateway.signal(Signal::SIGHUP);
    gateway.logs("trigger=Signal").await;
    gateway.get("/api/v1/demo/x").await;
    eventually("the second line", async || (lines(&file) == 1).then_some(())).await;
    assert_eq!((lines(&rotated), gateway.access_text().as_str()), (1, ""));
}

#[tokio::test]
async fn requests_are_counted_by_namespace_route_kind_and_class_of_status() {
    let upstream = Upstream::serving(|mut exchange| async move {
        let body = exchange.body().await?;
        let status = if exchange.head.target().ends_with("teapot") { 418 } else { 200 };
        exchange.reply(status, &[], body).await?;
        Ok(exchange)
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for path in ["x", "x", "teapot"] {
        gateway.post(&format!("/api/v1/demo/{path}")).body("12345").await;
    }
    let route = [("namespace", "demo"), ("route", "all"), ("backend_kind", "http")];
    for (status, count) in [("2xx", 2.0), ("4xx", 1.0), ("5xx", 0.0)] {
        gateway.metric_becomes("requests_total", &[&route[..], &[("status", status)]].concat(), count).await;
    }
    assert_eq!(gateway.metric("request_duration_seconds_count", &route).await, 3.0);
    // Their answers had a length; only streams are timed to their first byte.
    assert_eq!(gateway.metric("first_byte_seconds_count", &route).await, 0.0);
    for bytes in ["request_body_bytes_total", "response_body_bytes_total"] {
        assert_eq!(gateway.metric(bytes, &route[..2]).await, 15.0, "{bytes}");
    }
    assert_eq!(gateway.metric("requests_in_flight", &route[..2]).await, 0.0);
}

#[tokio::test]
async fn every_metric_is_documented_named_alike_and_free_of_client_input() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(plugins("").namespace(
        "other",
        &crate::configurations::one_backend_yaml(&[&upstream.url()], "health: {}", "").replace("/demo/", "/other/"),
    ))
    .await;
    gateway.get("/evil-path").host("evil-host").header("user-agent", "evil-agent").await;
    gateway.get("/api/v1/other/evil-path").bearer(&Token::of("evil-subject", &["other"]).sign()).await;
    gateway.get("/api/v1/demo/rogue/hello").await;
    gateway.get("/api/v1/demo/rogue/stream").await;
    gateway.metric_becomes("requests_total", &[("status", "2xx")], 3.0).await;
    gateway
        .metric_becomes("requests_total", &[("namespace", ""), ("backend_kind", "none"), ("status", "4xx")], 1.0)
        .await;
    let answer = gateway.admin("GET", "/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = answer.text();
    assert!(!text.contains("evil"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        assert!(name.starts_with("framex_gateway_") || name.starts_with("process_"), "{line}");
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        for about in ["HELP", "TYPE"] {
            assert!(text.contains(&format!("# {about} {family} ")), "{about} of {family}");
        }
    }
    for name in [
        "requests_total",
        "request_duration_seconds",
        "first_byte_seconds",
        "requests_in_flight",
        "request_body_bytes_total",
        "response_body_bytes_total",
        "rejections_total",
        "client_connections",
        "client_connections_refused_total",
        "upstream_connections_total",
        "upstream_connections_in_use",
        "upstream_connect_failures_total",
        "upstream_endpoint_healthy",
        "plugin_calls_total",
        "plugin_cpu_seconds_total",
        "plugin_calls_in_flight",
        "plugin_memory_peak_bytes",
        "reloads_total",
        "config_revision",
        "config_last_applied_timestamp_seconds",
        "config_namespace_valid",
        "access_log_dropped_total",
        "build_info",
    ] {
        assert!(text.contains(&format!("# TYPE framex_gateway_{name} ")), "{name}");
    }
}

#[tokio::test]
async fn the_admin_api_shows_what_is_served() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(plugins("").namespace(
        "other",
        &crate::configurations::one_backend_yaml(&[&upstream.url()], "", "").replace("/demo/", "/other/"),
    ))
    .await;
    let status = gateway.admin("GET", "/admin/v1/status").await.json();
    assert_eq!((&status["revision"], &status["ready"]), (&json!(1), &json!(true)));
    assert_eq!(status["namespaces"]["demo"]["state"], "in_force");
    assert_eq!(status["namespaces"]["other"]["backends"]["service"][upstream.address().to_string()], "healthy");
    let routes = gateway.admin("GET", "/admin/v1/routes").await.json();
    let names: Vec<&str> =
        routes.as_array().expect("a list").iter().filter_map(|route| route["name"].as_str()).collect();
    assert_eq!(names.len(), 4);
    assert!(names.contains(&"stats") && names.contains(&"all"));
    assert_eq!(gateway.admin("GET", "/livez").await.text(), "ok\n");
    assert_eq!(gateway.admin("GET", "/readyz").await.text(), "ready\n");
    assert_eq!(gateway.admin("GET", "/admin/v1/reload").await.header("allow"), "POST");
    assert_eq!(gateway.admin("GET", "/nowhere").await.status, 404);
    // None of it is served to clients.
    for path in ["/metrics", "/readyz", "/admin/v1/status", "/admin/v1/reload"] {
        assert_eq!(gateway.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn series_follow_the_configuration_through_reloads() {
    let upstream = Upstream::replying("v1").await;
    let yaml = |kind: &str, settings: &str| {
        format!(
            "backends: {{ service: {{ {kind}: {{ endpoints: [\"{}\"], {settings} }} }} }}
routes: [{{ name: all, match: {{ path: /api/v1/demo/** }}, to: service, public: true }}]",
            upstream.url()
        )
    };
    let gateway = Gateway::start(framex_tests::Conf::new().namespace("demo", &yaml("http", ""))).await;
    let reload = async |text: &str| {
        gateway.prepare_namespace("demo", text);
        gateway.reload().await
    };
    let label = upstream.address().to_string();
    let endpoint = [("backend", "service"), ("endpoint", label.as_str())];
    gateway.metric_becomes("upstream_endpoint_healthy", &endpoint, 1.0).await;

    // Another timeout makes another cluster of the same endpoint.
    reload(&yaml("http", "timeouts: { connect: 2s }")).await;
    gateway.get("/api/v1/demo/x").await;
    gateway.metric_becomes("upstream_endpoint_healthy", &endpoint, 1.0).await;

    // The same route with another kind of backend.
    reload(&yaml("framex", "")).await;
    gateway.get("/api/v1/demo/x").await;
    let of = |kind: &'static str| [("route", "all"), ("backend_kind", kind)];
    gateway.metric_becomes("response_body_bytes_total", &of("framex"), 2.0).await;
    let text = gateway.admin("GET", "/metrics").await.text();
    assert!(!text.contains("backend_kind=\"http\""), "{text}");

    reload("").await;
    let text = gateway.admin("GET", "/metrics").await.text();
    assert!(!text.contains("backend=\"service\"") && !text.contains(&label), "{text}");
}
