//! What is known of one request at its end.

use crate::rejection::Reason;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// What kind of backend answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// A WebAssembly component in the process.
    Component,
    /// An HTTP service.
    Http,
    /// A FrameX instance.
    Framex,
    /// A process that the gateway runs.
    Worker,
    /// Nobody: the gateway itself.
    None,
}

impl BackendKind {
    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Http => "http",
            Self::Framex => "framex",
            Self::Worker => "worker",
            Self::None => "none",
        }
    }
}

/// One request, when it is over.
#[derive(Debug)]
pub struct CallRecord<'a> {
    /// When its head had arrived.
    pub time: SystemTime,
    /// Its id.
    pub request_id: &'a str,
    /// Its trace.
    pub trace: &'a super::TraceContext,
    /// Who called, as an address.
    pub client: Option<IpAddr>,
    /// Who called, as a name.
    pub subject: Option<&'a str>,
    /// The plugin that called, where one did.
    pub plugin: Option<&'a str>,
    /// The namespace of its route.
    pub namespace: Option<&'a str>,
    /// The name of its route.
    pub route: Option<&'a str>,
    /// What kind of backend its route has.
    pub backend_kind: BackendKind,
    /// The backend or plugin of its route.
    pub backend: Option<&'a str>,
    /// Whether the route's fallback answered in place of its target.
    pub fallback: bool,
    /// The endpoint that was asked last.
    pub endpoint: Option<&'a str>,
    /// How many endpoints were asked.
    pub attempts: u32,
    /// Request method.
    pub method: &'a str,
    /// Request host.
    pub host: &'a str,
    /// Request path, without the query, which may hold secrets.
    pub path: &'a str,
    /// `1.0`, `1.1`, `2`, or `internal` for a call between plugins.
    pub http_version: &'static str,
    /// Status sent to the client; 0 when none was sent.
    pub status: u16,
    /// What the answer says itself of its outcome, where that is not its status: FrameX answers most errors with 200.
    pub outcome: Option<u16>,
    /// Why the gateway answered itself or cut the answer.
    pub reason: Option<Reason>,
    /// What the operator should know of it.
    pub note: Option<&'a str>,
    /// What the cache had to do with the answer, where the route has one.
    pub cache: Option<&'static str>,
    /// How long it waited for room under a limit, where it had to.
    pub queued: Option<Duration>,
    /// From the head of the request to the end of the answer.
    pub duration: Duration,
    /// From the head of the request to the head of the answer.
    pub first_byte: Option<Duration>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Whether the answer was a stream of events or without a length.
    pub streamed: bool,
    /// CPU time of a component.
    pub cpu: Option<Duration>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'a str>,
    /// The revision of the configuration that decided.
    pub revision: u64,
}

impl CallRecord<'_> {
    /// Appends the record as one line of JSON.
    pub fn write_json(&self, line: &mut Vec<u8>) {
        let mut object = JsonLine { line, first: true };
        object.raw("time", format_args!("\"{}\"", humantime::format_rfc3339_micros(self.time)));
        object.text("request_id", self.request_id);
        object.raw("trace_id", format_args!("\"{}\"", self.trace.trace_id()));
        if let Some(client) = self.client {
            object.raw("client", format_args!("\"{client}\""));
        }
        object.optional("subject", self.subject);
        object.optional("plugin", self.plugin);
        object.optional("namespace", self.namespace);
        object.optional("route", self.route);
        object.text("backend_kind", self.backend_kind.label());
        object.optional("backend", self.backend);
        if self.fallback {
            object.raw("fallback", format_args!("true"));
        }
        object.optional("endpoint", self.endpoint);
        if self.attempts > 1 {
            object.number("attempts", self.attempts.into());
        }
        object.text("method", self.method);
        object.text("host", self.host);
        object.text("path", self.path);
        object.text("http", self.http_version);
        object.number("status", self.status.into());
        if let Some(outcome) = self.outcome {
            object.number("outcome", outcome.into());
        }
        object.optional("code", self.reason.map(Reason::code));
        object.optional("note", self.note.filter(|note| !note.is_empty()));
        object.optional("cache", self.cache);
        if let Some(queued) = self.queued {
            object.milliseconds("queued_ms", queued);
        }
        object.milliseconds("duration_ms", self.duration);
        if let Some(first_byte) = self.first_byte {
            object.milliseconds("first_byte_ms", first_byte);
        }
        object.number("bytes_in", self.bytes_in);
        object.number("bytes_out", self.bytes_out);
        if self.streamed {
            object.raw("streamed", format_args!("true"));
        }
        if let Some(cpu) = self.cpu {
            object.milliseconds("cpu_ms", cpu);
        }
        object.optional("user_agent", self.user_agent);
        object.number("revision", self.revision);
        line.extend_from_slice(b"}\n");
    }
}

