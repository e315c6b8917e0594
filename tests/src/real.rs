//! The real services of the demonstration: FrameX and FastAPI, from `.venv`.

use crate::configuration::repository;
use crate::framex_gateway::program;
use crate::output::Output;
use crate::upstream::refused_address;
use crate::waiting::{eventually, within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, Command};

/// The API key that the FrameX instance wants.
pub const FRAMEX_KEY: &str = "framex-key-of-the-tests";

/// A FrameX instance with the plugins of the demonstration. Dropping it kills it.
#[derive(Debug)]
pub struct FrameX(Service);

/// The FastAPI service of the demonstration. Dropping it kills it.
#[derive(Debug)]
pub struct Shop(Service);

impl FrameX {
    /// Starts it and waits until it listens.
    pub async fn start() -> Self {
        let mut command = Command::new(installed("framex"));
        command
            .args(["run", "--host", "127.0.0.1", "--port", "0"])
            .args(["--load-plugins", "glossary", "--load-plugins", "research"])
            .current_dir(repository("conf/demo/framex_plugins"))
            .env("PYTHONPATH", ".")
            .env("AUTH__RULES", format!("{{\"/api/v1/*\": [\"{FRAMEX_KEY}\"]}}"));
        Self(Service::start("FrameX", command).await)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

/// A FrameX instance as somebody else may run one, with its own plugins and `config.toml`. Dropping it kills it.
#[derive(Debug)]
pub struct FrameXInstance {
    service: Service,
    _folder: tempfile::TempDir,
}

impl FrameXInstance {
    /// Starts one with these plugins, of the demonstration or of the tests, and waits until it listens. `config` is its `config.toml`;
    /// it calls itself `name`.
    pub async fn start(name: &str, plugins: &[&str], config: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        std::fs::write(folder.path().join("config.toml"), config).expect("a test folder can be written");
        let paths = ["conf/demo/framex_plugins", "tests/framex_plugins"].map(repository);
        let mut command = Command::new(installed("framex"));
        command
            .args(["run", "--host", "127.0.0.1", "--port", "0"])
            .args(plugins.iter().flat_map(|plugin| ["--load-plugins", plugin]))
            .current_dir(folder.path())
            .env("PYTHONPATH", std::env::join_paths(paths).expect("no path has a colon"))
            .env("INSTANCE", name);
        Self { service: Service::start(name, command).await, _folder: folder }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.service.address
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.service.output.text()
    }
}

/// The FastAPI application of the tests that has everything. Dropping it kills it.
#[derive(Debug)]
pub struct Everything(Service);

impl Everything {
    /// Starts it and waits until it listens.
    pub async fn start() -> Self {
        let mut command = Command::new(installed("uvicorn"));
        command.args(["everything:app", "--host", "127.0.0.1", "--port", "0"]).current_dir(repository("tests/fastapi"));
        Self(Service::start("the FastAPI application", command).await)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

/// The FastAPI application of the tests whose answers say how they may be kept. Dropping it kills it.
#[derive(Debug)]
pub struct Counted(Service);

impl Counted {
    /// Starts it and waits until it listens.
    pub async fn start() -> Self {
        let mut command = Command::new(installed("uvicorn"));
        command.args(["cached:app", "--host", "127.0.0.1", "--port", "0"]).current_dir(repository("tests/fastapi"));
        Self(Service::start("the counting application", command).await)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

/// The FastAPI application of the tests that makes life behind a gateway hard. Dropping it kills it.
#[derive(Debug)]
pub struct Awkward(Service);

impl Awkward {
    /// Starts it with these variables in its environment, and waits until it listens.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(installed("uvicorn"));
        command
            .args(["awkward:app", "--host", "127.0.0.1", "--port", "0"])
            .current_dir(repository("tests/fastapi"))
            .envs(variables.iter().copied());
        Self(Service::start("the awkward application", command).await)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

impl Shop {
    /// Starts it and waits until it listens.
    pub async fn start() -> Self {
        let mut command = Command::new(installed("uvicorn"));
        command.args(["shop:app", "--host", "127.0.0.1", "--port", "0"]).current_dir(repository("conf/demo"));
        Self(Service::start("the FastAPI service", command).await)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

/// The demonstration of `make run`, all of it. Dropping it kills the script, and with it everything the script started.
#[derive(Debug)]
pub struct Demonstration {
    child: Child,
    output: Output,
}

impl Demonstration {
    /// Starts it at free ports and waits until it shows what to try.
    ///
    /// # Panics
    /// When it ends before.
    pub async fn start() -> Self {
        let mut command = Command::new(repository("conf/demo/run"));
        command.env("FRAMEX_GATEWAY", program());
        for name in ["GATEWAY_ADDRESS", "GATEWAY_ADMIN_ADDRESS", "DEMO_FRAMEX_ADDRESS", "DEMO_SHOP_ADDRESS"] {
            command.env(name, refused_address().await.to_string());
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the script is in the repository");
        let mut demonstration = Self { child, output: Output::default() };
        demonstration.output.collect(demonstration.child.stdout.take());
        demonstration.output.collect(demonstration.child.stderr.take());
        let Self { child, output } = &mut demonstration;
        eventually("the demonstration runs", async || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the demonstration ended with {status}:\n{}", output.text());
            }
            output.text().contains("Ctrl-C ends everything").then_some(())
        })
        .await;
        demonstration
    }

    /// The commands that it shows.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.output.lines().into_iter().filter(|line| line.starts_with("curl ")).collect()
    }

    /// Presses Ctrl-C and waits for the end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn interrupt(mut self) -> ExitStatus {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).expect("it still runs");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("it still runs");
        within("the demonstration ends", self.child.wait()).await.expect("its end can be waited for")
    }
}

#[derive(Debug)]
struct Service {
    address: SocketAddr,
    output: Output,
    _child: Child,
}

impl Service {
    async fn start(name: &str, mut command: Command) -> Self {
        let mut child = command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("an installed program can be started");
        let output = Output::default();
        output.collect(child.stdout.take());
        output.collect(child.stderr.take());
        let address = eventually(&format!("{name} listens"), async || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{name} ended with {status}:\n{}", output.text());
            }
            output.lines().iter().find_map(|line| announced_address(line))
        })
        .await;
        Self { address, output, _child: child }
    }
}

/// uvicorn says where it listens, also when the system chose the port.
fn announced_address(line: &str) -> Option<SocketAddr> {
    let (_, after) = line.split_once("running on http://")?;
    after.split(' ').next()?.parse().ok()
}

/// A program of the tests' Python environment.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn installed(program: &str) -> PathBuf {
    let path = repository(".venv/bin").join(program);
    assert!(path.exists(), "{} is missing; run `make venv`", path.display());
    path
}
