//! A real Redis.

use crate::output::Output;
use crate::upstream::refused_address;
use crate::waiting::eventually;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A Redis that keeps nothing on disk. Dropping it kills it.
#[derive(Debug)]
pub struct Redis {
    address: SocketAddr,
    /// More arguments of the program.
    arguments: Vec<String>,
    child: Child,
}

impl Redis {
    /// Starts one and waits until it listens.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more arguments of `redis-server`; `{port}` stands for the port.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let address = refused_address().await;
        let port = address.port().to_string();
        let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("{port}", &port)).collect();
        let child = Self::run(address, &arguments).await;
        Self { address, arguments, child }
    }

    async fn run(address: SocketAddr, arguments: &[String]) -> Child {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        if !arguments.iter().any(|argument| argument == "--port") {
            command.args(["--port", &address.port().to_string()]);
        }
        let mut child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server is missing; run `make redis`");
        let output = Output::default();
        output.collect(child.stdout.take());
        eventually("Redis listens", async || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("Redis ended with {status}:\n{}", output.text());
            }
            output.text().contains("Ready to accept connections").then_some(())
        })
        .await;
        child
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it without a warning.
    ///
    /// # Panics
    /// When it has ended before.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Starts it again, empty, at the address it had.
    pub async fn restart(&mut self) {
        self.child = Self::run(self.address, &self.arguments).await;
    }

    /// Stops it where it is, or lets it go on: its connections stay, and nothing answers.
    ///
    /// # Panics
    /// When it has ended.
    pub fn freeze(&self, frozen: bool) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).expect("it runs");
        let signal = if frozen { Signal::SIGSTOP } else { Signal::SIGCONT };
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    /// Asks it something in the words of its own command line.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn ask(&self, arguments: &[&str]) -> String {
        let port = self.address.port().to_string();
        let output = Command::new("redis-cli").args(["-p", &port]).args(arguments).output().await;
        String::from_utf8(output.expect("redis-cli comes with redis-server").stdout).expect("text")
    }
}
