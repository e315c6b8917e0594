//! What is wrong with a configuration, said so that a person can mend it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// One step from the root of a document to a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// A key of a mapping.
    Key(String),
    /// An index of a sequence, from 0.
    Index(usize),
}

/// The way from the root of a document to a value, written `routes[2].match.path`.
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

    pub(super) fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The path one step up; `None` at the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, steps) = self.0.split_last()?;
        Some(Self(steps.to_vec()))
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// Point at the value.
    Value,
    /// Point at the key itself (an unknown word).
    Key,
}

/// One problem: where it is and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Line and column, both from 1, where they are known.
    pub position: Option<(usize, usize)>,
    /// The way to the value inside the file; empty for the file as a whole.
    pub path: ValuePath,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
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

/// Collects the problems of one file while it is read, validated and compiled.
///
/// Positions are looked up when the list is finished, so a check only has to know the path of what it checks.
#[derive(Debug, Default)]
pub struct ProblemList {
    found: Vec<Found>,
    omitted: usize,
    /// Values that could not be read and were passed over, at their places in the file.
    lost: BTreeSet<ValuePath>,
}

/// No file has this many honest mistakes; past it a list hides more than it shows, and each costs a look at the text.
pub(super) const MOST_PROBLEMS: usize = 100;

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
    /// Line and column; a text that is no YAML has no paths.
    Known(usize, usize),
}

impl ProblemList {
    /// Reports a problem with the value at `path`.
    pub fn report(&mut self, path: ValuePath, message: impl Into<String>) {
        self.report_at(path, Spot::Value, message);
    }

    /// Reports a problem with the value or the key at `path`. The same problem is kept once.
    pub fn report_at(&mut self, path: ValuePath, spot: Spot, message: impl Into<String>) {
        let path = self.in_file(path);
        self.add(Found { path, place: Place::OfPath(spot), message: message.into() });
    }

    /// Reports a problem with the text as such, at a line and column from 1.
    pub(super) fn report_in_text(&mut self, line: usize, column: usize, message: impl Into<String>) {
        let path = ValuePath::default();
        self.add(Found { path, place: Place::Known(line, column), message: message.into() });
    }

    fn add(&mut self, found: Found) {
        if self.found.len() >= MOST_PROBLEMS {
            self.omitted += 1;
        } else if !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    /// Takes note of a value that was passed over. Its problem is reported already; what follows from its absence is
    /// none of its own.
    pub(super) fn lose(&mut self, path: ValuePath) {
        self.lost.insert(path);
    }

    /// Whether the value at `path`, or something in it, was passed over when the file was read.
    #[must_use]
    pub fn is_lost(&self, path: &ValuePath) -> bool {
        let path = self.in_file(path.clone());
        self.lost.range(&path..).next().is_some_and(|lost| lost.0.starts_with(&path.0))
    }

    /// Whether the value at `path`, or an entry of it, was passed over, so that it does not say all that it should.
    pub(super) fn is_incomplete(&self, path: &ValuePath) -> bool {
        let path = self.in_file(path.clone());
        let below = self.lost.range(&path..).take_while(|lost| lost.0.starts_with(&path.0));
        below.map(|lost| lost.0.len() - path.0.len()).any(|depth| depth <= 1)
    }

    /// Whether `path` leads to a mapping that should have had the key `key` and has lost it.
    pub(super) fn has_lost_key(&self, path: &ValuePath, key: &str) -> bool {
        let path = self.in_file(path.clone());
        self.lost.contains(&path) || self.lost.contains(&path.key(key))
    }

    /// Reports that what should be at `path` is not there, unless it was passed over.
    pub(super) fn report_absence(&mut self, path: &ValuePath, message: impl Into<String>) {
        if !self.is_lost(path) {
            self.report(path.clone(), message);
        }
    }

    /// Reports that the mapping at `path` has no `key`, unless it was passed over.
    pub(super) fn report_missing(&mut self, path: &ValuePath, key: &str) {
        if !self.is_lost(&path.key(key)) {
            self.report(path.clone(), format!("`{key}` is missing"));
        }
    }

    /// Where the value at `path` is in the file: elements that were passed over count there.
    #[must_use]
    pub fn in_file(&self, path: ValuePath) -> ValuePath {
        if self.lost.is_empty() {
            return path;
        }
        let mut place = ValuePath::default();
        for step in path.0 {
            let step = match step {
                Step::Index(index) => Step::Index(self.index_in_file(&place, index)),
                key @ Step::Key(_) => key,
            };
            place.0.push(step);
        }
        place
    }

    fn index_in_file(&self, list: &ValuePath, index: usize) -> usize {
        let is_element = |lost: &&ValuePath| lost.0.len() == list.0.len() + 1;
        let below = self.lost.range(list..).take_while(|lost| lost.0.starts_with(&list.0)).filter(is_element);
        // In the order of the file, so that each moves only what stands behind it.
        below.fold(index, |index, lost| match lost.0.last() {
            Some(Step::Index(passed_over)) if *passed_over <= index => index + 1,
            _ => index,
        })
    }

    /// Whether nothing was reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many problems were reported.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len() + self.omitted
    }

