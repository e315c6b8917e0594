//! What things are called in a merged document.

use super::{Part, Published};

/// `namespace_source_own`, or with method and path where the operation has no id of its own.
pub(super) fn operation_id(part: &Part, published: &Published, own: Option<&str>) -> String {
    let Part { namespace, source, .. } = part;
    let text = match own.filter(|own| own.chars().any(|c| c.is_ascii_alphanumeric())) {
        Some(own) => format!("{namespace}_{source}_{own}"),
        None => format!("{namespace}_{source}_{}_{}", published.method.field(), published.path),
    };
    let mut id = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            id.push(c);
        } else if !id.ends_with('_') {
            id.push('_');
        }
    }
    id.truncate(id.trim_end_matches('_').len());
    id
}

/// `text` with the characters alone that a key of `components` may have.
pub(super) fn component_key(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' }).collect()
}
