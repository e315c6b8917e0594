//! Whose paths are whose, at run time.

use framex_tests::{Conf, Gateway, Upstream};

/// `legacy` owns everything and takes it with one pattern; `vision` owns its part of it.
fn conf(legacy: &Upstream, vision: &str) -> Conf {
    let everything = format!(
        "backends: {{ service: {{ http: {{ endpoints: [\"{}\"] }} }} }}
routes:
  - {{ name: all, match: {{ path: /** }}, to: service, public: true }}
  - {{ name: pattern, match: {{ path: \"/api/{{v}}/vision/deep/{{x}}\" }}, to: service, public: true }}",
        legacy.url()
    );
    Conf::new()
        .platform("namespaces: { grants: { legacy: { paths: [/] }, vision: { paths: [/api/v1/vision/] } } }")
        .namespace("legacy", &everything)
        .namespace("vision", vision)
}

fn one_path(vision: &Upstream) -> String {
    format!(
        "backends: {{ service: {{ http: {{ endpoints: [\"{}\"] }} }} }}
routes: [{{ match: {{ path: /api/v1/vision/resize, methods: [POST] }}, to: service, public: true }}]",
        vision.url()
    )
}

#[tokio::test]
async fn a_namespace_around_another_gets_nothing_of_what_the_inner_one_owns() {
    let (legacy, vision) = (Upstream::replying("legacy").await, Upstream::replying("vision").await);
    let gateway = Gateway::start(conf(&legacy, &one_path(&vision))).await;
    for outside in ["/", "/shop", "/api/v1/audio/x", "/api/v1/visionary"] {
        assert_eq!(gateway.get(outside).await.text(), "legacy", "{outside}");
    }
    assert_eq!(gateway.post("/api/v1/vision/resize").await.text(), "vision");
    for inside in ["/api/v1/vision/", "/api/v1/vision", "/api/v1/vision/other", "/api/v1/vision/deep/x"] {
        let answer = gateway.get(inside).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "route_not_found"), "{inside}");
    }
    assert_eq!(legacy.requests().len(), 4);
}

#[tokio::test]
async fn what_belongs_to_a_namespace_without_a_working_file_is_unavailable_for_everyone() {
    let legacy = Upstream::replying("legacy").await;
    let gateway = Gateway::start(conf(&legacy, "routes: nonsense")).await;
    assert_eq!(gateway.get("/shop").await.text(), "legacy");
    for inside in ["/api/v1/vision/resize", "/api/v1/vision/deep/x"] {
        let answer = gateway.post(inside).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"), "{inside}");
        assert_eq!(answer.header("retry-after"), "10");
    }
    assert_eq!(legacy.requests().len(), 1);
}
