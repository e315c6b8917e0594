//! How much may be copied.

use serde_json::Value;

/// Bytes that may still be copied from one place of a document to others.
///
/// A document of a few bytes can refer to one large thing from everywhere; written out, it would have no end.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Whether `value` may be copied once more. After the first no, nothing may.
    pub(crate) fn allows(&mut self, value: &Value) -> bool {
        let mut unseen = vec![value];
        while let Some(value) = unseen.pop() {
            let cost = match value {
                Value::String(text) => text.len() + 8,
                Value::Object(fields) => {
                    unseen.extend(fields.values());
                    fields.keys().map(|key| key.len() + 8).sum::<usize>() + 8
                }
                Value::Array(list) => {
                    unseen.extend(list);
                    8
                }
                _ => 8,
            };
            let Some(left) = self.left.checked_sub(cost) else {
                self.left = 0;
                return false;
            };
            self.left = left;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_more_is_copied_than_the_budget_has() {
        let mut budget = Budget::new(100);
        assert!(budget.allows(&json!("a".repeat(50))));
        assert!(!budget.allows(&json!({ "a": "b".repeat(50) })));
        assert!(!budget.allows(&json!(1)));
    }
}
