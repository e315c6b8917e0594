//! Asks the admin listener of a running gateway. It needs nothing of the system, no certificates either: container health checks
//! run where there is nothing else.

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A reload waits for new workers.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// More than the admin API ever says.
const LONGEST_ANSWER: u64 = 64 << 20;

/// Where the admin listener is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AdminArguments {
    /// The admin listener of the gateway: an address, or `http://` and one.
    #[arg(long, default_value = "127.0.0.1:9090", value_name = "ADDRESS")]
    admin: String,
}

impl AdminArguments {
    /// # Errors
    /// When there is no answer of status 200 with such JSON.
    pub(super) fn get<T: DeserializeOwned>(&self, target: &str) -> anyhow::Result<T> {
        serde_json::from_str(&self.text(target)?)
            .with_context(|| format!("{target} of {} is not understood", self.address()))
    }

    /// # Errors
    /// When there is no answer of status 200.
    pub(super) fn text(&self, target: &str) -> anyhow::Result<String> {
        let (status, body) = self.ask("GET", target, LONGEST_WAIT)?;
        if status != 200 {
            bail!("{} answers {status} to {target}: {}", self.address(), body.trim());
        }
        Ok(body)
    }

    /// # Errors
    /// When there is no answer.
    pub(super) fn post(&self, target: &str) -> anyhow::Result<(u16, String)> {
        self.ask("POST", target, LONGEST_WAIT)
    }

    fn address(&self) -> &str {
        self.admin.trim_start_matches("http://").trim_end_matches('/')
    }

    /// The answer to a question, if it comes before the listener was silent for longer than `patience`.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn ask(&self, method: &str, target: &str, patience: Duration) -> anyhow::Result<(u16, String)> {
        let address = self.address();
        let unreachable = || format!("cannot reach the admin listener at {address}; name it with --admin");
        let socket = address.to_socket_addrs().with_context(unreachable)?.next().with_context(unreachable)?;
        let mut stream = TcpStream::connect_timeout(&socket, CONNECT_TIMEOUT).with_context(unreachable)?;
        stream.set_read_timeout(Some(patience))?;
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n{length}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).with_context(unreachable)?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).with_context(unreachable)?;
        let answer = String::from_utf8(answer).context("the admin listener does not speak UTF-8")?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the admin listener does not speak HTTP")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.context("the admin listener does not speak HTTP")?, body.to_owned()))
    }
}

/// A value for a query.
pub(super) fn query_value(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}
