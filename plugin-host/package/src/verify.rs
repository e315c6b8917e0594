//! Whether a package is what its publishers signed.

use crate::content::Content;
use crate::digest_list::{self, DIGEST_LIST, hex_digest, is_listed};
use crate::key::{KeyError, KeyId, PublicKey};
use crate::manifest::Manifest;
use crate::package_path::PackagePath;
use crate::signature::{Signature, is_signature};
use std::collections::{BTreeMap, BTreeSet};

/// The public keys of the publishers that an operator believes.
#[derive(Clone, Debug, Default)]
pub struct PublisherKeys {
    keys: BTreeMap<KeyId, (String, PublicKey)>,
}

impl PublisherKeys {
    /// No keys: signatures are found but none is believed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key of `publisher`. A publisher may have several, so that it can change them; the last name given to a key
    /// counts.
    pub fn add(&mut self, publisher: impl Into<String>, key: PublicKey) {
        self.keys.insert(key.id(), (publisher.into(), key));
    }

    /// Adds a key of `publisher` in PEM.
    ///
    /// # Errors
    ///
    /// It is not one Ed25519 public key.
    pub fn add_pem(&mut self, publisher: impl Into<String>, pem: &str) -> Result<(), KeyError> {
        self.add(publisher, PublicKey::from_pem(pem)?);
        Ok(())
    }
}

/// A package that is whole, and who says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The publishers, by the operator's names for them, whose keys signed exactly this content.
    pub publishers: BTreeSet<String>,
    /// Keys that nobody vouches for. Their signatures were not checked and prove nothing.
    pub unknown_keys: BTreeSet<KeyId>,
}

impl Verified {
    /// Whether the package has no signature at all.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.publishers.is_empty() && self.unknown_keys.is_empty()
    }

    /// Whether `publisher` signed.
    #[must_use]
    pub fn is_signed_by(&self, publisher: &str) -> bool {
        self.publishers.contains(publisher)
    }
}

/// One way in which a package is not what was signed. Each names the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A file is not as it was when the digests were made.
    #[error("{file} was changed after the package was signed")]
    Changed {
        /// The file.
        file: PackagePath,
    },
    /// A file that was signed is not there.
    #[error("{file} was signed but is missing")]
    Missing {
        /// Its path, as the digest list has it.
        file: String,
    },
    /// A file was added later.
    #[error("{file} was added after the package was signed")]
    NotListed {
        /// The file.
        file: PackagePath,
    },
    /// The digests are of another plugin or version.
    #[error("{DIGEST_LIST} is not of {name} {version}")]
    OtherPlugin {
        /// The name in the manifest.
        name: String,
        /// The version in the manifest.
        version: String,
    },
    /// The digests are not written in the one way that is signed.
    #[error("{DIGEST_LIST} is not as signing writes it; sign the package again")]
    NotADigestList,
    /// There are signatures but nothing that they are over.
    #[error("{DIGEST_LIST} is missing, but {file} is there")]
    NoDigests {
        /// The first signature.
        file: PackagePath,
    },
    /// A signature cannot be read.
    #[error("{file} is no signature: {why}")]
    NotASignature {
        /// The file.
        file: PackagePath,
        /// Why.
        why: String,
    },
    /// The signature with a publisher's key is wrong.
    #[error("{file} is not a signature of {publisher} over this {DIGEST_LIST}")]
    WrongSignature {
        /// The file.
        file: PackagePath,
        /// Whose key it names.
        publisher: String,
    },
}

/// Checks the digests and signatures of a package. A package without either is whole, and nobody's.
pub(crate) fn verify(
    content: &Content,
    manifest: &Manifest,
    publishers: &PublisherKeys,
) -> Result<Verified, Vec<VerifyError>> {
    let signatures: Vec<(&PackagePath, &[u8])> = content.iter().filter(|(path, _)| is_signature(path)).collect();
    let Some(digest_list) = content.get(&PackagePath::of_ours(DIGEST_LIST)) else {
        return match signatures.first() {
            Some((file, _)) => Err(vec![VerifyError::NoDigests { file: (*file).clone() }]),
            None => Ok(Verified::default()),
        };
    };
    let mut errors = compare(content, manifest, digest_list);
    let mut verified = Verified::default();
    for (file, bytes) in signatures {
        let file = file.clone();
        match Signature::read(&file, bytes) {
            Err(why) => errors.push(VerifyError::NotASignature { file, why }),
            Ok(signature) => match publishers.keys.get(&signature.key) {
                None => {
                    verified.unknown_keys.insert(signature.key);
                }
                Some((publisher, key)) if key.has_signed(digest_list, &signature.bytes()) => {
                    verified.publishers.insert(publisher.clone());
                }
                Some((publisher, _)) => {
                    errors.push(VerifyError::WrongSignature { file, publisher: publisher.clone() });
                }
            },
        }
    }
    if errors.is_empty() { Ok(verified) } else { Err(errors) }
}

/// Every difference between the digest list that is there and that of the content.
fn compare(content: &Content, manifest: &Manifest, digest_list: &[u8]) -> Vec<VerifyError> {
    let expected = digest_list::write(&manifest.name, &manifest.version, content);
    if expected.as_bytes() == digest_list {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(digest_list);
    let Some(listed) = digest_list::read(&text) else { return vec![VerifyError::NotADigestList] };
    let mut errors = Vec::new();
    if !text.starts_with(&digest_list::header(&manifest.name, &manifest.version)) {
        let (name, version) = (manifest.name.clone(), manifest.version.to_string());
        errors.push(VerifyError::OtherPlugin { name, version });
    }
    for (file, bytes) in content.iter().filter(|(path, _)| is_listed(path)) {
        match listed.get(file.as_str()) {
            None => errors.push(VerifyError::NotListed { file: file.clone() }),
            Some(digest) if *digest != hex_digest(bytes) => errors.push(VerifyError::Changed { file: file.clone() }),
            Some(_) => {}
        }
    }
    let is_there =
        |path: &str| PackagePath::new(path).is_ok_and(|path| is_listed(&path) && content.get(&path).is_some());
    let missing = listed.keys().filter(|path| !is_there(path));
    errors.extend(missing.map(|file| VerifyError::Missing { file: (*file).to_owned() }));
    if errors.is_empty() {
        // The same in another order, with a line twice or in capital letters.
        errors.push(VerifyError::NotADigestList);
    }
    errors
}
