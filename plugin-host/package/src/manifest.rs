//! `plugin.yaml`: what a plugin says about itself.
//!
//! Promises: every problem of the file, and of the documents that it names, is found in one go and carries file, line,
//! column, path and a way out; nothing unknown is passed over. What a manifest asks for (limits, permissions) is bounded
//! here only by sense; how much of it is granted is the operator's business.
//!
//! | stage | from → to | in |
//! |---|---|---|
//! | shape | text → raw types, private to this module | [`Draft::read`], by the same JSON Schema that editors use |
//! | validate | raw types → the plain types exported here | the section files |
//! | complete | with the files of the package → [`Manifest`] | [`Draft::complete`] |

mod component;
mod draft;
mod endpoints;
mod limits;
mod name;
mod permissions;
mod required_api;
mod runtime;
mod schema;
mod source;
mod units;
mod worker;

pub use component::Component;
pub(crate) use draft::{Draft, MANIFEST};
pub use limits::Limits;
pub(crate) use name::is_name;
pub use permissions::{NoHost, OutboundHost, Permissions, Scheme};
pub use required_api::RequiredApi;
pub use runtime::Runtime;
pub use schema::manifest_schema;
pub use worker::{Listen, Ready, Worker};

use crate::config_schema::ConfigSchema;
use crate::package_path::PackagePath;
use serde_json::Value;

/// What a plugin says about itself, read and found to be sound.
#[derive(Debug)]
pub struct Manifest {
    /// Its name: lower-case letters, digits and hyphens.
    pub name: String,
    /// Its version.
    pub version: semver::Version,
    /// What it does, in a sentence; may be empty.
    pub description: String,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// Its licence as an SPDX expression.
    pub license: Option<String>,
    /// The file with the text of the licence.
    pub license_file: Option<PackagePath>,
    /// What runs.
    pub runtime: Runtime,
    /// The HTTP API that it serves: an OpenAPI 3.1 document.
    pub endpoints: Option<Value>,
    /// The APIs of others that it calls.
    pub requires: Vec<RequiredApi>,
    /// What it may do beyond answering.
    pub permissions: Permissions,
    /// What one call may cost, as far as the author says.
    pub limits: Limits,
    /// What its configuration must satisfy; without it, there is none.
    pub config_schema: Option<ConfigSchema>,
}
