//! Ed25519 keys (RFC 8032) of publishers, as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.

use crate::digest_list::hex_digest;
use crate::pem;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What stands before the 32 bytes of a public key in its DER form (RFC 8410, section 4).
const PUBLIC_KEY_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What stands before the 32 bytes of a private key in its DER form (RFC 8410, section 7), version 1.
const PRIVATE_KEY_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const KEY_LENGTH: usize = 32;
/// Hexadecimal digits of a key id: 128 bits, so nobody finds a second key with the same.
const ID_LENGTH: usize = 32;

/// Why a text is no key that can be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no PEM text with one key.
    #[error("the key {0}")]
    NotPem(&'static str),
    /// A public key was wanted.
    #[error(
        "this is a private key; give the public one, as `openssl pkey -pubout` writes it, and keep this one to yourself"
    )]
    IsPrivate,
    /// A private key was wanted.
    #[error("this is a public key; signing needs the private one")]
    IsPublic,
    /// The private key is protected by a passphrase.
    #[error("the key is encrypted; write it without a passphrase with `openssl pkey -in KEY`")]
    IsEncrypted,
    /// It is a key of another kind.
    #[error("not an Ed25519 key; make one with `openssl genpkey -algorithm ed25519`")]
    NotEd25519,
    /// The system has no random numbers.
    #[error("the system gave no random numbers for a new key")]
    NoRandomness,
}

/// The name of a key: the first 32 hexadecimal digits of the SHA-256 of its public half in DER.
///
/// `openssl pkey -in KEY -pubout -outform DER | sha256sum` begins with the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == ID_LENGTH && text.bytes().all(is_digit) {
            Ok(Self(text))
        } else {
            Err("a key id is 32 hexadecimal digits in lower case")
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key that verifies what a publisher signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; KEY_LENGTH]);

impl PublicKey {
    /// Reads a public key in PEM (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    ///
    /// It is not one Ed25519 public key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let pem = pem::read(text).map_err(KeyError::NotPem)?;
        match pem.label.as_str() {
            "PUBLIC KEY" => {}
            label if label.contains("PRIVATE KEY") => return Err(KeyError::IsPrivate),
            _ => return Err(KeyError::NotEd25519),
        }
        let key = pem.content.strip_prefix(&PUBLIC_KEY_PREFIX).and_then(|key| key.try_into().ok());
        key.map(Self).ok_or(KeyError::NotEd25519)
    }

    /// The key in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write("PUBLIC KEY", &self.to_der())
    }

    /// The name of the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut digest = hex_digest(&self.to_der());
        digest.truncate(ID_LENGTH);
        KeyId(digest)
    }

    fn to_der(&self) -> Vec<u8> {
        [PUBLIC_KEY_PREFIX.as_slice(), &self.0].concat()
    }

    /// Whether `signature` was made over `message` with the private half of this key.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

/// The key that signs. It never prints.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public_key().id())
    }
}

impl SigningKey {
    /// Makes a new key; answers with it and its PEM text (PKCS#8), which is a secret to be kept.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn generate() -> Result<(Self, String), KeyError> {
        let mut seed = [0; KEY_LENGTH];
        SystemRandom::new().fill(&mut seed).map_err(|_unspecified| KeyError::NoRandomness)?;
        let der = [PRIVATE_KEY_PREFIX.as_slice(), &seed].concat();
        Ok((Self::from_der(&der)?, pem::write("PRIVATE KEY", &der)))
    }

    /// Reads a private key in PEM (PKCS#8, `-----BEGIN PRIVATE KEY-----`).
    ///
    /// # Errors
    ///
    /// It is not one Ed25519 private key without a passphrase.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let pem = pem::read(text).map_err(KeyError::NotPem)?;
        match pem.label.as_str() {
            "PRIVATE KEY" => Self::from_der(&pem.content),
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::IsEncrypted),
            "PUBLIC KEY" => Err(KeyError::IsPublic),
            _ => Err(KeyError::NotEd25519),
        }
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        // "Maybe unchecked": version 1, which openssl writes, has no public half that could be compared.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self).map_err(|_rejected| KeyError::NotEd25519)
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let mut key = [0; KEY_LENGTH];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(key)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_read_again_and_signs() {
        let (key, text) = SigningKey::generate().unwrap();
        let again = SigningKey::from_pem(&text).unwrap();
        assert_eq!(key.public_key(), again.public_key());
        let public = PublicKey::from_pem(&key.public_key().to_pem()).unwrap();
        let signature = again.sign(b"message");
        assert!(public.has_signed(b"message", &signature));
        assert!(!public.has_signed(b"messagf", &signature));
        assert!(!public.has_signed(b"message", &signature[1..]));
        assert!(!SigningKey::generate().unwrap().0.public_key().has_signed(b"message", &signature));
    }

    #[test]
    fn the_wrong_kind_of_key_is_refused_with_a_way_out() {
        let (key, private) = SigningKey::generate().unwrap();
        let public = key.public_key().to_pem();
        assert_eq!(PublicKey::from_pem(&private), Err(KeyError::IsPrivate));
        assert_eq!(SigningKey::from_pem(&public).unwrap_err(), KeyError::IsPublic);
        assert_eq!(
            SigningKey::from_pem(&private.replace("PRIVATE", "ENCRYPTED PRIVATE")).unwrap_err(),
            KeyError::IsEncrypted
        );
        for text in
            ["", "hello", &public.replace("END", "AND"), &format!("{public}{public}"), &public.replace("MCow", "????")]
        {
            assert!(matches!(PublicKey::from_pem(text), Err(KeyError::NotPem(_))), "{text}");
        }
        let other = pem::write("PUBLIC KEY", &[0x30; 91]);
        assert_eq!(PublicKey::from_pem(&other), Err(KeyError::NotEd25519));
        assert_eq!(SigningKey::from_pem(&pem::write("PRIVATE KEY", &[0x30; 48])).unwrap_err(), KeyError::NotEd25519);
    }

    #[test]
    fn a_signing_key_never_prints() {
        let (key, text) = SigningKey::generate().unwrap();
        let secret = text.lines().nth(1).unwrap();
        assert!(!format!("{key:?}").contains(secret) && format!("{key:?}").contains(key.public_key().id().as_str()));
    }
}
