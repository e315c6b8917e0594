//! Whether two answers to one request are the same.

use super::answer::Answer;
use super::content::{Content, decoded, understand};
use super::difference::{LONGEST_VALUE, Place, cut};
use super::event_stream::Event;
use super::json::{JsonRules, Seen};
use super::masking::Mask;
use super::pointer::Pattern;
use http::{HeaderName, header};
use serde_json::Value;

/// Places that are listed of one exchange.
const MOST_PLACES: usize = 30;

/// What is compared, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Fields that must be the same.
    pub headers: Vec<HeaderName>,
    /// Places of JSON bodies that are not looked at.
    pub ignore: Vec<Pattern>,
    /// Arrays of JSON bodies whose order does not matter.
    pub unordered: Vec<Pattern>,
    /// What nobody may see.
    pub mask: Mask,
    /// Bytes of a body that are compared.
    pub most: usize,
}

/// In what two answers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// The status.
    Status,
    /// A header field.
    Header,
    /// The body.
    Body,
    /// The copy got no answer.
    Missing,
}

impl DifferenceKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Status, Self::Header, Self::Body, Self::Missing];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Header => "header",
            Self::Body => "body",
            Self::Missing => "missing",
        }
    }
}

/// Why bodies could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncompared {
    /// One of them is longer than what is recorded.
    TooLarge,
    /// One of them is compressed in a way that is not understood.
    Encoded,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// In what they differ; nothing if they are the same as far as it is known.
    pub kinds: Vec<DifferenceKind>,
    /// Where.
    pub places: Vec<Place>,
    /// Why that is not all that could be said.
    pub uncompared: Option<Uncompared>,
}

impl Comparison {
    /// The copy got no answer.
    #[must_use]
    pub fn missing() -> Self {
        Self { kinds: vec![DifferenceKind::Missing], ..Self::default() }
    }

    fn add(&mut self, kind: DifferenceKind, at: impl Into<String>, answer: Option<String>, copy: Option<String>) {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        if self.places.len() < MOST_PLACES {
            self.places.push(Place { kind: kind.label().to_owned(), at: at.into(), answer, copy });
        }
    }
}

