//! Which paths a route answers for.

mod parse;

use super::params::Params;
use super::pattern_error::PatternError;
use std::fmt;
use std::str::FromStr;

/// The most parameters of one pattern, so that the captures of a request need no allocation.
pub(super) const MOST_PARAMS: usize = 16;
/// The most segments of one pattern; it bounds the depth of a search.
pub(super) const MOST_SEGMENTS: usize = 64;
/// The longest pattern in bytes.
const LONGEST_PATTERN: usize = 2048;

/// A path pattern such as `/users/{id}/files/**`; the grammar is in the documentation of [`crate::router`].
///
/// Its text is kept as written: [`fmt::Display`] gives back what was parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern {
    text: Box<str>,
    segments: Box<[Segment]>,
    rest: Option<Rest>,
}

/// What one segment of a path must be. The last segment of a path with a trailing slash is the empty literal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    Literal(Box<str>),
    Param(Param),
}

/// A parameter with the fixed text around it in its segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Param {
    pub(super) prefix: Box<str>,
    pub(super) name: Box<str>,
    pub(super) suffix: Box<str>,
}

/// The open end of a pattern: `**`, or `{name...}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rest {
    pub(super) name: Option<Box<str>>,
}

impl PathPattern {
    /// Reads a pattern. Bounds: 2,048 bytes, 64 segments, 16 parameters.
    ///
    /// # Errors
    ///
    /// When the pattern could never match a path in normal form (RFC 3986 §6.2.2) or is outside the grammar. Text is
    /// never corrected silently: a pattern means what it shows, also to checks that compare it as text.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse::parse(text)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the first parameter or rest, up to and including its last `/`; the whole text if there is
    /// neither.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        let open = self.text.find(['{', '*']).unwrap_or(self.text.len());
        if open == self.text.len() {
            return &self.text;
        }
        let slash = self.text[..open].rfind('/').unwrap_or(0);
        &self.text[..=slash]
    }

    /// The names of the parameters from left to right, with the name of the rest last if it has one.
    pub fn param_names(&self) -> impl Iterator<Item = &str> {
        let params = self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Param(param) => Some(&*param.name),
        });
        params.chain(self.rest.iter().filter_map(|rest| rest.name.as_deref()))
    }

    /// Whether the pattern ends with `**` or `{name...}`.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// Compares the pattern with a path in normal form and says where its parameters are.
    #[must_use]
    pub fn capture(&self, path: &str) -> Option<Params> {
        let mut params = Params::default();
        let mut next = path.starts_with('/').then_some(1);
        for segment in &self.segments {
            let start = next?;
            let end = path[start..].find('/').map_or(path.len(), |length| start + length);
            match segment {
                Segment::Literal(literal) if path[start..end] == **literal => {}
                Segment::Literal(_) => return None,
                Segment::Param(param) => {
                    let length = param.capture(&path[start..end])?.len();
                    let start = start + param.prefix.len();
                    params.push(start..start + length);
                }
            }
            next = (end < path.len()).then_some(end + 1);
        }
        match &self.rest {
            Some(rest) => params.push_rest(next.unwrap_or(path.len())..path.len(), rest.name.is_some()),
            None if next.is_some() => return None,
            None => {}
        }
        Some(params)
    }

    /// Whether the pattern ends with `{name...}`, so that its rest counts as a parameter.
    pub(super) fn has_named_rest(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.name.is_some())
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl Param {
    /// The value of the parameter in `segment`, never empty.
    pub(super) fn capture<'a>(&self, segment: &'a str) -> Option<&'a str> {
        let value = segment.strip_prefix(&*self.prefix)?.strip_suffix(&*self.suffix)?;
        (!value.is_empty()).then_some(value)
    }

    /// Whether the parameter is the whole segment.
    pub(super) fn is_bare(&self) -> bool {
        self.prefix.is_empty() && self.suffix.is_empty()
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for PathPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
        let pattern = PathPattern::parse(pattern).unwrap();
        let params = pattern.capture(path)?;
        Some(params.named(&pattern, path).map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn patterns_capture_what_they_name() {
        for (pattern, path, expected) in [
            ("/", "/", &[][..]),
            ("/a/b", "/a/b", &[]),
            ("/a/{x}/c", "/a/b/c", &[("x", "b")]),
            ("/v{version}/{file}.json", "/v2/data.json", &[("version", "2"), ("file", "data")]),
            ("/a/{rest...}", "/a/b/c", &[("rest", "b/c")]),
            ("/a/{rest...}", "/a/", &[("rest", "")]),
            ("/a/{rest...}", "/a", &[("rest", "")]),
            ("/a/**", "/a//b/", &[]),
            ("/**", "/", &[]),
            ("/{x}/", "/a/", &[("x", "a")]),
            ("/{x}", "/ä", &[("x", "ä")]),
        ] {
            assert_eq!(captured(pattern, path), Some(pairs(expected)), "{pattern} against {path}");
        }
    }

    #[test]
    fn what_differs_does_not_match() {
        for (pattern, path) in [
            ("/", ""),
            ("/", "*"),
            ("/a", "/a/"),
            ("/a/", "/a"),
            ("/a", "/A"),
            ("/a/{x}", "/a/"),
            ("/a/{x}", "/a/b/"),
            ("/a/**", "/ab"),
            ("/a/{x}/**", "/a/"),
            ("/v{version}", "/v"),
            ("/ab{x}bc", "/abc"),
            ("/{x}", "a"),
        ] {
            assert_eq!(captured(pattern, path), None, "{pattern} against {path}");
        }
    }

    #[test]
    fn the_rest_can_be_read_with_and_without_a_name() {
        for pattern in ["/a/**", "/a/{tail...}"] {
            let pattern = PathPattern::parse(pattern).unwrap();
            for (path, rest) in [("/a/b/c", "b/c"), ("/a/", ""), ("/a", "")] {
                assert_eq!(pattern.capture(path).unwrap().rest(path), Some(rest));
            }
        }
        assert_eq!(PathPattern::parse("/a").unwrap().capture("/a").unwrap().rest("/a"), None);
    }

    #[test]
    fn the_literal_prefix_ends_before_the_first_open_segment() {
        for (pattern, prefix) in
            [("/a/b", "/a/b"), ("/a/{x}/b", "/a/"), ("/a/v{x}", "/a/"), ("/**", "/"), ("/a/**", "/a/")]
        {
            assert_eq!(PathPattern::parse(pattern).unwrap().literal_prefix(), prefix);
        }
    }
}
