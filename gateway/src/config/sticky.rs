//! What keeps a caller with the same share of a route.

use super::problem::{ProblemList, ValuePath};
use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

/// What keeps a caller with the same share: `{ header: X-Session }`, `{ cookie: session }` or `{ subject: true }`. The same
/// value always goes to the same share; a share that grows keeps whom it has. Requests without a value go by chance.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawSticky {
    /// The header field whose value decides.
    header: Option<String>,
    /// The cookie whose value decides.
    cookie: Option<String>,
    /// Whether a caller without the cookie is given one, with a random value, until the browser is closed. Default: false. Set it
    /// only where the cookie is the gateway's alone: an application's own session cookie would be overwritten.
    set: bool,
    /// Whether the subject of the caller's token decides. Default: false.
    subject: bool,
}

/// What keeps a caller with the same share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// The value of a header field.
    Header(HeaderName),
    /// The value of a cookie.
    Cookie {
        /// Its name.
        name: String,
        /// Whether a caller without one is given one.
        set: bool,
    },
    /// The subject of the caller's token.
    Subject,
}

impl RawSticky {
    pub(super) fn validate(self, path: &ValuePath, is_public: bool, problems: &mut ProblemList) -> Option<Sticky> {
        let Self { header, cookie, set, subject } = self;
        if set && cookie.is_none() {
            problems.report(path.key("set"), "only a `cookie` can be set");
        }
        match (header, cookie, subject) {
            (Some(header), None, false) => match header.parse() {
                Ok(header) => Some(Sticky::Header(header)),
                Err(_) => {
                    problems.report(path.key("header"), format!("`{header}` is no header field name"));
                    None
                }
            },
            (None, Some(name), false) => {
                if !is_cookie_name(&name) {
                    problems.report(path.key("cookie"), format!("`{name}` is no cookie name"));
                }
                Some(Sticky::Cookie { name, set })
            }
            (None, None, true) => {
                if is_public {
                    problems.report(path.key("subject"), "a public route asks for no token, so nobody has a subject");
                }
                Some(Sticky::Subject)
            }
            (None, None, false) => {
                let message = "what decides is missing; write `{ header: X-Session }`, `{ cookie: session }` or `{ subject: true }`";
                problems.report_absence(path, message);
                None
            }
            _ => {
                problems.report(path.clone(), "one of `header`, `cookie` and `subject` decides, not several");
                None
            }
        }
    }
}

/// A token of RFC 9110 §5.6.2, as RFC 6265 §4.1.1 asks for.
pub(super) fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte))
}
