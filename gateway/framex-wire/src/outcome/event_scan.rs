//! Walks through a stream of server-sent events and finds the error in which it ended.
//!
//! Every byte of every stream passes here, so almost all lines are skipped from their first byte to their end.

use super::envelope_scan::{EnvelopeScan, Evidence, Verdict};
use super::short_text::ShortText;
use memchr::memchr2;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    /// What is known of the line stands in `text`.
    #[default]
    Beginning,
    /// Its data is read.
    Data,
    /// It does not matter.
    Skipped,
}

#[derive(Debug, Default)]
pub(crate) struct EventScan {
    outcome: Option<u16>,
    line: Line,
    text: ShortText,
    /// How much of a byte order mark was read.
    mark: usize,
    is_after_mark: bool,
    is_after_carriage_return: bool,
    /// The event of which lines are read is an error.
    is_error: bool,
    /// Its data, once there is some.
    data: Option<EnvelopeScan>,
}

impl EventScan {
    pub(crate) fn outcome(&self) -> Option<u16> {
        self.outcome
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while self.outcome.is_none()
            && let Some((byte, after)) = rest.split_first()
        {
            if std::mem::take(&mut self.is_after_carriage_return) && *byte == b'\n' {
                rest = after;
                continue;
            }
            if !self.is_after_mark && self.walk_mark(*byte) {
                rest = after;
                continue;
            }
            rest = match self.line {
                Line::Beginning => {
                    self.step(*byte);
                    after
                }
                Line::Data | Line::Skipped => self.walk_line(rest),
            };
        }
    }

    /// Whether a byte belongs to the byte order mark with which a stream may begin.
    fn walk_mark(&mut self, byte: u8) -> bool {
        if BYTE_ORDER_MARK.get(self.mark) == Some(&byte) {
            self.mark += 1;
            return true;
        }
        self.is_after_mark = true;
        if (1..BYTE_ORDER_MARK.len()).contains(&self.mark) {
            self.line = Line::Skipped;
        }
        false
    }

    /// Reads a byte at the beginning of a line.
    fn step(&mut self, byte: u8) {
        if matches!(byte, b'\n' | b'\r') {
            if self.text.is_empty() {
                self.end_event();
            } else {
                self.end_field();
            }
            self.start_line(byte);
            return;
        }
        self.text.push(&[byte]);
        let text = self.text.get().unwrap_or_default();
        let is_event_still = b"event:".starts_with(text) || text.starts_with(b"event:");
        if text == b"data:" {
            self.line = Line::Data;
            self.data.get_or_insert_with(|| EnvelopeScan::new(Evidence::Event));
        } else if is_event_still {
            // A longer name than that of an error is known to be another.
            if text.len() > b"event: error".len() {
                self.is_error = false;
                self.line = Line::Skipped;
            }
        } else if !(self.is_error && b"data:".starts_with(text)) {
            self.line = Line::Skipped;
        }
    }

    /// Walks to the end of a line; what follows is returned.
    fn walk_line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let end = memchr2(b'\n', b'\r', bytes);
        if self.line == Line::Data
            && let Some(data) = &mut self.data
        {
            data.push(&bytes[..end.unwrap_or(bytes.len())]);
            if end.is_some() {
                data.push(b"\n");
            }
        }
        let Some(end) = end else { return &[] };
        self.start_line(bytes[end]);
        &bytes[end + 1..]
    }

    fn start_line(&mut self, ended_by: u8) {
        self.is_after_carriage_return = ended_by == b'\r';
        self.line = Line::Beginning;
        self.text.clear();
    }

    /// A line has ended that was short enough to be kept whole.
    fn end_field(&mut self) {
        if let Some(text @ (b"event" | [b'e', b'v', b'e', b'n', b't', b':', ..])) = self.text.get() {
            self.is_error = matches!(text, b"event: error" | b"event:error");
        }
    }

    fn end_event(&mut self) {
        let data = self.data.take();
        if std::mem::take(&mut self.is_error)
            && let Some(Verdict::Envelope(status)) = data.map(|data| data.verdict())
        {
            self.outcome = Some(status);
        }
    }
}
