//! Reads a parsed YAML value into a serde type and finds every problem on the way, not only the first.
//!
//! serde stops at its first error. Here an error names the value it is about; that value is passed over and the
//! document is read again, until what is left fits. A document with `n` wrong values is read `n + 1` times, which
//! is nothing for a configuration file and keeps `#[derive(Deserialize)]` as the only description of its shape.
//!
//! Two things differ from serde_yaml's own reading: an enum is a mapping with one key (`http: {...}`) instead of a
//! `!tag`, and unknown keys and variants are answered with the nearest known word.

use super::problem::{MOST_PROBLEMS, ProblemList, Spot, Step, ValuePath, nearest, suggest};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_yaml::{Mapping, Value};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

/// Reads `value`; reports every problem. What cannot be read is passed over where the rest means something without it;
/// the list of problems knows what was. `None` when nothing is left.
pub(super) fn read<T: DeserializeOwned>(value: &Value, problems: &mut ProblemList) -> Option<T> {
    let before = problems.len();
    let found = RefCell::new(problems);
    let mut passed_over: HashSet<ValuePath> = HashSet::new();
    loop {
        let root = Node { value, path: ValuePath::default(), passed_over: &passed_over, problems: &found };
        let error = match T::deserialize(root) {
            Ok(read) => {
                passed_over.into_iter().for_each(|path| found.borrow_mut().lose(path));
                return Some(read);
            }
            Err(error) => error,
        };
        let path = error.path.unwrap_or_default();
        // A field that is missing only because its wrong value was passed over was reported already.
        if !error.missing.as_deref().is_some_and(|field| passed_over.contains(&path.key(field))) {
            found.borrow_mut().report(path.clone(), error.message);
        }
        if found.borrow().len() - before > MOST_PROBLEMS {
            return None;
        }
        let is_root = path.0.is_empty();
        if is_root || !passed_over.insert(path) {
            return None;
        }
    }
}

/// A value that must be there. The file is not lost for want of it: whoever validates reports the absence.
#[derive(Clone, Debug)]
pub(super) struct Needed<T>(pub(super) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Needed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(NeededVisitor(PhantomData))
    }
}

struct NeededVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NeededVisitor<T> {
    type Value = Needed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    /// The key is not there.
    fn visit_none<E: de::Error>(self) -> Result<Needed<T>, E> {
        Ok(Needed(None))
    }

