//! JSON pointers in which `*` stands for any key or index.

use std::fmt;

/// A JSON pointer (RFC 6901) in which a step that is `*` stands for any key or index; the empty one is the whole document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Any,
    Named(String),
}

/// A text is no JSON pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no JSON pointer: it starts with `/`, `*` stands for any key or index, and in a name `~0` stands for `~` and `~1` for `/`, like `/items/*/updated`"
)]
pub struct PatternError;

impl Pattern {
    /// Reads a pointer.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let Some(rest) = text.strip_prefix('/') else {
            return if text.is_empty() { Ok(Self(Vec::new())) } else { Err(PatternError) };
        };
        if !text.split('~').skip(1).all(|after| after.starts_with(['0', '1'])) {
            return Err(PatternError);
        }
        let step = |step: &str| match step {
            "*" => Step::Any,
            name => Step::Named(name.replace("~1", "/").replace("~0", "~")),
        };
        Ok(Self(rest.split('/').map(step).collect()))
    }

    /// Whether it leads to the place that these steps lead to.
    #[must_use]
    pub fn fits(&self, place: &[String]) -> bool {
        let fits = |(step, name): (&Step, &String)| match step {
            Step::Any => true,
            Step::Named(named) => named == name,
        };
        self.0.len() == place.len() && self.0.iter().zip(place).all(fits)
    }

    /// The last step that has a name and is no index: the word that a text would use for the place.
    #[must_use]
    pub fn last_name(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Named(name) if !name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit()) => Some(&**name),
            Step::Any | Step::Named(_) => None,
        })
    }

    /// Whether it leads to the whole document.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Any => f.write_str("/*"),
            Step::Named(name) => write!(f, "/{}", escaped(name)),
        })
    }
}

/// The pointer to a place.
pub(super) fn pointer_to(place: &[String]) -> String {
    place.iter().map(|step| format!("/{}", escaped(step))).collect()
}

fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_step() {
        let place = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>();
        for (pattern, steps, expected) in [
            ("/a/*/c", &["a", "0", "c"][..], true),
            ("/a/*/c", &["a", "c"], false),
            ("/a~1b/~0", &["a/b", "~"], true),
            ("", &[], true),
            ("/*", &["x"], true),
            ("/*", &[], false),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.fits(&place(steps)), expected, "{pattern} {steps:?}");
            assert_eq!(parsed.to_string(), pattern);
        }
        assert_eq!(Pattern::parse("/users/*/0").unwrap().last_name(), Some("users"));
        assert_eq!(pointer_to(&place(&["a/b", "~"])), "/a~1b/~0");
        for wrong in ["a", "/~2", "*/a"] {
            assert_eq!(Pattern::parse(wrong), Err(PatternError), "{wrong}");
        }
    }
}
