//! Reads the text of a YAML or JSON file of a package, and finds where in it a value stands.
//!
//! What a package says is JSON's data model, written as YAML (of which JSON is a part): every key is text, there are no
//! tags, and no key stands twice. A text that grows beyond measure by repeating an anchor is refused.
//!
//! serde_yaml keeps no positions in its values, but adds one to every error that a visitor raises. So the same walk
//! that reads a text finds a place in it: it goes to the path and fails on purpose. That happens once per problem.

use crate::problem::{ProblemList, Spot, Step, ValuePath};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Largest text of a document, in bytes: far more than a description of an API is.
pub(crate) const LARGEST_TEXT: usize = 1 << 20;
/// Values and bytes of text that a document may hold once its anchors are repeated: more than a text of [`LARGEST_TEXT`] says
/// without anchors, far less than what a few lines of anchors of anchors can grow to.
const LARGEST_CONTENT: usize = 4 << 20;

/// Reads `text`. `None` when it cannot be read; the reason is reported then.
pub(crate) fn read(text: &str, problems: &mut ProblemList) -> Option<Value> {
    let mut walk = Walk { room: LARGEST_CONTENT, ..Walk::default() };
    let error = match (Node { walk: &mut walk }).deserialize(serde_yaml::Deserializer::from_str(text)) {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let position = error.location().map(|location| (location.line(), location.column()));
    let (path, message) = match walk.refused {
        Some(message) => (ValuePath(walk.path), message),
        None => (ValuePath::default(), format!("is not valid YAML: {}", without_position(&error))),
    };
    match position {
        Some(position) => problems.report_in_text(position, path, message),
        None => problems.report(path, message),
    }
    None
}

/// Line and column, from 1, of the value (or its key) at `path`; of its nearest known parent when it is not there.
pub(crate) fn locate(text: &str, path: &ValuePath, spot: Spot) -> Option<(usize, usize)> {
    let mut steps = path.0.as_slice();
    let mut spot = spot;
    loop {
        let mut walk = Walk { room: LARGEST_CONTENT, stop: Some((steps, spot)), ..Walk::default() };
        let outcome = (Node { walk: &mut walk }).deserialize(serde_yaml::Deserializer::from_str(text));
        if let Some(location) = outcome.err().filter(|_| walk.is_there).and_then(|error| error.location()) {
            return Some((location.line(), location.column()));
        }
        (_, steps) = steps.split_last()?;
        spot = Spot::Value;
    }
}

fn without_position(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    match error.location() {
        Some(location) => text.replacen(&format!(" at line {} column {}", location.line(), location.column()), "", 1),
        None => text,
    }
}

/// A walk through a document: where it is, what is left of its bound, and where it is to stop.
#[derive(Default)]
struct Walk<'w> {
    path: Vec<Step>,
    room: usize,
    stop: Option<(&'w [Step], Spot)>,
    /// Whether the walk ended at the place it was to stop at.
    is_there: bool,
    /// Why the walk ended before the end of the document.
    refused: Option<String>,
}

impl Walk<'_> {
    fn refuse<T, E: Error>(&mut self, message: impl Into<String>) -> Result<T, E> {
        self.refused = Some(message.into());
        Err(E::custom("refused"))
    }

    fn stop_at<E: Error>(&mut self, spot: Spot) -> Result<(), E> {
        if self.stop == Some((self.path.as_slice(), spot)) {
            self.is_there = true;
            return Err(E::custom("found"));
        }
        Ok(())
    }

    /// Comes to a value of so many bytes of text.
    fn enter<E: Error>(&mut self, text: usize) -> Result<(), E> {
        self.stop_at(Spot::Value)?;
        match self.room.checked_sub(1 + text) {
            Some(room) => self.room = room,
            None => return self.refuse("holds too much once its anchors are repeated"),
        }
        Ok(())
    }
}

