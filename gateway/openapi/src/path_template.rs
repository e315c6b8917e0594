//! Paths with parameters.

use std::fmt;

/// A path with parameters, as OpenAPI, Starlette and the gateway's routes write it.
///
/// `{name}` is a parameter; `{name:path}`, `{name...}` and a last `**` are one that takes the rest of the path, slashes
/// too. Any other convertor, as in `{name:int}`, is one that OpenAPI has no word for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathTemplate {
    pieces: Vec<Piece>,
}

/// A piece of a path template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    /// Text that stands for itself; it may hold slashes.
    Literal(String),
    /// A parameter.
    Parameter {
        /// What it is called.
        name: String,
        /// Whether it takes slashes too.
        takes_rest: bool,
    },
}

/// Why a text is no path template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A path of a document is absolute.
    #[error("the path does not start with a slash")]
    NotAbsolute,
    /// `{` without `}`, the other way round, or one inside another.
    #[error("the braces of the path do not match")]
    Braces,
    /// `{}` and the like.
    #[error("a parameter of the path has no name")]
    NoName,
    /// One name in two places.
    #[error("the path has two parameters `{0}`")]
    SameName(String),
    /// More than any path has.
    #[error("the path has more than {MOST_PARAMETERS} parameters")]
    TooManyParameters,
    /// `?` or `#`, which end a path.
    #[error("the path contains `{0}`, which belongs to no path")]
    NotOnlyPath(char),
}

/// No path has as many.
const MOST_PARAMETERS: usize = 100;

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// If the text is no absolute path, or its parameters are not written well.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.starts_with('/') {
            return Err(TemplateError::NotAbsolute);
        }
        let mut template = Self { pieces: Vec::new() };
        let (text, ends_open) = match text.strip_suffix("/**") {
            Some(before) => (format!("{before}/"), true),
            None => (text.to_owned(), false),
        };
        let mut left = text.as_str();
        while let Some(open) = left.find(['{', '}']) {
            let (literal, parameter) = left.split_at(open);
            let inside = parameter.strip_prefix('{').ok_or(TemplateError::Braces)?;
            let (inside, after) = inside.split_once('}').ok_or(TemplateError::Braces)?;
            template.add_literal(literal)?;
            template.add_parameter(inside)?;
            left = after;
        }
        template.add_literal(left)?;
        if ends_open {
            let mut name = "rest".to_owned();
            while template.has(&name) {
                name.push('_');
            }
            template.pieces.push(Piece::Parameter { name, takes_rest: true });
        }
        Ok(template)
    }

    /// The pieces, from the left.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The names of the parameters, from the left.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Parameter { name, .. } => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The path without the names: two templates with the same are one for OpenAPI.
    #[must_use]
    pub fn identity(&self) -> String {
        self.written(|_| "")
    }

    /// The template with the parameters called as `names` says, from the left.
    pub(crate) fn renamed<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut names = names.into_iter();
        let mut renamed = self.clone();
        for piece in &mut renamed.pieces {
            if let Piece::Parameter { name, .. } = piece
                && let Some(new) = names.next()
            {
                new.clone_into(name);
            }
        }
        renamed
    }

    fn written<'t>(&'t self, name_of: impl Fn(&'t str) -> &'t str) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Parameter { name, .. } => text.extend(["{", name_of(name), "}"]),
            }
        }
        text
    }

    fn has(&self, wanted: &str) -> bool {
        self.names().any(|name| name == wanted)
    }

    fn add_literal(&mut self, literal: &str) -> Result<(), TemplateError> {
        if let Some(end) = literal.find(['?', '#']).and_then(|at| literal[at..].chars().next()) {
            return Err(TemplateError::NotOnlyPath(end));
        }
        if !literal.is_empty() {
            self.pieces.push(Piece::Literal(literal.to_owned()));
        }
        Ok(())
    }

    fn add_parameter(&mut self, inside: &str) -> Result<(), TemplateError> {
        let (name, takes_rest) = match (inside.strip_suffix("..."), inside.split_once(':')) {
            (Some(name), _) => (name, true),
            (None, Some((name, convertor))) => (name, convertor == "path"),
            (None, None) => (inside, false),
        };
        if name.is_empty() {
            return Err(TemplateError::NoName);
        }
        if name.contains('{') {
            return Err(TemplateError::Braces);
        }
        if self.pieces.len() > 2 * MOST_PARAMETERS {
            return Err(TemplateError::TooManyParameters);
        }
        if self.has(name) {
            return Err(TemplateError::SameName(name.to_owned()));
        }
        self.pieces.push(Piece::Parameter { name: name.to_owned(), takes_rest });
        Ok(())
    }
}

/// As OpenAPI writes it: without convertors.
impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(|name| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, takes_rest: bool) -> Piece {
        Piece::Parameter { name: name.to_owned(), takes_rest }
    }

    #[test]
    fn parameters_are_read_in_all_dialects() {
        for (text, written, expected) in [
            ("/", "/", vec![Piece::Literal("/".to_owned())]),
            ("/a/{x}", "/a/{x}", vec![Piece::Literal("/a/".to_owned()), parameter("x", false)]),
            ("/{x:int}", "/{x}", vec![Piece::Literal("/".to_owned()), parameter("x", false)]),
            ("/{x:path}", "/{x}", vec![Piece::Literal("/".to_owned()), parameter("x", true)]),
            ("/{x...}", "/{x}", vec![Piece::Literal("/".to_owned()), parameter("x", true)]),
            ("/a/**", "/a/{rest}", vec![Piece::Literal("/a/".to_owned()), parameter("rest", true)]),
            (
                "/{rest}/**",
                "/{rest}/{rest_}",
                vec![
                    Piece::Literal("/".to_owned()),
                    parameter("rest", false),
                    Piece::Literal("/".to_owned()),
                    parameter("rest_", true),
                ],
            ),
            (
                "/v{n}.json",
                "/v{n}.json",
                vec![Piece::Literal("/v".to_owned()), parameter("n", false), Piece::Literal(".json".to_owned())],
            ),
        ] {
            let template = PathTemplate::parse(text).unwrap();
            assert_eq!(template.pieces(), expected, "{text}");
            assert_eq!(template.to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_the_reason() {
        for (text, error) in [
            ("", TemplateError::NotAbsolute),
            ("a", TemplateError::NotAbsolute),
            ("/{a", TemplateError::Braces),
            ("/a}", TemplateError::Braces),
            ("/{a{b}}", TemplateError::Braces),
            ("/{}", TemplateError::NoName),
            ("/{:path}", TemplateError::NoName),
            ("/{a}/{a:path}", TemplateError::SameName("a".to_owned())),
            ("/a?b=1", TemplateError::NotOnlyPath('?')),
            ("/a#b", TemplateError::NotOnlyPath('#')),
        ] {
            assert_eq!(PathTemplate::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn templates_that_differ_in_names_alone_have_one_identity() {
        let identity = |text| PathTemplate::parse(text).unwrap().identity();
        assert_eq!(identity("/a/{x}/b"), identity("/a/{y:path}/b"));
        assert_ne!(identity("/a/{x}/b"), identity("/a/{x}/c"));
    }
}
