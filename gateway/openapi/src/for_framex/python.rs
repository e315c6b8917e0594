//! Names in Python.

/// The reserved words of Python 3.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// What FrameX calls its own arguments where it passes a caller's on by name.
const OWN_ARGUMENTS: [&str; 2] = ["self", "func"];

/// Attributes of a pydantic model that a field cannot have for its name, or that break the model if one has.
const MODEL_ATTRIBUTES: [&str; 16] = [
    "model_computed_fields",
    "model_config",
    "model_construct",
    "model_copy",
    "model_dump",
    "model_dump_json",
    "model_extra",
    "model_fields",
    "model_fields_set",
    "model_json_schema",
    "model_parametrized_name",
    "model_post_init",
    "model_rebuild",
    "model_validate",
    "model_validate_json",
    "model_validate_strings",
];

/// Whether a parameter can be called so: an argument of a Python function, and a field of a pydantic model.
pub(super) fn is_parameter_name(name: &str) -> bool {
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || is_ideograph(first));
    starts_well
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || is_ideograph(c))
        && !KEYWORDS.contains(&name)
        && !OWN_ARGUMENTS.contains(&name)
        && is_field_name(name)
}

/// Whether a field of a body can be called so: pydantic takes any text that does not start with an underscore.
pub(super) fn is_field_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('_') && !MODEL_ATTRIBUTES.contains(&name)
}

/// A letter that Python takes as it is, and that people here give names with.
fn is_ideograph(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// `text` as a part of a Python name: ASCII letters and digits, and underscores instead of all else.
pub(super) fn fitting(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_python_or_framex_cannot_have_are_known() {
        for name in ["q", "item_id", "Match", "match", "type", "a1", "model", "copy", "名称", "schema"] {
            assert!(is_parameter_name(name), "{name}");
        }
        for name in
            ["", "1a", "_id", "__x", "x-token", "filter[a]", "a b", "from", "None", "self", "func", "model_config", "é"]
        {
            assert!(!is_parameter_name(name), "{name}");
        }
        for name in ["x-token", "@type", "$id", "from", "é", "self"] {
            assert!(is_field_name(name), "{name}");
        }
        for name in ["", "_id", "model_dump"] {
            assert!(!is_field_name(name), "{name}");
        }
    }
}
