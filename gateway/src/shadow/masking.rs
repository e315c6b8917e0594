//! Hides secrets before people see an exchange.
//!
//! Three things are hidden: whatever stands under the name of a secret (`password`, `api_key`, `Authorization` …), whatever the
//! route's own list names, and the secrets that the request itself carried, wherever they turn up again.

use super::pointer::Pattern;
use super::secret_name::is_secret_name;
use http::{HeaderMap, HeaderName, header};
use serde_json::Value;

/// What stands in place of a secret.
const HIDDEN: &str = "***";
/// A shorter value is no secret that could be found again without hiding half of the text.
const SHORTEST_SECRET: usize = 6;

/// What is hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Names of header fields and keys, in lower case, beside the usual ones.
    pub names: Vec<String>,
    /// Places in JSON bodies.
    pub places: Vec<Pattern>,
}

/// Values that are hidden wherever they turn up.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<String>);

impl Mask {
    /// Whether a header field, a key or a parameter of this name is hidden.
    #[must_use]
    pub fn hides(&self, name: &str) -> bool {
        is_secret_name(name) || self.names.iter().any(|listed| listed.eq_ignore_ascii_case(name))
    }

    /// The header fields as people may see them.
    #[must_use]
    pub fn fields(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = |(name, value): (&HeaderName, &http::HeaderValue)| {
            let value =
                if self.hides(name.as_str()) { HIDDEN.into() } else { String::from_utf8_lossy(value.as_bytes()) };
            (name.as_str().to_owned(), value.into_owned())
        };
        headers.iter().map(shown).collect()
    }

