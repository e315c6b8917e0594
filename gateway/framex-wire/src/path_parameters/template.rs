//! Templates of paths, `/items/{id}` or `/files/{rest:path}`, and the places of their parameters in a path.

use super::query::percent_decoded;

/// A piece of a path: text as it was sent, or a parameter of the template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'p> {
    Text(&'p str),
    Parameter { name: &'p str, is_path: bool },
}

/// The pieces of `raw_path`. `None` unless it is `template` with each parameter percent-encoded.
pub(super) fn find_places<'p>(template: &'p str, raw_path: &'p str) -> Option<Vec<Piece<'p>>> {
    let mut pieces = Vec::new();
    let mut template = template;
    let mut path = raw_path;
    while let Some((text, rest)) = template.split_once('{') {
        let (parameter, rest) = rest.split_once('}')?;
        template = rest;
        let (sent, after) = split_equal(text, path)?;
        pieces.push(Piece::Text(sent));
        let (name, kind) = parameter.split_once(':').unwrap_or((parameter, ""));
        // OpenAPI documents, from which FrameX has its paths, name a parameter without its kind.
        path = after_braces(parameter, after).or_else(|| after_braces(name, after))?;
        pieces.push(Piece::Parameter { name, is_path: kind == "path" });
    }
    let (sent, after) = split_equal(template, path)?;
    pieces.push(Piece::Text(sent));
    after.is_empty().then_some(pieces)
}

/// What follows `{parameter}` at the beginning of a path, where its braces have to be encoded.
fn after_braces<'p>(parameter: &str, path: &'p str) -> Option<&'p str> {
    let is_encoded = path.starts_with('%');
    let (_, path) = split_equal("{", path).filter(|_| is_encoded)?;
    let (_, path) = split_equal(parameter, path)?;
    let is_encoded = path.starts_with('%');
    let (_, path) = split_equal("}", path).filter(|_| is_encoded)?;
    Some(path)
}

/// Splits a path behind `text`, whose characters may be percent-encoded in it.
fn split_equal<'p>(text: &str, path: &'p str) -> Option<(&'p str, &'p str)> {
    let mut rest = path.as_bytes();
    for expected in text.bytes() {
        rest = match (rest.first()?, percent_decoded(rest)) {
            (byte, _) if *byte == expected => &rest[1..],
            // An encoded slash is none.
            (_, Some(byte)) if byte == expected && byte != b'/' => &rest[3..],
            _ => return None,
        };
    }
    path.split_at_checked(path.len() - rest.len())
}