    /// The key is there and has no value: what the value should have been is for its own type to say.
    fn visit_unit<E: de::Error>(self) -> Result<Needed<T>, E> {
        T::deserialize(().into_deserializer()).map(|value| Needed(Some(value)))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Needed<T>, D::Error> {
        T::deserialize(deserializer).map(|value| Needed(Some(value)))
    }
}

impl<T: JsonSchema> JsonSchema for Needed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[derive(Debug)]
struct ReadError {
    path: Option<ValuePath>,
    message: String,
    missing: Option<Cow<'static, str>>,
}

impl ReadError {
    fn at(mut self, path: &ValuePath) -> Self {
        self.path.get_or_insert_with(|| path.clone());
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { path: None, message: message.to_string(), missing: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { path: None, message: format!("`{field}` is missing"), missing: Some(Cow::Borrowed(field)) }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format!("found {}, expected {}", plain_found(unexpected), plain_expected(expected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format!("{} is out of range; expected {}", plain_found(unexpected), plain_expected(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!("`{field}` is unknown here; {}", suggest(field, expected)))
    }
}

/// What was found, in the words of YAML's users.
fn plain_found(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Unit => "nothing".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        other => other.to_string(),
    }
}

/// What was expected: serde speaks of Rust's types, people of YAML's.
fn plain_expected(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a sequence" => "a list".to_owned(),
        "a map" => "a mapping".to_owned(),
        "a string" | "path string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number from 0".to_owned(),
        _ if text.starts_with("struct ") => "a mapping".to_owned(),
        _ => text,
    }
}

#[derive(Clone)]
struct Node<'a, 'p> {
    value: &'a Value,
    path: ValuePath,
    passed_over: &'a HashSet<ValuePath>,
    problems: &'a RefCell<&'p mut ProblemList>,
}

impl<'a> Node<'a, '_> {
    fn child(&self, step: Step, value: &'a Value) -> Self {
        Self { value, path: self.path.with(step), passed_over: self.passed_over, problems: self.problems }
    }

    fn is_passed_over(&self, step: Step) -> bool {
        !self.passed_over.is_empty() && self.passed_over.contains(&self.path.with(step))
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, ReadError> {
        Err(ReadError { path: Some(self.path.clone()), message: message.into(), missing: None })
    }

    fn untagged(&self) -> Result<&'a Value, ReadError> {
        match self.value {
            Value::Tagged(tagged) => self.fail(format!("the YAML tag `{}` has no meaning here; remove it", tagged.tag)),
            value => Ok(value),
        }
    }

    /// The entries of a struct: known fields go on, unknown ones are reported and left out.
    fn known_entries(&self, entries: &'a Mapping, fields: &'static [&'static str]) -> Vec<(&'a str, &'a Value)> {
        let mut known = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match key.as_str() {
                Some(key) if self.is_passed_over(Step::Key(key.to_owned())) => {}
                Some(key) if fields.contains(&key) => known.push((key, value)),
                key => {
                    let word = key.map_or_else(|| "(a key that is not text)".to_owned(), str::to_owned);
                    let message = format!("`{word}` is unknown here; {}", suggest(&word, fields));
                    let mut problems = self.problems.borrow_mut();
                    // What was meant is lost, unless it is there, too.
                    if let Some(meant) = nearest(&word, fields).filter(|meant| !entries.contains_key(*meant)) {
                        problems.lose(self.path.key(meant));
                    }
                    problems.report_at(self.path.key(word), Spot::Key, message);
                }
            }
        }
        known
    }
}

impl<'de, 'a> Deserializer<'de> for Node<'a, '_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let path = self.path.clone();
        let result = match self.untagged()? {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => self.fail("this number cannot be read"),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Sequence(elements) => visitor.visit_seq(Elements { node: self.clone(), elements, next: 0 }),
            Value::Mapping(entries) => {
                let mut pairs = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    match key.as_str() {
                        Some(key) if self.is_passed_over(Step::Key(key.to_owned())) => {}
                        Some(key) => pairs.push((key, value)),
                        None => return self.fail("every key here must be text; put it into quotes"),
                    }
                }
                visitor.visit_map(Entries { node: self.clone(), pairs, next: 0 })
            }
            Value::Tagged(_) => unreachable!("`untagged` refused it"),
        };
        result.map_err(|error| error.at(&path))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Null => {
                let path = self.path;
                visitor.visit_unit().map_err(|error: ReadError| error.at(&path))
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let path = self.path.clone();
        match self.untagged()? {
            Value::Mapping(entries) => {
                let pairs = self.known_entries(entries, fields);
                visitor.visit_map(Entries { node: self, pairs, next: 0 }).map_err(|error| error.at(&path))
            }
            // serde would read a list as the fields in the order of the Rust code.
            Value::Sequence(_) => self.fail("found a list, expected a mapping"),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let choice = match self.untagged()? {
            Value::String(word) => Choice { word, content: None, node: self.clone() },
            Value::Mapping(entries) if entries.len() == 1 => match entries.iter().next() {
                Some((Value::String(word), content)) => Choice { word, content: Some(content), node: self.clone() },
                _ => return self.fail(format!("expected one of {}", variants.join(", "))),
            },
            _ => return self.fail(format!("expected exactly one of {}", variants.join(", "))),
        };
        if !variants.contains(&choice.word) {
            return self.fail(format!("`{}` is unknown here; {}", choice.word, suggest(choice.word, variants)));
        }
        let path = self.path.clone();
        visitor.visit_enum(choice).map_err(|error| error.at(&path))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        let path = self.path.clone();
        visitor.visit_newtype_struct(self).map_err(|error| error.at(&path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

struct Elements<'a, 'p> {
    node: Node<'a, 'p>,
    elements: &'a [Value],
    next: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        while self.next < self.elements.len() && self.node.is_passed_over(Step::Index(self.next)) {
            self.next += 1;
        }
        let Some(element) = self.elements.get(self.next) else { return Ok(None) };
        let node = self.node.child(Step::Index(self.next), element);
        self.next += 1;
        let path = node.path.clone();
        seed.deserialize(node).map(Some).map_err(|error| error.at(&path))
    }
}

struct Entries<'a, 'p> {
    node: Node<'a, 'p>,
    pairs: Vec<(&'a str, &'a Value)>,
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((key, _)) = self.pairs.get(self.next) else { return Ok(None) };
        let path = self.node.path.key(*key);
        let key: StrDeserializer<'_, ReadError> = (*key).into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.at(&path))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let (key, value) = self.pairs[self.next];
        self.next += 1;
        let node = self.node.child(Step::Key(key.to_owned()), value);
        let path = node.path.clone();
        seed.deserialize(node).map_err(|error| error.at(&path))
    }
}

/// One variant of an enum: its name and what it holds.
struct Choice<'a, 'p> {
    word: &'a str,
    content: Option<&'a Value>,
    node: Node<'a, 'p>,
}

impl<'de, 'a, 'p> EnumAccess<'de> for Choice<'a, 'p> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let word: StrDeserializer<'_, ReadError> = self.word.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'a, 'p> Choice<'a, 'p> {
    fn content(self) -> Result<Node<'a, 'p>, ReadError> {
        match self.content {
            // Its content is wrong and was reported, so there is no value here either.
            Some(_) if self.node.is_passed_over(Step::Key(self.word.to_owned())) => {
                let missing = Some(Cow::Owned(self.word.to_owned()));
                Err(ReadError { path: Some(self.node.path), message: String::new(), missing })
            }
            Some(content) => Ok(self.node.child(Step::Key(self.word.to_owned()), content)),
            None => self.node.fail(format!("`{}` needs a value: write `{}: ...`", self.word, self.word)),
        }
    }
}

impl<'de> VariantAccess<'de> for Choice<'_, '_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.content {
            None | Some(Value::Null) => Ok(()),
            Some(_) => self.node.fail(format!("`{}` takes no value", self.word)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        let node = self.content()?;
        let path = node.path.clone();
        seed.deserialize(node).map_err(|error| error.at(&path))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.content()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.content()?.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    struct File {
        name: String,
        #[serde(default)]
        items: Vec<Item>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Item {
        path: String,
        size: Option<u32>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Sized(Item),
    }

    fn problems_of(text: &str) -> Vec<String> {
        let mut problems = ProblemList::default();
        let read: Option<File> = read(&serde_yaml::from_str(text).expect("valid YAML"), &mut problems);
        assert!(read.is_some() || !problems.is_empty());
        problems.finish(std::path::Path::new("f"), text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_problem_of_a_file_is_found_in_one_go() {
        let text = "nmae: x\nitems:\n- path: [1]\n  size: big\n- size: 3\n- path: ok\n  sise: 1\nkind: plian\n";
        assert_eq!(
            problems_of(text),
            [
                "f:1:1: `name` is missing",
                "f:1:1: nmae: `nmae` is unknown here; did you mean `name`?",
                "f:3:9: items[0].path: found a list, expected text",
                "f:4:9: items[0].size: found the text \"big\", expected a whole number from 0 to 4294967295",
                "f:5:3: items[1]: `path` is missing",
                "f:7:3: items[2].sise: `sise` is unknown here; did you mean `size`?",
                "f:8:7: kind: `plian` is unknown here; did you mean `plain`?",
            ]
        );
    }

    #[test]
    fn an_enum_is_a_word_or_a_mapping_with_one_key() {
        assert_eq!(problems_of("name: a\nkind: plain\n"), [""; 0]);
        assert_eq!(problems_of("name: a\nkind: { sized: { path: b } }\n"), [""; 0]);
        assert_eq!(problems_of("name: a\nkind: { sized: { path: 1 } }\n").len(), 1);
        assert_eq!(problems_of("name: a\nkind: { sized: {path: a}, plain: 1 }\n").len(), 1);
    }

    #[test]
    fn what_is_wrong_inside_an_enum_hides_nothing_behind_it() {
        assert_eq!(
            problems_of("kind: { sized: { size: 1 } }\nitems: [{ path: [] }]\nname: a\n"),
            ["f:1:16: kind.sized: `path` is missing", "f:2:17: items[0].path: found a list, expected text",]
        );
    }

    #[test]
    fn what_is_right_beside_a_problem_is_kept_and_knows_its_place() {
        let text = "name: a\nitem: []\nitems:\n- size: 1\n- path: p\n  size: big\nkind: 5\nmore: 1\n";
        let mut problems = ProblemList::default();
        let read: Option<File> = read(&serde_yaml::from_str(text).expect("valid YAML"), &mut problems);
        let items = vec![Item { path: "p".to_owned(), size: None }];
        assert_eq!(read, Some(File { name: "a".to_owned(), items, kind: None }));
        let root = ValuePath::default();
        let items = root.key("items");
        assert_eq!(problems.in_file(items.index(0)), items.index(1));
        for lost in [items.clone(), items.index(0).key("size"), root.key("kind")] {
            assert!(problems.is_lost(&lost), "{lost}");
        }
        assert!(!problems.is_lost(&root.key("name")));
    }

    #[test]
    fn yaml_tags_are_refused_not_guessed() {
        assert_eq!(
            problems_of("name: !secret x\n"),
            ["f:1:7: name: the YAML tag `!secret` has no meaning here; remove it"]
        );
    }
}
