//! A real browser, without a window: Chromium, driven by chromedriver (W3C WebDriver).

use crate::client::Call;
use crate::output::Output;
use crate::waiting::eventually;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A browser with one page. Dropping it kills driver and browser.
#[derive(Debug)]
pub struct Browser {
    driver: SocketAddr,
    session: String,
    _child: Child,
    _folder: tempfile::TempDir,
}

impl Browser {
    /// Starts it.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let mut child = Command::new("chromedriver")
            .args(["--port=0"])
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is installed by `make browser`");
        let output = Output::default();
        output.collect(child.stdout.take());
        output.collect(child.stderr.take());
        let port: u16 = eventually("chromedriver listens", async || {
            let lines = output.lines();
            let line = lines.iter().find(|line| line.contains("started successfully on port"))?;
            line.rsplit_once(' ')?.1.trim_end_matches('.').parse().ok()
        })
        .await;
        let driver = SocketAddr::from(([127, 0, 0, 1], port));
        // As root there is no sandbox; nothing of a stranger is shown. Whatever would talk to the network stays off.
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", folder.path().join("profile").display()),
        ];
        let binary = ["/usr/bin/chromium", "/usr/bin/google-chrome"].into_iter().find(|path| Path::new(path).exists());
        let mut options = json!({ "args": arguments });
        if let Some(binary) = binary {
            options["binary"] = json!(binary);
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let answer = Call::to(driver, "POST", "/session").json(&wanted).await.json();
        let session =
            answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {answer}")).to_owned();
        Self { driver, session, _child: child, _folder: folder }
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.command("url", &json!({ "url": url })).await;
    }

    /// The value of a JavaScript expression on the page.
    pub async fn value_of(&self, expression: &str) -> Value {
        self.command("execute/sync", &json!({ "script": format!("return ({expression});"), "args": [] })).await
    }

    /// What a JavaScript promise on the page comes to.
    pub async fn promised(&self, promise: &str) -> Value {
        let script = format!("const done = arguments[0]; ({promise}).then(done, error => done(String(error)));");
        self.command("execute/async", &json!({ "script": script, "args": [] })).await
    }

    /// Waits until a JavaScript expression is true on the page.
    pub async fn until(&self, expression: &str) {
        eventually(&format!("on the page: {expression}"), async || {
            (self.value_of(&format!("Boolean({expression})")).await == true).then_some(())
        })
        .await;
    }

    async fn command(&self, command: &str, argument: &Value) -> Value {
        let target = format!("/session/{}/{command}", self.session);
        let mut answer = Call::to(self.driver, "POST", &target).json(argument).await.json();
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "the browser: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser is in the driver's process group.
        if let Some(pid) = self._child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}
