//! Proxy functions: calls of Python functions on another instance, by `POST /api/v1/proxy/remote`.
//!
//! Both fields of a call, and the data of its answer, are JSON that is deflated, mixed with a key that everybody knows
//! and written in base64. It hides nothing; it is a form. An instance builds objects of whatever class a call names,
//! with `__type__`, before it looks for the function. So [`FunctionCall::read`] refuses every call that could mean
//! something else to Python than to the gateway, and the gateway forwards the very bytes that it has read.

mod checked_json;
mod field;

use crate::envelope;
use checked_json::JsonProblem;
pub use field::{Bounds, FieldError, decode_field, encode};
use serde_json::{Map, Value};

/// The path of the calls below every instance.
pub const PATH: &str = "/api/v1/proxy/remote";

/// A call that names a function and its arguments, and no class.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionCall {
    /// The function, with its module: `reports.build_report`.
    pub name: String,
    /// Its arguments by name. Numbers that only Python has, `NaN` and `Infinity`, are `null` here.
    pub arguments: Map<String, Value>,
}

/// Why a body is no call that may be forwarded.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// It is not JSON, or too much of it.
    #[error("the body is no JSON object with `data` and `func_name`")]
    Body(#[source] FieldError),
    /// It is JSON, but no object.
    #[error("the body is no JSON object with `data` and `func_name`")]
    NoObject,
    /// It has a key that no call has.
    #[error("the body has an unknown key `{0}`")]
    UnknownKey(String),
    /// A field is missing or not a text.
    #[error("`{0}` is missing or no text")]
    NoText(&'static str),
    /// A field is too large, too deep or ambiguous.
    #[error("`{field}` cannot be read")]
    Field {
        /// `data` or `func_name`.
        field: &'static str,
        /// What is wrong with it.
        source: FieldError,
    },
    /// The name is not that of a function in a module.
    #[error("`func_name` is no name of a function with its module")]
    NoName,
    /// The arguments are no object.
    #[error("`data` is no object of arguments by name")]
    NoArguments,
    /// An argument names a class of which Python would build an object.
    #[error("an argument has the key `__type__`, which names a class")]
    NamesClass,
}

impl FunctionCall {
    /// Reads the body of a call.
    ///
    /// Fields may be encoded, or plain JSON or text, like FrameX allows it.
    ///
    /// # Errors
    ///
    /// The body is no call, goes beyond `bounds`, has a key twice anywhere, or an object with `__type__` anywhere.
    pub fn read(body: &[u8], bounds: Bounds) -> Result<Self, FunctionError> {
        let text = std::str::from_utf8(body).map_err(|_not_text| FunctionError::NoObject)?;
        let body = checked_json::parse(text, bounds.depth, bounds.values).map_err(|problem| match problem {
            JsonProblem::NotJson => FunctionError::NoObject,
            JsonProblem::Refused(error) => FunctionError::Body(error),
        })?;
        let Value::Object(mut body) = body else { return Err(FunctionError::NoObject) };
        if let Some(unknown) = body.keys().find(|key| !matches!(key.as_str(), "data" | "func_name")) {
            return Err(FunctionError::UnknownKey(unknown.clone()));
        }
        let Value::String(name) = decoded(&mut body, "func_name", bounds)? else { return Err(FunctionError::NoName) };
        if !is_function_name(&name) {
            return Err(FunctionError::NoName);
        }
        let Value::Object(arguments) = decoded(&mut body, "data", bounds)? else {
            return Err(FunctionError::NoArguments);
        };
        if names_class(&arguments) {
            return Err(FunctionError::NamesClass);
        }
        Ok(Self { name, arguments })
    }

    /// Whether the function is one of those named. Names are compared whole.
    #[must_use]
    pub fn is_listed(&self, functions: &[String]) -> bool {
        functions.contains(&self.name)
    }
}

fn decoded(body: &mut Map<String, Value>, field: &'static str, bounds: Bounds) -> Result<Value, FunctionError> {
    match body.remove(field) {
        Some(Value::String(text)) => {
            decode_field(&text, bounds).map_err(|source| FunctionError::Field { field, source })
        }
        _ => Err(FunctionError::NoText(field)),
    }
}

/// A dotted name reads the same for Python: it is neither base64 nor JSON.
fn is_function_name(name: &str) -> bool {
    let is_identifier = |part: &str| {
        part.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && part.chars().all(|character| character.is_alphanumeric() || character == '_')
    };
    name.contains('.') && name.split('.').all(is_identifier)
}

fn names_class(object: &Map<String, Value>) -> bool {
    fn is_below(value: &Value) -> bool {
        match value {
            Value::Object(object) => names_class(object),
            Value::Array(list) => list.iter().any(is_below),
            _ => false,
        }
    }
    object.contains_key("__type__") || object.values().any(is_below)
}

/// The body of the answer to a call, with HTTP status 200 and `content-type: application/json`.
///
/// A text that can be read as JSON changes its type on the way, as between two instances: `"5"` arrives as 5.
#[must_use]
pub fn function_answer(value: &Value, timestamp: &str) -> Vec<u8> {
    // Base64 needs no escape in a JSON string.
    envelope::with_data(200, timestamp, format!("\"{}\"", encode(value)).as_bytes())
}

#[cfg(test)]
mod tests;
