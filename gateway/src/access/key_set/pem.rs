//! Public keys in PEM.

use super::{ec_algorithms, ed_algorithms, rsa_algorithms};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey};

pub(super) fn read_public_key(pem: &[u8]) -> Result<(DecodingKey, Vec<Algorithm>), String> {
    check_headline(&String::from_utf8_lossy(pem))?;
    if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
        let algorithms = rsa_algorithms(&rsa_modulus(&key)?)?;
        return Ok((key, algorithms));
    }
    if let Ok(key) = DecodingKey::from_ec_pem(pem) {
        let algorithms = ec_algorithms(key_length(&key)?)?;
        return Ok((key, algorithms));
    }
    if let Ok(key) = DecodingKey::from_ed_pem(pem) {
        let algorithms = ed_algorithms(key_length(&key)?)?;
        return Ok((key, algorithms));
    }
    Err("not a public key of a kind that is accepted: RSA, EC on P-256 or P-384, or Ed25519".to_owned())
}

/// Looks at the headlines first: the parser below would take a private key or a certificate for something else.
fn check_headline(pem: &str) -> Result<(), String> {
    let headlines: Vec<&str> =
        pem.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----")).collect();
    match headlines[..] {
        ["PUBLIC KEY" | "RSA PUBLIC KEY"] => Ok(()),
        [] => Err("not PEM: there is no `-----BEGIN PUBLIC KEY-----`".to_owned()),
        _ if headlines.iter().any(|headline| headline.contains("PRIVATE KEY")) => {
            Err("this is a private key; the gateway needs the public one and must not hold the private one".to_owned())
        }
        ["CERTIFICATE"] => Err("this is a certificate; give its public key".to_owned()),
        [other] => Err(format!("`{}` is no public key", other.escape_debug())),
        _ => Err("there is more than one key; use one file for each".to_owned()),
    }
}

fn key_length(key: &DecodingKey) -> Result<usize, String> {
    key.try_get_as_bytes().map(<[u8]>::len).map_err(|error| error.to_string())
}

fn rsa_modulus(key: &DecodingKey) -> Result<Vec<u8>, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("not a usable RSA key: {error}");
    match Jwk::from_decoding_key(key, None).map_err(|error| unreadable(&error))?.algorithm {
        AlgorithmParameters::RSA(parameters) => {
            URL_SAFE_NO_PAD.decode(parameters.n).map_err(|error| unreadable(&error))
        }
        _ => Err("not an RSA key".to_owned()),
    }
}
