//! The grammar of path patterns.

use super::{LONGEST_PATTERN, MOST_PARAMS, MOST_SEGMENTS, Param, PathPattern, PatternError, Rest, Segment};

pub(super) fn parse(text: &str) -> Result<PathPattern, PatternError> {
    let Some(path) = text.strip_prefix('/') else {
        return Err(PatternError::new(0, "a path starts with `/`"));
    };
    if text.len() > LONGEST_PATTERN {
        let message = format!("a path pattern is at most {LONGEST_PATTERN} bytes long");
        return Err(PatternError::new(LONGEST_PATTERN, message));
    }
    let mut parser = Parser::default();
    let mut offset = 1;
    let mut pieces = path.split('/').peekable();
    while let Some(piece) = pieces.next() {
        parser.read_segment(piece, offset, pieces.peek().is_none())?;
        offset += piece.len() + 1;
    }
    Ok(PathPattern { text: text.into(), segments: parser.segments.into(), rest: parser.rest })
}

#[derive(Default)]
struct Parser<'a> {
    segments: Vec<Segment>,
    rest: Option<Rest>,
    names: Vec<&'a str>,
}

impl<'a> Parser<'a> {
    fn read_segment(&mut self, piece: &'a str, offset: usize, last: bool) -> Result<(), PatternError> {
        if self.segments.len() == MOST_SEGMENTS {
            return Err(PatternError::new(offset, format!("a path pattern has at most {MOST_SEGMENTS} segments")));
        }
        if piece.is_empty() && !last {
            return Err(PatternError::new(offset, "a segment between slashes is empty"));
        }
        if piece == "**" {
            check_rest_is_last(offset, last)?;
            self.rest = Some(Rest { name: None });
            return Ok(());
        }
        match (piece.find('{'), piece.find('}')) {
            (None, None) => {
                check_literal_segment(piece, offset)?;
                self.segments.push(Segment::Literal(piece.into()));
                Ok(())
            }
            (Some(open), Some(close)) if open < close => self.read_param(piece, open, close, offset, last),
            (Some(open), _) => Err(PatternError::new(offset + open, "`{` without `}`")),
            (None, Some(close)) => Err(PatternError::new(offset + close, "`}` without `{`")),
        }
    }

    fn read_param(
        &mut self,
        piece: &'a str,
        open: usize,
        close: usize,
        offset: usize,
        last: bool,
    ) -> Result<(), PatternError> {
        let (prefix, inner, suffix) = (&piece[..open], &piece[open + 1..close], &piece[close + 1..]);
        if let Some(second) = suffix.find(['{', '}']) {
            return Err(PatternError::new(offset + close + 1 + second, "a segment has at most one `{name}`"));
        }
        check_literal_text(prefix, offset)?;
        check_literal_text(suffix, offset + close + 1)?;
        let inner_offset = offset + open + 1;
        if let Some(name) = inner.strip_suffix("...") {
            self.read_name(name, inner_offset)?;
            if !prefix.is_empty() || !suffix.is_empty() {
                return Err(PatternError::new(offset, format!("`{{{inner}}}` must be the whole segment")));
            }
            check_rest_is_last(offset, last)?;
            self.rest = Some(Rest { name: Some(name.into()) });
        } else {
            self.read_name(inner, inner_offset)?;
            let param = Param { prefix: prefix.into(), name: inner.into(), suffix: suffix.into() };
            self.segments.push(Segment::Param(param));
        }
        Ok(())
    }

    fn read_name(&mut self, name: &'a str, offset: usize) -> Result<(), PatternError> {
        let fits = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !fits {
            let hint =
                if name.contains(':') { "; a type cannot be given, and the rest is written `{name...}`" } else { "" };
            let message = format!("`{name}` is no parameter name; use letters, digits and `_`{hint}");
            return Err(PatternError::new(offset, message));
        }
        if self.names.contains(&name) {
            return Err(PatternError::new(offset, format!("the parameter `{name}` is there twice")));
        }
        if self.names.len() == MOST_PARAMS {
            return Err(PatternError::new(offset, format!("a path pattern has at most {MOST_PARAMS} parameters")));
        }
        self.names.push(name);
        Ok(())
    }
}

fn check_rest_is_last(offset: usize, last: bool) -> Result<(), PatternError> {
    if last { Ok(()) } else { Err(PatternError::new(offset, "the rest must be the last segment")) }
}

fn check_literal_segment(literal: &str, offset: usize) -> Result<(), PatternError> {
    if matches!(literal, "." | "..") {
        return Err(PatternError::new(offset, format!("`{literal}` never occurs in a path in normal form")));
    }
    check_literal_text(literal, offset)
}

