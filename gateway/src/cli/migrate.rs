//! `migrate`: moving a route from one service to another, little by little.

mod columns;
mod judge;
mod namespace_file;
mod plan;
mod report;
mod running_gateway;
mod samples;
mod step;

use super::ConfigArgument;
use super::migrate_check::{CheckArguments, migrate_check};
use clap::Subcommand;
use std::process::ExitCode;

/// Commands for moving a route from one service to another.
#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Ask a running application (GET, HEAD and OPTIONS only) and its OpenAPI document, and say what will break behind the
    /// gateway, why, and which setting helps; exit code 1 if anything breaks.
    Check(CheckArguments),
    /// Show how copies of requests (`shadow` of a route) were answered otherwise than the requests.
    Report {
        #[command(flatten)]
        report: report::ReportArguments,
    },
    /// Move the share of a route's requests along a plan while errors, latency and differences stay within bounds, and back when
    /// they do not.
    Step {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        step: step::StepArguments,
    },
}

/// Runs one of the commands.
pub(super) fn migrate(command: &MigrateCommand) -> anyhow::Result<ExitCode> {
    match command {
        MigrateCommand::Check(arguments) => migrate_check(arguments),
        MigrateCommand::Report { report } => report::report(report),
        MigrateCommand::Step { config, step } => step::step(&config.config, step),
    }
}
