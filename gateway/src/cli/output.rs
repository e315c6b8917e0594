//! Text for people. A reader that closes its end (`| head`) is no error.

use std::io::Write;

/// Writes to standard output.
pub(super) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Writes to standard error.
pub(super) fn error(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
