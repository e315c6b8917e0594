//! The keys of one issuer.

mod jwks;
mod pem;

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use std::fmt;

/// The shortest secret in bytes: as long as the hash of HS256 (RFC 7518 §3.2).
const SHORTEST_SECRET: usize = 32;
/// RSA moduli in bits: RFC 7518 §3.3 asks for 2048 or more; the cryptography library takes up to 8192.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The keys of one issuer. Secrets are never shown by `Debug`.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
}

/// Key material that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct KeyError {
    /// Which key, such as ``JWKS key 2 (`abc`)``.
    pub key: String,
    /// What is wrong; no full stop.
    pub message: String,
}

/// One key, bound to the algorithms it may verify: all of one family.
#[derive(Debug)]
pub(super) struct VerificationKey {
    /// How messages name it.
    pub(super) label: String,
    pub(super) kid: Option<String>,
    pub(super) algorithms: Vec<Algorithm>,
    /// Whether the operator named this key, so that one of no use is a mistake. A key set of an identity provider often
    /// holds keys that are for others.
    pub(super) chosen: bool,
    pub(super) material: DecodingKey,
}

impl KeySet {
    /// A set without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a shared secret for HS256 (32 bytes or more), HS384 (48 or more) and HS512 (64 or more; RFC 7518 §3.2).
    ///
    /// # Errors
    ///
    /// When the secret has less than 32 bytes.
    pub fn add_secret(&mut self, kid: Option<String>, secret: &[u8]) -> Result<(), KeyError> {
        let label = self.label("secret", kid.as_deref());
        let algorithms = secret_algorithms(secret).map_err(|message| KeyError { key: label.clone(), message })?;
        self.keys.push(VerificationKey {
            label,
            kid,
            algorithms,
            chosen: true,
            material: DecodingKey::from_secret(secret),
        });
        Ok(())
    }

    /// Adds a public key in PEM: RSA of 2048 to 8192 bits, EC on P-256 or P-384, or Ed25519; `BEGIN PUBLIC KEY`
    /// (RFC 7468 §13), for RSA also `BEGIN RSA PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// When the text holds no such key, more than one, a certificate, or a private key.
    pub fn add_pem(&mut self, kid: Option<String>, pem: &[u8]) -> Result<(), KeyError> {
        let label = self.label("PEM key", kid.as_deref());
        let (material, algorithms) =
            pem::read_public_key(pem).map_err(|message| KeyError { key: label.clone(), message })?;
        self.keys.push(VerificationKey { label, kid, algorithms, chosen: true, material });
        Ok(())
    }

    /// Adds the keys of a JSON Web Key Set (RFC 7517 §5). Answers with a note for each key that was left out: an
    /// unknown `kty`, `crv` or `alg`, or one that is not for signatures.
    ///
    /// # Errors
    ///
    /// When the text is no key set, or a key in it is broken, too weak or private; all such keys are named, and none is
    /// added.
    pub fn add_jwks(&mut self, json: &str) -> Result<Vec<String>, Vec<KeyError>> {
        let (keys, notes) = jwks::read_key_set(json)?;
        self.keys.extend(keys);
        Ok(notes)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn keys(&self) -> &[VerificationKey] {
        &self.keys
    }

    fn label(&self, kind: &str, kid: Option<&str>) -> String {
        label(kind, self.keys.len() + 1, kid)
    }
}

fn label(kind: &str, number: usize, kid: Option<&str>) -> String {
    kid.map_or_else(|| format!("{kind} {number}"), |kid| format!("{kind} {number} (`{kid}`)"))
}

/// The HMAC algorithms whose hash is not longer than the secret.
fn secret_algorithms(secret: &[u8]) -> Result<Vec<Algorithm>, String> {
    if secret.len() < SHORTEST_SECRET {
        return Err(format!("the secret has {} bytes; at least {SHORTEST_SECRET} are needed", secret.len()));
    }
    let family = AlgorithmFamily::Hmac;
    Ok(family.algorithms().iter().copied().filter(|algorithm| secret.len() >= hash_length(*algorithm)).collect())
}

/// The length of the hash of an HMAC algorithm in bytes.
pub(super) fn hash_length(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::HS512 => 64,
        Algorithm::HS384 => 48,
        _ => 32,
    }
}

/// The algorithms of an EC key by the length of its uncompressed point (SEC 1 §2.3.3).
fn ec_algorithms(point_length: usize) -> Result<Vec<Algorithm>, String> {
    match point_length {
        65 => Ok(vec![Algorithm::ES256]),
        97 => Ok(vec![Algorithm::ES384]),
        _ => Err("an EC key must be an uncompressed point on P-256 or P-384".to_owned()),
    }
}

/// The algorithms of an RSA key by its modulus, big-endian.
fn rsa_algorithms(modulus: &[u8]) -> Result<Vec<Algorithm>, String> {
    let significant = modulus.iter().skip_while(|byte| **byte == 0);
    let first = significant.clone().next().map_or(0, |first| 8 - first.leading_zeros() as usize);
    let bits = first + 8 * significant.skip(1).count();
    if RSA_BITS.contains(&bits) {
        Ok(AlgorithmFamily::Rsa.algorithms().to_vec())
    } else {
        Err(format!("the RSA key has {bits} bits; {} to {} are accepted", RSA_BITS.start(), RSA_BITS.end()))
    }
}

/// An Ed25519 public key is 32 bytes long (RFC 8032 §5.1.5).
fn ed_algorithms(length: usize) -> Result<Vec<Algorithm>, String> {
    if length == 32 { Ok(vec![Algorithm::EdDSA]) } else { Err("an Ed25519 key has 32 bytes".to_owned()) }
}

/// Algorithm names separated by commas.
pub(super) struct AlgorithmNames<'a>(pub(super) &'a [Algorithm]);

impl fmt::Display for AlgorithmNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, algorithm) in self.0.iter().enumerate() {
            write!(f, "{}{algorithm:?}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
