//! Two JSON documents compared as values: the order of keys does not matter, nor how a number is written, nor what the rules say.

use super::pointer::{Pattern, pointer_to};
use serde_json::{Number, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct JsonRules {
    /// Places that are not looked at.
    pub(super) ignore: Vec<Pattern>,
    /// Arrays whose order does not matter.
    pub(super) unordered: Vec<Pattern>,
}

/// A place where two documents differ, with what is there on either side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JsonPlace {
    pub(super) pointer: String,
    pub(super) one: Option<Value>,
    pub(super) two: Option<Value>,
}

/// A document, and the same as people may see it: values hidden, nothing added or removed but below what is hidden.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) value: &'a Value,
    pub(super) shown: &'a Value,
}

impl<'a> Seen<'a> {
    fn key(self, key: &str) -> Option<Self> {
        let value = self.value.get(key)?;
        Some(Self { value, shown: self.shown.get(key).unwrap_or(self.shown) })
    }

    fn index(self, index: usize) -> Option<Self> {
        let value = self.value.get(index)?;
        Some(Self { value, shown: self.shown.get(index).unwrap_or(self.shown) })
    }
}

impl JsonRules {
    /// Whether two documents are the same as far as it matters.
    pub(super) fn are_same(&self, one: &Value, two: &Value) -> bool {
        self.canonical(one, &mut Vec::new()) == self.canonical(two, &mut Vec::new())
    }

    /// Where two documents differ, `most` places at most.
    pub(super) fn differences(&self, one: Seen<'_>, two: Seen<'_>, most: usize) -> Vec<JsonPlace> {
        let mut found = Found { places: Vec::new(), most };
        self.walk(Some(one), Some(two), &mut Vec::new(), &mut found);
        found.places
    }

    fn walk(&self, one: Option<Seen<'_>>, two: Option<Seen<'_>>, at: &mut Vec<String>, found: &mut Found) {
        if found.is_full() || self.is_ignored(at) {
            return;
        }
        match (one, two) {
            (Some(one), Some(two)) => match (one.value, two.value) {
                (Value::Object(left), Value::Object(right)) => {
                    let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
                    for key in keys {
                        at.push(key.clone());
                        self.walk(one.key(key), two.key(key), at, found);
                        at.pop();
                    }
                }
                (Value::Array(_), Value::Array(_)) if self.is_unordered(at) => self.match_up(one, two, at, found),
                (Value::Array(left), Value::Array(right)) => {
                    for index in 0..left.len().max(right.len()) {
                        if found.is_full() {
                            return;
                        }
                        at.push(index.to_string());
                        self.walk(one.index(index), two.index(index), at, found);
                        at.pop();
                    }
                }
                (left, right) => {
                    if self.canonical(left, at) != self.canonical(right, at) {
                        found.add(at, Some(one.shown.clone()), Some(two.shown.clone()));
                    }
                }
            },
            (one, two) => found.add(at, one.map(|one| one.shown.clone()), two.map(|two| two.shown.clone())),
        }
    }

    /// Finds the elements of either array that have no counterpart in the other.
    fn match_up(&self, one: Seen<'_>, two: Seen<'_>, at: &mut Vec<String>, found: &mut Found) {
        let (left, right) = (self.elements(one, at), self.elements(two, at));
        let mut open: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for (text, shown) in &right {
            open.entry(text).or_default().push(shown);
        }
        let mut only_one = Vec::new();
        for (text, shown) in &left {
            if open.get_mut(text.as_str()).and_then(Vec::pop).is_none() {
                only_one.push((*shown).clone());
            }
        }
        let only_two: Vec<Value> = open.into_values().flatten().cloned().collect();
        if !only_one.is_empty() || !only_two.is_empty() {
            found.add(at, Some(Value::Array(only_one)), Some(Value::Array(only_two)));
        }
    }

