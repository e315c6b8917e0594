//! `health`: for container health checks, which have no other client at hand.

use super::output;
use anyhow::Context as _;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Asks `/readyz`.
pub(super) fn health(admin: &str) -> anyhow::Result<ExitCode> {
    let unreachable = || format!("cannot reach the admin listener at {admin}");
    let address = admin.to_socket_addrs().with_context(unreachable)?.next().with_context(unreachable)?;
    let mut stream = TcpStream::connect_timeout(&address, LONGEST_WAIT).with_context(unreachable)?;
    stream.set_read_timeout(Some(LONGEST_WAIT))?;
    stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).with_context(unreachable)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    output::print(body);
    Ok(if head.starts_with("HTTP/1.1 200") { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
