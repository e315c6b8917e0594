//! Running a tool, and saying what to do when that fails.

use anyhow::{anyhow, bail};
use std::io;
use std::process::{Command, Stdio};

/// Lines of a tool's output that are shown when it fails; its last words say why.
const SHOWN_LINES: usize = 30;

/// Runs a tool and returns what it prints. `way_out` says what to do when it is missing or fails.
pub(super) fn run(command: &mut Command, way_out: &str) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    // A tool that is written in Rust would print its own stack after what is wrong.
    let finished =
        command.env_remove("RUST_BACKTRACE").stdin(Stdio::null()).output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => anyhow!("`{program}` is not installed; {way_out}"),
            _ => anyhow!("`{program}` cannot be started: {error}; {way_out}"),
        })?;
    if finished.status.success() {
        return Ok(String::from_utf8_lossy(&finished.stdout).into_owned());
    }
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    let words = [finished.stdout, finished.stderr].concat();
    let words = String::from_utf8_lossy(&words);
    let lines: Vec<&str> = words.lines().collect();
    let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n  ");
    bail!("`{program} {}` failed ({}):\n  {last}\n{way_out}", arguments.join(" "), finished.status)
}
