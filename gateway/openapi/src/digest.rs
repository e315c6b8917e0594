//! A document's fingerprint.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The SHA-256 of a document's content. Neither white space nor the order of keys changes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(value: &Value) -> Self {
        let mut hasher = Sha256::new();
        add(&mut hasher, value);
        Self(hasher.finalize().into())
    }

    /// The bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The SHA-256 of a document's bytes as they came, for one who wants to know whether they need reading again.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lengths go before contents, so no two values feed the hasher the same bytes.
fn add(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update(b"n"),
        Value::Bool(flag) => hasher.update(if *flag { b"t" } else { b"f" }),
        Value::Number(number) => add_text(hasher, b"d", &number.to_string()),
        Value::String(text) => add_text(hasher, b"s", text),
        Value::Array(list) => {
            add_length(hasher, b"l", list.len());
            list.iter().for_each(|inner| add(hasher, inner));
        }
        Value::Object(fields) => {
            add_length(hasher, b"o", fields.len());
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            for (key, inner) in sorted {
                add_text(hasher, b"k", key);
                add(hasher, inner);
            }
        }
    }
}

fn add_text(hasher: &mut Sha256, kind: &[u8; 1], text: &str) {
    add_length(hasher, kind, text.len());
    hasher.update(text);
}

fn add_length(hasher: &mut Sha256, kind: &[u8; 1], length: usize) {
    hasher.update(kind);
    hasher.update((length as u64).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_count_and_all_else_does() {
        let digest = |value: Value| Digest::of(&value);
        assert_eq!(digest(json!({ "a": 1, "b": [2] })), digest(json!({ "b": [2], "a": 1 })));
        assert_ne!(digest(json!({ "a": [1, 2] })), digest(json!({ "a": [2, 1] })));
        assert_ne!(digest(json!(["ab", "c"])), digest(json!(["a", "bc"])));
        assert_ne!(digest(json!("1")), digest(json!(1)));
        assert_ne!(digest(json!({})), digest(json!([])));
        assert_eq!(digest(json!({})).to_string().len(), 64);
    }
}
