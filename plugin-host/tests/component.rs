//! Components at work: real ones, on a real host, through nothing but its public face.

#[path = "component/harness.rs"]
mod harness;

#[path = "component/answers.rs"]
mod answers;
#[path = "component/cancellation.rs"]
mod cancellation;
#[path = "component/failures.rs"]
mod failures;
#[path = "component/fairness.rs"]
mod fairness;
#[path = "component/loading.rs"]
mod loading;
#[path = "component/logging.rs"]
mod logging;
#[path = "component/next_generation.rs"]
mod next_generation;
#[path = "component/outgoing.rs"]
mod outgoing;
#[path = "component/reuse.rs"]
mod reuse;
