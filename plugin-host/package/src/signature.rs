//! `signatures/<key id>.sig`: one publisher's signature over the digests of a package.

use crate::key::{KeyId, SigningKey};
use crate::manifest::is_name;
use crate::package_path::PackagePath;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The folder of the signatures in a package.
pub(crate) const SIGNATURE_FOLDER: &str = "signatures";
const ENDING: &str = "sig";
const ALGORITHM: &str = "ed25519";
/// Largest file of a signature, in bytes. What stands in one is in no digest list, so it must not be able to hold more.
const LARGEST: usize = 1024;

/// A signature as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    algorithm: String,
    pub(crate) key: KeyId,
    /// What the publisher is called in its own words. It proves nothing: who is believed is known by keys.
    pub(crate) publisher: String,
    signature: String,
}

/// Whether `path` is where a signature stands.
pub(crate) fn is_signature(path: &PackagePath) -> bool {
    key_of(path).is_some()
}

fn key_of(path: &PackagePath) -> Option<KeyId> {
    let (folder, file) = path.as_str().split_once('/')?;
    let (id, ending) = file.split_once('.')?;
    (folder == SIGNATURE_FOLDER && ending == ENDING).then(|| KeyId::try_from(id.to_owned()).ok()).flatten()
}

/// Where the signature with a key stands.
pub(crate) fn path_of(key: &KeyId) -> PackagePath {
    PackagePath::of_ours(&format!("{SIGNATURE_FOLDER}/{key}.{ENDING}"))
}

impl Signature {
    pub(crate) fn make(digest_list: &str, key: &SigningKey, publisher: &str) -> Self {
        Self {
            algorithm: ALGORITHM.to_owned(),
            key: key.public_key().id(),
            publisher: publisher.to_owned(),
            signature: STANDARD.encode(key.sign(digest_list.as_bytes())),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a signature holds only text");
        text.push('\n');
        text
    }

    /// Reads the file of a signature at `path`.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub(crate) fn read(path: &PackagePath, bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LARGEST {
            return Err(format!("is larger than {LARGEST} bytes"));
        }
        let signature: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if signature.algorithm != ALGORITHM {
            return Err(format!("is made with {:?}; only {ALGORITHM} is known", signature.algorithm));
        }
        if key_of(path).as_ref() != Some(&signature.key) {
            return Err(format!("is of the key {}, not of that in its name", signature.key));
        }
        if !is_name(&signature.publisher) {
            return Err(format!("{:?} is no publisher's name", signature.publisher));
        }
        Ok(signature)
    }

    /// The bytes of the signature; none when it is not base64, which no key has signed.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(&self.signature).unwrap_or_default()
    }
}
