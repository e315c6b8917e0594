//! One normal form for hosts and paths, used for routing, for access rules and for what is sent to a backend.
//!
//! Two servers that read one path differently are a way around access rules. So a path that has more than one
//! reading is refused, and the harmless differences are removed (RFC 3986 §6.2.2): percent-encoded unreserved
//! characters are decoded and the hexadecimal digits of the rest are upper case.

use std::borrow::Cow;
use std::fmt;

/// Why a request target has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// It does not begin with `/` (authority form, `*`, or another scheme).
    NotAbsolute,
    /// A byte that no path may hold: a control character, a space, `\`, raw UTF-8.
    ForbiddenByte,
    /// `%` without two hexadecimal digits.
    BrokenEscape,
    /// An encoded `/`, `\` or NUL, once or twice encoded.
    EncodedDelimiter,
    /// A `.` or `..` segment, plain or encoded.
    DotSegment,
    /// An empty segment (`//`).
    EmptySegment,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "the request target must be a path that starts with /",
            Self::ForbiddenByte => "the path holds a character that must be percent-encoded",
            Self::BrokenEscape => "the path holds a % that is not followed by two hexadecimal digits",
            Self::EncodedDelimiter => "the path holds an encoded /, \\ or NUL",
            Self::DotSegment => "the path holds a . or .. segment",
            Self::EmptySegment => "the path holds an empty segment (//)",
        })
    }
}

/// The normal form of a path without its query. Borrows when nothing needs to change, which is the usual case.
///
/// # Errors
/// When servers are known to read the path in different ways.
pub fn normal_path(path: &str) -> Result<Cow<'_, str>, TargetError> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return Err(TargetError::NotAbsolute);
    }
    let mut needs_decoding = false;
    for &byte in bytes {
        match byte {
            b'%' => needs_decoding = true,
            // RFC 3986 §3.3 `pchar` and `/`; the few other printable characters that clients do send unencoded.
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#' | b'?' | 0..=b' ' | 0x7f.. => {
                return Err(TargetError::ForbiddenByte);
            }
            _ => {}
        }
    }
    let normal = if needs_decoding { Cow::Owned(decode_unreserved(path)?) } else { Cow::Borrowed(path) };
    check_segments(&normal)?;
    Ok(normal)
}

fn decode_unreserved(path: &str) -> Result<String, TargetError> {
    let bytes = path.as_bytes();
    let mut normal = String::with_capacity(path.len());
    let mut index = 0;
    while index < bytes.len() {
        if bytes[index] != b'%' {
            normal.push(char::from(bytes[index]));
            index += 1;
            continue;
        }
        let decoded = escape_at(bytes, index).ok_or(TargetError::BrokenEscape)?;
        match decoded {
            b'/' | b'\\' | 0 => return Err(TargetError::EncodedDelimiter),
            // `%252e`: a backend that decodes twice would see what the gateway did not.
            b'%' if twice_encoded_delimiter(bytes, index) => return Err(TargetError::EncodedDelimiter),
            unreserved if unreserved.is_ascii_alphanumeric() || b"-._~".contains(&unreserved) => {
                normal.push(char::from(unreserved));
            }
            other => {
                normal.push('%');
                normal.push(char::from(b"0123456789ABCDEF"[usize::from(other >> 4)]));
                normal.push(char::from(b"0123456789ABCDEF"[usize::from(other & 15)]));
            }
        }
        index += 3;
    }
    Ok(normal)
}

