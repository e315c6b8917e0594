//! The claim that says which namespaces a token opens.

use crate::identity::NamespaceGrant;
use serde_json::Value;

/// What stands for every namespace.
pub(super) const EVERY_NAMESPACE: &str = "*";

/// Reads the grant from the claims: a name, a list of names, or names separated by spaces. No claim is no namespace.
pub(super) fn read_grant(claims: &Value, pointer: &str) -> Result<NamespaceGrant, &'static str> {
    const PROBLEM: &str = "must be a name, names separated by spaces, or a list of names";
    let names: Vec<&str> = match claims.pointer(pointer) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(names)) => names.split_ascii_whitespace().collect(),
        Some(Value::Array(names)) => names.iter().map(Value::as_str).collect::<Option<_>>().ok_or(PROBLEM)?,
        Some(_) => return Err(PROBLEM),
    };
    if names.contains(&EVERY_NAMESPACE) {
        return Ok(NamespaceGrant::All);
    }
    Ok(NamespaceGrant::Only(names.into_iter().map(str::to_owned).collect()))
}

/// Whether the text is a JSON pointer to a member of the claims (RFC 6901 §3).
pub(super) fn check_pointer(pointer: &str) -> Result<(), &'static str> {
    if !pointer.starts_with('/') {
        return Err("is no JSON pointer: it starts with `/`");
    }
    let broken = pointer.split('~').skip(1).any(|after| !after.starts_with(['0', '1']));
    if broken { Err("is no JSON pointer: `~` is written `~0`") } else { Ok(()) }
}

/// The steps of a JSON pointer, unescaped.
pub(super) fn pointer_steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_grant_is_read_from_every_usual_form() {
        let only = |names: &[&str]| Ok(NamespaceGrant::Only(names.iter().map(ToString::to_string).collect()));
        for (claim, expected) in [
            (json!("vision"), only(&["vision"])),
            (json!("vision  speech"), only(&["vision", "speech"])),
            (json!(["vision", "speech"]), only(&["vision", "speech"])),
            (json!(""), only(&[])),
            (json!([]), only(&[])),
            (json!(null), only(&[])),
            (json!("*"), Ok(NamespaceGrant::All)),
            (json!("vision *"), Ok(NamespaceGrant::All)),
            (json!(["*"]), Ok(NamespaceGrant::All)),
            (json!("vision*"), only(&["vision*"])),
        ] {
            assert_eq!(read_grant(&json!({ "a": { "b/c": claim } }), "/a/b~1c"), expected, "{claim}");
        }
        assert_eq!(read_grant(&json!({}), "/a"), only(&[]));
        for claim in [json!(1), json!(true), json!({}), json!(["a", 1]), json!([["a"]])] {
            assert!(read_grant(&json!({ "a": claim }), "/a").is_err(), "{claim}");
        }
    }

    #[test]
    fn a_pointer_starts_with_a_slash_and_escapes_its_tildes() {
        assert!(check_pointer("/a/b~0~1").is_ok());
        assert!(check_pointer("a").is_err());
        assert!(check_pointer("").is_err());
        assert!(check_pointer("/a~").is_err());
        assert!(check_pointer("/a~2").is_err());
    }
}
