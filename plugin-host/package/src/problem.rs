//! What is wrong with a file of a package, said so that a person can mend it.

use crate::document;
use serde_json::Value;
use std::fmt;

/// One step from the root of a document to a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// A key of a mapping.
    Key(String),
    /// An index of a list, from 0.
    Index(usize),
}

/// The way from the root of a document to a value, written `requires[2].methods`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValuePath(pub Vec<Step>);

impl ValuePath {
    /// The path of `key` below this one.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Step::Key(key.into()))
    }

    /// The path of element `index` below this one.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// The path in `value` that a JSON pointer (RFC 6901) names; `0` is a key of a mapping and an index of a list.
    pub(crate) fn of_pointer(value: &Value, pointer: &str) -> Self {
        let mut at = Some(value);
        let mut steps = Vec::new();
        for word in pointer.split('/').skip(1) {
            let key = word.replace("~1", "/").replace("~0", "~");
            let (step, next) = match (at, key.parse()) {
                (Some(Value::Array(list)), Ok(index)) => (Step::Index(index), list.get(index)),
                (at, _) => (Step::Key(key.clone()), at.and_then(|at| at.get(&key))),
            };
            steps.push(step);
            at = next;
        }
        Self(steps)
    }

    /// The steps of `path` after those of this one.
    pub(crate) fn below(&self, path: &Self) -> Self {
        Self(self.0.iter().chain(&path.0).cloned().collect())
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for ValuePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

/// What a problem is about: the value at its path, or the key that leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Point at the value.
    Value,
    /// Point at the key itself (an unknown word).
    Key,
}

/// One problem: where it is and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, by its path in the package.
    pub file: String,
    /// Line and column, both from 1, where they are known.
    pub position: Option<(usize, usize)>,
    /// The way to the value inside the file; empty for the file as a whole.
    pub path: ValuePath,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        f.write_str(": ")?;
        if !self.path.0.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// No file has this many honest mistakes.
const MOST_PROBLEMS: usize = 100;
/// Bytes of text that are read again for positions, each of which costs a reading. Problems beyond have none.
const MOST_READ_AGAIN: usize = 16 << 20;

/// Collects the problems of one file while it is read and checked.
///
/// Positions are looked up when the list is finished, so a check only has to know the path of what it checks.
#[derive(Debug, Default)]
pub(crate) struct ProblemList {
    found: Vec<Found>,
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    path: ValuePath,
    place: Place,
    message: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// To be looked up by the path.
    OfPath(Spot),
    /// Line and column; a text that cannot be read has no paths.
    Known(usize, usize),
}

impl ProblemList {
    /// Reports a problem with the value at `path`.
    pub(crate) fn report(&mut self, path: ValuePath, message: impl Into<String>) {
        self.report_at(path, Spot::Value, message);
    }

    /// Reports a problem with the value or the key at `path`. The same problem is kept once.
    pub(crate) fn report_at(&mut self, path: ValuePath, spot: Spot, message: impl Into<String>) {
        self.add(Found { path, place: Place::OfPath(spot), message: message.into() });
    }

    /// Reports a problem at a line and column from 1, which the reading of the text itself found.
    pub(crate) fn report_in_text(&mut self, (line, column): (usize, usize), path: ValuePath, message: String) {
        self.add(Found { path, place: Place::Known(line, column), message });
    }

    fn add(&mut self, found: Found) {
        if self.found.len() < MOST_PROBLEMS && !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    /// Whether nothing was reported.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The problems of `file`, in the order of their places in `text`.
    pub(crate) fn finish(self, file: &str, text: &str) -> Vec<Problem> {
        let most_positions = MOST_READ_AGAIN / text.len().max(1);
        let place_of = |(index, Found { path, place, message })| {
            let position = match place {
                Place::OfPath(spot) if index < most_positions => document::locate(text, &path, spot),
                Place::OfPath(_) => None,
                Place::Known(line, column) => Some((line, column)),
            };
            Problem { file: file.to_owned(), position, path, message }
        };
        let mut problems: Vec<Problem> = self.found.into_iter().enumerate().map(place_of).collect();
        problems.sort_by(|a, b| (a.position, &a.path).cmp(&(b.position, &b.path)));
        problems
    }
}

/// Says which known word an unknown one is closest to, or lists the known ones when none is close.
pub(crate) fn suggest(word: &str, known: &[&str]) -> String {
    let mut longer = known.iter().filter(|candidate| word.len() > 1 && candidate.starts_with(word));
    if let (Some(candidate), None) = (longer.next(), longer.next()) {
        return format!("did you mean `{candidate}`?");
    }
    let nearest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, candidate)) if distance <= 2.max(candidate.len() / 3) && distance < candidate.len() => {
            format!("did you mean `{candidate}`?")
        }
        Some(_) => format!("known here: {}", known.join(", ")),
        None => "nothing is known here".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_known_word_is_suggested_and_none_that_is_far() {
        assert_eq!(suggest("nmae", &["name", "version"]), "did you mean `name`?");
        assert_eq!(suggest("mem", &["memory", "cpu"]), "did you mean `memory`?");
        assert_eq!(suggest("xy", &["cpu", "memory"]), "known here: cpu, memory");
        assert_eq!(suggest("x", &[]), "nothing is known here");
    }
}
