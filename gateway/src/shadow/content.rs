//! What a body is: decoded, and understood as far as its type says.

use super::answer::Answer;
use super::event_stream::{Event, events};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::header;
use serde_json::Value;
use std::borrow::Cow;
use std::io::Read;

/// What a body is.
#[derive(Debug)]
pub(super) enum Content {
    Json(Value),
    Events(Vec<Event>),
    Text(String),
    Bytes,
}

/// The body of an answer, decoded. `None` when it is not all there or in a coding that is not understood.
pub(super) fn decoded(answer: &Answer, most: usize) -> Option<Cow<'_, [u8]>> {
    let body = answer.body.start();
    if !answer.body.is_whole() {
        return None;
    }
    let mut out = Vec::new();
    // One byte more than may be tells that there is more.
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let room = most.saturating_add(1);
    match text_of(answer, header::CONTENT_ENCODING) {
        "" | "identity" => return Some(Cow::Borrowed(body)),
        _ if body.is_empty() => return Some(Cow::Borrowed(body)),
        "gzip" | "x-gzip" => MultiGzDecoder::new(body).take(room).read_to_end(&mut out).ok()?,
        "deflate" => ZlibDecoder::new(body).take(room).read_to_end(&mut out).ok()?,
        _ => return None,
    };
    (u64::try_from(out.len()).is_ok_and(|length| length <= most)).then_some(Cow::Owned(out))
}

/// Understands a body by its type. What says to be JSON and is not is text.
pub(super) fn understand(answer: &Answer, body: &[u8]) -> Content {
    let content_type = text_of(answer, header::CONTENT_TYPE).to_ascii_lowercase();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if (media_type == "application/json" || media_type.ends_with("+json"))
        && let Ok(document) = serde_json::from_slice(body)
    {
        return Content::Json(document);
    }
    match std::str::from_utf8(body) {
        Ok(text) if media_type == "text/event-stream" => Content::Events(events(text)),
        Ok(text) if !text.contains('\0') => Content::Text(text.to_owned()),
        _ => Content::Bytes,
    }
}

fn text_of(answer: &Answer, name: header::HeaderName) -> &str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).map_or("", str::trim)
}
