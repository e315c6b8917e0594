//! Components that call hosts outside.

use crate::configurations::rogue;
use framex_tests::{Authority, Conf, Gateway, Upstream};

/// A component with these permissions, and whether the platform team grants private networks.
fn conf(permissions: &str, granted: bool) -> Conf {
    let grant = format!("namespaces: {{ grants: {{ demo: {{ private_networks: {granted} }} }} }}");
    let namespace = format!(
        "plugins: {{ rogue: {{ component: \"{rogue}\", permissions: {permissions}, limits: {{ timeout: 3s }} }} }}
routes: [{{ name: rogue, match: {{ path: /api/v1/demo/** }}, to: rogue, public: true, rewrite: {{ strip_prefix: /api/v1/demo }} }}]",
        rogue = rogue(),
    );
    Conf::new().platform(&grant).namespace("demo", &namespace)
}

async fn service() -> Upstream {
    Upstream::serving(|mut exchange| async move {
        let length = exchange.body().await?.len();
        let told = ["host", "x-framex-plugin", "x-framex-subject", "traceparent", "authorization"];
        let told = told.map(|name| format!("{name}: {}\n", exchange.head.field(name).unwrap_or("-"))).concat();
        let fields = [("x-framex-subject", "invented"), ("x-own", "1")];
        exchange.reply(200, &fields, format!("{} {length}\n{told}", exchange.head.target())).await?;
        Ok(exchange)
    })
    .await
}

async fn call(gateway: &Gateway, query: &str) -> String {
    gateway.get(&format!("/api/v1/demo/call?{query}")).await.text()
}

#[tokio::test]
async fn a_component_calls_the_hosts_that_its_permissions_name() {
    let service = service().await;
    let address = service.address();
    let permissions = format!(
        "{{ outbound: [\"http://{address}\", \"http://localhost:{}\"], private_networks: true }}",
        address.port()
    );
    let gateway = Gateway::start(conf(&permissions, true)).await;
    let answer = call(&gateway, &format!("authority={address}&path=/items!q=1&body=100000")).await;
    assert!(answer.starts_with("status 200\n/items?q=1 100000\n"), "{answer}");
    // A host outside is told nothing about callers.
    for line in [&format!("host: {address}\n"), "x-framex-plugin: -\n", "x-framex-subject: -\n", "traceparent: -\n"] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    let by_name = call(&gateway, &format!("authority=localhost:{}&path=/", address.port())).await;
    assert!(by_name.starts_with("status 200\n"), "{by_name}");
    let line = gateway.access_line("the call", |line| line["http"] == "outbound" && line["path"] == "/items").await;
    assert_eq!(
        (&line["plugin"], &line["status"], &line["bytes_in"]),
        (&"demo/rogue".into(), &200.into(), &100_000.into())
    );

    let denied = [format!("authority={address}&path=/&scheme=https"), "authority=example.com&path=/".to_owned()];
    for query in denied {
        assert_eq!(call(&gateway, &query).await, "ErrorCode::HttpRequestDenied\n", "{query}");
    }
    gateway.logs("is not among its `permissions.outbound`").await;
    assert_eq!(service.requests().len(), 2);
    gateway.metric_becomes("rejections_total", &[("namespace", "demo"), ("code", "call_forbidden")], 2.0).await;
}

#[tokio::test]
async fn private_networks_are_closed_by_number_and_by_name() {
    let service = service().await;
    let address = service.address();
    let permissions = format!("{{ outbound: [\"http://{address}\", \"http://localhost:{}\"] }}", address.port());
    let gateway = Gateway::start(conf(&permissions, true)).await;
    for authority in [address.to_string(), format!("localhost:{}", address.port())] {
        assert_eq!(call(&gateway, &format!("authority={authority}&path=/")).await, "ErrorCode::HttpRequestDenied\n");
    }
    let line = gateway.access_line("the call", |line| line["http"] == "outbound" && line["host"] == "localhost").await;
    assert!(line["note"].as_str().is_some_and(|note| note.contains("no public address")), "{line}");
    assert_eq!(service.connections(), 0);
}

#[tokio::test]
async fn what_asks_for_private_networks_needs_a_grant() {
    let permissions = "{ outbound: [\"http://10.0.0.1\", \"example.com\"], private_networks: true }";
    let gateway = Gateway::start(conf(permissions, false)).await;
    let problems = gateway.admin("GET", "/admin/v1/status").await.json()["reload"]["problems"].to_string();
    assert!(problems.contains("`example.com` is no host; write scheme, host"), "{problems}");
    gateway.prepare_namespace(
        "demo",
        &format!(
            "plugins: {{ rogue: {{ component: \"{}\", permissions: {{ outbound: [\"http://10.0.0.1\"], private_networks: true }} }} }}",
            rogue()
        ),
    );
    let answer = gateway.reload().await.to_string();
    assert!(
        answer.contains("plugins.rogue.permissions: asks for hosts in private networks")
            && answer.contains("namespaces.grants.demo.private_networks"),
        "{answer}"
    );
}

#[tokio::test]
async fn tls_is_checked_against_the_systems_authorities() {
    let authority = Authority::new("tests");
    let tls = authority.server("localhost");
    let service = Upstream::serving_tls(tls, |mut exchange| async move {
        exchange.body().await?;
        exchange.reply(200, &[], "over TLS").await?;
        Ok(exchange)
    })
    .await;
    let port = service.address().port();
    let permissions = format!("{{ outbound: [\"https://localhost:{port}\"], private_networks: true }}");
    let query = format!("authority=localhost:{port}&path=/&scheme=https");
    let gateway = Gateway::start(
        conf(&permissions, true).file_variable("SSL_CERT_FILE", "authority.pem").file("authority.pem", authority.pem()),
    )
    .await;
    assert_eq!(call(&gateway, &query).await, "status 200\nover TLS");
    let stranger = Gateway::start(conf(&permissions, true)).await;
    assert_eq!(call(&stranger, &query).await, "ErrorCode::DestinationUnavailable\n");
}

#[tokio::test]
async fn what_goes_wrong_outside_is_told_in_the_words_of_wasi_http() {
    let refused = framex_tests::refused_address().await;
    let broken = Upstream::serving(|exchange| async move { Err(exchange.close()) }).await;
    let silent = Upstream::serving(|mut exchange| async move {
        exchange.until_closed().await;
        Ok(exchange)
    })
    .await;
    let (broken_at, silent_at) = (broken.address(), silent.address());
    let permissions = format!(
        "{{ outbound: [\"http://{refused}\", \"http://{broken_at}\", \"http://{silent_at}\"], private_networks: true }}"
    );
    let gateway = Gateway::start(conf(&permissions, true)).await;
    for (address, expected) in [(refused, "DestinationUnavailable"), (broken_at, "ConnectionTerminated")] {
        let answer = call(&gateway, &format!("authority={address}&path=/")).await;
        assert!(answer.contains(expected), "{address}: {answer}");
    }
    let late = gateway.get(&format!("/api/v1/demo/call?authority={silent_at}&path=/")).await;
    assert_eq!((late.status, late.code().as_str()), (504, "plugin_timeout"));
}
