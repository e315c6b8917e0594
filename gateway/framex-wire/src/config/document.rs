//! The settings of a TOML document, one by one.

use super::ConfigProblem;
use super::secret::is_secret;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// A setting: a value that is no table, or a table without anything in it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Vec<String>,
    pub(super) line: usize,
    pub(super) value: Value,
    /// As an assignment, without secrets.
    pub(super) text: String,
}

impl Entry {
    pub(super) fn dotted_key(&self) -> String {
        dotted(&self.key)
    }
}

/// The settings of a document in its order.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, ConfigProblem> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(text, error.span().map_or(0, |span| span.start));
        ConfigProblem { line, key: String::new(), message: format!("is not valid TOML: {}", error.message()) }
    })?;
    let mut found = Vec::new();
    collect_table(text, table.get_ref(), &mut Vec::new(), &mut found);
    found.sort_by_key(|(start, _)| *start);
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}

fn collect_table(text: &str, table: &DeTable<'_>, path: &mut Vec<String>, found: &mut Vec<(usize, Entry)>) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        collect(text, key.span().start, value, path, found);
        path.pop();
    }
}

fn collect(
    text: &str,
    start: usize,
    value: &Spanned<DeValue<'_>>,
    path: &mut Vec<String>,
    found: &mut Vec<(usize, Entry)>,
) {
    match value.get_ref() {
        DeValue::Table(table) if !table.is_empty() => collect_table(text, table, path, found),
        DeValue::Array(list) if !list.is_empty() && list.iter().all(|element| element.get_ref().is_table()) => {
            for (index, element) in list.iter().enumerate() {
                path.push(index.to_string());
                collect(text, element.span().start, element, path, found);
                path.pop();
            }
        }
        other => {
            // The place of a table is its header.
            let source = if other.is_table() { "{}" } else { text.get(value.span()).unwrap_or("{}") };
            let shown = if is_secret(path, source) { "\"***\"" } else { source };
            let entry = Entry {
                key: path.clone(),
                line: line_of(text, start),
                value: plain(other),
                text: format!("{} = {shown}", dotted(path)),
            };
            found.push((start, entry));
        }
    }
}

fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => integer(number).map_or_else(|| Value::from(number.as_str()), Value::from),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map_or_else(|| Value::from(number.as_str()), Value::Number),
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(list) => list.iter().map(|element| plain(element.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(
            table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref()))).collect::<Map<_, _>>(),
        ),
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// A key as TOML writes it.
fn dotted(key: &[String]) -> String {
    let is_bare = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let parts =
        key.iter().map(|part| if is_bare(part) { part.clone() } else { Value::from(part.as_str()).to_string() });
    parts.collect::<Vec<_>>().join(".")
}