    /// The secrets that header fields and a query carry, so that they can be found elsewhere.
    #[must_use]
    pub fn secrets<'a>(&self, of: impl IntoIterator<Item = &'a HeaderMap>, query: Option<&str>) -> Secrets {
        let pairs = query.into_iter().flat_map(|query| query.split('&')).filter_map(|pair| pair.split_once('='));
        let mut secrets: Vec<String> =
            pairs.filter(|(name, _)| self.hides(name)).map(|(_, value)| value.to_owned()).collect();
        let hidden = of.into_iter().flatten().filter(|(name, _)| self.hides(name.as_str()));
        for (name, value) in hidden {
            let Ok(value) = value.to_str() else { continue };
            secrets.push(value.to_owned());
            if matches!(*name, header::COOKIE | header::SET_COOKIE) {
                let pairs = value.split(';').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
                secrets.extend(pairs.map(|value| value.trim().trim_matches('"').to_owned()));
            } else {
                // `Bearer <token>` may come back as the token alone.
                secrets.extend(value.split_ascii_whitespace().skip(1).map(str::to_owned));
            }
        }
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        // The longest first: a secret may be part of another.
        secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        Secrets(secrets)
    }

    /// The query with its names alone.
    #[must_use]
    pub fn query(&self, query: &str) -> String {
        let shown = |pair: &str| match pair.split_once('=') {
            Some((name, _)) => format!("{name}={HIDDEN}"),
            // What has no name may be a value.
            None => HIDDEN.to_owned(),
        };
        query.split('&').filter(|pair| !pair.is_empty()).map(shown).collect::<Vec<_>>().join("&")
    }

    /// Hides what is to be hidden in a JSON document.
    pub fn json(&self, document: &mut Value) {
        self.json_at(document, &mut Vec::new());
    }

    fn json_at(&self, value: &mut Value, at: &mut Vec<String>) {
        if self.places.iter().any(|place| place.fits(at)) {
            *value = HIDDEN.into();
            return;
        }
        match value {
            Value::Object(members) => {
                for (key, value) in members.iter_mut() {
                    if self.hides(key) {
                        *value = HIDDEN.into();
                        continue;
                    }
                    at.push(key.clone());
                    self.json_at(value, at);
                    at.pop();
                }
            }
            Value::Array(elements) => {
                // `["authorization", "…"]` is how lists of pairs write a field.
                if let [Value::String(name), secret] = elements.as_mut_slice()
                    && self.hides(name)
                {
                    *secret = HIDDEN.into();
                }
                for (index, value) in elements.iter_mut().enumerate() {
                    at.push(index.to_string());
                    self.json_at(value, at);
                    at.pop();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The same for a text that is no JSON document, or not a whole one: the rest of a line behind the name of a secret is hidden.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            if line.contains("PRIVATE KEY-----") {
                // What follows is the key.
                shown.push_str(HIDDEN);
                break;
            }
            match self.secret_in(line) {
                Some(start) => {
                    shown.push_str(&line[..start]);
                    shown.push_str(HIDDEN);
                    shown.push_str(if line.ends_with('\n') { "\n" } else { "" });
                }
                None => shown.push_str(line),
            }
        }
        shown
    }

    /// Where a secret begins in a line: behind a name and `=`, `:` or the like.
    fn secret_in(&self, line: &str) -> Option<usize> {
        let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let mut start = 0;
        while let Some(from) = line[start..].find(is_of_name).map(|offset| start + offset) {
            let end = line[from..].find(|c| !is_of_name(c)).map_or(line.len(), |offset| from + offset);
            let behind = line[end..].trim_start_matches([' ', '\t', '"', '\'', '\\']);
            let assigns = behind.starts_with([':', '=', '>', ',', '%']);
            if assigns && (self.hides(&line[from..end]) || self.is_last_of_a_place(&line[from..end])) {
                return Some(end);
            }
            start = end;
        }
        None
    }

    /// In a text there are no places, only names.
    fn is_last_of_a_place(&self, name: &str) -> bool {
        self.places.iter().any(|place| place.last_name().is_some_and(|last| last.eq_ignore_ascii_case(name)))
    }
}

impl Secrets {
    /// Hides every one of them in a text.
    #[must_use]
    pub fn hide(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), HIDDEN) } else { text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::json;

    fn mask(names: &[&str], places: &[&str]) -> Mask {
        Mask {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            places: places.iter().map(|place| Pattern::parse(place).unwrap()).collect(),
        }
    }

    #[test]
    fn secrets_of_a_document_are_hidden_by_name_and_place() {
        let mut document = json!({
            "name": "ann", "password": "p1", "user": { "apiKey": ["k"], "email": "a@b.c", "SSN": 7 },
            "headers": [["authorization", "Bearer x"], ["accept", "json"]], "list": [{ "pin": 1 }, { "pin": 2 }]
        });
        mask(&["ssn"], &["/user/email", "/list/*/pin"]).json(&mut document);
        let expected = json!({
            "name": "ann", "password": "***", "user": { "apiKey": "***", "email": "***", "SSN": "***" },
            "headers": [["authorization", "***"], ["accept", "json"]], "list": [{ "pin": "***" }, { "pin": "***" }]
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn secrets_of_a_text_are_hidden_to_the_end_of_their_line() {
        let mask = mask(&["ssn"], &["/user/email"]);
        for (text, expected) in [
            ("a=1&password=hunter2&b=2", "a=1&password***"),
            ("name: ann\nToken: abc\nrest", "name: ann\nToken***\nrest"),
            ("{\"ok\":1,\"api_key\" : \"k", "{\"ok\":1,\"api_key***"),
            ("<secret>x</secret>", "<secret***"),
            ("SSN=1", "SSN***"),
            ("\"email\":\"a@b.c\"", "\"email***"),
            ("the token is lost", "the token is lost"),
            ("-----BEGIN PRIVATE KEY-----\nabc\n", "***"),
            ("zoë: ünï", "zoë: ünï"),
        ] {
            assert_eq!(mask.text(text), expected, "{text}");
        }
        assert_eq!(mask.query("name=ann&&flag&x=1=2"), "name=***&***&x=***");
    }

    #[test]
    fn what_the_request_carried_is_hidden_wherever_it_turns_up() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer abc.def.ghi"),
            ("cookie", "a=1; session=\"s3cr3tvalue\""),
            ("x-api-key", "key-of-ann"),
            ("accept", "text/plain"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let secrets = mask(&[], &[]).secrets([&headers], Some("name=harmless&token=of-query"));
        let text =
            "you sent Bearer abc.def.ghi, abc.def.ghi, s3cr3tvalue, key-of-ann, of-query, harmless and text/plain";
        assert_eq!(secrets.hide(text.to_owned()), "you sent ***, ***, ***, ***, ***, harmless and text/plain");
        let fields = mask(&["accept"], &[]).fields(&headers);
        assert!(fields.iter().all(|(_, value)| value == "***"), "{fields:?}");
    }

    proptest! {
        #[test]
        fn no_listed_secret_is_left_whatever_stands_around_it(
            name in prop::sample::select(vec!["password", "accessToken", "API_KEY", "listed"]),
            before in "[a-z:,\"{} =&]{0,20}", after in "[a-z:,\"{} =&]{0,20}", tight in any::<bool>(),
        ) {
            let mask = mask(&["listed"], &[]);
            let secret = "S3CR3T-VALUE";
            let gap = if tight { "" } else { " " };
            for text in [
                format!("{before} {name}{gap}={gap}{secret}{after}"),
                format!("{before} \"{name}\"{gap}:{gap}\"{secret}\"{after}"),
                format!("{before}\n{name}:{gap}{secret}\n{after}"),
            ] {
                prop_assert!(!mask.text(&text).contains(secret), "{}", text);
            }
            let mut document = json!({ "a": [{ name: secret, "b": [[name, secret]] }], name: { "c": secret } });
            mask.json(&mut document);
            prop_assert!(!document.to_string().contains(secret), "{}", document);
        }
    }
}