/// Reads one value.
struct Node<'a, 'w> {
    walk: &'a mut Walk<'w>,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has too")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.walk.enter(0)?;
        Ok(Value::Null)
    }

    // What serde_yaml says of an empty text.
    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.walk.enter(0)?;
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.walk.enter(0)?;
        Ok(number.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        self.walk.enter(0)?;
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        self.walk.enter(0)?;
        match Number::from_f64(number) {
            Some(number) => Ok(Value::Number(number)),
            None => self.walk.refuse("is no number that JSON has"),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.walk.enter(text.len())?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        self.walk.enter(0)?;
        let mut list = Vec::new();
        loop {
            self.walk.path.push(Step::Index(list.len()));
            let element = elements.next_element_seed(Node { walk: self.walk })?;
            self.walk.path.pop();
            match element {
                Some(element) => list.push(element),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.walk.enter(0)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(Key { walk: self.walk, known: &map })? {
            let value = entries.next_value_seed(Node { walk: self.walk })?;
            self.walk.path.pop();
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        self.walk.enter(0)?;
        self.walk.refuse("YAML tags have no meaning here; remove it")
    }
}

/// Reads a key and adds it to the path of the walk.
struct Key<'a, 'w> {
    walk: &'a mut Walk<'w>,
    known: &'a Map<String, Value>,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        self.walk.path.push(Step::Key(key.to_owned()));
        self.walk.stop_at(Spot::Key)?;
        if self.known.contains_key(key) {
            return self.walk.refuse("stands here twice");
        }
        match self.walk.room.checked_sub(key.len()) {
            Some(room) => self.walk.room = room,
            None => return self.walk.refuse("holds too much once its anchors are repeated"),
        }
        Ok(key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems_of(text: &str) -> Vec<String> {
        let mut problems = ProblemList::default();
        assert_eq!(read(text, &mut problems).is_none(), !problems.is_empty(), "{text}");
        problems.finish("f", text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn yaml_and_json_are_read_and_every_key_is_text() {
        let mut problems = ProblemList::default();
        let value = read("a: [1, -2, 1.5, x, null, true]\n200: &x {b: c}\nd: *x\n", &mut problems);
        assert_eq!(value, Some(json!({ "a": [1, -2, 1.5, "x", null, true], "200": { "b": "c" }, "d": { "b": "c" } })));
        assert_eq!(read("", &mut problems), Some(Value::Null));
        assert_eq!(read("{\"a\": {\"b\": [1]}}", &mut problems), Some(json!({ "a": { "b": [1] } })));
    }

    #[test]
    fn what_json_has_not_is_refused_at_its_place() {
        assert_eq!(problems_of("a: 1\nb: !secret x\n"), ["f:2:4: b: YAML tags have no meaning here; remove it"]);
        assert_eq!(problems_of("a:\n  b: 1\n  b: 2\n"), ["f:3:3: a.b: stands here twice"]);
        assert_eq!(problems_of("a: [.nan]\n"), ["f:1:5: a[0]: is no number that JSON has"]);
        assert_eq!(problems_of("a: [1\nb: 2\n").len(), 1);
    }

    #[test]
    fn a_few_lines_that_would_fill_the_memory_are_refused() {
        let text = format!("a: &a [{}]\nb: [{}]\n", "xxxxxxxx,".repeat(2_000), "*a,".repeat(2_000));
        assert_eq!(
            problems_of(&text).iter().map(|p| p.split(": ").last().map(str::to_owned)).collect::<Vec<_>>(),
            [Some("holds too much once its anchors are repeated".to_owned())]
        );
    }

    #[test]
    fn a_value_and_its_key_are_found_at_their_own_places_and_what_is_missing_at_its_parent() {
        let text = "name: a\nroutes:\n  - match: { path: /x }\n    to: y\n  - to: [1, 2]\nplain:\n";
        let root = ValuePath::default();
        let path = root.key("routes").index(0).key("match").key("path");
        for (path, spot, place) in [
            (root.key("name"), Spot::Value, (1, 7)),
            (root.key("name"), Spot::Key, (1, 1)),
            (path.clone(), Spot::Value, (3, 20)),
            (path, Spot::Key, (3, 14)),
            (root.key("routes").index(1).key("to").index(1), Spot::Value, (5, 13)),
            (root.key("routes").index(1).key("match"), Spot::Value, (5, 5)),
            (root.key("nothing").key("below"), Spot::Value, (1, 1)),
        ] {
            assert_eq!(locate(text, &path, spot), Some(place), "{path}");
        }
    }
}
