//! What Pingora's errors mean to a caller. The only place that reads them.

use super::context::RequestContext;
use crate::rejection::{Reason, Rejection};
use pingora_error::{Error, ErrorSource, ErrorType};

/// The rejection for a failed exchange. The detail says what the caller may know; addresses stay in the note.
pub(super) fn rejection_of(error: &Error, context: &RequestContext) -> Rejection {
    let reason = reason_of(error);
    let backend = context.cluster().map(|cluster| cluster.config.name.as_str());
    let detail = match (reason, backend) {
        (Reason::BackendUnreachable, Some(backend)) => format!("the backend `{backend}` cannot be reached"),
        (Reason::BackendBroken, Some(backend)) => format!("the backend `{backend}` broke off its answer"),
        (Reason::BackendTimeout, Some(backend)) => format!("the backend `{backend}` was silent for too long"),
        _ => String::new(),
    };
    Rejection::new(reason, detail).with_note(note_of(error))
}

fn reason_of(error: &Error) -> Reason {
    use ErrorType as Type;
    match (error.esource(), error.etype()) {
        (
            ErrorSource::Upstream,
            Type::ConnectTimedout | Type::ReadTimedout | Type::WriteTimedout | Type::TLSHandshakeTimedout,
        ) => Reason::BackendTimeout,
        (
            ErrorSource::Upstream,
            Type::ConnectRefused
            | Type::ConnectNoRoute
            | Type::ConnectError
            | Type::SocketError
            | Type::ConnectProxyFailure
            | Type::TLSHandshakeFailure
            | Type::InvalidCert
            | Type::HandshakeError,
        ) => Reason::BackendUnreachable,
        (ErrorSource::Upstream, _) => Reason::BackendBroken,
        (ErrorSource::Downstream, Type::ReadTimedout) => Reason::RequestTimeout,
        (
            ErrorSource::Downstream,
            Type::ReadError | Type::WriteError | Type::WriteTimedout | Type::ConnectionClosed | Type::H2Error,
        ) => Reason::ClientClosed,
        (ErrorSource::Downstream, _) => Reason::BadRequest,
        (ErrorSource::Internal | ErrorSource::Unset, _) => Reason::Internal,
    }
}

/// Pingora's own words without line breaks, cut to what a log line can bear.
fn note_of(error: &Error) -> String {
    let text: String = error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_a_504_refusal_a_502_and_a_client_that_left_no_error_of_ours() {
        let reason = |error: Box<Error>| reason_of(&error);
        assert_eq!(reason(Error::new_up(ErrorType::ReadTimedout)), Reason::BackendTimeout);
        assert_eq!(reason(Error::new_up(ErrorType::ConnectRefused)), Reason::BackendUnreachable);
        assert_eq!(reason(Error::new_up(ErrorType::ConnectionClosed)), Reason::BackendBroken);
        assert_eq!(reason(Error::new_down(ErrorType::ReadTimedout)), Reason::RequestTimeout);
        assert_eq!(reason(Error::new_down(ErrorType::ConnectionClosed)), Reason::ClientClosed);
        assert_eq!(reason(Error::new_down(ErrorType::InvalidHTTPHeader)), Reason::BadRequest);
        assert_eq!(reason(Error::new_in(ErrorType::InternalError)), Reason::Internal);
    }
}
