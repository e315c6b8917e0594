//! The commands.

mod admin_client;
mod check;
mod explain;
mod health;
mod import;
mod migrate;
mod migrate_check;
mod output;
mod plugin;
mod plugin_build;
mod plugin_new;
mod routes;
mod schema;
mod token;
mod web;

use crate::app;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// FrameX Gateway: one namespaced, access-controlled, metered API over plugins, FrameX and FastAPI.
#[derive(Debug, Parser)]
#[command(name = "framex-gateway", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct ConfigArgument {
    /// The platform team's configuration file.
    #[arg(long, short, default_value = "conf/gateway.yaml", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; SIGHUP reloads.
    Run {
        #[command(flatten)]
        config: ConfigArgument,
        /// Write the bound addresses to this file as JSON (for ports chosen by the system).
        #[arg(long, value_name = "FILE")]
        ports_file: Option<PathBuf>,
    },
    /// Say everything that is wrong with a configuration; exit code 1 if anything is.
    Check {
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Print the compiled routing table, most precise route first.
    Routes {
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Say which route a request takes, why the others do not, and what access says.
    Explain {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        request: explain::RequestArguments,
    },
    /// Mint a development token for an issuer that has a secret file.
    Token {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        token: token::TokenArguments,
    },
    /// Write the JSON Schemas of the configuration files into a folder.
    Schema {
        /// The folder.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Write a namespace file from what is there already: a FrameX configuration, an OpenAPI document.
    Import {
        #[command(subcommand)]
        command: import::ImportCommand,
    },
    /// Make, build, pack, sign, verify and inspect plugins.
    Plugin {
        #[command(subcommand)]
        command: plugin::PluginCommand,
    },
    /// Move a route from one service to another, little by little.
    Migrate {
        #[command(subcommand)]
        command: migrate::MigrateCommand,
    },
    /// Ask a running gateway whether it is ready; exit code 1 if it is not.
    Health {
        #[command(flatten)]
        admin: admin_client::AdminArguments,
    },
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run { config, ports_file } => {
            app::run(&app::RunOptions { config: config.config, ports_file }).map(|()| ExitCode::SUCCESS)
        }
        Command::Check { config } => check::check(&config.config),
        Command::Routes { config } => routes::routes(&config.config),
        Command::Explain { config, request } => explain::explain(&config.config, &request),
        Command::Token { config, token } => token::token(&config.config, &token),
        Command::Schema { folder } => schema::write(&folder),
        Command::Import { command } => import::import(&command),
        Command::Migrate { command } => migrate::migrate(&command),
        Command::Plugin { command } => plugin::plugin(&command),
        Command::Health { admin } => health::health(&admin),
    };
    result.unwrap_or_else(|error| {
        output::error(&format!("framex-gateway: {error:#}\n"));
        ExitCode::FAILURE
    })
}
