//! Wraps a JSON document while it passes by.

use super::opening;
use crate::outcome::{EnvelopeScan, Evidence, Verdict};

/// Writes the envelope around the body of an answer, piece by piece.
///
/// The body is not read beyond what tells whether it is an envelope already; then it stays as it is. For anything else
/// that is known after its first key. What comes before is held back, 64 KiB at most.
#[derive(Debug)]
pub struct EnvelopeWriter {
    opening: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Undecided { scan: EnvelopeScan, held: Vec<u8> },
    Wrapping,
    PassingOn,
}

impl EnvelopeWriter {
    /// Begins the envelope of an answer with this HTTP status. `timestamp` is local time, `2026-11-25 02:22:06`.
    #[must_use]
    pub fn new(status: u16, timestamp: &str) -> Self {
        Self {
            opening: opening(status, timestamp),
            state: State::Undecided { scan: EnvelopeScan::new(Evidence::EnvelopeAsWritten), held: Vec::new() },
        }
    }

    /// Takes the next piece of the body and writes to `out` what can be sent.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        match &mut self.state {
            State::Wrapping | State::PassingOn => out.extend_from_slice(chunk),
            State::Undecided { scan, held } => {
                scan.push(chunk);
                held.extend_from_slice(chunk);
                let next = match scan.verdict() {
                    Verdict::Open => return,
                    Verdict::Envelope(_) => State::PassingOn,
                    Verdict::SomethingElse => {
                        out.append(&mut self.opening);
                        State::Wrapping
                    }
                };
                out.append(held);
                self.state = next;
            }
        }
    }

    /// Takes the end of the body and writes to `out` what is left to be sent.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        match &mut self.state {
            State::PassingOn => return,
            State::Wrapping => {}
            State::Undecided { held, .. } => {
                out.append(&mut self.opening);
                if held.trim_ascii().is_empty() { out.extend_from_slice(b"null") } else { out.append(held) }
            }
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::Index;

    const TIME: &str = "2026-11-25 02:22:06";

    fn wrapped(status: u16, pieces: &[&[u8]]) -> String {
        let mut writer = EnvelopeWriter::new(status, TIME);
        let mut out = Vec::new();
        pieces.iter().for_each(|piece| writer.push(piece, &mut out));
        writer.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn around(data: &str) -> String {
        format!("{{\"status\":200,\"message\":\"success\",\"timestamp\":\"{TIME}\",\"data\":{data}}}")
    }

    #[test]
    fn a_plain_body_is_wrapped_and_an_envelope_is_not() {
        for body in [
            "[1,2]",
            "7",
            "\"x\"",
            "null",
            "{}",
            "{\"a\":1}",
            "{\"status\":\"ok\"}",
            "{\"status\":200}",
            "{\"status\":200,\"message\":\"m\",\"x\":1}",
            "{\"message\":1,\"status\":200}",
        ] {
            assert_eq!(wrapped(200, &[body.as_bytes()]), around(body), "{body}");
        }
        assert_eq!(wrapped(200, &[]), around("null"));
        assert_eq!(wrapped(200, &[b" \n"]), around("null"));
        assert_eq!(
            wrapped(201, &[b"{\"made\":\"n\"}"]).as_bytes(),
            include_bytes!("../../fixtures/created.json").as_slice()
        );
        let envelope = include_str!("../../fixtures/data_like_an_envelope.json");
        assert_eq!(wrapped(200, &[envelope.as_bytes()]), envelope);
        let error = include_str!("../../fixtures/error_in_body.json");
        assert_eq!(wrapped(200, &[error.as_bytes()]), error);
    }

    #[test]
    fn a_body_is_passed_on_as_soon_as_its_first_key_is_known() {
        let mut writer = EnvelopeWriter::new(200, TIME);
        let mut out = Vec::new();
        writer.push(b"{\"ite", &mut out);
        assert!(out.is_empty());
        writer.push(b"ms\":", &mut out);
        assert_eq!(out, around("{\"items\":").strip_suffix('}').unwrap_or_default().as_bytes());
        out.clear();
        writer.push(b"1}", &mut out);
        assert_eq!(out, b"1}");
    }

    proptest! {
        #[test]
        fn how_a_body_is_cut_changes_nothing(body in "(\\{\"status\":[0-9]{0,3},)?(\"message\":\"x\",)?.{0,20}", cut: Index) {
            let (first, second) = body.as_bytes().split_at(cut.index(body.len() + 1));
            prop_assert_eq!(wrapped(200, &[first, second]), wrapped(200, &[body.as_bytes()]));
        }
    }
}