/// Allows exactly what a segment in normal form can hold (`pchar` of RFC 3986 §3.3), but for `*`.
fn check_literal_text(literal: &str, offset: usize) -> Result<(), PatternError> {
    let mut characters = literal.char_indices();
    while let Some((index, character)) = characters.next() {
        let problem = match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' => None,
            '!' | '$' | '&' | '\'' | '(' | ')' | '+' | ',' | ';' | '=' | ':' | '@' => None,
            '%' => {
                let problem = check_percent_encoded(literal.get(index + 1..index + 3));
                characters.nth(1);
                problem
            }
            '*' => {
                Some("`*` is not a wildcard here; use `{name}` for one segment or a last `**` for the rest".to_owned())
            }
            '?' => Some("the path is written without query; conditions on it go to `query`".to_owned()),
            other => Some(format!("write `{}` instead of {other:?}", percent_encoded(other))),
        };
        if let Some(message) = problem {
            return Err(PatternError::new(offset + index, message));
        }
    }
    Ok(())
}

fn check_percent_encoded(digits: Option<&str>) -> Option<String> {
    let value = digits
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let (Some(digits), Some(value)) = (digits, value) else {
        return Some("`%` is followed by two hexadecimal digits".to_owned());
    };
    if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
        return Some(format!("write `{}` instead of `%{digits}`", char::from(value)));
    }
    if matches!(value, b'/' | b'\\' | 0) {
        return Some(format!("`%{digits}` never occurs in a path in normal form"));
    }
    let upper = digits.to_ascii_uppercase();
    (digits != upper).then(|| format!("write `%{upper}` instead of `%{digits}`"))
}

fn percent_encoded(character: char) -> String {
    let mut buffer = [0; 4];
    character.encode_utf8(&mut buffer).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_shows_itself_as_it_was_written() {
        for pattern in
            ["/", "/a", "/a/", "/a/{x}", "/v{x}.json", "/a/**", "/**", "/{r...}", "/a%20b/c", "/a:b@c!$&'()+,;=~"]
        {
            assert_eq!(parse(pattern).unwrap().to_string(), pattern);
        }
    }

    #[test]
    fn a_wrong_pattern_is_refused_at_the_place_that_is_wrong() {
        for (pattern, offset, word) in [
            ("", 0, "starts with `/`"),
            ("a", 0, "starts with `/`"),
            ("/a//b", 3, "empty"),
            ("/**/a", 1, "last"),
            ("/{r...}/a", 1, "last"),
            ("/a*", 2, "wildcard"),
            ("/a/*", 3, "wildcard"),
            ("/a/***", 3, "wildcard"),
            ("/{x", 1, "without `}`"),
            ("/x}", 2, "without `{`"),
            ("/}x{", 3, "without `}`"),
            ("/{a}{b}", 4, "at most one"),
            ("/{a}-{b}", 5, "at most one"),
            ("/{}", 2, "name"),
            ("/{1a}", 2, "name"),
            ("/{a:path}", 2, "{name...}"),
            ("/{a b}", 2, "name"),
            ("/{x}/{x}", 6, "twice"),
            ("/v{r...}", 1, "whole segment"),
            ("/a/../b", 3, "normal form"),
            ("/a/.", 3, "normal form"),
            ("/a b", 2, "%20"),
            ("/größe", 3, "%C3%B6"),
            ("/%zz", 1, "hexadecimal"),
            ("/%4", 1, "hexadecimal"),
            ("/%+f", 1, "hexadecimal"),
            ("/%76ision", 1, "write `v`"),
            ("/a%2fb", 2, "normal form"),
            ("/%c3%b6", 1, "write `%C3`"),
            ("/a?b", 2, "query"),
            ("/a#b", 2, "%23"),
            ("/a\\b", 2, "%5C"),
        ] {
            let error = parse(pattern).unwrap_err();
            assert_eq!(error.offset, offset, "{pattern}: {error}");
            assert!(error.message.contains(word), "{pattern}: {error}");
        }
    }

    #[test]
    fn size_is_bounded() {
        let params = |count: usize| (0..count).map(|index| format!("/{{p{index}}}")).collect::<String>();
        assert!(parse(&params(MOST_PARAMS)).is_ok());
        assert!(parse(&params(MOST_PARAMS + 1)).is_err());
        assert!(parse(&"/a".repeat(MOST_SEGMENTS)).is_ok());
        assert!(parse(&"/a".repeat(MOST_SEGMENTS + 1)).is_err());
        assert!(parse(&format!("/{}", "a".repeat(LONGEST_PATTERN - 1))).is_ok());
        assert!(parse(&format!("/{}", "a".repeat(LONGEST_PATTERN))).is_err());
    }
}
