//! How large a document may be.

use serde_json::Value;

/// What a document may cost its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the text.
    pub bytes: usize,
    /// Lists and objects inside each other. The JSON reader itself goes no deeper than 127.
    pub depth: usize,
    /// Operations.
    pub operations: usize,
}

impl Default for Bounds {
    /// 32 MiB, 128 deep, 20,000 operations: more than any honest document has.
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 128, operations: 20_000 }
    }
}

/// How deep the JSON reader goes.
pub(crate) const DEEPEST_READ: usize = 127;

/// How many lists and objects of a JSON text stand inside each other, at the most.
pub(crate) fn depth_of_text(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// How many lists and objects of a value stand inside each other, at the most, and about how many bytes it is as text.
pub(crate) fn measure(value: &Value) -> (usize, usize) {
    let (mut deepest, mut bytes) = (0, 0_usize);
    let mut left = vec![(value, 1)];
    while let Some((value, depth)) = left.pop() {
        bytes = bytes.saturating_add(match value {
            Value::String(text) => text.len() + 2,
            Value::Object(fields) => fields.keys().map(|key| key.len() + 4).sum(),
            _ => 2,
        });
        match value {
            Value::Array(list) => left.extend(list.iter().map(|inner| (inner, depth + 1))),
            Value::Object(fields) => left.extend(fields.values().map(|inner| (inner, depth + 1))),
            _ => continue,
        }
        deepest = deepest.max(depth);
    }
    (deepest, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_and_value_have_the_same_depth() {
        for (text, depth) in [("1", 0), ("{}", 1), (r#"{"a":[{"b":"[[[\"{{"}]}"#, 3), (r#"["\\",[]]"#, 2)] {
            assert_eq!(depth_of_text(text.as_bytes()), depth, "{text}");
            assert_eq!(measure(&serde_json::from_str(text).unwrap()).0, depth, "{text}");
        }
    }

    #[test]
    fn the_size_of_a_value_is_about_that_of_its_text() {
        let value = json!({ "name": "a text of some length", "list": [1, 2, { "inner": null }] });
        let (_, bytes) = measure(&value);
        assert!(bytes.abs_diff(value.to_string().len()) < 20);
    }
}
