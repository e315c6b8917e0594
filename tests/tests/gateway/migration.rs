//! `migrate step`: a route moves from one service to another by itself, and back when that was too early.

use framex_tests::{Conf, Exchange, Finished, Gateway, Upstream, command_line, eventually, program, within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::process::Command;
use tokio::task::JoinHandle;

const QUICK: [&str; 6] = ["--hold", "300ms", "--min-requests", "20", "--max-p99", "20s"];

/// A gateway with one shared route and somebody who uses it all the time.
struct Running {
    gateway: Arc<Gateway>,
    is_over: Arc<AtomicBool>,
    traffic: Vec<JoinHandle<()>>,
}

fn yaml(old: &Upstream, new: &Upstream, to: &str, more: &str) -> String {
    format!(
        "# Owned by the shop team.
backends:
  old: {{ http: {{ endpoints: [\"{}\"] }} }}
  new: {{ http: {{ endpoints: [\"{}\"] }} }}
routes:
  - name: shared      # the one that moves
    match: {{ path: /api/v1/demo/** }}
    to: {to}   # ünï
    public: true
    {more}
  - {{ name: other, match: {{ path: /api/v1/demo/other }}, to: {{ old: 7, new: 3 }} }}",
        old.url(),
        new.url()
    )
}

impl Running {
    async fn start(old: &Upstream, new: &Upstream, to: &str, more: &str) -> Self {
        let gateway = Arc::new(Gateway::start(Conf::new().namespace("demo", &yaml(old, new, to, more))).await);
        let is_over = Arc::new(AtomicBool::new(false));
        let client = || {
            let (gateway, is_over) = (gateway.clone(), is_over.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    gateway.get("/api/v1/demo/x").await;
                }
            })
        };
        let traffic = (0..4).map(|_| client()).collect();
        Self { gateway, is_over, traffic }
    }

    /// The command with these arguments, and with the usual ones that are not among them.
    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let config = self.gateway.folder().join("gateway.yaml").display().to_string();
        let admin = self.gateway.admin_address().to_string();
        let usual = [
            ["--config", &config],
            ["--admin", &admin],
            ["--namespace", "demo"],
            ["--route", "shared"],
            ["--to", "new"],
        ];
        let usual = usual.into_iter().filter(|[name, _]| !more.contains(name)).flatten();
        ["migrate", "step"].into_iter().chain(usual).chain(more.iter().copied()).map(str::to_owned).collect()
    }

    async fn step(&self, more: &[&str]) -> Finished {
        let quick = QUICK.chunks(2).filter(|pair| !more.contains(&pair[0])).flatten().copied();
        let arguments: Vec<&str> = quick.chain(more.iter().copied()).collect();
        command_line(self.arguments(&arguments)).await
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.gateway.folder().join("namespaces/demo.yaml")).expect("the namespace has a file")
    }

    async fn served(&self) -> String {
        let routes = self.gateway.admin("GET", "/admin/v1/routes").await.json();
        let route = routes.as_array().and_then(|routes| routes.iter().find(|route| route["name"] == "shared"));
        route.and_then(|route| route["to"].as_str()).expect("the route is served").to_owned()
    }

    async fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        for client in self.traffic {
            within("the traffic ends", client).await.expect("no panic");
        }
    }
}

/// Answers with this status and JSON, some milliseconds late.
async fn answering(status: u16, body: &'static str, late: u64) -> Upstream {
    Upstream::serving(move |mut exchange: Exchange| async move {
        exchange.body().await?;
        tokio::time::sleep(Duration::from_millis(late)).await;
        exchange.reply(status, &[("Content-Type", "application/json")], body).await?;
        Ok(exchange)
    })
    .await
}

#[tokio::test]
async fn a_share_grows_step_by_step_while_all_is_well() {
    let (old, new) = (answering(200, "{}", 0).await, answering(200, "{}", 0).await);
    let running = Running::start(&old, &new, "{ new: 0, old: 1 }", "").await;
    let before = running.file();
    let stepped = running.step(&["--plan", "20,60,100", "--max-latency-ratio", "1000"]).await;
    assert_eq!(stepped.code, Some(0), "{stepped:?}");
    for expected in ["20 % (new: 20, old: 80) now", "held at 60 %", "done: it has 100 % (new: 100, old: 0)"] {
        assert!(stepped.output.contains(expected), "{expected}: {}", stepped.output);
    }
    // Everything else in the file is as it was, comments included.
    assert_eq!(running.file(), before.replace("to: { new: 0, old: 1 }", "to: { new: 100, old: 0 }"));
    assert_eq!(running.served().await, "new: 100, old: 0");
    let again = running.step(&["--plan", "20,60,100"]).await;
    assert!(again.code == Some(0) && again.output.contains("the plan leads no further"), "{again:?}");
    running.end().await;
}

#[tokio::test]
async fn a_route_to_one_alone_becomes_one_with_shares() {
    let (old, new) = (answering(200, "{}", 0).await, answering(200, "{}", 0).await);
    let running = Running::start(&old, &new, "old", "").await;
    let before = running.file();
    let stepped = running.step(&["--plan", "50"]).await;
    assert_eq!(stepped.code, Some(0), "{stepped:?}");
    assert_eq!(running.file(), before.replacen("to: old ", "to: { old: 50, new: 50 } ", 1));
    running.end().await;
}

#[tokio::test]
async fn a_share_goes_back_by_itself_when_it_fails_is_slow_or_answers_otherwise() {
    let shadow = "shadow: { to: new, compare: true, concurrency: 64 }";
    for (status, body, late, bound, expected) in [
        (500, "{}", 0, &["--max-error-rate", "1%"][..], "its error rate is"),
        (200, "{}", 300, &["--max-latency-ratio", "3"], "times that of the others"),
        (200, "{}", 300, &["--max-p99", "200ms"], "above 200.0ms"),
        (200, "{\"a\":1}", 0, &["--max-difference-rate", "1%"], "its difference rate is"),
    ] {
        let (old, new) = (answering(200, "{}", 0).await, answering(status, body, late).await);
        let running = Running::start(&old, &new, "{ old: 95, new: 5 }", shadow).await;
        let before = running.file();
        // It had to prove itself where it was, too.
        let bound: Vec<&str> =
            QUICK.into_iter().take(4).chain(bound.iter().copied()).chain(["--plan", "1,50"]).collect();
        let stepped = command_line(running.arguments(&bound)).await;
        assert_eq!(stepped.code, Some(1), "{stepped:?}");
        assert!(
            stepped.output.contains(expected) && stepped.output.contains("1 % (new: 1, old: 99) again"),
            "{stepped:?}"
        );
        assert_eq!(running.file(), before.replace("old: 95, new: 5", "old: 99, new: 1"));
        assert_eq!(running.served().await, "new: 1, old: 99");
        running.end().await;
    }
}

#[tokio::test]
async fn a_step_that_fails_leads_back_to_what_the_file_said() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let broken = is_broken.clone();
    let old = answering(200, "{}", 0).await;
    let new = Upstream::serving(move |mut exchange| {
        let broken = broken.clone();
        async move {
            exchange.body().await?;
            exchange.reply(if broken.load(Ordering::Relaxed) { 503 } else { 200 }, &[], "").await?;
            Ok(exchange)
        }
    })
    .await;
    let running = Running::start(&old, &new, "{ old: 60, new: 40 }", "").await;
    let before = running.file();
    let stepping = running.step(&["--plan", "80"]);
    let breaking = async {
        eventually("the share has grown", async || running.file().contains("new: 80").then_some(())).await;
        is_broken.store(true, Ordering::Relaxed);
    };
    let (stepped, ()) = tokio::join!(stepping, breaking);
    assert_eq!(stepped.code, Some(1), "{stepped:?}");
    assert!(stepped.output.contains("40 % (new: 40, old: 60) again"), "{stepped:?}");
    assert_eq!(running.file(), before);
    assert_eq!(running.served().await, "new: 40, old: 60");
    running.end().await;
}

#[tokio::test]
async fn an_interrupt_leaves_the_share_or_takes_it_back_as_asked() {
    let (old, new) = (answering(200, "{}", 0).await, answering(200, "{}", 0).await);
    for (more, code, file, said) in [
        (&[][..], 130, "{ old: 90, new: 10 }", "interrupted: it has 10 % (new: 10, old: 90) and keeps it"),
        (&["--back-on-interrupt"], 130, "{ old: 1, new: 0 }", "it has 0 % (new: 0, old: 1) again"),
    ] {
        let running = Running::start(&old, &new, "{ old: 1, new: 0 }", "").await;
        let arguments = [&["--hold", "10m", "--plan", "10,100"], more].concat();
        let mut command = Command::new(program());
        command.args(running.arguments(&arguments)).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().expect("the program can be started");
        eventually("the share has grown", async || (running.served().await == "new: 10, old: 90").then_some(())).await;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).expect("it runs");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("it runs");
        let finished = within("the command ends", child.wait_with_output()).await.expect("it has run");
        let output = String::from_utf8_lossy(&finished.stdout).into_owned();
        assert!(finished.status.code() == Some(code) && output.contains(said), "{output}");
        assert!(running.file().contains(file), "{}", running.file());
        running.end().await;
    }
}

#[tokio::test]
async fn a_file_that_somebody_else_changes_is_left_alone() {
    let (old, new) = (answering(200, "{}", 0).await, answering(200, "{}", 0).await);
    let running = Running::start(&old, &new, "{ old: 1, new: 0 }", "").await;
    let stepping = running.step(&["--hold", "10s", "--plan", "10,100"]);
    let changing = async {
        eventually("the share has grown", async || (running.served().await == "new: 10, old: 90").then_some(())).await;
        running.gateway.prepare_namespace("demo", &yaml(&old, &new, "{ old: 5, new: 5 }", ""));
    };
    let (stepped, ()) = tokio::join!(stepping, changing);
    assert!(stepped.code == Some(1) && stepped.errors.contains("was changed by somebody else"), "{stepped:?}");
    assert!(running.file().contains("{ old: 5, new: 5 }"));

    for (arguments, expected) in [
        (&["--route", "none"][..], "has no route `none`; it has `shared`, `other`"),
        (&["--namespace", "dem"], "has no namespace `dem`; it has demo"),
        (&["--to", "nwe"], "neither a plugin nor a backend"),
        (&["--max-difference-rate", "1%"], "no `shadow` with `compare`"),
        (&["--plan", "1,200"], "a step is 1 to 100"),
        (&[], "the gateway serves `new: 10, old: 90`, the file says `new: 5, old: 5`"),
    ] {
        let refused = command_line(running.arguments(arguments)).await;
        assert!(refused.code == Some(1) && refused.errors.contains(expected), "{expected}: {refused:?}");
    }
    running.end().await;
}
