//! Walks through the beginning of a JSON document and says whether it is an envelope of FrameX, and with what status.
//!
//! It checks no more of the syntax than it needs to know where a value of the outermost object begins and ends.

use super::short_text::ShortText;
use memchr::memchr2;

/// How far the walk goes before it has seen a status, which FrameX writes first.
const LONGEST_SEARCH: usize = 4 << 10;
/// How far it goes at most. After the status FrameX needs sixty bytes more, unless the message of an error is long.
const LONGEST_WALK: usize = 64 << 10;

/// What an object must have to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// `status`, `message`, and `timestamp` or `is_middleware_error`, in any order.
    Envelope,
    /// The same in the order in which FrameX writes them, so that something else is known after its first key.
    EnvelopeAsWritten,
    /// `status` and `message`: the data of an event.
    Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What was seen so far says neither.
    Open,
    /// An envelope with this status.
    Envelope(u16),
    /// No envelope.
    SomethingElse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    BeforeKey,
    InKey,
    BeforeColon,
    BeforeValue,
    InString,
    InScalar,
    InNested,
    InNestedString,
    AfterValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Status,
    Message,
    Timestamp,
    MiddlewareError,
    Other,
}

#[derive(Debug)]
pub(crate) struct EnvelopeScan {
    evidence: Evidence,
    verdict: Verdict,
    walked: usize,
    place: Place,
    /// The byte before was a backslash.
    is_escaped: bool,
    /// Of a value below the outermost object.
    depth: usize,
    /// The key, string, number or word that is being read.
    text: ShortText,
    key: Key,
    keys: usize,
    status: Option<u16>,
    has_message: bool,
    has_mark: bool,
}

impl EnvelopeScan {
    pub(crate) fn new(evidence: Evidence) -> Self {
        Self {
            evidence,
            verdict: Verdict::Open,
            walked: 0,
            place: Place::Start,
            is_escaped: false,
            depth: 0,
            text: ShortText::default(),
            key: Key::Other,
            keys: 0,
            status: None,
            has_message: false,
            has_mark: false,
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = LONGEST_SEARCH.saturating_sub(self.walked).min(bytes.len());
        let (near, far) = bytes.split_at(room);
        self.walk(near);
        if self.walked >= LONGEST_SEARCH && self.status.is_none() {
            self.decide(Verdict::SomethingElse);
        }
        self.walk(&far[..far.len().min(LONGEST_WALK - self.walked)]);
        if self.walked == LONGEST_WALK {
            self.decide(Verdict::SomethingElse);
        }
    }

    fn walk(&mut self, bytes: &[u8]) {
        if self.verdict != Verdict::Open {
            return;
        }
        self.walked += bytes.len();
        let mut rest = bytes;
        while self.verdict == Verdict::Open
            && let Some((byte, after)) = rest.split_first()
        {
            rest = match self.place {
                Place::InKey | Place::InString | Place::InNestedString => self.walk_string(rest),
                _ => {
                    self.step(*byte);
                    after
                }
            };
        }
    }

    /// Walks through a string as far as it goes; what follows is returned.
    fn walk_string<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.is_escaped {
            self.is_escaped = false;
            return &bytes[1..];
        }
        let end = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        if self.place != Place::InNestedString {
            self.text.push(&bytes[..end]);
        }
        let Some(last) = bytes.get(end) else { return &[] };
        if *last == b'\\' {
            self.is_escaped = true;
            self.text.spoil();
        } else {
            self.end_string();
        }
        &bytes[end + 1..]
    }

    fn end_string(&mut self) {
        match self.place {
            Place::InKey => self.end_key(),
            Place::InNestedString => self.place = Place::InNested,
            _ => self.end_value(Ended::String),
        }
    }

    fn step(&mut self, byte: u8) {
        if byte.is_ascii_whitespace() && !matches!(self.place, Place::InScalar) {
            return;
        }
        match (self.place, byte) {
            (Place::Start, b'{') | (Place::AfterValue, b',') => self.place = Place::BeforeKey,
            (Place::BeforeKey, b'"') => self.start_text(Place::InKey),
            (Place::BeforeColon, b':') => self.place = Place::BeforeValue,
            (Place::BeforeValue, b'"') => self.start_text(Place::InString),
            (Place::BeforeValue, b'{' | b'[') => {
                self.depth = 1;
                self.place = Place::InNested;
            }
            (Place::BeforeValue, _) => {
                self.start_text(Place::InScalar);
                self.text.push(&[byte]);
            }
            (Place::InScalar, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n') => {
                self.end_value(Ended::Scalar);
                self.step(byte);
            }
            (Place::InScalar, _) => self.text.push(&[byte]),
            (Place::InNested, b'"') => self.place = Place::InNestedString,
            (Place::InNested, b'{' | b'[') => self.depth += 1,
            (Place::InNested, b'}' | b']') => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.end_value(Ended::Nested);
                }
            }
            (Place::InNested, _) => {}
            // The object has ended without what was looked for, or this is no object, or no JSON.
            _ => self.decide(Verdict::SomethingElse),
        }
    }

    fn start_text(&mut self, place: Place) {
        self.text.clear();
        self.place = place;
    }

    fn end_key(&mut self) {
        self.place = Place::BeforeColon;
        self.key = match self.text.get() {
            Some(b"status") => Key::Status,
            Some(b"message") => Key::Message,
            Some(b"timestamp") => Key::Timestamp,
            Some(b"is_middleware_error") => Key::MiddlewareError,
            _ => Key::Other,
        };
        let is_in_order = match self.key {
            Key::Status => self.keys == 0,
            Key::Message => self.keys == 1,
            Key::Timestamp | Key::MiddlewareError => self.keys == 2,
            Key::Other => false,
        };
        self.keys += 1;
        if self.evidence == Evidence::EnvelopeAsWritten && !is_in_order {
            self.decide(Verdict::SomethingElse);
        }
    }

    fn end_value(&mut self, ended: Ended) {
        self.place = Place::AfterValue;
        let text = self.text.get().unwrap_or_default();
        match (self.key, ended) {
            (Key::Status, Ended::Scalar) => self.status = read_status(text),
            (Key::Status, Ended::String | Ended::Nested) => self.status = None,
            (Key::Message, _) => self.has_message = true,
            (Key::Timestamp, Ended::String) => self.has_mark |= is_timestamp(text),
            (Key::MiddlewareError, Ended::Scalar) => self.has_mark |= text == b"true",
            (Key::Timestamp | Key::MiddlewareError | Key::Other, _) => {}
        }
        if self.key == Key::Status && self.status.is_none() {
            self.decide(Verdict::SomethingElse);
        }
        if let Some(status) = self.status
            && self.has_message
            && (self.has_mark || self.evidence == Evidence::Event)
        {
            self.decide(Verdict::Envelope(status));
        }
    }

    fn decide(&mut self, verdict: Verdict) {
        if self.verdict == Verdict::Open {
            self.verdict = verdict;
        }
    }
}

/// What kind of value has ended.
#[derive(Clone, Copy)]
enum Ended {
    String,
    Scalar,
    Nested,
}

fn read_status(number: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(number).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|status| (100..600).contains(status) && text.len() == 3)
}

/// Whether a text has the form `2026-11-25 02:22:06`.
fn is_timestamp(text: &[u8]) -> bool {
    let form = b"dddd-dd-dd dd:dd:dd";
    text.len() == form.len()
        && form.iter().zip(text).all(|(form, byte)| if *form == b'd' { byte.is_ascii_digit() } else { form == byte })
}
