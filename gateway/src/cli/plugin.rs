//! `plugin …`: packages, from a new project to a signed file.

use super::plugin_new::Language;
use super::{output, plugin_build, plugin_new};
use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use framex_plugin_package::{Package, PublisherKeys, SigningKey, sign_at};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What can be done with a package.
#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Make a project to begin with: source, test, manifest, README, CI, and a gateway's configuration to run it with.
    New {
        /// The language.
        #[arg(long)]
        lang: Language,
        /// The plugin's name: lower-case letters, digits and hyphens.
        #[arg(long)]
        name: String,
        /// The project's folder, which must not be there yet. Default: the name.
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Build the component of a project with its language's tools, which are installed when they are missing; for a worker,
    /// install what it runs with.
    Build {
        /// The folder with `plugin.yaml`.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Make a key pair to sign packages with: FILE, for you alone, and FILE.pub, for who checks them.
    Keygen {
        /// The file for the private key (PEM); it must not be there yet.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Pack a plugin's folder into one file, NAME-VERSION.fxp. The same content gives the same bytes.
    Pack {
        /// The folder with `plugin.yaml`.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// Where the file goes.
        #[arg(long, short, default_value = ".", value_name = "FOLDER")]
        output: PathBuf,
    },
    /// Sign a package, folder or file, in place.
    Sign {
        /// The package.
        #[arg(value_name = "PACKAGE")]
        package: PathBuf,
        /// The private key (PEM, Ed25519), of `plugin keygen` or `openssl genpkey -algorithm ed25519`.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Who signs, for people; whoever checks goes by the key.
        #[arg(long, value_name = "NAME")]
        publisher: String,
    },
    /// Check that a package is as one of these publishers signed it; exit code 1 if not, with the name of the file.
    Verify {
        /// The package.
        #[arg(value_name = "PACKAGE")]
        package: PathBuf,
        /// A publisher's name and the file with its public key (PEM). May be given more than once.
        #[arg(long = "publisher", required = true, value_name = "NAME=FILE")]
        publishers: Vec<String>,
    },
    /// Say what is in a package.
    Inspect {
        /// The package.
        #[arg(value_name = "PACKAGE")]
        package: PathBuf,
        /// Everything, as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn plugin(command: &PluginCommand) -> anyhow::Result<ExitCode> {
    match command {
        PluginCommand::New { lang, name, folder } => plugin_new::new(*lang, name, folder.as_deref()),
        PluginCommand::Build { folder } => plugin_build::build(folder),
        PluginCommand::Keygen { file } => keygen(file),
        PluginCommand::Pack { folder, output } => pack(folder, output),
        PluginCommand::Sign { package, key, publisher } => sign(package, key, publisher),
        PluginCommand::Verify { package, publishers } => verify(package, publishers),
        PluginCommand::Inspect { package, json } => inspect(package, *json),
    }
}

fn keygen(file: &Path) -> anyhow::Result<ExitCode> {
    let (key, secret) = SigningKey::generate()?;
    let mut opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("cannot make {}", file.display()))?;
    opened.write_all(secret.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    let public = PathBuf::from(format!("{}.pub", file.display()));
    std::fs::write(&public, key.public_key().to_pem()).with_context(|| format!("cannot write {}", public.display()))?;
    output::print(&format!(
        "{}: the private key; keep it to yourself\n{}: the public key {}\n",
        file.display(),
        public.display(),
        key.public_key().id().as_str()
    ));
    Ok(ExitCode::SUCCESS)
}

fn pack(folder: &Path, output: &Path) -> anyhow::Result<ExitCode> {
    if !folder.is_dir() {
        bail!("{} is no folder; pack makes a file of a folder with `plugin.yaml`", folder.display());
    }
    let package = Package::open(folder)?;
    let file = output.join(package.file_name());
    let bytes = package.pack().with_context(|| format!("cannot pack {}", folder.display()))?;
    std::fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    output::print(&format!(
        "{}: {} files, {} bytes, digest {}\n",
        file.display(),
        package.files().count(),
        bytes.len(),
        package.digest()
    ));
    Ok(ExitCode::SUCCESS)
}

fn sign(package: &Path, key: &Path, publisher: &str) -> anyhow::Result<ExitCode> {
    let pem = std::fs::read_to_string(key).with_context(|| format!("cannot read {}", key.display()))?;
    let key = SigningKey::from_pem(&pem).with_context(|| key.display().to_string())?;
    let signed = sign_at(package, &key, publisher)?;
    let mut text = format!("{}: signed with the key {}\n", package.display(), signed.key.as_str());
    for removed in signed.removed {
        let _ = writeln!(text, "{removed} was over other content and is gone");
    }
    output::print(&text);
    Ok(ExitCode::SUCCESS)
}

fn verify(package: &Path, publishers: &[String]) -> anyhow::Result<ExitCode> {
    let mut keys = PublisherKeys::new();
    for publisher in publishers {
        let (name, file) = publisher.split_once('=').ok_or_else(|| {
            anyhow!("`{publisher}` is no publisher; write NAME=FILE, with the file of its public key")
        })?;
        let pem = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        keys.add_pem(name, &pem).with_context(|| file.to_owned())?;
    }
    let opened = Package::open(package)?;
    let verified = match opened.verify(&keys) {
        Ok(verified) => verified,
        Err(errors) => {
            let mut text = String::new();
            for error in errors {
                let _ = writeln!(text, "{}: {error}", package.display());
            }
            output::error(&text);
            return Ok(ExitCode::FAILURE);
        }
    };
    if verified.publishers.is_empty() {
        let why = if verified.is_unsigned() { "it is not signed" } else { "it is signed, but with none of these keys" };
        output::error(&format!("{}: {why}\n", package.display()));
        return Ok(ExitCode::FAILURE);
    }
    let names: Vec<&str> = verified.publishers.iter().map(String::as_str).collect();
    output::print(&format!("{}: as signed by {}, digest {}\n", package.display(), names.join(", "), opened.digest()));
    Ok(ExitCode::SUCCESS)
}

fn inspect(package: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let inspection = Package::open(package)?.inspect();
    if json {
        output::print(&format!("{}\n", serde_json::to_string_pretty(&inspection)?));
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("{} {} ({})\n", inspection.name, inspection.version, inspection.kind);
    for (what, value) in [
        ("", inspection.description.clone()),
        ("by ", inspection.authors.join(", ")),
        ("licence ", inspection.license.clone().unwrap_or_default()),
        ("serves ", inspection.endpoints.join(", ")),
        ("digest ", inspection.digest.clone()),
    ] {
        if !value.is_empty() {
            let _ = writeln!(text, "{what}{value}");
        }
    }
    for required in &inspection.requires {
        let _ = writeln!(text, "calls {} of {}", required.path, required.namespace);
    }
    for signature in &inspection.signatures {
        let _ =
            writeln!(text, "signature of {} with the key {}, not checked", signature.claimed_publisher, signature.key);
    }
    for file in &inspection.files {
        let _ = writeln!(text, "{:>10}  {}", file.bytes, file.path);
    }
    output::print(&text);
    Ok(ExitCode::SUCCESS)
}
