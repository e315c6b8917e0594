//! Notices that a client has gone while nothing is read from it.

use pingora_error::ErrorType;
use pingora_proxy::Session;
use std::time::Duration;

/// How often a connection is looked at that must not be read from, because a body waits in it.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Linux' number of the state in which neither side has closed; 0 is that of systems that do not tell.
const ESTABLISHED: u8 = 1;

/// Ends when the client has gone. Nothing of its request is lost.
pub(super) async fn of_client(session: &mut Session) {
    if session.is_http2() || session.is_body_done() {
        // Ends only with an error. What comes too early (the next request) is not a client that goes.
        let ended = session.downstream_session.read_body_or_idle(true).await;
        let has_gone = ended.is_err_and(|error| {
            matches!(error.etype(), ErrorType::ConnectionClosed | ErrorType::H2Error | ErrorType::ReadError)
        });
        if has_gone {
            return;
        }
        return std::future::pending().await;
    }
    let Some(socket) = session.digest().and_then(|digest| digest.socket_digest.clone()) else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        if socket.tcp_info().is_some_and(|info| info.tcpi_state > ESTABLISHED) {
            return;
        }
    }
}
