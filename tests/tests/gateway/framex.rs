//! A real FrameX instance (framex-kit) behind the gateway.

use framex_tests::{Answer, Call, Conf, FRAMEX_KEY, FrameX, Gateway, Side, Tap, eventually};
use serde_json::json;
use std::net::SocketAddr;

struct Setup {
    _framex: FrameX,
    tap: Tap,
    gateway: Gateway,
    token: String,
}

/// A gateway in front of a FrameX instance, and a tap in between.
async fn start() -> Setup {
    let framex = FrameX::start().await;
    let tap = Tap::in_front_of(framex.address()).await;
    let gateway = Gateway::start(conf(tap.address(), FRAMEX_KEY)).await;
    let token = gateway.token("alice", "research");
    Setup { _framex: framex, tap, gateway, token }
}

fn conf(instance: SocketAddr, key: &str) -> Conf {
    let yaml = format!(
        "backends: {{ instance: {{ framex: {{ endpoints: [\"http://{instance}\"], key: \"{key}\" }} }} }}
routes:
  - {{ name: research, match: {{ path: /api/v1/research/** }}, to: instance }}
  - {{ name: glossary, match: {{ path: /api/v1/glossary/** }}, to: instance }}"
    );
    Conf::new()
        .platform("namespaces: { grants: { research: { paths: [/api/v1/research/, /api/v1/glossary/] } } }")
        .namespace("research", &yaml)
}

impl Setup {
    fn get(&self, target: &str) -> Call {
        self.gateway.get(target).bearer(&self.token)
    }

    async fn ask(&self, question: &serde_json::Value) -> Answer {
        self.gateway.post("/api/v1/research/ask").bearer(&self.token).json(question).await
    }
}

#[tokio::test]
async fn plugins_that_call_plugins_answer_in_framex_own_envelope() {
    let setup = start().await;
    let answer = setup.ask(&json!({ "topic": "doors", "words": ["Gateway", "unknown"] })).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!((answer.header("x-raw-output"), answer.header("x-framex-cache-status")), ("False", "BYPASS"));
    let envelope = answer.json();
    assert_eq!((&envelope["status"], &envelope["message"]), (&json!(200), &json!("success")));
    assert_eq!(
        envelope["data"],
        json!({ "topic": "doors", "found": [
            { "word": "Gateway", "meaning": "one door in front of many services" },
            { "word": "unknown", "meaning": null },
        ] })
    );

    let invalid = setup.ask(&json!({ "topic": "doors" })).await;
    assert_eq!(invalid.status, 422);
    assert_eq!(invalid.json()["data"]["detail"][0]["loc"], json!(["body", "words"]));
    let unknown = setup.get("/api/v1/research/nowhere").await;
    assert_eq!((unknown.status, &unknown.json()["status"]), (200, &json!(404)));
}

#[tokio::test]
async fn the_instance_gets_its_own_key_and_never_the_callers_token() {
    let setup = start().await;
    assert_eq!(setup.get("/api/v1/glossary/define?word=plugin").await.json()["status"], 200);
    let heard = setup.tap.from_gateway();
    let fields: Vec<&str> =
        heard.lines().filter(|line| line.to_ascii_lowercase().starts_with("authorization:")).collect();
    assert_eq!(fields.len(), 1, "{heard}");
    assert_eq!(fields[0].split_once(": ").map(|(_, key)| key), Some(FRAMEX_KEY));
    let signature = setup.token.rsplit('.').next().expect("a token has a signature");
    assert!(!heard.contains(signature) && !heard.contains("Bearer"), "{heard}");
    for field in ["x-framex-subject: alice", "x-framex-namespace: research"] {
        assert!(heard.to_ascii_lowercase().contains(field), "{field} in {heard}");
    }

    // The instance does check the key.
    let locked_out = Gateway::start(conf(setup.tap.address(), "wrong-key")).await;
    let refused = locked_out.get("/api/v1/glossary/define?word=plugin").bearer(&setup.token).await;
    assert_eq!(refused.json()["status"], 401);
    // Nobody gets there without a token.
    assert_eq!(setup.gateway.get("/api/v1/glossary/define?word=plugin").await.status, 401);
}

#[tokio::test]
async fn a_stream_arrives_while_it_is_made() {
    let setup = start().await;
    // The second event is an hour away.
    let mut stream = setup.get("/api/v1/research/stream?topic=time&pause=3600").open().await;
    assert_eq!(stream.headers["content-type"], "text/event-stream; charset=utf-8");
    let first = stream.until("\n\n").await;
    assert_eq!(first, "event: message_chunk\ndata: {\"content\": \"what is time?\"}\n\n");
    drop(stream);

    let whole = setup.get("/api/v1/research/stream?topic=time&pause=0").await.text();
    assert_eq!(whole.matches("event: message_chunk").count(), 3);
    assert!(whole.ends_with("event: finish\ndata: {}\n\n"));
}

#[tokio::test]
async fn no_request_fails_because_framex_closes_the_connection_after_a_500() {
    let setup = start().await;
    for round in 0..24 {
        let crash = setup.get("/api/v1/research/crash?reason=boom").await;
        assert_eq!((crash.status, &crash.json()["message"]), (500, &json!("boom")), "{round}");
        let answer = match round % 2 {
            0 => setup.get("/api/v1/glossary/define?word=plugin").await,
            _ => setup.ask(&json!({ "topic": "x", "words": ["plugin"] })).await,
        };
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(200)), "{round}: {}", answer.text());
    }
    // The same from several callers at once, who share the pool.
    let callers = (0..24).map(|number| {
        let setup = &setup;
        async move {
            if number % 3 == 0 {
                assert_eq!(setup.get("/api/v1/research/crash?reason=boom").await.status, 500);
            } else {
                assert_eq!(setup.ask(&json!({ "topic": "x", "words": [] })).await.status, 200);
            }
        }
    });
    futures_util::future::join_all(callers).await;
}

#[tokio::test]
async fn the_gateway_closes_an_idle_connection_before_framex_does() {
    let setup = start().await;
    assert_eq!(setup.get("/api/v1/glossary/define?word=plugin").await.status, 200);
    let closed = eventually("every connection is closed", async || {
        setup.tap.first_to_close().into_iter().collect::<Option<Vec<Side>>>()
    })
    .await;
    assert!(!closed.is_empty() && closed.iter().all(|side| *side == Side::Gateway), "{closed:?}");
    assert_eq!(setup.get("/api/v1/glossary/define?word=plugin").await.status, 200);
}
