//! The real outcome of an answer.
//!
//! Below `/api` FrameX answers most errors with HTTP status 200 and says in the body what went wrong. Whoever counts
//! failures, retries or takes an upstream out of service has to read it there.

mod envelope_scan;
mod event_scan;
mod short_text;

pub(crate) use envelope_scan::{EnvelopeScan, Evidence, Verdict};
use event_scan::EventScan;

/// Finds the outcome of an answer in its body, while the body passes by.
///
/// It keeps no more than a few dozen bytes of it and allocates nothing, and what it says does not depend on how the
/// body was cut into pieces.
#[derive(Debug)]
pub struct OutcomeReader(Kind);

#[derive(Debug)]
enum Kind {
    Json(EnvelopeScan),
    Events(EventScan),
}

impl OutcomeReader {
    /// Reads an answer that is one JSON document.
    ///
    /// Only an envelope of FrameX has an outcome: an object with a `status` from 100 to 599, a `message` and either a
    /// `timestamp` in FrameX's form or `"is_middleware_error":true`, in any order; its status within the first 4 KiB,
    /// the rest within 64. That tells it from what a plugin says of its own, except for a plugin that imitates it:
    /// such an answer has the header `X-Raw-Output: True` and needs no reader.
    #[must_use]
    pub fn json() -> Self {
        Self(Kind::Json(EnvelopeScan::new(Evidence::Envelope)))
    }

    /// Reads an answer that is a stream of server-sent events.
    ///
    /// Its outcome is the `status` of the first event `error` whose data is an object with `status` and `message`.
    /// Like FrameX writes it, `event` has to stand before `data`.
    #[must_use]
    pub fn events() -> Self {
        Self(Kind::Events(EventScan::default()))
    }

    /// The reader for an answer with these headers. `None` when the HTTP status of the answer is its outcome: it is
    /// something else than JSON or events, or FrameX passed on what a plugin wrote.
    #[must_use]
    pub fn for_answer(content_type: Option<&str>, x_raw_output: Option<&str>) -> Option<Self> {
        let media_type = content_type?.split(';').next()?.trim();
        if media_type.eq_ignore_ascii_case("text/event-stream") {
            return Some(Self::events());
        }
        let is_raw = x_raw_output.is_some_and(|value| value.trim() == "True");
        (media_type.eq_ignore_ascii_case("application/json") && !is_raw).then(Self::json)
    }

    /// Reads the next piece of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        match &mut self.0 {
            Kind::Json(scan) => scan.push(chunk),
            Kind::Events(scan) => scan.push(chunk),
        }
    }

    /// The outcome, as soon as it is known. `None` at the end of the body: it says none, the HTTP status counts.
    #[must_use]
    pub fn outcome(&self) -> Option<u16> {
        match &self.0 {
            Kind::Json(scan) => match scan.verdict() {
                Verdict::Envelope(status) => Some(status),
                Verdict::Open | Verdict::SomethingElse => None,
            },
            Kind::Events(scan) => scan.outcome(),
        }
    }
}

#[cfg(test)]
mod tests;
