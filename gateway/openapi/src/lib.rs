//! OpenAPI documents.

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
mod references;
mod structure;
mod unique_names;

pub use bounds::Bounds;
pub use digest::{Digest, digest_of};
pub use document::{Document, ReadError};
pub use for_framex::{ForFrameX, for_framex};
pub use glob::{Glob, Selection};
pub use left_out::LeftOut;
pub use merge::{About, Merged, Part, Published, merge};
pub use method::Method;
pub use note::Note;
pub use operation::Operation;
pub use path_template::{PathTemplate, Piece, TemplateError};
