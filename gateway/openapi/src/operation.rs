//! One operation of a document.

use crate::method::Method;
use crate::references::follow;
use crate::structure::Kind;
use serde_json::Value;

/// The title of every document that FrameX makes; it has no other mark.
const FRAMEX_TITLE: &str = "FrameX API";

/// An operation of a document.
#[derive(Clone, Debug)]
pub struct Operation {
    pub(crate) path: String,
    pub(crate) method: Method,
    id: Option<String>,
    tags: Vec<String>,
    is_event_stream: bool,
    /// The operation object; its parameters are no references.
    pub(crate) content: Value,
}

impl Operation {
    pub(crate) fn new(document: &Value, title: &str, path: &str, method: Method, content: Value) -> Self {
        let tags = content.get("tags").and_then(Value::as_array).into_iter().flatten();
        Self {
            path: path.to_owned(),
            method,
            id: content.get("operationId").and_then(Value::as_str).map(str::to_owned),
            tags: tags.filter_map(Value::as_str).map(str::to_owned).collect(),
            is_event_stream: is_event_stream(document, title, &content),
            content,
        }
    }

    /// The path template, as the document writes it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// What the document calls the operation.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The groups to which it belongs.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Whether it answers with a stream of events: it says so by `text/event-stream`. A FrameX instance says so by an
    /// answer 200 without any `content`; one is known by the title of its document.
    #[must_use]
    pub fn is_event_stream(&self) -> bool {
        self.is_event_stream
    }

    /// Whether a request has a body.
    #[must_use]
    pub fn takes_body(&self) -> bool {
        self.content.get("requestBody").is_some()
    }

    /// The first line that describes it.
    #[must_use]
    pub fn summary(&self) -> Option<&str> {
        self.content.get("summary").and_then(Value::as_str)
    }
}

fn is_event_stream(document: &Value, title: &str, content: &Value) -> bool {
    let success = content.get("responses").and_then(|responses| responses.get("200"));
    let Some(success) = success.and_then(|success| follow(document, Kind::Response, success)) else { return false };
    match success.get("content").and_then(Value::as_object).filter(|content| !content.is_empty()) {
        Some(content) => content.keys().any(|media_type| essence(media_type) == "text/event-stream"),
        None => title == FRAMEX_TITLE,
    }
}

/// A media type without its parameters, in lower case.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