    /// The elements of an array that matter, each as its canonical text and as people may see it.
    fn elements<'a>(&self, array: Seen<'a>, at: &mut Vec<String>) -> Vec<(String, &'a Value)> {
        let length = array.value.as_array().map_or(0, Vec::len);
        let mut elements = Vec::with_capacity(length);
        for index in 0..length {
            at.push(index.to_string());
            if let Some(element) = array.index(index).filter(|_| !self.is_ignored(at)) {
                elements.push((self.canonical(element.value, at), element.shown));
            }
            at.pop();
        }
        elements
    }

    /// A text that is the same for documents that are the same as far as it matters.
    fn canonical(&self, value: &Value, at: &mut Vec<String>) -> String {
        let mut text = String::new();
        self.write_canonical(value, at, &mut text);
        text
    }

    fn write_canonical(&self, value: &Value, at: &mut Vec<String>, text: &mut String) {
        match value {
            _ if self.is_ignored(at) => {}
            Value::Null => text.push_str("null"),
            Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            Value::Number(number) => text.push_str(&canonical_number(number)),
            Value::String(value) => write_string(value, text),
            Value::Array(elements) => {
                let mut texts = Vec::with_capacity(elements.len());
                for (index, element) in elements.iter().enumerate() {
                    at.push(index.to_string());
                    if !self.is_ignored(at) {
                        texts.push(self.canonical(element, at));
                    }
                    at.pop();
                }
                if self.is_unordered(at) {
                    texts.sort_unstable();
                }
                text.push('[');
                for element in texts {
                    text.push_str(&element);
                    text.push(',');
                }
                text.push(']');
            }
            Value::Object(members) => {
                let mut members: Vec<(&String, &Value)> = members.iter().collect();
                members.sort_unstable_by_key(|(key, _)| *key);
                text.push('{');
                for (key, value) in members {
                    at.push(key.clone());
                    if !self.is_ignored(at) {
                        write_string(key, text);
                        text.push(':');
                        self.write_canonical(value, at, text);
                        text.push(',');
                    }
                    at.pop();
                }
                text.push('}');
            }
        }
    }

    fn is_ignored(&self, at: &[String]) -> bool {
        self.ignore.iter().any(|pattern| pattern.fits(at))
    }

    fn is_unordered(&self, at: &[String]) -> bool {
        self.unordered.iter().any(|pattern| pattern.fits(at))
    }
}

struct Found {
    places: Vec<JsonPlace>,
    most: usize,
}

impl Found {
    fn is_full(&self) -> bool {
        self.places.len() >= self.most
    }

    fn add(&mut self, at: &[String], one: Option<Value>, two: Option<Value>) {
        self.places.push(JsonPlace { pointer: pointer_to(at), one, two });
    }
}

fn write_string(value: &str, text: &mut String) {
    // A JSON string, which no other value looks like.
    text.push_str(&Value::from(value).to_string());
}

