//! Changes the shares of one route in the text of a namespace file, and not a letter besides.

use super::locate::locate;
use super::problem::{Spot, Step, ValuePath};
use serde_yaml::{Mapping, Value};
use std::fmt::Write as _;
use std::ops::Range;

/// The shares of a route cannot be changed in its file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is not written there, or in a way that cannot be changed in place.
    #[error("`{0}` is not a plain number in the route's `to`; write `{0}: 0` there first")]
    NoPlace(String),
    /// The route goes to one, and not as a plain word.
    #[error("the route's `to` is not a plain word; write it as shares, like `{{ {0}: 100, other: 0 }}`")]
    NoWord(String),
    /// The text would say something else than it should, in the route or besides.
    #[error("the file cannot be changed without changing more than the shares; change them by hand")]
    NotAlone,
}

/// The text with other shares in the route of this index. A route `to` one alone becomes one of several.
///
/// # Errors
/// When the shares are not written in a way that can be changed in place.
pub fn edit_shares(text: &str, route: usize, shares: &[(String, u32)]) -> Result<String, EditError> {
    let to = ValuePath(vec![Step::Key("routes".to_owned()), Step::Index(route), Step::Key("to".to_owned())]);
    let before: Value = serde_yaml::from_str(text).map_err(|_error| EditError::NotAlone)?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    match before.get("routes").and_then(|routes| routes.get(route)?.get("to")) {
        Some(Value::String(word)) => {
            let place = offset_of(text, &to).and_then(|start| word_at(text, start, word));
            edits.push((place.ok_or_else(|| EditError::NoWord(word.clone()))?, flow_mapping(shares)));
        }
        written => {
            let is_written = |name: &str| written.is_some_and(|written| written.get(name).is_some());
            for (name, weight) in shares.iter().filter(|(name, weight)| *weight > 0 || is_written(name)) {
                let place = offset_of(text, &to.key(name.clone())).and_then(|start| number_at(text, start));
                let place = place.filter(|_| is_written(name)).ok_or_else(|| EditError::NoPlace(name.clone()))?;
                edits.push((place, weight.to_string()));
            }
        }
    }
    edits.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(place.start));
    let mut edited = text.to_owned();
    for (place, new) in edits {
        edited.replace_range(place, &new);
    }
    if is_as_meant(before, &edited, route, shares) { Ok(edited) } else { Err(EditError::NotAlone) }
}

/// Whether the edited text says the same as before, with other shares.
fn is_as_meant(mut before: Value, edited: &str, route: usize, shares: &[(String, u32)]) -> bool {
    let Ok(after) = serde_yaml::from_str::<Value>(edited) else { return false };
    let Some(Value::Mapping(found)) = after.get("routes").and_then(|routes| routes.get(route)?.get("to")) else {
        return false;
    };
    let has_shares = shares.iter().all(|(name, weight)| match found.get(name.as_str()) {
        Some(value) => value.as_u64() == Some(u64::from(*weight)),
        None => *weight == 0,
    });
    let is_only_these = found.len() <= shares.len();
    let found = found.clone();
    let Some(place) = before.get_mut("routes").and_then(|routes| routes.get_mut(route)?.get_mut("to")) else {
        return false;
    };
    *place = Value::Mapping(found);
    has_shares && is_only_these && before == after
}

fn flow_mapping(shares: &[(String, u32)]) -> String {
    let mut text = String::from("{");
    for (index, (name, weight)) in shares.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        // Whatever the name is, in quotes it is a text.
        let is_plain =
            serde_yaml::from_str::<Mapping>(&format!("{name}: 0")).is_ok_and(|map| map.contains_key(name.as_str()));
        let quote = if is_plain { "" } else { "\"" };
        let _ = write!(text, "{separator} {quote}{name}{quote}: {weight}");
    }
    text.push_str(" }");
    text
}

/// The byte at which a value begins.
fn offset_of(text: &str, path: &ValuePath) -> Option<usize> {
    let (line, column) = locate(text, path, Spot::Value)?;
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text[start..].char_indices().nth(column - 1)?.0;
    Some(start + rest)
}

/// A plain whole number.
fn number_at(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = &text[start..];
    let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    (length > 0 && ends_scalar(&rest[length..])).then_some(start..start + length)
}

/// A word, plain or in quotes.
fn word_at(text: &str, start: usize, word: &str) -> Option<Range<usize>> {
    let rest = &text[start..];
    let written = [word.to_owned(), format!("\"{word}\""), format!("'{word}'")];
    let length = written.iter().find(|written| rest.starts_with(written.as_str()))?.len();
    ends_scalar(&rest[length..]).then_some(start..start + length)
}

fn ends_scalar(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r', ',', '}', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, route: usize, shares: &[(&str, u32)]) -> Result<String, EditError> {
        let shares: Vec<(String, u32)> = shares.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
        edit_shares(text, route, &shares)
    }

    #[test]
    fn only_the_numbers_change() {
        for (text, expected) in [
            ("routes:\n  - to: { old: 99, new: 1 } # ünï\n", "routes:\n  - to: { old: 50, new: 50 } # ünï\n"),
            (
                "# a\nroutes: [{ match: { path: \"/ünï\" }, to: {new: 1,old: 99}, public: true }]",
                "# a\nroutes: [{ match: { path: \"/ünï\" }, to: {new: 50,old: 50}, public: true }]",
            ),
            (
                "routes:\r\n- to:\r\n    old:  99   # most\r\n    new: 1\r\n",
                "routes:\r\n- to:\r\n    old:  50   # most\r\n    new: 50\r\n",
            ),
            ("routes: [{ to: old }]", "routes: [{ to: { old: 50, new: 50 } }]"),
            ("routes:\n- to: 'old' # now\n", "routes:\n- to: { old: 50, new: 50 } # now\n"),
        ] {
            assert_eq!(edit(text, 0, &[("old", 50), ("new", 50)]).as_deref(), Ok(expected));
        }
        let two = "routes:\n- to: { a: 1, b: 1 }\n- to: { a: 1, b: 1, c: 0 }\n";
        assert_eq!(
            edit(two, 1, &[("a", 9), ("b", 1), ("c", 0)]).as_deref(),
            Ok("routes:\n- to: { a: 1, b: 1 }\n- to: { a: 9, b: 1, c: 0 }\n")
        );
        // Who has no share, as a canary, need not be written.
        assert_eq!(
            edit("routes: [{ to: { a: 1, b: 1 } }]", 0, &[("a", 2), ("b", 3), ("c", 0)]).as_deref(),
            Ok("routes: [{ to: { a: 2, b: 3 } }]")
        );
        assert_eq!(
            edit("routes: [{ to: a }]", 0, &[("a", 99), ("null", 1)]).as_deref(),
            Ok("routes: [{ to: { a: 99, \"null\": 1 } }]")
        );
    }

    #[test]
    fn what_cannot_be_changed_in_place_is_left_alone() {
        for text in [
            "routes: [{ to: { old: 99 } }]",
            "routes: [{ to: { old: 99, new: 0x1 } }]",
            "x: &w 5\nroutes: [{ to: { old: 99, new: *w } }]",
            "x: &t { old: 99, new: 1 }\nroutes: [{ to: *t }, { to: *t }]",
            "routes: []",
            "routes: [{ to: *nothing }]",
            "x: &o old\nroutes: [{ to: *o }]",
            "routes: [{ to: { old: 98, new: 1, third: 1 } }]",
        ] {
            assert!(edit(text, 0, &[("old", 50), ("new", 50)]).is_err(), "{text}");
        }
    }
}