/// Compares what the caller got with what the copy got.
#[must_use]
pub fn compare(answer: &Answer, copy: &Answer, rules: &Rules) -> Comparison {
    let mut found = Comparison::default();
    if answer.status != copy.status {
        let text = |answer: &Answer| Some(answer.status.as_u16().to_string());
        found.add(DifferenceKind::Status, "status", text(answer), text(copy));
    }
    for name in &rules.headers {
        let values = |answer: &Answer| {
            let values: Vec<_> = answer
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        let (one, two) = (values(answer), values(copy));
        if one != two {
            let shown = |value: Option<String>| {
                value.map(|value| if rules.mask.hides(name.as_str()) { "***".to_owned() } else { value })
            };
            found.add(DifferenceKind::Header, name.as_str(), shown(one), shown(two));
        }
    }
    compare_bodies(answer, copy, rules, &mut found);
    found
}

fn compare_bodies(answer: &Answer, copy: &Answer, rules: &Rules, found: &mut Comparison) {
    let coding = |answer: &Answer| answer.headers.get(header::CONTENT_ENCODING).cloned();
    let same_bytes = answer.body.length() == copy.body.length() && answer.body.start() == copy.body.start();
    if same_bytes && coding(answer) == coding(copy) {
        // Of long ones, as far as they are recorded.
        return;
    }
    let (Some(one), Some(two)) = (decoded(answer, rules.most), decoded(copy, rules.most)) else {
        let is_whole = answer.body.is_whole() && copy.body.is_whole();
        found.uncompared = Some(if is_whole { Uncompared::Encoded } else { Uncompared::TooLarge });
        return;
    };
    match (understand(answer, &one), understand(copy, &two)) {
        (Content::Json(one), Content::Json(two)) => rules.compare_json("", &one, &two, found),
        (Content::Events(one), Content::Events(two)) => rules.compare_events(&one, &two, found),
        _ if one == two => {}
        _ => found.add(DifferenceKind::Body, "", None, None),
    }
}

impl Rules {
    fn json(&self) -> JsonRules {
        JsonRules { ignore: self.ignore.clone(), unordered: self.unordered.clone() }
    }

    fn compare_json(&self, before: &str, one: &Value, two: &Value, found: &mut Comparison) {
        let rules = self.json();
        if rules.are_same(one, two) {
            return;
        }
        // Only now is it worth hiding what nobody may see.
        let hidden = |document: &Value| {
            let mut shown = document.clone();
            self.mask.json(&mut shown);
            shown
        };
        let (shown_one, shown_two) = (hidden(one), hidden(two));
        let (one, two) = (Seen { value: one, shown: &shown_one }, Seen { value: two, shown: &shown_two });
        let text = |value: Option<Value>| value.map(|value| cut(value.to_string(), 4 * LONGEST_VALUE));
        for place in rules.differences(one, two, MOST_PLACES) {
            let at = format!("{before}{}", place.pointer);
            found.add(DifferenceKind::Body, at, text(place.one), text(place.two));
        }
    }

    fn compare_events(&self, one: &[Event], two: &[Event], found: &mut Comparison) {
        for index in 0..one.len().max(two.len()) {
            let at = format!("event {}", index + 1);
            let shown = |event: Option<&Event>| {
                event.map(|event| format!("{}{}", self.mask.text(&event.fields), self.shown_data(&event.data)))
            };
            match (one.get(index), two.get(index)) {
                (Some(one), Some(two)) if one == two => {}
                (Some(one), Some(two)) if one.fields == two.fields => {
                    let parse = |event: &Event| serde_json::from_str::<Value>(&event.data).ok();
                    match (parse(one), parse(two)) {
                        (Some(one), Some(two)) => self.compare_json(&at, &one, &two, found),
                        _ => found.add(DifferenceKind::Body, at, shown(Some(one)), shown(Some(two))),
                    }
                }
                (one, two) => found.add(DifferenceKind::Body, at, shown(one), shown(two)),
            }
        }
    }

    /// The data of an event as people may see it.
    pub(super) fn shown_data(&self, data: &str) -> String {
        match serde_json::from_str::<Value>(data) {
            Ok(mut document) => {
                self.mask.json(&mut document);
                document.to_string()
            }
            Err(_) => self.mask.text(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::RecordedBody;
    use flate2::{Compression, write::GzEncoder};
    use http::{HeaderMap, HeaderValue, StatusCode};
    use std::io::Write;

    const MOST: usize = 1000;

    fn answer(status: u16, fields: &[(&'static str, &'static str)], body: &[u8]) -> Answer {
        let mut recorded = RecordedBody::new(MOST);
        body.chunks(7).for_each(|chunk| recorded.push(chunk));
        let fields =
            fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: fields.collect::<HeaderMap>(), body: recorded }
    }

    fn rules() -> Rules {
        let patterns = |list: &[&str]| list.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        Rules {
            headers: vec![header::CONTENT_TYPE, header::SET_COOKIE],
            ignore: patterns(&["/time"]),
            unordered: patterns(&["/tags"]),
            mask: Mask { names: Vec::new(), places: patterns(&["/mail"]) },
            most: MOST,
        }
    }

    fn lines(one: &Answer, two: &Answer) -> Vec<String> {
        let found = compare(one, two, &rules());
        let text = |text: Option<String>| text.unwrap_or("-".to_owned());
        found
            .places
            .into_iter()
            .map(|place| format!("{} {}: {} {}", place.kind, place.at, text(place.answer), text(place.copy)))
            .collect()
    }

    const JSON: (&str, &str) = ("content-type", "application/json");
    const EVENTS: (&str, &str) = ("content-type", "text/event-stream");

    #[test]
    fn status_fields_and_bodies_are_compared() {
        let same = answer(200, &[JSON, ("date", "now")], br#"{"a":1,"tags":[1,2],"time":1}"#);
        assert_eq!(lines(&same, &answer(200, &[JSON], br#"{ "tags": [2,1], "a": 1.0, "time": 2 }"#)), [""; 0]);
        let other = answer(
            404,
            &[("content-type", "application/problem+json"), ("set-cookie", "a=secret")],
            br#"{"a":2,"mail":"x@y.z","token":"t"}"#,
        );
        let expected = [
            "status status: 200 404",
            "header content-type: application/json application/problem+json",
            "header set-cookie: - ***",
            "body /a: 1 2",
            "body /mail: - \"***\"",
            "body /tags: [1,2] -",
            "body /token: - \"***\"",
        ];
        assert_eq!(lines(&same, &other), expected);
        assert_eq!(lines(&answer(200, &[], b"a"), &answer(200, &[], b"b")), ["body : - -"]);
        assert_eq!(lines(&answer(200, &[JSON], b"{}"), &answer(200, &[JSON], b"{")), ["body : - -"]);
    }

    #[test]
    fn streams_are_compared_event_by_event() {
        let one = answer(200, &[EVENTS], b"id: 1\ndata: {\"a\":1,\"time\":5}\n\n: ping\n\ndata: x\n\n");
        let two =
            answer(200, &[EVENTS], b"id: 1\r\ndata: {\"time\":6,\"a\":1.0}\r\n\r\ndata: y\n\ndata: token=abc\n\n");
        assert_eq!(lines(&one, &two), ["body event 2: x y", "body event 3: - token***"]);
    }

    #[test]
    fn what_is_compressed_is_compared_by_what_is_in_it() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(br#"{"a":1}"#).unwrap();
        let gzip = answer(200, &[JSON, ("content-encoding", "gzip")], &gzip.finish().unwrap());
        assert_eq!(lines(&gzip, &answer(200, &[JSON], br#"{"a":1}"#)), [""; 0]);
        assert_eq!(lines(&gzip, &answer(200, &[JSON], br#"{"a":2}"#)), ["body /a: 1 2"]);
        let brotli = answer(200, &[JSON, ("content-encoding", "br")], b"??");
        assert_eq!(compare(&gzip, &brotli, &rules()).uncompared, Some(Uncompared::Encoded));
    }

    #[test]
    fn what_is_too_large_is_no_difference() {
        let long = |last: u8, length: usize| {
            let mut body = vec![b'a'; length];
            body[length - 1] = last;
            answer(200, &[], &body)
        };
        assert_eq!(compare(&long(b'a', MOST + 9), &long(b'b', MOST + 9), &rules()), Comparison::default());
        let found = compare(&long(b'a', MOST + 9), &long(b'a', MOST + 8), &rules());
        assert_eq!((found.kinds, found.uncompared), (Vec::new(), Some(Uncompared::TooLarge)));
        // A small body that unfolds into a large one does not fill the memory.
        let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
        bomb.write_all(&vec![b'a'; 100_000]).unwrap();
        let bomb = answer(200, &[("content-encoding", "gzip")], &bomb.finish().unwrap());
        assert!(compare(&bomb, &answer(200, &[], b"a"), &rules()).uncompared.is_some());
    }
}
