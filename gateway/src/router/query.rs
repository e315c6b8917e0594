//! Reading a query string without allocating, as `application/x-www-form-urlencoded` does (WHATWG URL §5.1).

/// The first value of the parameter `name`, still encoded; empty when it stands without `=`.
pub(super) fn first_value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(key, _)| decodes_to(key, name))
        .map(|(_, value)| value)
}

/// The first value of the parameter `name`, decoded.
#[must_use]
pub fn query_value(query: &str, name: &str) -> Option<String> {
    let bytes: Vec<u8> = decode(first_value(query, name)?).collect();
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether `encoded` is `expected` once `%XX` and `+` are decoded. A `%` without two digits stands for itself.
pub(super) fn decodes_to(encoded: &str, expected: &str) -> bool {
    decode(encoded).eq(expected.bytes())
}

fn decode(encoded: &str) -> impl Iterator<Item = u8> {
    let mut rest = encoded.as_bytes();
    std::iter::from_fn(move || {
        let (&first, tail) = rest.split_first()?;
        let (byte, tail) = match (first, tail) {
            (b'+', _) => (b' ', tail),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (first, tail),
            },
            _ => (first, tail),
        };
        rest = tail;
        Some(byte)
    })
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percent_and_plus_are_decoded_and_broken_escapes_are_kept() {
        for (encoded, plain) in
            [("a+b", "a b"), ("%2B", "+"), ("%c3%B6", "ö"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%%41", "%A")]
        {
            assert!(decodes_to(encoded, plain), "{encoded}");
        }
        assert!(!decodes_to("abc", "ab"));
        assert!(!decodes_to("ab", "abc"));
    }

    #[test]
    fn the_first_parameter_of_a_name_counts() {
        assert_eq!(first_value("&&a=1&a=2", "a"), Some("1"));
        assert_eq!(first_value("a&a=2", "a"), Some(""));
        assert_eq!(first_value("a=1=2", "a"), Some("1=2"));
        assert_eq!(first_value("ab=1", "a"), None);
    }

    proptest! {
        #[test]
        fn every_value_survives_encoding(value in ".{0,20}") {
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert!(decodes_to(&encoded, &value));
        }
    }
}
