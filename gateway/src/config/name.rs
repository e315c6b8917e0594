//! Names that teams choose: namespaces, plugins, backends, issuers, routes.

use super::problem::{ProblemList, ValuePath};

/// Longest name, in bytes. Names become metric labels and DNS-like authorities.
const LONGEST_NAME: usize = 63;

/// Whether `name` is lower-case letters, digits and inner hyphens, starting with a letter (a DNS label, RFC 1123).
pub fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Reports a name that is none.
pub(super) fn check_name(kind: &str, name: &str, path: &ValuePath, problems: &mut ProblemList) {
    if !is_name(name) {
        problems.report(
            path.clone(),
            format!(
                "`{name}` is no {kind} name; use up to {LONGEST_NAME} lower-case letters, digits and hyphens, starting with a letter"
            ),
        );
    }
}
