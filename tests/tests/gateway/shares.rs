//! Routes that several answer, each with its share.

use crate::configurations::rogue;
use framex_tests::{Conf, Gateway, Upstream, command_line};

fn yaml(old: &Upstream, new: &Upstream, to: &str) -> String {
    format!(
        "plugins: {{ rogue: {{ component: \"{}\" }} }}
backends:
  old: {{ http: {{ endpoints: [\"{}\"] }} }}
  new: {{ http: {{ endpoints: [\"{}\"] }} }}
routes: [{{ name: shared, match: {{ path: /api/v1/demo/** }}, to: {to}, public: true, rewrite: {{ strip_prefix: /api/v1/demo }}, limits: {{ concurrency: 7 }} }}]",
        rogue(),
        old.url(),
        new.url()
    )
}

async fn answers(gateway: &Gateway, count: usize) -> Vec<String> {
    let mut texts = Vec::with_capacity(count);
    for _ in 0..count {
        let answer = gateway.get("/api/v1/demo/hello").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        texts.push(answer.text());
    }
    texts
}

fn count(texts: &[String], text: &str) -> usize {
    texts.iter().filter(|answer| answer.as_str() == text).count()
}

#[tokio::test]
async fn two_versions_share_the_requests_of_a_route_as_it_says() {
    let (old, new) = (Upstream::replying("old").await, Upstream::replying("new").await);
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml(&old, &new, "{ old: 3, new: 1 }"))).await;
    let texts = answers(&gateway, 400).await;
    // 100 of 400 on average, with a standard deviation below 9.
    let to_new = count(&texts, "new");
    assert!((45..155).contains(&to_new) && to_new + count(&texts, "old") == 400, "{to_new} of 400");

    for (to, expected) in [("{ old: 0, new: 1 }", "new"), ("{ old: 1, new: 0 }", "old"), ("new", "new")] {
        gateway.prepare_namespace("demo", &yaml(&old, &new, to));
        assert_eq!(gateway.reload().await["result"], "applied");
        assert_eq!(count(&answers(&gateway, 20).await, expected), 20, "{to}");
    }
    // A plugin in the process and a backend, too; the metrics tell them apart.
    gateway.prepare_namespace("demo", &yaml(&old, &new, "{ rogue: 1, old: 1 }"));
    gateway.reload().await;
    let texts = answers(&gateway, 60).await;
    let of_plugin = count(&texts, "hello from rogue\n");
    assert!(of_plugin > 0 && of_plugin + count(&texts, "old") == 60, "{of_plugin} of 60");
    let labels = [("route", "shared"), ("backend_kind", "component"), ("status", "2xx")];
    gateway.metric_becomes("requests_total", &labels, of_plugin as f64).await;
    let routes = gateway.admin("GET", "/admin/v1/routes").await.json();
    assert_eq!(routes[0]["to"], "old: 1, rogue: 1");
}

#[tokio::test]
async fn wrong_shares_are_problems_with_their_place() {
    let (old, new) = (Upstream::replying("old").await, Upstream::replying("new").await);
    for (to, expected) in [
        ("{ old: 0, new: 0 }", "routes[0].to: nobody has a share"),
        (
            "{ old: 1, nwe: 1 }",
            "routes[0].to.nwe: `nwe` is neither a plugin nor a backend of this namespace; did you mean `new`?",
        ),
        ("{ old: 1, new: 1000001 }", "routes[0].to.new: must be between 0 and 1000000"),
        ("{ old: -1 }", "routes[0].to.old: "),
        ("{}", "routes[0].to: nobody has a share"),
        ("[old]", "routes[0].to: "),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Conf::new().namespace("demo", &yaml(&old, &new, to)).write(folder.path());
        let checked = command_line(["check".as_ref(), "--config".as_ref(), config.as_os_str()]).await;
        assert!(checked.output.contains(expected) || checked.errors.contains(expected), "{to}: {checked:?}");
    }
}
