//! A stream of events (server-sent events, HTML Living Standard §9.2) on its way to the client: where it may be added to.

use super::context::RequestContext;
use super::framex_client::speaks_framex;
use crate::dispatch::problem;
use crate::rejection::Rejection;
use bytes::Bytes;
use http::header;
use pingora_error::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

/// How the bytes ended that were sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventStream {
    /// The last two line feeds' worth: whether a line has just ended, and whether an event has.
    at_line: bool,
    at_event: bool,
}

impl EventStream {
    /// What `answer` is, if it is a stream of events that can be added to.
    pub(super) fn of(answer: &ResponseHeader) -> Option<Self> {
        let content_type = answer.headers.get(header::CONTENT_TYPE)?;
        let is_stream = content_type.as_bytes().starts_with(b"text/event-stream")
            && !answer.headers.contains_key(header::CONTENT_LENGTH)
            && !answer.headers.contains_key(header::CONTENT_ENCODING);
        is_stream.then_some(Self { at_line: true, at_event: true })
    }

    /// Notes bytes that are sent.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in &bytes[bytes.len().saturating_sub(4)..] {
            match byte {
                b'\n' => (self.at_line, self.at_event) = (true, self.at_line),
                // Before a line feed it belongs to that; alone it ends a line only for those who know what follows.
                b'\r' => {}
                _ => (self.at_line, self.at_event) = (false, false),
            }
        }
    }

    /// A comment, which clients pass over, if one can stand here.
    pub(super) fn heartbeat(self) -> Option<Bytes> {
        // An empty line would send off an event of which only a part has come.
        let comment: &'static [u8] = if self.at_event { b":\n\n" } else { b":\n" };
        self.at_line.then(|| Bytes::from_static(comment))
    }

    /// The event that says why the stream ends, if one can stand here: after half an event, it would send that off.
    fn last_event(self, rejection: &Rejection, session: &Session, context: &RequestContext) -> Option<Vec<u8>> {
        if !self.at_event {
            return None;
        }
        if speaks_framex(session, context) {
            return Some(framex_wire::error_event(rejection.reason.status(), rejection.reason.title()));
        }
        // JSON of one line.
        let problem = problem(rejection, context.request_id());
        let text: String = String::from_utf8_lossy(&problem).lines().collect();
        Some(format!("event: error\ndata: {text}\n\n").into_bytes())
    }
}

/// Ends a stream of events that has begun and cannot go on: with an event that says why, in place of a silent cut. Whether it did.
pub(super) async fn end(session: &mut Session, context: &RequestContext, rejection: &Rejection) -> Result<bool> {
    let Some(event) = context.events.and_then(|events| events.last_event(rejection, session, context)) else {
        return Ok(false);
    };
    session.set_keepalive(None);
    session.write_response_body(Some(event.into()), true).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stand_between_lines_and_last_events_between_events() {
        let at = |pieces: &[&str]| {
            let mut stream = EventStream { at_line: true, at_event: true };
            for piece in pieces {
                stream.push(piece.as_bytes());
            }
            (stream.at_line, stream.at_event)
        };
        assert_eq!(at(&[]), (true, true));
        assert_eq!(at(&["data: 1\n\n"]), (true, true));
        assert_eq!(at(&["data: 1\r\n", "\r\n"]), (true, true));
        assert_eq!(at(&["data: 1\n", "\n"]), (true, true));
        assert_eq!(at(&["data: 1\n"]), (true, false));
        assert_eq!(at(&["data: 1"]), (false, false));
        assert_eq!(at(&["data: 1\n\nd"]), (false, false));
    }
}