/// The byte that `%XX` at `index` stands for.
fn escape_at(bytes: &[u8], index: usize) -> Option<u8> {
    let high = char::from(*bytes.get(index + 1)?).to_digit(16)?;
    let low = char::from(*bytes.get(index + 2)?).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn twice_encoded_delimiter(bytes: &[u8], index: usize) -> bool {
    // After `%25` the two digits follow without another `%`.
    let digits = |offset: usize| bytes.get(index + offset).and_then(|byte| char::from(*byte).to_digit(16));
    match (digits(3), digits(4)) {
        (Some(high), Some(low)) => {
            matches!(u8::try_from(high * 16 + low), Ok(b'/' | b'\\' | b'.' | b'%' | 0))
        }
        _ => false,
    }
}

fn check_segments(path: &str) -> Result<(), TargetError> {
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "" if !is_last => return Err(TargetError::EmptySegment),
            "." | ".." => return Err(TargetError::DotSegment),
            // Path parameters hide dot segments from some servers (`..;x`).
            other if other.starts_with("..;") || other.starts_with(".;") => return Err(TargetError::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

/// Why a `Host` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError;

/// Host without port, lower case and without the root's final dot. Accepts names, IPv4 and bracketed IPv6 (RFC 9110 §7.2).
///
/// # Errors
/// When `host` is empty or holds anything that no host name holds.
pub fn normal_host(host: &str) -> Result<Cow<'_, str>, HostError> {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            let (inside, port) = rest.split_once(']').ok_or(HostError)?;
            if inside.parse::<std::net::Ipv6Addr>().is_err() || !is_port(port) {
                return Err(HostError);
            }
            &host[..inside.len() + 2]
        }
        None => {
            let (name, port) = match host.find(':') {
                Some(colon) => host.split_at(colon),
                None => (host, ""),
            };
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if !is_port(port) || !name.bytes().all(allowed) {
                return Err(HostError);
            }
            name.strip_suffix('.').unwrap_or(name)
        }
    };
    if name.is_empty() || name.starts_with('.') || name.contains("..") || name.len() > 255 {
        return Err(HostError);
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(Cow::Owned(name.to_ascii_lowercase()));
    }
    Ok(Cow::Borrowed(name))
}

/// Nothing, or `:` and a port number.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        None => text.is_empty(),
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.is_empty() || digits.parse::<u16>().is_ok())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn harmless_differences_are_removed() {
        for (path, normal) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/%61pi/%7Euser", "/api/~user"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a%20b", "/a%20b"),
            ("/100%25", "/100%25"),
            ("/a;v=1/b:c@d", "/a;v=1/b:c@d"),
            ("/...", "/..."),
        ] {
            assert_eq!(normal_path(path).as_deref(), Ok(normal), "{path}");
        }
        assert!(matches!(normal_path("/plain"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn paths_that_servers_read_differently_are_refused() {
        use TargetError::*;
        for (path, error) in [
            ("", NotAbsolute),
            ("*", NotAbsolute),
            ("http://x/", NotAbsolute),
            ("/a//b", EmptySegment),
            ("//", EmptySegment),
            ("/../x", DotSegment),
            ("/a/%2e%2E/x", DotSegment),
            ("/a/.", DotSegment),
            ("/a/..;x=1/b", DotSegment),
            ("/a%2fb", EncodedDelimiter),
            ("/a%5Cb", EncodedDelimiter),
            ("/a%00", EncodedDelimiter),
            ("/a%252e%252e%252fb", EncodedDelimiter),
            ("/a%2525", EncodedDelimiter),
            ("/a\\b", ForbiddenByte),
            ("/a b", ForbiddenByte),
            ("/é", ForbiddenByte),
            ("/{id}", ForbiddenByte),
            ("/a%", BrokenEscape),
            ("/a%2", BrokenEscape),
            ("/a%zz", BrokenEscape),
        ] {
            assert_eq!(normal_path(path), Err(error), "{path}");
        }
    }

    #[test]
    fn hosts_lose_their_port_and_case() {
        for (host, normal) in [
            ("example.com", "example.com"),
            ("Example.COM:8080", "example.com"),
            ("example.com.", "example.com"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:8080", "[::1]"),
            ("under_score", "under_score"),
        ] {
            assert_eq!(normal_host(host).as_deref(), Ok(normal), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in
            ["", ":80", "a b", "a/b", "a@b", "a:b", "a:99999", "[::1", "[x]", "::1", "a..b", ".a", "a,b", "a?b", "é"]
        {
            assert_eq!(normal_host(host), Err(HostError), "{host}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_stable(path in "/[ -~]{0,40}") {
            if let Ok(normal) = normal_path(&path) {
                prop_assert_eq!(normal_path(&normal), Ok(Cow::Borrowed(&*normal)));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = normal_path(&text);
            let _ = normal_host(&text);
        }
    }
}
