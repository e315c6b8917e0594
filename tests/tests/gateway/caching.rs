//! Answers that are kept and given again, with real FastAPI and FrameX behind.

use framex_tests::{Answer, Call, Conf, Counted, FrameXInstance, Gateway, Token, Upstream, eventually};
use serde_json::{Value, json};
use std::sync::Arc;

struct Setup {
    service: Counted,
    gateway: Gateway,
    token: String,
}

impl Setup {
    /// One route for everything, with these settings.
    async fn start(platform: &str, cache: &str, more: &str) -> Self {
        let service = Counted::start().await;
        let yaml = yaml(&service, cache, more);
        let gateway = Gateway::start(Conf::new().platform(platform).namespace("team", &yaml)).await;
        let token = gateway.token("alice", "team");
        Self { service, gateway, token }
    }

    fn call(&self, method: &str, target: &str) -> Call {
        self.gateway.call(method, &format!("/api/v1/team{target}")).bearer(&self.token)
    }

    async fn get(&self, target: &str) -> Answer {
        self.call("GET", target).await
    }

    /// How often the service itself was asked.
    async fn asked(&self, name: &str) -> u64 {
        Call::to(self.service.address(), "GET", &format!("/asked/{name}")).await.json().as_u64().expect("a number")
    }
}

fn yaml(service: &Counted, cache: &str, more: &str) -> String {
    format!(
        "backends: {{ service: {{ http: {{ endpoints: [\"http://{}\"] }} }} }}
routes:
  - {{ name: all, match: {{ path: /api/v1/team/** }}, to: service, rewrite: {{ strip_prefix: /api/v1/team }}, cache: {cache}{more} }}",
        service.address()
    )
}

fn status(answer: &Answer) -> &str {
    answer.header("x-framex-cache-status")
}

#[tokio::test]
async fn an_answer_is_given_again_as_long_as_it_says() {
    let setup = Setup::start("", "{}", "").await;
    let first = setup.get("/fresh/a").await;
    assert_eq!((first.status, status(&first)), (200, "MISS"));
    assert!(
        first.header("cache-status").starts_with("framex-gateway; fwd=uri-miss; stored; ttl="),
        "{:?}",
        first.headers
    );
    let second = setup.get("/fresh/a").await;
    assert_eq!((status(&second), second.json(), second.header("age")), ("HIT", first.json(), "0"));
    assert!(second.header("cache-status").starts_with("framex-gateway; hit; ttl="), "{:?}", second.headers);
    assert_eq!(first.header("x-framex-cache-key"), second.header("x-framex-cache-key"));
    assert!(!second.header("x-request-id").is_empty() && second.header("x-request-id") != first.header("x-request-id"));
    assert!(second.headers.keys().all(|name| name != "x-framex-made-by"));
    assert_eq!(status(&setup.get("/fresh/a?control=max-age=60").await), "MISS", "another query is another answer");
    assert_eq!(setup.asked("a").await, 2);

    for control in ["no-store", "private", "max-age=0"] {
        let target = format!("/fresh/b?control={control}");
        let (one, two) = (setup.get(&target).await.json(), setup.get(&target).await.json());
        assert_ne!(one["number"], two["number"], "{control}");
    }
    for name in ["silent", "cookie", "stream"] {
        let target = format!("/{name}/{name}");
        let (_, again) = (setup.get(&target).await, setup.get(&target).await);
        assert_eq!((setup.asked(name).await, status(&again)), (2, "MISS"), "{name}");
    }
    eventually("an answer gets old", async || {
        let answer = setup.get("/fresh/c?control=max-age=1").await;
        (answer.json()["number"] == 2).then_some(())
    })
    .await;
    let line = setup.gateway.access_line("a hit", |line| line["cache"] == "hit").await;
    assert_eq!((&line["route"], &line["status"], &line["endpoint"]), (&json!("all"), &json!(200), &Value::Null));
    let labels = |status| [("namespace", "team"), ("route", "all"), ("status", status)];
    assert!(setup.gateway.metric("cache_requests_total", &labels("hit")).await >= 1.0);
    assert!(setup.gateway.metric("cache_requests_total", &labels("miss")).await >= 3.0);
    assert!(setup.gateway.metric("cache_bytes", &[]).await > 0.0);
}

#[tokio::test]
async fn a_caller_may_pass_the_cache_by_or_have_it_made_anew() {
    let setup = Setup::start("", "{ ttl: 60s }", "").await;
    let with = async |word: &str| setup.call("GET", "/silent/a").header("X-FrameX-Cache", word).await;
    assert_eq!(status(&with("use").await), "MISS");
    assert_eq!(status(&with("use").await), "HIT", "the route says for how long");
    let bypassed = with("bypass").await;
    assert_eq!((status(&bypassed), &bypassed.json()["number"]), ("BYPASS", &json!(2)));
    assert_eq!(bypassed.header("cache-status"), "framex-gateway; fwd=bypass");
    assert_eq!(with("use").await.json()["number"], 1, "what was passed by is not kept");
    let refreshed = with("refresh").await;
    assert_eq!((status(&refreshed), &refreshed.json()["number"]), ("REFRESH", &json!(3)));
    assert_eq!(with("use").await.json()["number"], 3);
    let unkept = setup.call("GET", "/silent/a").header("cache-control", "no-store").await;
    assert_eq!((status(&unkept), &unkept.json()["number"]), ("BYPASS", &json!(4)));
    let younger = setup.call("GET", "/silent/a").header("cache-control", "no-cache").await;
    assert_eq!(younger.json()["number"], 5);
}

#[tokio::test]
async fn two_callers_never_share_an_answer_unless_the_route_says_so() {
    let setup = Setup::start("", "{}", "").await;
    let bob = setup.gateway.token("bob", "team");
    let more = Token::of("alice", &["team", "other"]).sign();
    let ask = |token: &str| setup.gateway.get("/api/v1/team/who/a").bearer(token);
    assert_eq!(ask(&setup.token).await.json()["subject"], "alice");
    let of_bob = ask(&bob).await;
    assert_eq!((status(&of_bob), &of_bob.json()["subject"]), ("MISS", &json!("bob")));
    assert_eq!(status(&ask(&more).await), "MISS", "other namespaces are another identity");
    assert_eq!(status(&ask(&setup.token).await), "HIT");
    let session = ask(&setup.token).header("cookie", "session=s1").await;
    assert_eq!((status(&session), &session.json()["session"]), ("MISS", &json!("s1")));
    let other = ask(&setup.token).header("cookie", "session=s2").await;
    assert_eq!(other.json()["session"], "s2");
    assert_eq!(setup.gateway.get("/api/v1/team/who/a").await.status, 401, "a kept answer opens no route");

    let shared = Setup::start("", "{ shared: true }", "").await;
    let bob = shared.gateway.token("bob", "team");
    let ask = |token: &str| shared.gateway.get("/api/v1/team/who/a").bearer(token);
    assert_eq!(status(&ask(&shared.token).await), "MISS");
    assert_eq!(ask(&bob).await.json()["subject"], "alice");
    let stranger = shared.gateway.token("eve", "other");
    assert_eq!(ask(&stranger).await.status, 403);

    // Who may call is another question after a reload, and what was kept before is not found.
    let narrowed = yaml(&shared.service, "{ shared: true }", ", access: { claims: { role: editor } }");
    shared.gateway.write_namespace("team", &narrowed);
    eventually("the new rule holds", async || (ask(&shared.token).await.status == 403).then_some(())).await;
    let editor = Token::of("carol", &["team"]).claim("role", "editor".into()).sign();
    let of_editor = ask(&editor).await;
    assert_eq!((status(&of_editor), &of_editor.json()["subject"]), ("MISS", &json!("carol")));
}

#[tokio::test]
async fn on_public_routes_what_the_service_sees_of_the_caller_keeps_answers_apart() {
    let setup = Setup::start("", "{}", ", public: true").await;
    let ask = |token: &str| setup.gateway.get("/api/v1/team/fresh/a").header("authorization", token);
    assert_eq!(status(&ask("Basic one").await), "MISS");
    assert_eq!(status(&ask("Basic two").await), "MISS");
    assert_eq!(status(&ask("Basic one").await), "HIT");
    let shared = Setup::start("", "{ shared: true, vary: [x-flavour] }", ", public: true").await;
    let plain = |target: &str| shared.gateway.get(&format!("/api/v1/team{target}"));
    let _ = plain("/fresh/a").header("authorization", "Basic one").await;
    assert_eq!(shared.asked("a").await, 1);
    assert_eq!(status(&plain("/fresh/a").header("authorization", "Basic one").await), "MISS", "RFC 9111, section 3.5");
    let _ = plain("/fresh/b").header("x-flavour", "sweet").await;
    assert_eq!(status(&plain("/fresh/b").header("x-flavour", "sour").await), "MISS");
    assert_eq!(status(&plain("/fresh/b").header("x-flavour", "sweet").await), "HIT");
}

#[tokio::test]
async fn variants_validators_ranges_and_heads_are_as_rfc_9111_has_them() {
    let setup = Setup::start("", "{}", "").await;
    let language = async |language: &str| setup.call("GET", "/language/a").header("accept-language", language).await;
    for (asked, expected) in [("de", "MISS"), ("en", "MISS"), ("de", "HIT"), ("en", "HIT")] {
        let answer = language(asked).await;
        assert_eq!((status(&answer), &answer.json()["language"]), (expected, &json!(asked)));
    }

    let first = setup.get("/checked/b").await;
    let again = setup.get("/checked/b").await;
    assert_eq!(
        (again.status, again.json(), setup.asked("b").await),
        (200, first.json(), 2),
        "the service said that it is the same"
    );
    assert!(again.header("cache-status").contains("fwd-status=304"), "{:?}", again.headers);

    assert_eq!(setup.get("/digits/c").await.text(), "0123456789");
    let same = setup.call("GET", "/digits/c").header("if-none-match", "\"digits\"").await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    let part = setup.call("GET", "/digits/c").header("range", "bytes=2-4").await;
    assert_eq!((part.status, part.text().as_str(), part.header("content-range")), (206, "234", "bytes 2-4/10"));
    let head = setup.call("HEAD", "/digits/c").await;
    assert_eq!((head.status, head.body.len(), head.header("content-length"), status(&head)), (200, 0, "10", "HIT"));
    assert_eq!(setup.asked("c").await, 1);
    // A part fills nothing: the service answers it as ever, and this one knows no ranges.
    let first_part = setup.call("GET", "/digits/d").header("range", "bytes=0-1").await;
    assert_eq!((first_part.status, first_part.text().as_str()), (200, "0123456789"));
    assert_eq!((status(&setup.get("/digits/d").await), setup.asked("d").await), ("MISS", 2));
    // Who asks for the head alone is answered by the service, as ever: FastAPI has no HEAD.
    assert_eq!(setup.call("HEAD", "/digits/e").await.status, 405);
    assert_eq!((setup.get("/digits/e").await.text().as_str(), setup.asked("e").await), ("0123456789", 1));
}

#[tokio::test]
async fn what_a_request_changes_is_asked_for_anew_by_everyone() {
    let setup = Setup::start("", "{}", "").await;
    let bob = setup.gateway.token("bob", "team");
    let of_bob = async || setup.gateway.get("/api/v1/team/fresh/a").bearer(&bob).await;
    let _ = (setup.get("/fresh/a").await, of_bob().await);
    assert_eq!((status(&setup.get("/fresh/a").await), status(&of_bob().await)), ("HIT", "HIT"));
    assert_eq!(setup.call("POST", "/fresh/a").await.status, 200);
    assert_eq!((status(&setup.get("/fresh/a").await), status(&of_bob().await)), ("MISS", "MISS"));
    assert_eq!(setup.call("POST", "/fresh/a/nowhere").await.status, 404);
    assert_eq!(status(&setup.get("/fresh/a").await), "HIT", "nothing was changed");
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_request_to_the_service() {
    let setup = Arc::new(Setup::start("", "{}", "").await);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let setup = setup.clone();
            tokio::spawn(async move { setup.get("/slow/a").await })
        })
        .collect();
    for answer in asking {
        assert_eq!(answer.await.expect("no panic").text(), "1");
    }
    assert_eq!(setup.asked("a").await, 1);
}

#[tokio::test]
async fn a_client_that_leaves_holds_up_nobody() {
    let setup = Arc::new(Setup::start("", "{}", "").await);
    for _ in 0..3 {
        let leaving = setup.clone();
        let call = tokio::spawn(async move { leaving.get("/slow/a").await });
        eventually("the service is asked", async || (setup.asked("a").await > 0).then_some(())).await;
        call.abort();
    }
    assert_eq!(setup.get("/slow/a").await.status, 200);
    assert!(!setup.gateway.log().contains("panicked"), "{}", setup.gateway.log());
}

#[tokio::test]
async fn kept_answers_stay_within_their_memory_and_large_ones_are_not_kept() {
    let setup = Setup::start("cache: { memory: 1MiB, largest_entry: 64KiB }", "{}", "").await;
    for number in 0..100 {
        assert_eq!(setup.get(&format!("/large/a{number}?size=30000")).await.body.len(), 30_000);
    }
    assert!(setup.gateway.metric("cache_bytes", &[]).await <= f64::from(1 << 20));
    assert!(setup.gateway.metric("cache_evictions_total", &[]).await > 50.0);
    assert_eq!(status(&setup.get("/large/a99?size=30000").await), "HIT");
    for _ in 0..2 {
        let large = setup.get("/large/b?size=100000").await;
        assert_eq!((large.body.len(), status(&large)), (100_000, "MISS"));
    }
    assert_eq!(setup.asked("b").await, 2);
    let off = Setup::start("cache: { memory: 0 }", "{}", "").await;
    for _ in 0..2 {
        assert_eq!(status(&off.get("/fresh/a").await), "DISABLED");
    }
}

#[tokio::test]
async fn an_old_answer_is_given_when_the_service_is_gone_and_the_answer_allows_it() {
    let setup = Setup::start("", "{}", "").await;
    let first = setup.get("/ends/a").await;
    assert_eq!((first.status, first.text().as_str()), (200, "1"));
    let stale = setup.get("/ends/a").await;
    assert_eq!((stale.status, stale.text().as_str(), status(&stale)), (200, "1", "HIT"), "{}", stale.text());
    assert_eq!(setup.get("/fresh/b").await.status, 502, "rejections are told, and not kept");
}

#[tokio::test]
async fn links_and_cookies_of_a_kept_answer_lead_to_whoever_asks() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        let host = exchange.head.field("host").unwrap_or_default().to_owned();
        let location = format!("http://{host}/items/7");
        exchange.reply(301, &[("Location", &location), ("Cache-Control", "max-age=60")], "").await?;
        Ok(exchange)
    })
    .await;
    let yaml = format!(
        "backends: {{ service: {{ http: {{ endpoints: [\"{}\"], host: endpoint }} }} }}
routes: [{{ match: {{ path: /api/v1/team/** }}, to: service, public: true, rewrite: {{ strip_prefix: /api/v1/team }}, cache: {{}} }}]",
        upstream.url()
    );
    let gateway = Gateway::start(Conf::new().namespace("team", &yaml)).await;
    for (host, expected) in [("one.test", "MISS"), ("one.test", "HIT"), ("two.test", "MISS")] {
        let answer = gateway.get("/api/v1/team/x").host(host).await;
        assert_eq!((answer.status, status(&answer)), (301, expected));
        assert_eq!(answer.header("location"), format!("http://{host}/api/v1/team/items/7"));
    }
}

#[tokio::test]
async fn framex_answers_are_kept_by_framex_rules_with_the_body_of_a_post_in_the_key() {
    let instance = FrameXInstance::start("instance", &["counted"], "").await;
    let platform = "namespaces: { grants: { team: { paths: [/api/v1/counted/] } } }";
    let yaml = format!(
        "backends: {{ instance: {{ framex: {{ endpoints: [\"http://{}\"], openapi: {{ cache: {{ ttl: 60s }} }} }} }} }}",
        instance.address()
    );
    let gateway = Gateway::start(Conf::new().platform(platform).namespace("team", &yaml)).await;
    let (alice, bob) = (gateway.token("alice", "team"), gateway.token("bob", "team"));
    let get = |target: &str, token: &str| gateway.get(target).bearer(token);
    let first = get("/api/v1/counted/get?name=a&size=1", &alice).await;
    assert_eq!((status(&first), &first.json()["data"]["number"]), ("MISS", &json!(1)), "{}", first.text());
    let again = get("/api/v1/counted/get?size=1&name=a", &alice).await;
    assert_eq!((status(&again), &again.json()["data"]["number"]), ("HIT", &json!(1)), "the order does not matter");
    assert_eq!(status(&get("/api/v1/counted/get?name=a&size=1", &bob).await), "MISS");
    assert_eq!(
        status(&get("/api/v1/counted/get?name=a&size=1", &alice).header("X-FrameX-Cache", "refresh").await),
        "REFRESH"
    );

    let post = |body: &str| {
        let call = gateway.post("/api/v1/counted/post").bearer(&alice).header("content-type", "application/json");
        call.body(body.to_owned())
    };
    let first = post(r#"{"name":"p","size":2}"#).await;
    assert_eq!(
        (status(&first), &first.json()["data"]),
        ("MISS", &json!({ "wish": { "name": "p", "size": 2 }, "number": 1 }))
    );
    let again = post(r#"{ "size": 2, "name": "p" }"#).await;
    assert_eq!((status(&again), &again.json()["data"]["number"]), ("HIT", &json!(1)));
    let other = post(r#"{"name":"p","size":3}"#).await;
    assert_eq!((status(&other), &other.json()["data"]["number"]), ("MISS", &json!(2)));
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(100_000));
    for number in [1, 2] {
        let answer = post(&long).await;
        assert_eq!(
            (status(&answer), &answer.json()["data"]["number"]),
            ("BYPASS", &json!(number)),
            "its body is too long for a key"
        );
    }
    for number in [1, 2] {
        let failed = get("/api/v1/counted/fails?name=f", &alice).await;
        assert_eq!((failed.status, &failed.json()["status"]), (200, &json!(404)));
        assert_eq!(failed.json()["message"], format!("not the {number}. time"), "a failure is not kept");
    }
    let invalid = get("/api/v1/counted/get?name=a&size=x", &alice).await;
    assert_eq!((invalid.status, status(&invalid)), (422, "MISS"));
}
