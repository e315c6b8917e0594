//! Reads JSON that Python reads in the same way, and no more of it than was agreed.

use super::field::FieldError;
use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::fmt;

/// serde_json refuses more than 127 levels by itself, with an error that cannot be told from a wrong letter.
pub(super) const DEEPEST: usize = 100;

#[derive(Debug)]
pub(super) enum JsonProblem {
    NotJson,
    Refused(FieldError),
}

pub(super) fn parse(text: &str, depth: usize, values: usize) -> Result<Value, JsonProblem> {
    let text = without_python_numbers(text);
    let mut walk = Walk { room: values, bounds: (depth.min(DEEPEST), values), refused: None };
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let value = Node { walk: &mut walk, depth: 0 }.deserialize(&mut deserializer);
    match (value.and_then(|value| deserializer.end().map(|()| value)), walk.refused) {
        (_, Some(error)) => Err(JsonProblem::Refused(error)),
        (Ok(value), None) => Ok(value),
        (Err(_syntax), None) => Err(JsonProblem::NotJson),
    }
}

/// Python writes and reads three numbers that JSON has not. In their places comes `null`.
fn without_python_numbers(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if memmem::find(bytes, b"NaN").is_none() && memmem::find(bytes, b"Infinity").is_none() {
        return Cow::Borrowed(text);
    }
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        let (outside, string) = rest.split_at(quote);
        push_replaced(outside, &mut replaced);
        let (string, after) = string.split_at(string_length(string));
        replaced.push_str(string);
        rest = after;
    }
    push_replaced(rest, &mut replaced);
    Cow::Owned(replaced)
}

fn push_replaced(outside: &str, replaced: &mut String) {
    let null = ["-Infinity", "Infinity", "NaN"].iter().fold(Cow::Borrowed(outside), |text, number| {
        if text.contains(number) { Cow::Owned(text.replace(number, "null")) } else { text }
    });
    replaced.push_str(&null);
}

/// Length of the string that a text begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'"' => return index + 1,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    text.len()
}

struct Walk {
    /// How many values may come yet.
    room: usize,
    bounds: (usize, usize),
    refused: Option<FieldError>,
}

impl Walk {
    fn refuse<T, E: Error>(&mut self, error: FieldError) -> Result<T, E> {
        self.refused = Some(error);
        Err(E::custom("refused"))
    }
}

struct Node<'w> {
    walk: &'w mut Walk,
    depth: usize,
}

impl Node<'_> {
    fn enter<E: Error>(&mut self) -> Result<(), E> {
        match self.walk.room.checked_sub(1) {
            Some(room) => self.walk.room = room,
            None => return self.walk.refuse(FieldError::TooManyValues { limit: self.walk.bounds.1 }),
        }
        Ok(())
    }

    fn descend<E: Error>(&mut self) -> Result<(), E> {
        self.enter()?;
        self.depth += 1;
        let limit = self.walk.bounds.0;
        if self.depth > limit { self.walk.refuse(FieldError::TooDeep { limit }) } else { Ok(()) }
    }

    fn below(&mut self) -> Node<'_> {
        Node { walk: self.walk, depth: self.depth }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(mut self) -> Result<Value, E> {
        self.enter().map(|()| Value::Null)
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<Value, E> {
        self.enter().map(|()| Value::Bool(value))
    }

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<Value, E> {
        self.enter().map(|()| number.into())
    }

    fn visit_i64<E: Error>(mut self, number: i64) -> Result<Value, E> {
        self.enter().map(|()| number.into())
    }

    fn visit_f64<E: Error>(mut self, number: f64) -> Result<Value, E> {
        self.enter().map(|()| Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<Value, E> {
        self.enter().map(|()| text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        self.descend()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self.below())? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        self.descend()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            // Python takes the last of them, others the first.
            if map.contains_key(&key) {
                return self.walk.refuse(FieldError::DuplicateKey(key));
            }
            let value = entries.next_value_seed(self.below())?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
