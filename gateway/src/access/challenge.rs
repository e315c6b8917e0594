//! `WWW-Authenticate` (RFC 6750 §3).

/// For a request that showed no token: no error code, as RFC 6750 §3.1 asks.
pub(super) fn token_needed(realm: &str) -> String {
    format!("Bearer realm={}", quoted(realm))
}

/// For a token that is not good.
pub(super) fn invalid_token(realm: &str, description: &str) -> String {
    with_error(realm, "invalid_token", description)
}

/// For a good token that does not open the route. `scope` is the one that would, where it is one.
pub(super) fn insufficient_scope(realm: &str, description: &str, scope: Option<&str>) -> String {
    let mut challenge = with_error(realm, "insufficient_scope", description);
    if let Some(scope) = scope.filter(|scope| is_scope(scope)) {
        challenge.push_str(&format!(", scope=\"{scope}\""));
    }
    challenge
}

fn with_error(realm: &str, error: &str, description: &str) -> String {
    let description = described(description);
    format!("{}, error=\"{error}\", error_description=\"{description}\"", token_needed(realm))
}

/// A quoted string (RFC 9110 §5.6.4); what a field value cannot hold becomes `?`.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

/// The characters that RFC 6750 §3 allows in `error_description`: no quote and no backslash, not even escaped.
fn described(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => character,
            _ => '?',
        })
        .collect()
}

/// One or more scope tokens (RFC 6749 §3.3).
fn is_scope(text: &str) -> bool {
    let is_token =
        |token: &str| !token.is_empty() && token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    text.split(' ').all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_written_as_rfc_6750_shows_them() {
        assert_eq!(token_needed("vision"), r#"Bearer realm="vision""#);
        assert_eq!(
            invalid_token("vision", "the token has expired"),
            r#"Bearer realm="vision", error="invalid_token", error_description="the token has expired""#
        );
        assert_eq!(
            insufficient_scope("vision", "no", Some("images:write")),
            r#"Bearer realm="vision", error="insufficient_scope", error_description="no", scope="images:write""#
        );
    }

    #[test]
    fn nothing_breaks_out_of_the_quotes() {
        assert_eq!(token_needed("a\"b\\c\r\nd\u{e9}"), "Bearer realm=\"a\\\"b\\\\c??d?\"");
        let challenge = insufficient_scope("r", "say \"x\\y\"\n", Some("a\"b"));
        assert_eq!(challenge, r#"Bearer realm="r", error="insufficient_scope", error_description="say 'x/y'?""#);
    }
}
