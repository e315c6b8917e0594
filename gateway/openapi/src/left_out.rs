//! What is not in a document that was made.

use crate::method::Method;
use std::fmt;

/// An operation, or a part of one, that is not in a document that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The path in the document that was made from.
    pub path: String,
    /// The method.
    pub method: Method,
    /// The parameter or field of the body, if the operation itself is there.
    pub part: Option<String>,
    /// Why.
    pub reason: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        if let Some(part) = &self.part {
            write!(f, ", `{part}`")?;
        }
        write!(f, ": {}", self.reason)
    }
}
