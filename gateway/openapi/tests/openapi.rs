//! What is true of every document that is merged, and of every one that is made for FrameX.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "openapi/arbitrary.rs"]
mod arbitrary;
#[path = "openapi/checks.rs"]
mod checks;
#[path = "openapi/framex.rs"]
mod framex;
#[path = "openapi/hostile.rs"]
mod hostile;
#[path = "openapi/properties.rs"]
mod properties;
#[path = "openapi/recorded.rs"]
mod recorded;
