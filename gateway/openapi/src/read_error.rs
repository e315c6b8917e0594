//! Why a document cannot be read.

/// Why a document cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// More bytes than [`Bounds::bytes`](crate::Bounds::bytes).
    #[error("the document has more than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// Deeper than [`Bounds::depth`](crate::Bounds::depth).
    #[error("the document is more than {limit} levels deep")]
    TooDeep {
        /// The bound.
        limit: usize,
    },
    /// More operations than [`Bounds::operations`](crate::Bounds::operations).
    #[error("the document has more than {limit} operations")]
    TooManyOperations {
        /// The bound.
        limit: usize,
    },
    /// No JSON.
    #[error("the document is no JSON")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but a list or something the like.
    #[error("the document is no JSON object")]
    NotAnObject,
    /// Swagger 2.0, which OpenAPI 3.0 replaced in 2017.
    #[error("the document is Swagger {0}; only OpenAPI 3.0 and 3.1 can be read")]
    Swagger(String),
    /// No `openapi: 3.1.0`.
    #[error("the document does not say its version in `openapi`")]
    NoVersion,
    /// `openapi: 4.0.0`.
    #[error("the document is OpenAPI {0}; only OpenAPI 3.0 and 3.1 can be read")]
    UnknownVersion(String),
    /// No object `paths`.
    #[error("the document has no object `paths`")]
    NoPaths,
}
