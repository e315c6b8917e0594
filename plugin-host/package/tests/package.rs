//! What a package is, from outside: folders and files that are opened, packed, signed and refused.

#[path = "package/archive.rs"]
mod archive;
#[path = "package/configuration.rs"]
mod configuration;
#[path = "package/folder.rs"]
mod folder;
#[path = "package/harness.rs"]
mod harness;
#[path = "package/inspection.rs"]
mod inspection;
#[path = "package/manifest.rs"]
mod manifest;
#[path = "package/openssl.rs"]
mod openssl;
#[path = "package/round_trip.rs"]
mod round_trip;
#[path = "package/schema.rs"]
mod schema;
#[path = "package/signatures.rs"]
mod signatures;