    /// The problems of `file`, in the order of their places in `text`.
    #[must_use]
    pub fn finish(self, file: &Path, text: &str) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self
            .found
            .into_iter()
            .map(|Found { path, place, message }| {
                let position = match place {
                    Place::OfPath(spot) => super::locate::locate(text, &path, spot),
                    Place::Known(line, column) => Some((line, column)),
                };
                Problem { file: file.to_owned(), position, path, message }
            })
            .collect();
        problems.sort_by(|a, b| (a.position, &a.path).cmp(&(b.position, &b.path)));
        if self.omitted > 0 {
            let message =
                format!("has more than {MOST_PROBLEMS} problems; those beyond are shown once some are mended");
            problems.push(Problem { file: file.to_owned(), position: None, path: ValuePath::default(), message });
        }
        problems
    }
}

/// Says which known word an unknown one is closest to, or lists the known ones when none is close.
pub(super) fn suggest(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "nothing is known here".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// The known word that an unknown one most likely stands for.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let mut longer = known.iter().filter(|candidate| word.len() > 1 && candidate.starts_with(word));
    if let (Some(candidate), None) = (longer.next(), longer.next()) {
        return Some(candidate);
    }
    let (distance, candidate) = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= 2.max(candidate.len() / 3) && distance < candidate.len()).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_known_word_is_suggested_and_none_that_is_far() {
        assert_eq!(suggest("mehtods", &["path", "methods"]), "did you mean `methods`?");
        assert_eq!(suggest("mem", &["memory", "cpu"]), "did you mean `memory`?");
        assert_eq!(suggest("t", &["to", "tls"]), "did you mean `to`?");
        assert_eq!(suggest("xy", &["to", "cpu"]), "known here: to, cpu");
        assert_eq!(suggest("grpc", &["http", "framex"]), "known here: http, framex");
        assert_eq!(suggest("x", &[]), "nothing is known here");
    }

    #[test]
    fn problems_are_placed_where_they_are_in_the_file_whatever_was_passed_over() {
        let list = ValuePath::default().key("routes");
        let mut problems = ProblemList::default();
        for passed_over in [0, 1, 3] {
            problems.lose(list.index(passed_over));
        }
        problems.lose(list.index(2).key("match").key("hosts"));
        let in_file = |index: usize| problems.in_file(list.index(index).key("to")).to_string();
        assert_eq!([0, 1, 2].map(in_file), ["routes[2].to", "routes[4].to", "routes[5].to"]);
        assert!(problems.is_lost(&list.index(0).key("match")));
        assert!(!problems.is_lost(&list.index(0).key("to")));
        assert!(!problems.is_lost(&list.index(1)));
    }
}
