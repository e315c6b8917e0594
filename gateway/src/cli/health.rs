//! `health`: for container health checks, which have no other client at hand.

use super::admin_client::AdminArguments;
use super::output;
use std::process::ExitCode;
use std::time::Duration;

const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Asks `/readyz`.
pub(super) fn health(admin: &AdminArguments) -> anyhow::Result<ExitCode> {
    let (status, body) = admin.ask("GET", "/readyz", LONGEST_WAIT)?;
    output::print(&body);
    Ok(if status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
