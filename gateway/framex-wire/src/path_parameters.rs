//! Repairs the paths that FrameX's proxy plugin sends.
//!
//! It leaves the parameters of a path unfilled and sends their values in the query: `GET /items/%7Bid%7D?id=7`. A path
//! that is exactly a known template gets the values put where they belong. A value stays what it is, a part of one
//! place of the path: it cannot lead out of there.

mod query;
mod template;

use query::Pair;
use template::Piece;

/// A path and query with the parameters where they belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The path, percent-encoded.
    pub path: String,
    /// What is left of the query, byte for byte. Empty when nothing is.
    pub query: String,
}

/// A parameter has a value that no path may hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepairError {
    /// A path with an empty segment is another path.
    #[error("path parameter `{0}` is empty")]
    Empty(String),
    /// `.` and `..` lead to another path.
    #[error("path parameter `{0}` makes a segment `.` or `..`")]
    DotSegment(String),
    /// Which of the values counts is anybody's guess.
    #[error("path parameter `{0}` has several values")]
    Repeated(String),
}

/// Puts the parameters of `template` where they belong, when `raw_path` is that template with `{name}` percent-encoded,
/// as `%7Bname%7D`, and `raw_query` has a value for each of them.
///
/// `None` when it is something else and stays as it is. A value is encoded as a part of one segment, a slash in it as
/// `%2F`; in the place of `{name:path}` slashes stay. Parts of the path that are no parameters stay byte for byte.
///
/// # Errors
///
/// A value is empty, is given several times, or makes a segment of the path `.` or `..`, encoded or not.
pub fn repair(template: &str, raw_path: &str, raw_query: &str) -> Result<Option<Repaired>, RepairError> {
    let Some(pieces) = template::find_places(template, raw_path) else { return Ok(None) };
    let pairs = query::split(raw_query);
    let mut path = String::with_capacity(raw_path.len());
    let mut taken = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => path.push_str(text),
            Piece::Parameter { name, is_path } => {
                let Some(pair) = value_of(name, &pairs)? else { return Ok(None) };
                check(name, &pair.value, is_path)?;
                encode(&pair.value, is_path, &mut path);
                taken.push(name);
            }
        }
    }
    if let (true, Some(name)) = (path.split('/').any(is_dot_segment), taken.first()) {
        return Err(RepairError::DotSegment((*name).to_owned()));
    }
    if taken.is_empty() {
        return Ok(None);
    }
    Ok(Some(Repaired { path, query: query::without(&pairs, &taken) }))
}

fn value_of<'p, 'q>(name: &str, pairs: &'p [Pair<'q>]) -> Result<Option<&'p Pair<'q>>, RepairError> {
    let mut found = pairs.iter().filter(|pair| pair.name == name.as_bytes());
    let first = found.next();
    if found.next().is_some() { Err(RepairError::Repeated(name.to_owned())) } else { Ok(first) }
}

/// Servers decode a path before or after they resolve its dots, so a value is looked at with every kind of slash.
fn check(name: &str, value: &[u8], is_path: bool) -> Result<(), RepairError> {
    if value.is_empty() || (is_path && value.iter().all(|byte| *byte == b'/')) {
        return Err(RepairError::Empty(name.to_owned()));
    }
    if value.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| matches!(part, b"." | b"..")) {
        return Err(RepairError::DotSegment(name.to_owned()));
    }
    Ok(())
}

fn is_dot_segment(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

fn encode(value: &[u8], is_path: bool, path: &mut String) {
    for byte in value {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(*byte)),
            b'/' if is_path => path.push('/'),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests;
