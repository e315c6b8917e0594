//! The body of an answer of the gateway itself: RFC 9457 problem details.

use crate::rejection::Rejection;
use serde::Serialize;

/// The media type of [`problem`].
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The body for a rejection. `request_id` lets the caller name the request when asking for help.
pub(crate) fn problem(rejection: &Rejection, request_id: Option<&str>) -> Vec<u8> {
    let reason = rejection.reason;
    let problem = Problem {
        r#type: format!("urn:framex-gateway:problem:{}", reason.code()),
        title: reason.title(),
        status: reason.status(),
        detail: &rejection.detail,
        code: reason.code(),
        request_id,
    };
    // Only text and numbers: this cannot fail, and if it did, the status alone says enough.
    serde_json::to_vec(&problem).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::Reason;

    #[test]
    fn the_body_is_problem_json_with_a_stable_code() {
        let rejection = Rejection::new(Reason::RouteNotFound, "no route for \"/x\"");
        let value: serde_json::Value = serde_json::from_slice(&problem(&rejection, Some("r1"))).expect("JSON");
        assert_eq!(value["code"], "route_not_found");
        assert_eq!(value["status"], 404);
        assert_eq!(value["detail"], "no route for \"/x\"");
        assert_eq!(value["request_id"], "r1");
    }
}
