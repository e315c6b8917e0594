//! What there is to say about a package.

use crate::digest_list::hex_digest;
use crate::manifest::{Limits, Permissions, RequiredApi, Runtime};
use crate::package::Package;
use crate::package_path::PackagePath;
use crate::signature::{Signature, is_signature};
use serde::Serialize;

/// A summary of a package, to be shown or sent as JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does.
    pub description: String,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// Its licence as an SPDX expression.
    pub license: Option<String>,
    /// What runs: `component` or `worker`.
    pub kind: &'static str,
    /// How it runs.
    pub runtime: Runtime,
    /// The paths of the API that it serves; empty without `endpoints`.
    pub endpoints: Vec<String>,
    /// The APIs of others that it calls.
    pub requires: Vec<RequiredApi>,
    /// What it asks to be allowed.
    pub permissions: Permissions,
    /// What one call may cost, as far as the author says.
    pub limits: Limits,
    /// Whether it takes a configuration.
    pub has_configuration: bool,
    /// [`Package::digest`].
    pub digest: String,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Every file, in the order of their paths.
    pub files: Vec<InspectedFile>,
    /// Every signature that can be read. None of them is checked: that is [`Package::verify`].
    pub signatures: Vec<InspectedSignature>,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InspectedFile {
    /// Its path.
    pub path: PackagePath,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// A signature of a package, as it speaks of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InspectedSignature {
    /// Its file.
    pub file: PackagePath,
    /// The key that it names.
    pub key: String,
    /// The publisher that it names. It proves nothing.
    pub claimed_publisher: String,
}

impl Inspection {
    pub(crate) fn of(package: &Package) -> Self {
        let manifest = package.manifest();
        let paths = manifest.endpoints.as_ref().and_then(|document| document.get("paths")?.as_object());
        let file = |(path, content): (&PackagePath, &[u8])| InspectedFile {
            path: path.clone(),
            bytes: content.len() as u64,
            sha256: hex_digest(content),
        };
        let files: Vec<InspectedFile> = package.files().map(file).collect();
        let signature = |(path, content): (&PackagePath, &[u8])| {
            let Signature { key, publisher, .. } = Signature::read(path, content).ok()?;
            Some(InspectedSignature { file: path.clone(), key: key.to_string(), claimed_publisher: publisher })
        };
        Self {
            name: manifest.name.clone(),
            version: manifest.version.to_string(),
            description: manifest.description.clone(),
            authors: manifest.authors.clone(),
            license: manifest.license.clone(),
            kind: manifest.runtime.kind(),
            runtime: manifest.runtime.clone(),
            endpoints: paths.into_iter().flat_map(|paths| paths.keys().cloned()).collect(),
            requires: manifest.requires.clone(),
            permissions: manifest.permissions.clone(),
            limits: manifest.limits,
            has_configuration: manifest.config_schema.is_some(),
            digest: package.digest(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            files,
            signatures: package.files().filter(|(path, _)| is_signature(path)).filter_map(signature).collect(),
        }
    }
}
