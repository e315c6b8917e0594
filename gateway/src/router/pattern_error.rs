//! What is wrong with a pattern.

/// A host or path pattern that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {offset})")]
pub struct PatternError {
    /// What is wrong and what to write instead; no full stop.
    pub message: String,
    /// Where, in bytes from the start of the pattern.
    pub offset: usize,
}

impl PatternError {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), offset }
    }
}
