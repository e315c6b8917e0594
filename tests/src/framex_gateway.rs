//! The program under test, in a process of its own.

use crate::client::{Answer, Call};
use crate::configuration::{Conf, namespace_file, namespace_text, platform_text, replace};
use crate::output::Output;
use crate::raw::Raw;
use crate::token::Token;
use crate::waiting::{eventually, within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A running gateway. Dropping it kills it.
#[derive(Debug)]
pub struct Gateway {
    folder: TempDir,
    child: Child,
    listeners: Vec<SocketAddr>,
    admin: SocketAddr,
    access_log: Output,
    log: Output,
}

impl Gateway {
    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start(conf: Conf) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let config = conf.write_aside(&folder.path().join("conf"), &folder.path().join("aside"));
        let ports_file = folder.path().join("ports.json");
        let (access_log, log) = (Output::default(), Output::default());
        let mut child = Command::new(program())
            .args([
                "run".as_ref(),
                "--config".as_ref(),
                config.as_os_str(),
                "--ports-file".as_ref(),
                ports_file.as_os_str(),
            ])
            .env_remove("RUST_LOG")
            .envs(conf.variables(&folder.path().join("conf")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program can be started");
        access_log.collect(child.stdout.take());
        log.collect(child.stderr.take());
        let ports = eventually("the gateway says where it listens", async || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the gateway ended with {status}:\n{}", log.text());
            }
            let text = std::fs::read(&ports_file).ok()?;
            Some(serde_json::from_slice::<Value>(&text).expect("the ports file is JSON"))
        })
        .await;
        let address = |value: &Value| -> SocketAddr {
            value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("`{value}` is no address"))
        };
        let listeners = ports["listeners"].as_array().expect("a list of listeners").iter().map(address).collect();
        let admin = address(&ports["admin"]);
        let gateway = Self { folder, child, listeners, admin, access_log, log };
        eventually("the gateway is ready", async || {
            (gateway.admin("GET", "/readyz").await.status == 200).then_some(())
        })
        .await;
        gateway
    }

    /// The address of the first listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listeners[0]
    }

    /// The address of the admin listener.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// A GET.
    #[must_use]
    pub fn get(&self, target: &str) -> Call {
        self.call("GET", target)
    }

    /// A POST.
    #[must_use]
    pub fn post(&self, target: &str) -> Call {
        self.call("POST", target)
    }

    /// A request with any method.
    #[must_use]
    pub fn call(&self, method: &str, target: &str) -> Call {
        Call::to(self.address(), method, target)
    }

    /// A connection for bytes of the test's own.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.address()).await
    }

    /// A request to the admin API.
    pub async fn admin(&self, method: &str, target: &str) -> Answer {
        Call::to(self.admin, method, target).await
    }

    /// A token of `subject` for one namespace.
    #[must_use]
    pub fn token(&self, subject: &str, namespace: &str) -> String {
        Token::of(subject, &[namespace]).sign()
    }

    /// The folder with `gateway.yaml`.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("conf")
    }

    /// Changes a namespace file where the gateway watches it; `yaml` is the file without the line with its name.
    pub fn write_namespace(&self, name: &str, yaml: &str) {
        replace(&self.folder().join(namespace_file(name)), &namespace_text(name, yaml));
    }

    /// Changes a namespace file that was there at the start, without the gateway noticing before it is asked to reload.
    pub fn prepare_namespace(&self, name: &str, yaml: &str) {
        replace(&self.folder.path().join("aside").join(namespace_file(name)), &namespace_text(name, yaml));
    }

    /// Changes `gateway.yaml` to these sections and the usual ones, without the gateway noticing before it is asked to
    /// reload.
    pub fn prepare_platform(&self, sections: &str) {
        replace(&self.folder.path().join("aside/gateway.yaml"), &platform_text(sections));
    }

    /// Removes a namespace file.
    ///
    /// # Panics
    /// When there is none.
    pub fn remove_namespace(&self, name: &str) {
        std::fs::remove_file(self.folder().join(namespace_file(name))).expect("the namespace has a file");
    }

    /// Asks the admin API for a reload; the answer.
    pub async fn reload(&self) -> Value {
        self.admin("POST", "/admin/v1/reload").await.json()
    }

    /// The revision of the configuration that is in force.
    pub async fn revision(&self) -> u64 {
        let status = self.admin("GET", "/admin/v1/status").await.json();
        status["revision"].as_u64().expect("the status has a revision")
    }

    /// The sum of the samples of a metric that have these labels; 0 when there is none. The common prefix of all names
    /// is left out.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.admin("GET", "/metrics").await.text();
        let name = format!("framex_gateway_{name}");
        let has_labels = |sample: &str| {
            labels.iter().all(|(label, value)| {
                let pair = format!("{label}=\"{value}\"");
                sample.split(['{', ',', '}']).any(|part| part == pair)
            })
        };
        text.lines()
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(sample, _)| sample.split('{').next() == Some(name.as_str()) && has_labels(sample))
            .map(|(_, value)| value.parse::<f64>().expect("a sample has a number"))
            .sum()
    }

    /// Waits until a metric has this value.
    pub async fn metric_becomes(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        eventually(&format!("{name}{labels:?} is {value}"), async || {
            (self.metric(name, labels).await == value).then_some(())
        })
        .await;
    }

    /// Every line of the access log so far.
    ///
    /// # Panics
    /// When a line is not JSON.
    #[must_use]
    pub fn access_lines(&self) -> Vec<Value> {
        let parse = |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.access_log.lines().iter().map(parse).collect()
    }

    /// The access log as it was written.
    #[must_use]
    pub fn access_text(&self) -> String {
        self.access_log.text()
    }

    /// Waits for the first line of the access log that `is_meant`.
    pub async fn access_line(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("the access log has {what}"), async || self.access_lines().into_iter().find(&is_meant))
            .await
    }

    /// The gateway's own log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until the gateway's own log holds `text`.
    pub async fn logs(&self, text: &str) {
        eventually(&format!("the log says `{text}`"), async || self.log().contains(text).then_some(())).await;
    }

    /// The most memory it has used so far, in bytes.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the gateway runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes << 10
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the gateway runs");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        within("the gateway ends", self.child.wait()).await.expect("its end can be waited for")
    }

    fn pid(&self) -> Pid {
        let pid = self.child.id().expect("the gateway has not been waited for");
        Pid::from_raw(i32::try_from(pid).expect("a process id"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the gateway's log\n{}\n--- its access log\n{}", self.log(), self.access_text());
        }
    }
}

/// A command of the program that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub output: String,
    /// What it wrote to standard error.
    pub errors: String,
}

/// Runs a command of the program to its end.
///
/// # Panics
/// When it does not end.
pub async fn command_line<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Finished {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = within("the command ends", command.output()).await.expect("the program can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    Finished { code: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
}

/// The program in the target directory of the running test: `target/debug/deps/<test>` is beside `target/debug/<program>`.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a file");
    let program = test.parent().and_then(Path::parent).map(|folder| folder.join("framex-gateway"));
    let program = program.expect("cargo puts tests two folders deep");
    assert!(program.exists(), "{} is missing; run `make test` or `cargo build --workspace`", program.display());
    program
}
