//! A difference as people see it: the admin API's words, which the command line reads.

use super::answer::Answer;
use super::compare::{Comparison, Rules};
use super::content::{Content, decoded, understand};
use super::masking::Secrets;
use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How much of a body is shown.
const LONGEST_BODY: usize = 8 << 10;
/// How much of a field's or a place's value is shown.
pub(super) const LONGEST_VALUE: usize = 400;
/// How many fields of a message are shown.
const MOST_FIELDS: usize = 50;

/// One request whose copy was answered in another way, with all secrets hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// When it was found, RFC 3339.
    pub time: String,
    /// The id of the request, as the access log has it.
    pub request_id: String,
    /// The namespace of its route.
    pub namespace: String,
    /// Its route.
    pub route: String,
    /// What differs: `status`, `header`, `body`, or `missing` where the copy got no answer.
    pub kinds: Vec<String>,
    /// Where it differs.
    pub places: Vec<Place>,
    /// The request.
    pub request: ShownRequest,
    /// What the caller got.
    pub answer: ShownAnswer,
    /// What the copy got.
    pub copy: ShownAnswer,
}

/// A place where two answers differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `status`, `header` or `body`.
    pub kind: String,
    /// The field's name, the JSON pointer, or the number of the event.
    pub at: String,
    /// What is there in the caller's answer.
    pub answer: Option<String>,
    /// What is there in the copy's.
    pub copy: Option<String>,
}

/// A request as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRequest {
    /// Its method.
    pub method: String,
    /// Its path, and the names in its query.
    pub target: String,
    /// Its header fields.
    pub headers: Vec<(String, String)>,
}

/// An answer as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownAnswer {
    /// The plugin or backend that gave it.
    pub of: String,
    /// Its status; `None` when there was no answer.
    pub status: Option<u16>,
    /// Why there was none.
    pub failure: Option<String>,
    /// Its header fields.
    pub headers: Vec<(String, String)>,
    /// Its body, JSON with a line for each value; `None` when it is empty or nothing that people read.
    pub body: Option<String>,
    /// The length of its body in bytes.
    pub body_bytes: u64,
    /// The SHA-256 of what was recorded of its body.
    pub body_sha256: String,
}

/// An exchange that is to be shown.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// When, RFC 3339.
    pub time: String,
    /// The id of the request.
    pub request_id: &'a str,
    /// The namespace of its route.
    pub namespace: &'a str,
    /// Its route.
    pub route: &'a str,
    /// Its method.
    pub method: &'a Method,
    /// Its path.
    pub path: &'a str,
    /// Its query.
    pub query: Option<&'a str>,
    /// Its header fields, as the client sent them.
    pub headers: &'a HeaderMap,
    /// Who answered the caller, and what.
    pub answer: (&'a str, Option<&'a Answer>),
    /// Who answered the copy, and what, or why there is nothing.
    pub copy: (&'a str, Result<&'a Answer, &'a str>),
}

impl Difference {
    /// What people may see of an exchange.
    #[must_use]
    pub fn new(exchange: &Exchange<'_>, comparison: Comparison, rules: &Rules) -> Self {
        let answers = [exchange.answer.1, exchange.copy.1.ok()].into_iter().flatten();
        let secrets =
            rules.mask.secrets(answers.map(|answer| &answer.headers).chain([exchange.headers]), exchange.query);
        let show = Show { rules, secrets: &secrets };
        let target = match exchange.query {
            Some(query) => format!("{}?{}", exchange.path, rules.mask.query(query)),
            None => exchange.path.to_owned(),
        };
        let Comparison { kinds, places, .. } = comparison;
        Self {
            time: exchange.time.clone(),
            request_id: exchange.request_id.to_owned(),
            namespace: exchange.namespace.to_owned(),
            route: exchange.route.to_owned(),
            kinds: kinds.iter().map(|kind| kind.label().to_owned()).collect(),
            places: places.into_iter().map(|place| show.place(place)).collect(),
            request: ShownRequest {
                method: exchange.method.to_string(),
                target: cut(show.hide(target), LONGEST_VALUE),
                headers: show.fields(exchange.headers),
            },
            answer: show.answer(exchange.answer.0, exchange.answer.1, None),
            copy: show.answer(exchange.copy.0, exchange.copy.1.ok(), exchange.copy.1.err()),
        }
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let fields =
            |fields: &[(String, String)]| fields.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let answer = |answer: &ShownAnswer| -> usize {
            let headers: usize = fields(&answer.headers);
            headers + text(&answer.body) + text(&answer.failure) + answer.of.len() + 200
        };
        let of_request: usize = fields(&self.request.headers);
        let places: usize =
            self.places.iter().map(|place| place.at.len() + text(&place.answer) + text(&place.copy) + 100).sum();
        300 + self.request.target.len() + of_request + places + answer(&self.answer) + answer(&self.copy)
    }
}

struct Show<'a> {
    rules: &'a Rules,
    secrets: &'a Secrets,
}

impl Show<'_> {
    fn hide(&self, text: String) -> String {
        self.secrets.hide(text)
    }

    fn fields(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = self.rules.mask.fields(headers).into_iter().take(MOST_FIELDS);
        shown.map(|(name, value)| (name, cut(self.hide(value), LONGEST_VALUE))).collect()
    }

    fn place(&self, place: Place) -> Place {
        let value = |value: Option<String>| value.map(|value| cut(self.hide(value), LONGEST_VALUE));
        Place {
            kind: place.kind,
            at: cut(self.hide(place.at), LONGEST_VALUE),
            answer: value(place.answer),
            copy: value(place.copy),
        }
    }

    fn answer(&self, of: &str, answer: Option<&Answer>, failure: Option<&str>) -> ShownAnswer {
        ShownAnswer {
            of: of.to_owned(),
            status: answer.map(|answer| answer.status.as_u16()),
            failure: failure.map(|failure| cut(self.hide(failure.to_owned()), LONGEST_VALUE)),
            headers: answer.map(|answer| self.fields(&answer.headers)).unwrap_or_default(),
            body: answer.and_then(|answer| self.body(answer)).map(|body| cut(self.hide(body), LONGEST_BODY)),
            body_bytes: answer.map_or(0, |answer| answer.body.length()),
            body_sha256: answer.map_or_else(String::new, |answer| hex(&Sha256::digest(answer.body.start()))),
        }
    }

    fn body(&self, answer: &Answer) -> Option<String> {
        let is_plain = !answer.headers.contains_key(http::header::CONTENT_ENCODING);
        let body = match decoded(answer, self.rules.most) {
            Some(body) => body,
            // The beginning of a long body is worth seeing.
            None if is_plain => answer.body.start().into(),
            None => return None,
        };
        if body.is_empty() {
            return None;
        }
        let mask = &self.rules.mask;
        Some(match understand(answer, &body) {
            Content::Json(mut document) => {
                mask.json(&mut document);
                serde_json::to_string_pretty(&document).unwrap_or_default()
            }
            Content::Events(events) => {
                let texts = events.into_iter().map(|mut event| {
                    event.data = self.rules.shown_data(&event.data);
                    event.fields = mask.text(&event.fields);
                    event.text()
                });
                texts.collect::<Vec<_>>().join("\n")
            }
            Content::Text(text) => mask.text(&text),
            Content::Bytes => return None,
        })
    }
}

/// The beginning of a text that is longer.
pub(super) fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