/// Writes the members of one JSON object; the caller closes it.
struct JsonLine<'a> {
    line: &'a mut Vec<u8>,
    first: bool,
}

impl JsonLine<'_> {
    fn key(&mut self, key: &str) {
        self.line.push(if self.first { b'{' } else { b',' });
        self.first = false;
        self.line.push(b'"');
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":");
    }

    /// A value that is JSON already.
    fn raw(&mut self, key: &str, value: std::fmt::Arguments<'_>) {
        self.key(key);
        // Writing to memory cannot fail.
        let _ = Utf8(self.line).write_fmt(value);
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        self.line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Milliseconds with three decimals, without the detour through floating point.
    fn milliseconds(&mut self, key: &str, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.number(key, micros / 1000);
        let decimals = micros % 1000;
        self.line.push(b'.');
        for digit in [decimals / 100, decimals / 10 % 10, decimals % 10] {
            self.line.push(b"0123456789"[usize::try_from(digit).unwrap_or(0)]);
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        write_json_string(self.line, text);
    }

    fn optional(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }
}

struct Utf8<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Utf8<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A JSON string (RFC 8259 §7). Most texts need no escape and are copied whole.
fn write_json_string(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\' || byte == 0x7f) {
        for character in text.chars() {
            match character {
                '"' => line.extend_from_slice(b"\\\""),
                '\\' => line.extend_from_slice(b"\\\\"),
                control if control < ' ' || control == '\u{7f}' => {
                    let _ = write!(Utf8(line), "\\u{:04x}", u32::from(control));
                }
                other => {
                    let _ = Utf8(line).write_char(other);
                }
            }
        }
    } else {
        line.extend_from_slice(text.as_bytes());
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    #[test]
    fn a_record_is_one_line_of_valid_json_whatever_the_client_sent() {
        let trace = super::super::TraceContext::of(&HeaderMap::new());
        let record = CallRecord {
            time: SystemTime::UNIX_EPOCH,
            request_id: "r",
            trace: &trace,
            client: Some(IpAddr::from([127, 0, 0, 1])),
            subject: Some("quote\" back\\ new\nline \u{7f} ünï"),
            plugin: None,
            namespace: Some("demo"),
            route: None,
            backend_kind: BackendKind::Http,
            backend: Some("legacy"),
            fallback: false,
            endpoint: None,
            attempts: 2,
            method: "GET",
            host: "example.com",
            path: "/x",
            http_version: "1.1",
            status: 502,
            outcome: None,
            reason: Some(Reason::BackendUnreachable),
            note: Some("connection refused"),
            cache: None,
            queued: None,
            duration: Duration::from_micros(1500),
            first_byte: None,
            bytes_in: 0,
            bytes_out: 12,
            streamed: false,
            cpu: None,
            user_agent: None,
            revision: 3,
        };
        let mut line = Vec::new();
        record.write_json(&mut line);
        let value: serde_json::Value = serde_json::from_slice(&line).expect("valid JSON");
        assert_eq!(value["subject"], "quote\" back\\ new\nline \u{7f} ünï");
        assert_eq!(value["time"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(value["code"], "backend_unreachable");
        assert_eq!(value["duration_ms"], 1.5);
        assert!(String::from_utf8_lossy(&line).contains("\"duration_ms\":1.500,"));
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
