//! How FrameX instances speak.
//!
//! FrameX is the Python plugin framework `framex-kit`; everything here holds for its version 0.4.2. Its instances are
//! upstreams of the gateway and clients of it. This crate promises to read and to write what they say byte for byte,
//! in bounded memory, whatever bytes come: values go in and values come out. It opens nothing, knows no clock, no
//! routes and no configuration of the gateway; who may call what, and where bytes go, is for its user to decide.
//!
//! * [`OutcomeReader`] finds the real outcome of an answer while it passes by: FrameX puts it into the body.
//! * [`error_body`] and [`error_event`] are errors that a FrameX caller understands.
//! * [`envelope`] makes a plain answer one that a FrameX caller can use.
//! * [`path_parameters`] repairs the paths that FrameX's proxy plugin sends.
//! * [`function`] reads and answers calls of proxy functions.
//! * [`cache_control`] has the rules of FrameX's cache.
//! * [`config`] reads a FrameX `config.toml`.
//!
//! ```
//! use framex_wire::OutcomeReader;
//!
//! let mut outcome = OutcomeReader::json();
//! outcome.push(br#"{"status":404,"message":"Not Found","#);
//! outcome.push(br#""timestamp":"2026-11-25 02:22:06"}"#);
//! assert_eq!(outcome.outcome(), Some(404));
//! ```

pub mod cache_control;
pub mod config;
pub mod envelope;
mod error_answer;
pub mod function;
mod outcome;
pub mod path_parameters;
mod python_json;

pub use error_answer::{error_body, error_event};
pub use outcome::OutcomeReader;
