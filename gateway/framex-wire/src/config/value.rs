//! Values of settings as FrameX takes them: it makes numbers and words of texts that say one.

use serde_json::Value;

pub(super) fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "must be a text".to_owned())
}

pub(super) fn texts(value: &Value) -> Result<Vec<String>, String> {
    let texts = value.as_array().and_then(|list| list.iter().map(|text| text.as_str().map(str::to_owned)).collect());
    texts.ok_or_else(|| "must be a list of texts".to_owned())
}

pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    let word = match value {
        Value::Bool(value) => return Ok(*value),
        Value::String(word) => word.to_ascii_lowercase(),
        other => other.to_string(),
    };
    match word.as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err("must be `true` or `false`".to_owned()),
    }
}

pub(super) fn integer(value: &Value) -> Result<i64, String> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        _ => None,
    };
    number.ok_or_else(|| "must be a whole number".to_owned())
}

fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0).then(|| format!("{number:.0}").parse().ok()).flatten()
}

/// A whole number of a narrower type.
pub(super) fn number<N: TryFrom<i64>>(value: &Value, range: &str) -> Result<N, String> {
    integer(value).and_then(|number| N::try_from(number).map_err(|_out_of_range| format!("must be {range}")))
}

pub(super) fn numbers<N: TryFrom<i64>>(value: &Value, range: &str) -> Result<Vec<N>, String> {
    let list = value.as_array().ok_or_else(|| "must be a list of whole numbers".to_owned())?;
    list.iter().map(|element| number(element, range)).collect()
}
