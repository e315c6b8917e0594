//! Which of a document's paths are wanted.

use std::fmt;

/// A pattern for a whole path: `*` is any text, slashes too, and `?` is one character. Letter case counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl Glob {
    /// The pattern that `text` writes. Every text is one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern describes all of `path`.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        // Only the last star can need another try, because what stands before it matched as early as it could.
        let (mut pattern, mut text) = (self.0.chars(), path.chars());
        let mut last_star = None;
        loop {
            let text_here = text.clone();
            match (pattern.next(), text.next()) {
                (Some('*'), _) => {
                    last_star = Some((pattern.clone(), text_here.clone()));
                    text = text_here;
                }
                (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {}
                (None, None) => return true,
                _ => {
                    let Some((after_star, mut taken)) = last_star else { return false };
                    if taken.next().is_none() {
                        return false;
                    }
                    last_star = Some((after_star.clone(), taken.clone()));
                    (pattern, text) = (after_star, taken);
                }
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The paths that are wanted: those that a pattern of `enable` matches and none of `disable` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What is wanted. All, unless said otherwise; nothing, if empty.
    pub enable: Vec<Glob>,
    /// What is not wanted, whatever `enable` says.
    pub disable: Vec<Glob>,
}

impl Default for Selection {
    fn default() -> Self {
        Self { enable: vec![Glob::new("*")], disable: Vec::new() }
    }
}

impl Selection {
    /// What matches one of `enable`, which is all if nothing is said, and none of `disable`.
    #[must_use]
    pub fn new(enable: Option<&[String]>, disable: &[String]) -> Self {
        let globs = |texts: &[String]| texts.iter().map(Glob::new).collect();
        let all = Self::default().enable;
        Self { enable: enable.map_or(all, globs), disable: globs(disable) }
    }

    /// Whether `path` is wanted.
    #[must_use]
    pub fn takes(&self, path: &str) -> bool {
        let matches = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(path));
        matches(&self.enable) && !matches(&self.disable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, path, wanted) in [
            ("*", "", true),
            ("/*", "/", true),
            ("/*", "/a/b", true),
            ("/api/v1/*", "/api/v1/a/b", true),
            ("/api/v1/*", "/api/v1", false),
            ("/a?c", "/abc", true),
            ("/a?c", "/ac", false),
            ("/a?c", "/aéc", true),
            ("*/items/*", "/x/items/y/items/z", true),
            ("*b", "/abab", true),
            ("*b", "/aba", false),
            ("/a*b*c", "/axxbyybzzc", true),
            ("/A", "/a", false),
            ("", "", true),
            ("", "/", false),
            ("**", "/a", true),
            ("/items/{id}", "/items/{id}", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(path), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_decided_at_once() {
        let pattern = Glob::new("*a".repeat(200));
        assert!(!pattern.matches(&"a".repeat(199)));
        assert!(!pattern.matches(&"ab".repeat(20_000)));
    }

    #[test]
    fn everything_is_wanted_unless_said_otherwise_and_disable_has_the_last_word() {
        assert!(Selection::default().takes("/any"));
        let some = Selection::new(Some(&["/api/*".to_owned(), "/v1/*".to_owned()]), &["/api/internal/*".to_owned()]);
        assert!(some.takes("/api/a") && some.takes("/v1/a"));
        assert!(!some.takes("/api/internal/a") && !some.takes("/other"));
        assert!(!Selection::new(Some(&[]), &[]).takes("/any"));
    }
}
