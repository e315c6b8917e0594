//! What was left out of a document, and why.

use std::fmt;

/// One thing that was left out or changed, because it could not be used as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where: a JSON pointer (RFC 6901) into the document, `/paths/~1items/get`.
    pub place: String,
    /// What was wrong, and what was done.
    pub reason: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// A person reads no more.
const MOST_NOTES: usize = 200;

/// Collects the notes of one document.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    kept: Vec<Note>,
    more: usize,
}

impl Notes {
    pub(crate) fn add(&mut self, place: &Place<'_>, reason: impl Into<String>) {
        if self.kept.len() < MOST_NOTES {
            self.kept.push(Note { place: place.pointer(), reason: reason.into() });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Note> {
        if self.more > 0 {
            self.kept.push(Note { place: String::new(), reason: format!("{} more of the kind", self.more) });
        }
        self.kept
    }
}

/// The way from the root of a document to a value; made into text only when someone asks.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    above: Option<&'p Self>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    pub(crate) fn root(key: &'p str) -> Self {
        Self { above: None, step: Step::Key(key) }
    }

    pub(crate) fn key<'q>(&'q self, key: &'q str) -> Place<'q> {
        Place { above: Some(self), step: Step::Key(key) }
    }

    pub(crate) fn index(&self, index: usize) -> Place<'_> {
        Place { above: Some(self), step: Step::Index(index) }
    }

    fn pointer(&self) -> String {
        let mut steps = vec![self.step];
        let mut above = self.above;
        while let Some(place) = above {
            steps.push(place.step);
            above = place.above;
        }
        let mut text = String::new();
        for step in steps.iter().rev() {
            text.push('/');
            match step {
                Step::Key(key) => text.push_str(&pointer_token(key)),
                Step::Index(index) => text.push_str(&index.to_string()),
            }
        }
        text
    }
}

/// `key` as a JSON pointer writes it.
pub(crate) fn pointer_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_json_pointer() {
        let paths = Place::root("paths");
        let path = paths.key("/a~b");
        assert_eq!(path.index(2).pointer(), "/paths/~1a~0b/2");
    }

    #[test]
    fn no_more_notes_are_kept_than_a_person_reads() {
        let mut notes = Notes::default();
        (0..500).for_each(|_| notes.add(&Place::root("paths"), "is wrong"));
        let notes = notes.finish();
        assert_eq!(notes.len(), MOST_NOTES + 1);
        assert_eq!(notes[MOST_NOTES].reason, "300 more of the kind");
    }
}
