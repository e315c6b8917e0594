//! Turns what a guest writes to its standard output and standard error into log lines.
//!
//! Lines go to `tracing` with the target `plugin`. A line is cut after 4 KiB, and one call may write only so much;
//! what is beyond is dropped, with one notice.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

const MAX_LINE: usize = 4096;
/// How much a guest may hand over in one write; also what the host allocates for it.
const WRITE_PERMIT: usize = 16 * 1024;

/// One of the two streams of one call.
#[derive(Clone)]
pub(super) struct GuestOutput {
    lines: Arc<Mutex<LineWriter>>,
}

impl GuestOutput {
    /// Makes standard output and standard error, which share one volume; it is empty until a call begins.
    pub(super) fn pair(plugin: &Arc<str>) -> (Self, Self, LogVolume) {
        let volume = Arc::new(Mutex::new(Volume { left: 0, noticed: false }));
        let stream = |name| Self {
            lines: Arc::new(Mutex::new(LineWriter {
                plugin: Arc::clone(plugin),
                stream: name,
                line: Vec::new(),
                volume: Arc::clone(&volume),
            })),
        };
        (stream("stdout"), stream("stderr"), LogVolume(volume))
    }

    fn write_all(&self, bytes: &[u8]) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.write(bytes);
    }
}

/// What both streams of an instance may log together.
pub(super) struct LogVolume(Arc<Mutex<Volume>>);

impl LogVolume {
    /// From now on another call writes, which may log `limit` bytes.
    pub(super) fn begin_call(&self, limit: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Volume { left: limit, noticed: false };
    }
}

/// How many bytes a call may still log.
struct Volume {
    left: u64,
    noticed: bool,
}

impl Volume {
    /// How many of `wanted` bytes may be logged, and whether this is the first time that some may not.
    fn take(&mut self, wanted: usize) -> (usize, bool) {
        let granted = usize::try_from(self.left).map_or(wanted, |left| left.min(wanted));
        self.left -= granted as u64;
        let first_refusal = granted < wanted && !self.noticed;
        self.noticed |= first_refusal;
        (granted, first_refusal)
    }
}

struct LineWriter {
    plugin: Arc<str>,
    stream: &'static str,
    line: Vec<u8>,
    volume: Arc<Mutex<Volume>>,
}

impl LineWriter {
    fn write(&mut self, bytes: &[u8]) {
        let (granted, first_refusal) = self.volume.lock().unwrap_or_else(PoisonError::into_inner).take(bytes.len());
        for piece in bytes[..granted].split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                self.emit();
            }
        }
        if first_refusal {
            self.emit();
            tracing::warn!(target: "plugin", plugin = %self.plugin, "further output of this call is dropped");
        }
    }

    fn emit(&mut self) {
        let line = readable(&self.line);
        self.line.clear();
        if !line.is_empty() {
            tracing::info!(target: "plugin", plugin = %self.plugin, stream = self.stream, "{line}");
        }
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.emit();
    }
}

/// The line as text that cannot play tricks on the terminal of whoever reads the log.
fn readable(line: &[u8]) -> String {
    String::from_utf8_lossy(line)
        .trim_end()
        .chars()
        .map(|character| match character {
            '\t' => ' ',
            control if control.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect()
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write_all(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT)
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(self: Pin<&mut Self>, _context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write_all(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_log() {
        assert_eq!(readable(b"a\tb\x1b[31mred\r\n"), "a b\u{fffd}[31mred");
        assert_eq!(readable(b"caf\xc3\xa9 \xff"), "café \u{fffd}");
    }

    #[test]
    fn the_volume_is_refused_with_one_notice() {
        let mut volume = Volume { left: 10, noticed: false };
        assert_eq!(volume.take(8), (8, false));
        assert_eq!(volume.take(8), (2, true));
        assert_eq!(volume.take(8), (0, false));
    }
}
