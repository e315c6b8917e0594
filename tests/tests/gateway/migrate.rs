//! `migrate check`: what it says beforehand of real applications.

use framex_tests::{Awkward, Everything, Finished, FrameXInstance, command_line};
use serde_json::Value;
use std::net::SocketAddr;

struct Report {
    code: Option<i32>,
    json: Value,
}

impl Report {
    /// The finding with this code, if there is one.
    fn finding(&self, code: &str) -> Option<&Value> {
        self.json["findings"].as_array().expect("a list").iter().find(|finding| finding["code"] == code)
    }

    fn is(&self, code: &str, severity: &str, said: &str) {
        let all = self.json["findings"].as_array().expect("a list");
        let is_it = |finding: &&Value| finding["code"] == code && finding["severity"] == severity;
        let found = all.iter().filter(is_it).any(|finding| finding.to_string().contains(said));
        assert!(found, "{code} {severity} with `{said}` in:\n{:#}", self.json);
    }
}

async fn check(address: SocketAddr, more: &[&str]) -> Report {
    let url = format!("http://{address}");
    let Finished { code, output, errors } = command_line([&["migrate", "check", &url, "--json"], more].concat()).await;
    assert_eq!(errors, "", "{more:?}");
    Report { code, json: serde_json::from_str(&output).expect("JSON") }
}

async fn awkward(what: &str) -> Awkward {
    Awkward::start(&[("AWKWARD", what)]).await
}

#[tokio::test]
async fn what_is_awkward_in_an_application_is_said_with_the_reason_and_the_setting() {
    let app = awkward("hosts,cors").await;
    let report = check(app.address(), &["--probe", "/hidden"]).await;
    assert_eq!(report.code, Some(1));
    report.is("host_refused", "breaks", "`host: endpoint`");
    report.is("absolute_links", "breaks", "/static/awkward.py");
    report.is("prefix_known", "fine", "/good");
    report.is("redirect_elsewhere", "look", "https://elsewhere.example.com/");
    report.is("cookie_domain", "breaks", "wide (example.com)");
    report.is("cookie_host_prefix", "breaks", "__Host-session");
    report.is("authorization_kept", "breaks", "forward_token: true");
    report.is("header_taken", "breaks", "x-framex-subject");
    report.is("rest_parameter", "breaks", "rest: [/files/{path}]");
    report.is("not_in_document", "breaks", "/static/awkward.py (200)");
    report.is("not_in_document", "breaks", "/hidden (200)");
    report.is("cors_preflight", "breaks", "preflight: true");
    report.is("docs_page", "fine", "/docs");
    report.is("head_refused", "look", "405");
    report.is("cannot_be_seen", "look", "WebSockets");
    let place = report.finding("absolute_links").expect("it is there").to_string();
    assert!(!place.contains("/good"), "{place}");

    // The same for people; what the application says ends no line.
    let text = command_line(["migrate", "check", &format!("http://{}", app.address())]).await;
    assert_eq!(text.code, Some(1));
    assert!(
        text.output.contains("BREAKS  host_refused") && text.output.contains("-> `host: endpoint`"),
        "{}",
        text.output
    );
}

#[tokio::test]
async fn an_application_that_wants_https_is_told_from_one_that_believes_the_gateway() {
    // uvicorn believes X-Forwarded-Proto of loopback addresses, unless it is told otherwise.
    let believing = awkward("https").await;
    check(believing.address(), &[]).await.is("https_redirect", "look", "--proxy-headers");
    let stubborn = Awkward::start(&[("AWKWARD", "https"), ("FORWARDED_ALLOW_IPS", "192.0.2.1")]).await;
    let report = check(stubborn.address(), &[]).await;
    assert_eq!(report.code, Some(1));
    report.is("https_redirect", "breaks", "HTTPSRedirectMiddleware");
}

#[tokio::test]
async fn an_application_without_a_document_and_one_with_a_root_path_are_recognised() {
    let closed = awkward("closed").await;
    let report = check(closed.address(), &[]).await;
    report.is("document_missing", "look", "/openapi.json answers 404");
    let named = check(closed.address(), &["--openapi", "/schema.json"]).await;
    named.is("document_missing", "breaks", "/schema.json answers 404");
    let rooted = Awkward::start(&[("AWKWARD", ""), ("ROOT_PATH", "/elsewhere")]).await;
    let report = check(rooted.address(), &[]).await;
    report.is("root_path", "look", "/elsewhere");
    assert!(report.finding("host_refused").is_none() && report.finding("cors_preflight").is_none());
}

#[tokio::test]
async fn an_ordinary_application_with_everything_is_told_what_to_set() {
    let everything = Everything::start().await;
    let report = check(everything.address(), &[]).await;
    report.is("document", "fine", "operations");
    report.is("host", "fine", "");
    report.is("rest_parameter", "breaks", "rest: [/files/{path}]");
    report.is("not_in_document", "breaks", "/static (307)");
    report.is("authorization_kept", "breaks", "OAuth2PasswordBearer");
    report.is("token_endpoint", "look", "public: true");
    report.is("cookie", "fine", "session");
    report.is("link_field", "fine", "/login");
    report.is("stream_silence", "look", "/events");
    report.is("slash_redirect", "fine", "/");
    report.is("framex_operations", "look", "/form");
    assert!(report.json["requests"].as_u64().is_some_and(|requests| requests <= 200));
}

#[tokio::test]
async fn a_framex_instance_is_checked_like_any_application() {
    let instance = FrameXInstance::start("instance", &["glossary", "research"], "").await;
    let report = check(instance.address(), &["--at", "/"]).await;
    report.is("document", "fine", "/api/v1/openapi.json");
    report.is("stream_silence", "look", "/api/v1/research/stream");
    assert!(report.finding("absolute_links").is_none(), "nothing stands before its paths");
}

#[tokio::test]
async fn what_gives_no_answer_cannot_be_checked() {
    let nobody = framex_tests::refused_address().await;
    let finished = command_line(["migrate", "check", &format!("http://{nobody}")]).await;
    assert!(finished.code == Some(1) && finished.errors.contains("gives no answer"), "{}", finished.errors);
    let finished = command_line(["migrate", "check", &format!("http://{nobody}/path")]).await;
    assert!(finished.errors.contains("has a path"), "{}", finished.errors);
}
