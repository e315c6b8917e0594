//! What one call of a plugin may cost, as far as the author says.

use super::units::{ByteSize, Sense, Span};
use crate::problem::{ProblemList, ValuePath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::time::Duration;

/// What the plugin needs to do its work. What is not said here the operator's configuration decides, which may also lower
/// everything that is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLimits {
    /// Most memory of one instance or process, 1MiB to 1024GiB; of a component at most 4GiB, which is what it can address.
    memory: Option<ByteSize>,
    /// Most CPU time of one call of a component, 10ms to 1h.
    cpu: Option<Span>,
    /// Longest time of one call of a component until the end of its answer, and longest silence of a worker, 10ms to 24h.
    timeout: Option<Span>,
    /// Most calls of a component at once. Further calls wait.
    #[schemars(range(min = 1, max = 65_536))]
    concurrency: Option<u32>,
    /// Most calls that wait. Further calls are refused.
    #[schemars(range(max = 65_536))]
    queue: Option<u32>,
    /// Largest body of an answer of a component, at least 1 byte.
    response_body: Option<ByteSize>,
    /// Most elements of each table of a component.
    #[schemars(range(min = 1, max = 200_000))]
    table_elements: Option<u32>,
    /// Most requests that one call of a component sends to others.
    outgoing_calls: Option<u32>,
    /// Most output of one call that goes to the log, at most 16MiB.
    log: Option<ByteSize>,
}

/// What one call of a plugin may cost, as far as the author says. Serialised with the unit in the name of the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Bytes of memory of one instance or process.
    #[serde(rename = "memory_bytes", skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// CPU time of one call.
    #[serde(rename = "cpu_ms", skip_serializing_if = "Option::is_none", serialize_with = "some_as_milliseconds")]
    pub cpu: Option<Duration>,
    /// Time of one call until the end of its answer.
    #[serde(rename = "timeout_ms", skip_serializing_if = "Option::is_none", serialize_with = "some_as_milliseconds")]
    pub timeout: Option<Duration>,
    /// Calls at once, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Calls that may wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// Bytes of the body of an answer, at least 1.
    #[serde(rename = "response_body_bytes", skip_serializing_if = "Option::is_none")]
    pub response_body: Option<u64>,
    /// Elements of each table, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_elements: Option<u32>,
    /// Requests that one call may send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outgoing_calls: Option<u32>,
    /// Bytes of output of one call that go to the log.
    #[serde(rename = "log_bytes", skip_serializing_if = "Option::is_none")]
    pub log: Option<u64>,
}

const MEMORY_OF_WORKER: Sense<u64> = Sense { range: 1 << 20..=1 << 40, words: "between 1MiB and 1024GiB" };
const MEMORY_OF_COMPONENT: Sense<u64> =
    Sense { range: 1 << 20..=4 << 30, words: "between 1MiB and 4GiB, the most a component can address" };
const CPU: Sense<Duration> =
    Sense { range: Duration::from_millis(10)..=Duration::from_secs(3_600), words: "between 10ms and 1h" };
const TIMEOUT: Sense<Duration> =
    Sense { range: Duration::from_millis(10)..=Duration::from_secs(86_400), words: "between 10ms and 24h" };
const RESPONSE_BODY: Sense<u64> = Sense { range: 1..=u64::MAX, words: "at least 1 byte" };
const LOG: Sense<u64> = Sense { range: 0..=16 << 20, words: "at most 16MiB" };

impl RawLimits {
    pub(super) fn validate(self, is_component: bool, problems: &mut ProblemList) -> Limits {
        let Self { memory, cpu, timeout, concurrency, queue, response_body, table_elements, outgoing_calls, log } =
            self;
        let path = ValuePath::default().key("limits");
        if !is_component {
            // They are kept by the host of components alone; a promise that nothing keeps is worse than none.
            let of_components = [
                ("cpu", cpu.is_some()),
                ("concurrency", concurrency.is_some()),
                ("queue", queue.is_some()),
                ("response_body", response_body.is_some()),
                ("table_elements", table_elements.is_some()),
                ("outgoing_calls", outgoing_calls.is_some()),
                ("log", log.is_some()),
            ];
            for (key, _) in of_components.into_iter().filter(|(_, is_set)| *is_set) {
                problems.report(path.key(key), "is a limit of components; a worker has none such");
            }
        }
        let memory_sense = if is_component { MEMORY_OF_COMPONENT } else { MEMORY_OF_WORKER };
        Limits {
            memory: memory.and_then(|size| size.validate(&path.key("memory"), &memory_sense, problems)),
            cpu: cpu.and_then(|span| span.validate(&path.key("cpu"), &CPU, problems)),
            timeout: timeout.and_then(|span| span.validate(&path.key("timeout"), &TIMEOUT, problems)),
            concurrency,
            queue,
            response_body: response_body
                .and_then(|size| size.validate(&path.key("response_body"), &RESPONSE_BODY, problems)),
            table_elements,
            outgoing_calls,
            log: log.and_then(|size| size.validate(&path.key("log"), &LOG, problems)),
        }
    }
}

fn some_as_milliseconds<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => as_milliseconds(span, serializer),
        None => serializer.serialize_none(),
    }
}

/// Serialises a duration as its whole milliseconds.
pub(super) fn as_milliseconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
