//! An answer, as far as it is compared.

use http::{HeaderMap, StatusCode};

/// An answer, as far as it is compared.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields, as the backend sent them.
    pub headers: HeaderMap,
    /// Its body.
    pub body: RecordedBody,
}

/// The beginning of a body, and how long the whole is.
#[derive(Clone, Debug)]
pub struct RecordedBody {
    start: Vec<u8>,
    length: u64,
    most: usize,
}

impl RecordedBody {
    /// Of which `most` bytes are recorded.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { start: Vec::new(), length: 0, most }
    }

    /// Takes what follows.
    pub fn push(&mut self, chunk: &[u8]) {
        self.length = self.length.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        let room = self.most - self.start.len();
        self.start.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    /// What is recorded.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// How many bytes the whole has.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether all of it is recorded.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        usize::try_from(self.length) == Ok(self.start.len())
    }
}
