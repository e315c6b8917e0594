//! Cookies (RFC 6265), as far as the gateway reads and sets them.

use http::{HeaderMap, HeaderValue, header};

/// The value of the first cookie of this name that is not empty, without quotes around it.
#[must_use]
pub fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        (!value.is_empty()).then_some(value)
    })
}

/// A `Set-Cookie` field for a cookie of the gateway's own: for the whole host, until the browser is closed, out of the reach of
/// scripts. `None` when name or value cannot stand in one.
#[must_use]
pub fn session_cookie(name: &str, value: &str, is_tls: bool) -> Option<HeaderValue> {
    let secure = if is_tls { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name_in_any_field() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("xsession=no; session2=no;session = \"a b\" ; session=late"),
        );
        headers.append(header::COOKIE, HeaderValue::from_static("empty=; other=7"));
        for (name, expected) in [
            ("session", Some("a b")),
            ("other", Some("7")),
            ("empty", None),
            ("sess", None),
            ("no", None),
            ("Session", None),
        ] {
            assert_eq!(cookie_value(&headers, name), expected.map(str::as_bytes), "{name}");
        }
    }

    #[test]
    fn a_cookie_of_the_gateways_own_is_kept_from_scripts_and_other_sites() {
        let cookie = session_cookie("share", "ab", true).expect("a cookie");
        assert_eq!(cookie, "share=ab; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(session_cookie("share", "a\nb", false), None);
    }
}
