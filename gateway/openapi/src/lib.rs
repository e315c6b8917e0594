//! OpenAPI documents for FrameX Gateway.
//!
//! Backends say in a document what they have. This crate promises that reading one, of whatever origin, costs bounded time
//! and memory and never a crash; that one wrong part costs that part alone; and that what is made of documents is an
//! OpenAPI 3.1 document whose references all lead somewhere. It knows no network, no routes and no files.
//!
//! * [`Document`] is what one backend says, read within [`Bounds`] and brought to OpenAPI 3.1; its [`Operation`]s are what
//!   can be routed, and a [`Selection`] says which of them are wanted.
//! * [`merge`] makes one document of all that callers may use.
//! * [`for_framex`] makes of that one a document that a FrameX instance can point its proxy plugin at.
//!
//! ```
//! use framex_openapi::{About, Bounds, Document, Part, PathTemplate, Published, for_framex, merge};
//! use std::sync::Arc;
//!
//! let text = br#"{ "openapi": "3.1.0", "paths": { "/items/{id}": { "get": { "operationId": "read" } } } }"#;
//! let document = Document::read(text, &Bounds::default())?;
//! let operations = document
//!     .operations()
//!     .iter()
//!     .map(|operation| {
//!         let public_path = PathTemplate::parse(&format!("/api/v1/shop{}", operation.path()))?;
//!         let (path, method) = (operation.path().to_owned(), operation.method());
//!         Ok(Published { path, method, public_path, is_public: false, is_deprecated: false })
//!     })
//!     .collect::<Result<_, framex_openapi::TemplateError>>()?;
//! let part = Part {
//!     document: Some(Arc::new(document)),
//!     namespace: "shop".to_owned(),
//!     source: "legacy".to_owned(),
//!     description: None,
//!     operations,
//! };
//! let about = About { title: "Gateway".to_owned(), version: "1".to_owned(), ..About::default() };
//! let merged = merge(&about, &[part]).document;
//! assert_eq!(merged["paths"]["/api/v1/shop/items/{id}"]["get"]["operationId"], "shop_legacy_read");
//!
//! let framex = for_framex(&merged, "edge").document;
//! assert_eq!(framex["paths"]["/api/v1/shop/items/{id}"]["get"]["operationId"], "gw_edge_shop_legacy_read");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bounds;
mod budget;
mod clean;
mod digest;
mod document;
mod for_framex;
mod glob;
mod left_out;
mod merge;
mod method;
mod note;
mod operation;
mod path_template;
mod push_down;
mod read_error;
mod references;
mod structure;
mod unique_names;

pub use bounds::Bounds;
pub use digest::{Digest, digest_of};
pub use document::Document;
pub use for_framex::{ForFrameX, for_framex};
pub use glob::{Glob, Selection};
pub use left_out::LeftOut;
pub use merge::{About, Merged, Part, Published, merge};
pub use method::Method;
pub use note::Note;
pub use operation::Operation;
pub use path_template::{PathTemplate, Piece, TemplateError};
pub use read_error::ReadError;
