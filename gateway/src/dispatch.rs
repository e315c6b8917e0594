//! Carries the calls that plugins make to what answers them, by the same rules as requests from outside.
//!
//! A plugin calls `http://<namespace>.framex.internal/<path>` with the path that callers outside use. The call runs the whole
//! list of a request (route, access, limits, metering), with the plugin's identity acting for whoever called it. Where a
//! plugin of this process answers, no socket is touched; else the route's network backend is called. The snapshot, the trace
//! and the caller come from the call that the plugin is answering.
//!
//! A component calls through its own imports; a worker calls the gateway's door (`worker_door`) with a token and the ticket of the
//! request it serves.
//!
//! What `proxy` needs as well, because it does the same for requests from outside, is here too: the fields that backends are
//! given, the request as a plugin sees it, and the meaning of a plugin's failure.

mod account;
mod affinity;
mod answer_envelope;
mod call_scope;
mod call_tickets;
mod copied_request;
mod counted_body;
mod cut_body;
mod fields;
mod function_calls;
mod internal_calls;
mod kept_body;
mod network_call;
mod outbound_call;
mod plugin_failure;
mod plugin_request;
mod problem;
mod shadow_calls;
mod size_limits;

pub(crate) use affinity::affinity_value;
pub(crate) use answer_envelope::AnswerEnvelope;
pub use call_scope::CallScope;
pub(crate) use call_tickets::{CallTicket, CallTickets};
pub(crate) use copied_request::CopiedRequest;
pub(crate) use fields::{edit_credentials, set_own_fields};
pub(crate) use function_calls::{call_function, find_function, refuse_function_calls};
pub use internal_calls::InternalCalls;
pub(crate) use internal_calls::WRITTEN_ANSWER;
pub(crate) use network_call::{circuit_open, rejection_of as network_rejection_of};
pub(crate) use plugin_failure::{cut_of, enter_plugin, leave_plugin, rejection_of};
pub(crate) use plugin_request::{PluginRequest, plugin_request};
pub(crate) use problem::{framex_problem, problem, problem_fields};
pub use shadow_calls::ShadowCalls;
pub(crate) use shadow_calls::{RequestCopy, WhoAnswers};
pub(crate) use size_limits::{answer_too_large, body_too_large, check_answer, check_request};
