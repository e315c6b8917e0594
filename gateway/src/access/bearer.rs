//! The token of a request.

use super::token_error::TokenError;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The bearer token of a request (RFC 6750 §2.1); `None` when there is no `Authorization` or it is of another scheme.
/// The scheme is compared without regard to case (RFC 9110 §11.1).
///
/// # Errors
///
/// [`TokenError::Repeated`] when there is more than one `Authorization`, [`TokenError::NotBearer`] when `Bearer` is not
/// followed by exactly one token.
pub fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, TokenError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(TokenError::Repeated);
    }
    let bytes = field.as_bytes();
    let scheme = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    match std::str::from_utf8(&bytes[scheme.len()..]).map(|token| token.trim_matches(' ')) {
        Ok(token) if is_token(token) => Ok(Some(token)),
        _ => Err(TokenError::NotBearer),
    }
}

/// The whole of the one `Authorization` field, for keys that are sent without a scheme.
pub(super) fn whole_authorization(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = fields.next().filter(|_| fields.next().is_none())?;
    field.to_str().ok()
}

/// `b64token` of RFC 6750 §2.1.
fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| IN_TOKEN[usize::from(byte)])
}

/// Tokens are long, and each byte is looked at for each request: one look, no branches.
const IN_TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        let character = byte as u8;
        table[byte] = character.is_ascii_alphanumeric() || matches!(character, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(fields: &[&[u8]]) -> Result<Option<String>, TokenError> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(field).unwrap());
        }
        bearer_token(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn a_bearer_token_is_read_from_exactly_one_field() {
        for (fields, expected) in [
            (&[][..], Ok(None)),
            (&[&b"Bearer a.b.c"[..]], Ok(Some("a.b.c".to_owned()))),
            (&[b"bEARER   a.b.c "], Ok(Some("a.b.c".to_owned()))),
            (&[b"Bearer a=="], Ok(Some("a==".to_owned()))),
            (&[b"Basic dTpw"], Ok(None)),
            (&[b"Bearerx a"], Ok(None)),
            (&[b""], Ok(None)),
            (&[b"\xff\xff"], Ok(None)),
            (&[b"Bearer"], Err(TokenError::NotBearer)),
            (&[b"Bearer "], Err(TokenError::NotBearer)),
            (&[b"Bearer ="], Err(TokenError::NotBearer)),
            (&[b"Bearer a b"], Err(TokenError::NotBearer)),
            (&[b"Bearer a,b"], Err(TokenError::NotBearer)),
            (&[b"Bearer a\xff"], Err(TokenError::NotBearer)),
            (&[b"Bearer a", b"Bearer a"], Err(TokenError::Repeated)),
            (&[b"Basic dTpw", b"Bearer a"], Err(TokenError::Repeated)),
        ] {
            assert_eq!(read(fields), expected, "{fields:?}");
        }
    }
}
