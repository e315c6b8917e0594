//! What a copy of a request brings to light: two answers compared, secrets hidden, the last differences kept.
//!
//! All of it is pure but for the list of differences. Who sends copies, and when, is `dispatch`'s and `proxy`'s business.

mod answer;
mod compare;
mod content;
mod difference;
mod event_stream;
mod json;
mod kept;
mod masking;
mod pointer;
mod secret_name;

pub use answer::{Answer, RecordedBody};
pub use compare::{Comparison, DifferenceKind, Rules, Uncompared, compare};
pub use difference::{Difference, Exchange, Place, ShownAnswer, ShownRequest};
pub use kept::KeptDifferences;
pub use masking::{Mask, Secrets};
pub use pointer::{Pattern, PatternError};
