//! `migrate`: moving a route from one service to another, little by little.

mod admin_client;
mod columns;
mod report;

use clap::Subcommand;
use std::process::ExitCode;

/// Commands for moving a route from one service to another.
#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Show how copies of requests (`shadow` of a route) were answered otherwise than the requests.
    Report {
        #[command(flatten)]
        report: report::ReportArguments,
    },
}

/// Runs one of the commands.
pub(super) fn migrate(command: &MigrateCommand) -> anyhow::Result<ExitCode> {
    match command {
        MigrateCommand::Report { report } => report::report(report),
    }
}
