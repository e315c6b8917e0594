//! Counts the bytes, lines and words of a text: a first plugin to copy from.
//!
//! A plugin is a WebAssembly component that exports one function, `handle`, of the standard interface
//! `wasi:http/incoming-handler`. The gateway calls it for every request, each time in a fresh instance: global variables
//! start anew, and nothing is left over from another caller's request.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::StreamError;

const USAGE: &str = r#"{"usage":"POST a text to get the number of its bytes, lines and words, and its longest word"}"#;

struct TextStats;

// Makes `TextStats` the component's handler.
wasip2::http::proxy::export!(TextStats);

impl Guest for TextStats {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        match request.method() {
            Method::Get => respond(response, 200, USAGE),
            Method::Post => match count(request) {
                Ok(stats) => respond(response, 200, &stats.to_json()),
                Err(_) => respond(response, 400, r#"{"error":"the text did not arrive whole"}"#),
            },
            _ => respond(response, 405, r#"{"error":"use GET or POST"}"#),
        }
    }
}

/// Reads the request's body piece by piece. The whole text is never in memory, so its size does not matter.
fn count(request: IncomingRequest) -> Result<Stats, StreamError> {
    let body = request.consume().expect("the body is taken only once");
    let stream = body.stream().expect("the stream is taken only once");
    let mut stats = Stats::default();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) => stats.add(&piece),
            // The end of the body is reported as a closed stream.
            Err(StreamError::Closed) => break,
            Err(error) => return Err(error),
        }
    }
    stats.end_word();
    Ok(stats)
}

/// Sends a whole response at once.
fn respond(outparam: ResponseOutparam, status: u16, json: &str) {
    let headers = Fields::new();
    let content_type = b"application/json".to_vec();
    headers.set("content-type", &[content_type]).expect("a plugin may set this header");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("the status is a valid one");
    let body = response.body().expect("the body is taken only once");
    // From here on the caller gets the head of the response, then the body while it is written.
    ResponseOutparam::set(outparam, Ok(response));

    let stream = body.write().expect("the stream is taken only once");
    // One write takes at most 4096 bytes. It fails when the caller has gone away; there is nothing to do then.
    let sent = stream.blocking_write_and_flush(json.as_bytes());
    drop(stream);
    if sent.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}

#[derive(Default)]
struct Stats {
    bytes: u64,
    lines: u64,
    words: u64,
    longest_word: u64,
    /// Letters of the word we are in the middle of. A piece of the body may end inside a word.
    current_word: u64,
    /// Whether the last byte was not the end of a line.
    in_line: bool,
}

impl Stats {
    fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        for &byte in piece {
            if byte.is_ascii_whitespace() {
                self.end_word();
            } else if byte & 0b1100_0000 != 0b1000_0000 {
                // Counts characters: in UTF-8 all bytes of a character but the first look like 10xx_xxxx.
                self.current_word += 1;
            }
            if !self.in_line {
                self.lines += 1;
            }
            self.in_line = byte != b'\n';
        }
    }

    fn end_word(&mut self) {
        if self.current_word > 0 {
            self.words += 1;
            self.longest_word = self.longest_word.max(self.current_word);
            self.current_word = 0;
        }
    }

    fn to_json(&self) -> String {
        let Self { bytes, lines, words, longest_word, .. } = self;
        format!(r#"{{"bytes":{bytes},"lines":{lines},"words":{words},"longest_word":{longest_word}}}"#)
    }
}
