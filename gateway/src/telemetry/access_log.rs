//! The access log: one JSON line per request, written by a thread of its own.
//!
//! A request only appends to a buffer; the thread swaps buffers and writes. When the disk or the reader of stdout is
//! slower than the traffic, lines are dropped and counted: a log must not stop the requests it describes.

use super::CallRecord;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What may wait to be written, in bytes.
const LARGEST_BACKLOG: usize = 8 << 20;
/// How long lines gather before a write: one system call for many requests.
const GATHER: Duration = Duration::from_millis(20);

/// How long the last lines may take to be written.
const LONGEST_FINISH: Duration = Duration::from_secs(2);

/// The access log. Dropping it writes what is left.
#[derive(Debug)]
pub struct AccessLog {
    shared: Option<Arc<Shared>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Vec<u8>>,
    filled: Condvar,
    stopping: AtomicBool,
    reopening: AtomicBool,
    dropped: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        // A panic while appending leaves at most a broken line behind.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the lines go.
#[derive(Debug)]
enum Sink {
    Stdout,
    File(PathBuf, File),
}

impl AccessLog {
    /// A log that keeps nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { shared: None, writer: Mutex::new(None) }
    }

    /// Lines go to standard output.
    ///
    /// # Errors
    /// When the writing thread cannot be started.
    pub fn stdout() -> std::io::Result<Self> {
        Self::start(Sink::Stdout)
    }

    /// Lines are appended to `path`.
    ///
    /// # Errors
    /// When the file cannot be opened or the writing thread cannot be started.
    pub fn file(path: PathBuf) -> std::io::Result<Self> {
        let file = open(&path)?;
        Self::start(Sink::File(path, file))
    }

    fn start(mut sink: Sink) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_writer = shared.clone();
        let writer = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_until_stopped(&of_writer, &mut sink))?;
        Ok(Self { shared: Some(shared), writer: Mutex::new(Some(writer)) })
    }

    /// Adds one request.
    pub fn record(&self, record: &CallRecord<'_>) {
        let Some(shared) = &self.shared else { return };
        let mut buffer = shared.lock();
        if buffer.len() > LARGEST_BACKLOG {
            drop(buffer);
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = buffer.is_empty();
        record.write_json(&mut buffer);
        drop(buffer);
        if was_empty {
            shared.filled.notify_one();
        }
    }

    /// Opens the file anew before the next write, after a log rotation.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.reopening.store(true, Ordering::Release);
        }
    }

    /// Lines that were lost because the reader was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.dropped.load(Ordering::Relaxed))
    }

    /// Writes what is left and ends the thread.
    pub fn finish(&self) {
        let Some(shared) = &self.shared else { return };
        shared.stopping.store(true, Ordering::Release);
        // The lock orders the flag before the writer's next look at it, so the wake-up cannot be missed.
        drop(shared.lock());
        shared.filled.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return };
        let give_up = std::time::Instant::now() + LONGEST_FINISH;
        // A reader of standard output that stopped reading must not keep the process from ending.
        while !writer.is_finished() && std::time::Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.finish();
    }
}

fn open(path: &PathBuf) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn write_until_stopped(shared: &Shared, sink: &mut Sink) {
    let mut lines = Vec::new();
    loop {
        let stopping = shared.stopping.load(Ordering::Acquire);
        {
            let mut buffer = shared.lock();
            while buffer.is_empty() && !shared.stopping.load(Ordering::Acquire) {
                buffer = shared.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut *buffer, &mut lines);
        }
        if !lines.is_empty() {
            sink.reopen_if_asked(&shared.reopening);
            if let Err(error) = sink.write(&lines) {
                let lost = lines.iter().filter(|byte| **byte == b'\n').count();
                shared.dropped.fetch_add(u64::try_from(lost).unwrap_or(u64::MAX), Ordering::Relaxed);
                tracing::warn!(%error, lost, "cannot write the access log");
            }
            lines.clear();
            lines.shrink_to(1 << 20);
        }
        if stopping {
            return;
        }
        if !shared.stopping.load(Ordering::Acquire) {
            std::thread::sleep(GATHER);
        }
    }
}

impl Sink {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = std::io::stdout().lock();
                out.write_all(lines)?;
                out.flush()
            }
            Self::File(_, file) => file.write_all(lines),
        }
    }

    fn reopen_if_asked(&mut self, reopening: &AtomicBool) {
        let Self::File(path, file) = self else { return };
        if reopening.swap(false, Ordering::AcqRel) {
            match open(path) {
                Ok(opened) => *file = opened,
                Err(error) => {
                    tracing::error!(%error, path = %path.display(), "cannot open the access log anew; the old file is kept")
                }
            }
        }
    }
}
