//! The only place where tests let time pass.

use std::future::Future;
use std::time::Duration;

/// How long a test waits for anything before it fails. Far more than needed: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for `future`.
///
/// # Panics
/// When it takes too long; `what` says what did not happen.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// Looks again and again until `look` finds something.
///
/// # Panics
/// When it takes too long; `what` says what was looked for.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    within(what, looking).await
}
