//! What a plugin package is for FrameX Gateway.
//!
//! This crate promises that a package of whatever origin costs its reader bounded time and memory and never a crash; that a
//! manifest or configuration that is wrong is refused with everything that is wrong; and that what a publisher signed
//! is either exactly what is there or refused with the name of the file. It knows no network, no routes and no
//! WebAssembly, and runs nothing: whether the plugin works is for its user to find out.
//!
//! * [`Package`] is a folder or an `.fxp` file, opened: its files and its [`Manifest`], `plugin.yaml`.
//! * [`SigningKey`] and [`PublisherKeys`] sign and verify it, [`ConfigSchema`] checks what an operator tells the plugin.
//! * [`Bounds`] say how large a package may be.
//!
//! ```
//! use framex_plugin_package::{Package, PublisherKeys, SigningKey};
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(
//!     folder.path().join("plugin.yaml"),
//!     "{ name: hello, version: 1.0.0, component: { file: hello.wasm } }",
//! )?;
//! std::fs::write(folder.path().join("hello.wasm"), b"\0asm")?;
//!
//! let mut package = Package::open(folder.path())?;
//! let (key, _secret_pem) = SigningKey::generate()?;
//! package.sign(&key, "acme")?;
//! let packed = folder.path().join(package.file_name());
//! std::fs::write(&packed, package.pack()?)?;
//!
//! let mut publishers = PublisherKeys::new();
//! publishers.add("acme", key.public_key());
//! let verified = Package::open(&packed)?.verify(&publishers).map_err(|errors| format!("{errors:?}"))?;
//! assert!(verified.is_signed_by("acme"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
mod closed_schema;
mod config_schema;
mod content;
mod digest_list;
mod document;
mod folder;
mod inspect;
mod key;
mod manifest;
mod package;
mod package_path;
mod pem;
mod problem;
mod schema_bounds;
mod schema_part;
mod shape;
mod signature;
mod verify;

pub use config_schema::{ConfigSchema, ConfigurationProblem};
pub use content::{Bounds, ContentError};
pub use inspect::{InspectedFile, InspectedSignature, Inspection};
pub use key::{KeyError, KeyId, PublicKey, SigningKey};
pub use manifest::{
    Component, Limits, Listen, Manifest, NoHost, OutboundHost, Permissions, Ready, RequiredApi, Runtime, Scheme,
    Worker, manifest_schema,
};
pub use package::{OpenError, Package, SignError, Signed, sign_at};
pub use package_path::{PackagePath, PathError};
pub use problem::{Problem, Step, ValuePath};
pub use verify::{PublisherKeys, Verified, VerifyError};
