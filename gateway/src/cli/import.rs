//! `import`: a namespace file made of what is there already.
//!
//! What is written is a beginning, for people to read and change: `check` accepts it once the variables that it names are
//! set, and every setting that has no equal here is a comment at its place. Secrets never come into it.

mod framex;
mod openapi;
mod openapi_routes;
mod path_rule;
mod source;
mod yaml_text;

use super::output;
use crate::config::is_name;
use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is imported.
#[derive(Debug, clap::Subcommand)]
pub(super) enum ImportCommand {
    /// Make a namespace file of the configuration of a FrameX instance (framex-kit 0.4).
    Framex {
        /// Its `config.toml`.
        #[arg(value_name = "CONFIG.TOML")]
        file: PathBuf,
        #[command(flatten)]
        common: CommonArguments,
    },
    /// Make a namespace file of the OpenAPI document of a service.
    Openapi {
        /// Where the document is: a URL, or a file of JSON or YAML.
        #[arg(value_name = "URL|FILE")]
        source: String,
        /// Where the service is, if the document comes from a file that does not say it, like `http://10.0.0.7:8000`.
        #[arg(long, value_name = "URL")]
        endpoint: Option<String>,
        /// What stands before the service's paths at the gateway. Default: `/api/v1/<namespace>`.
        #[arg(long, value_name = "PREFIX")]
        at: Option<String>,
        /// Write every path down as a route, in place of learning them from the running service.
        #[arg(long)]
        routes: bool,
        #[command(flatten)]
        common: CommonArguments,
    },
}

/// What all imports have in common.
#[derive(Debug, clap::Args)]
pub(super) struct CommonArguments {
    /// The namespace; it must be the name of the file.
    #[arg(long, value_name = "NAME", value_parser = namespace_name)]
    namespace: String,
    /// Write to this file, in place of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long, requires = "out")]
    force: bool,
}

/// Writes the namespace file.
pub(super) fn import(command: &ImportCommand) -> anyhow::Result<ExitCode> {
    let (text, common) = match command {
        ImportCommand::Framex { file, common } => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let config = framex_wire::config::read(&text).map_err(|problems| {
                let lines: Vec<String> =
                    problems.iter().map(|problem| format!("{}: {problem}", file.display())).collect();
                anyhow::anyhow!("FrameX would not start with this file:\n{}", lines.join("\n"))
            })?;
            (framex::namespace_file(&config, &common.namespace), common)
        }
        ImportCommand::Openapi { source, endpoint, at, routes, common } => {
            let read = source::read(source)?;
            let wishes = openapi::Wishes {
                namespace: &common.namespace,
                endpoint: endpoint.as_deref(),
                at: at.as_deref(),
                routes: *routes,
            };
            (openapi::namespace_file(read, &wishes)?, common)
        }
    };
    match &common.out {
        None => output::print(&text),
        Some(file) => {
            write(file, &text, common.force)?;
            output::error(&format!(
                "{} is written; read its comments, then run `framex-gateway check`\n",
                file.display()
            ));
            if file.file_stem().is_none_or(|stem| stem != common.namespace.as_str()) {
                output::error(&format!(
                    "the gateway reads the namespace `{0}` from a file called `{0}.yaml`\n",
                    common.namespace
                ));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(file: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut opened = match options.open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} is there already; --force replaces it", file.display())
        }
        other => other.with_context(|| format!("cannot write {}", file.display()))?,
    };
    opened.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))
}

fn namespace_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("use up to 63 lower-case letters, digits and hyphens, starting with a letter".to_owned())
    }
}
