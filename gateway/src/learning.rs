//! What backends say themselves that they have: their OpenAPI documents.
//!
//! The [`Learner`] asks every backend that the configuration names for its document, again and again, and keeps the last good
//! one: a backend that is away loses none of its endpoints. What it knows is in [`Documents`]; whoever compiles the
//! configuration takes it from there, so learnt endpoints come into force by the same swap as written ones.
//! Where the configuration names a folder, the documents are kept over restarts, too.

mod documents;
mod fetch;
mod kept_file;
mod learner;

pub use documents::{Documents, Key, Learnt};
pub use learner::{Learner, Source};