/// 1, 1.0 and 1e0 are one number (RFC 8259 leaves that to the reader; every reader of JavaScript's numbers does so).
fn canonical_number(number: &Number) -> String {
    // Whole numbers up to here are exact in an f64 and in an i128.
    const LARGEST: f64 = 18_446_744_073_709_551_616.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= LARGEST => (float as i128).to_string(),
        Some(float) if number.is_f64() => format!("{float:?}"),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn rules(ignore: &[&str], unordered: &[&str]) -> JsonRules {
        let parse = |list: &[&str]| list.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        JsonRules { ignore: parse(ignore), unordered: parse(unordered) }
    }

    fn differences(rules: &JsonRules, one: &Value, two: &Value) -> Vec<String> {
        let seen = |value| Seen { value, shown: value };
        let show = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
        let places = rules.differences(seen(one), seen(two), 100);
        assert_eq!(places.is_empty(), rules.are_same(one, two), "{one} {two}");
        places.into_iter().map(|place| format!("{}: {} {}", place.pointer, show(place.one), show(place.two))).collect()
    }

    #[test]
    fn documents_are_compared_as_values() {
        let none = rules(&[], &[]);
        for (one, two, expected) in [
            (json!({ "a": 1, "b": [1, 2] }), json!({ "b": [1.0, 2e0], "a": 1.0 }), &[][..]),
            (json!(0), json!(-0.0), &[]),
            (
                json!(18_446_744_073_709_551_615_u64),
                json!(18_446_744_073_709_551_614_u64),
                &[": 18446744073709551615 18446744073709551614"],
            ),
            (json!(1e300), json!(1e300), &[]),
            (json!("1"), json!(1), &[": \"1\" 1"]),
            (json!(null), json!({}), &[": null {}"]),
            (json!({ "a": null }), json!({}), &["/a: null -"]),
            (json!([1, 2, 3]), json!([1, 3]), &["/1: 2 3", "/2: 3 -"]),
            (json!({ "a/b": { "~": 1 } }), json!({ "a/b": { "~": 2 } }), &["/a~1b/~0: 1 2"]),
        ] {
            assert_eq!(differences(&none, &one, &two), expected, "{one} {two}");
        }
    }

    #[test]
    fn what_is_ignored_and_what_has_no_order_makes_no_difference() {
        let some = rules(&["/time", "/items/*/id"], &["/items", "/tags", "/items/*/parts"]);
        let one =
            json!({ "time": 1, "tags": ["a", "b", "a"], "items": [{ "id": 1, "parts": [1, 2] }, { "id": 2, "n": 1 }] });
        let two = json!({ "tags": ["b", "a", "a"], "items": [{ "id": 9, "n": 1.0 }, { "parts": [2, 1] }] });
        assert_eq!(differences(&some, &one, &two), [""; 0]);
        let three = json!({ "tags": ["b", "b", "a"], "items": [{ "n": 1 }] });
        let expected = [r#"/items: [{"id":1,"parts":[1,2]}] []"#, r#"/tags: ["a"] ["b"]"#];
        assert_eq!(differences(&some, &one, &three), expected);
        assert_eq!(differences(&rules(&[], &[""]), &json!([1, 2]), &json!([2, 1])), [""; 0]);
        assert_eq!(differences(&rules(&["/*"], &[]), &json!([1]), &json!([2, 3])), [""; 0]);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3_i64..3).prop_map(Value::from),
            (-2.0_f64..2.0).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[abc]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The same document in another order and with other values where they are ignored.
    fn disguise(value: &Value, rules: &JsonRules, at: &mut Vec<String>) -> Value {
        let deeper = |step: String, value: &Value, at: &mut Vec<String>| {
            at.push(step);
            let there = if rules.is_ignored(at) { json!("ignored") } else { disguise(value, rules, at) };
            at.pop();
            there
        };
        match value {
            Value::Object(members) => {
                let members: Vec<_> =
                    members.iter().rev().map(|(key, value)| (key.clone(), deeper(key.clone(), value, at))).collect();
                Value::Object(members.into_iter().collect())
            }
            Value::Array(elements) => {
                let is_unordered = rules.is_unordered(at);
                let mut elements: Vec<Value> =
                    elements.iter().enumerate().map(|(index, value)| deeper(index.to_string(), value, at)).collect();
                if is_unordered {
                    elements.reverse();
                }
                Value::Array(elements)
            }
            Value::Number(number) if number.as_i64().is_some() => json!(number.as_f64()),
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn a_document_never_differs_from_itself_in_disguise(document in value()) {
            // Indices mean nothing in arrays without order, so what is ignored goes by keys and stars.
            let some = rules(&["/a/b", "/*/c"], &["", "/a", "/b/*", "/*/a"]);
            let other = disguise(&document, &some, &mut Vec::new());
            prop_assert!(some.are_same(&document, &other), "{document} {other}");
            prop_assert!(differences(&some, &document, &other).is_empty());
        }

        #[test]
        fn a_list_of_places_is_empty_exactly_when_documents_are_the_same(one in value(), two in value()) {
            for rules in [rules(&[], &[]), rules(&["/a", "/*/b"], &["", "/c"])] {
                let _ = differences(&rules, &one, &two);
                let _ = differences(&rules, &two, &one);
            }
        }
    }
}
