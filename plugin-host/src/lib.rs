//! Runs local plugins for FrameX Gateway under limits.
//!
//! This crate promises that a plugin, whatever it does, costs its caller one failed call and nobody else anything: no
//! crash, no stall, no unbounded memory. It speaks the `http` crate's types on both sides of a [`Body`] stream, and
//! leaves routes, identities and the network to its user.
//!
//! * [`component`] runs WebAssembly components (`wasi:http`) inside this process. It is the only module that knows
//!   wasmtime, and nothing generic crosses its boundary: editing a dependent crate never recompiles wasmtime's glue.
//! * [`CallContext`], [`CallError`] and [`Body`] are what a call takes and gives, whatever kind of plugin answers.
//! * [`Outgoing`] is where a plugin's own HTTP requests leave; without one, all are refused.

pub mod component;

mod body;
mod call;
mod call_error;
mod outgoing;

pub use body::{Body, BodyError, empty_body, full_body};
pub use call::{CallContext, CallUsage};
pub use call_error::{CallError, CallErrorKind};
pub use outgoing::{Caller, DenyOutgoing, Outgoing, OutgoingError};
