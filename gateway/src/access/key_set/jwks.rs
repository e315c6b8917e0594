//! JSON Web Key Sets (RFC 7517, RFC 7518 §6, RFC 8037).

use super::{KeyError, VerificationKey, ec_algorithms, ed_algorithms, label, rsa_algorithms, secret_algorithms};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

/// The keys of a set, and a note for each that was left out.
pub(super) fn read_key_set(json: &str) -> Result<(Vec<VerificationKey>, Vec<String>), Vec<KeyError>> {
    let refuse = |message: String| vec![KeyError { key: "JWKS".to_owned(), message }];
    let set: Value = serde_json::from_str(json).map_err(|error| refuse(format!("not JSON: {error}")))?;
    let Some(keys) = set.get("keys").and_then(Value::as_array) else {
        return Err(refuse("not a key set: it has no list `keys`".to_owned()));
    };
    let (mut accepted, mut notes, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (number, key) in (1..).zip(keys) {
        let kid = key.get("kid").and_then(Value::as_str);
        let label = label("JWKS key", number, kid);
        match read_key(key) {
            Ok((material, algorithms)) => {
                accepted.push(VerificationKey {
                    label,
                    kid: kid.map(str::to_owned),
                    algorithms,
                    chosen: false,
                    material,
                });
            }
            Err(Trouble::NotForUs(why)) => notes.push(format!("{label} is left out: {why}")),
            Err(Trouble::Broken(message)) => errors.push(KeyError { key: label, message }),
        }
    }
    if errors.is_empty() { Ok((accepted, notes)) } else { Err(errors) }
}

/// Why a key is not taken.
enum Trouble {
    /// It is for another purpose or of a kind that is not known here; RFC 7517 §5 asks to pass over it.
    NotForUs(String),
    /// It claims to be of a kind that is known and is not.
    Broken(String),
}

impl From<String> for Trouble {
    fn from(message: String) -> Self {
        Self::Broken(message)
    }
}

fn read_key(key: &Value) -> Result<(DecodingKey, Vec<Algorithm>), Trouble> {
    let Some(key) = key.as_object() else {
        return Err(Trouble::Broken("not an object".to_owned()));
    };
    check_purpose(key)?;
    let pinned = pinned_algorithm(key)?;
    if key.get("kty").and_then(Value::as_str) != Some("oct") && key.contains_key("d") {
        return Err(Trouble::Broken("this is a private key; publish the public one only".to_owned()));
    }
    let (material, fitting) = read_material(key)?;
    match pinned {
        None => Ok((material, fitting)),
        Some(algorithm) if fitting.contains(&algorithm) => Ok((material, vec![algorithm])),
        Some(algorithm) => Err(Trouble::Broken(format!("its `alg` is {algorithm:?}, for which the key is not fit"))),
    }
}

fn check_purpose(key: &Map<String, Value>) -> Result<(), Trouble> {
    match key.get("use").and_then(Value::as_str) {
        Some("sig") | None => {}
        Some(other) => return Err(Trouble::NotForUs(format!("its `use` is `{}`", other.escape_debug()))),
    }
    let operations = key.get("key_ops").and_then(Value::as_array);
    if operations.is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
        return Err(Trouble::NotForUs("its `key_ops` has no `verify`".to_owned()));
    }
    Ok(())
}

fn pinned_algorithm(key: &Map<String, Value>) -> Result<Option<Algorithm>, Trouble> {
    match key.get("alg") {
        None => Ok(None),
        Some(Value::String(name)) => match name.parse() {
            Ok(algorithm) => Ok(Some(algorithm)),
            Err(_) => Err(Trouble::NotForUs(format!("its `alg` is `{}`", name.escape_debug()))),
        },
        Some(_) => Err(Trouble::Broken("its `alg` is no string".to_owned())),
    }
}

fn read_material(key: &Map<String, Value>) -> Result<(DecodingKey, Vec<Algorithm>), Trouble> {
    let kind = text(key, "kty")?;
    match kind {
        "RSA" => {
            let (modulus, exponent) = (bytes(key, "n")?, bytes(key, "e")?);
            let algorithms = rsa_algorithms(&modulus)?;
            Ok((DecodingKey::from_rsa_raw_components(&modulus, &exponent), algorithms))
        }
        "EC" => {
            let length = match text(key, "crv")? {
                "P-256" => 32,
                "P-384" => 48,
                other => return Err(Trouble::NotForUs(format!("its `crv` is `{}`", other.escape_debug()))),
            };
            let (x, y) = (bytes(key, "x")?, bytes(key, "y")?);
            if x.len() != length || y.len() != length {
                return Err(Trouble::Broken(format!("`x` and `y` have {length} bytes each on this curve")));
            }
            let point = [&[4], &x[..], &y[..]].concat();
            Ok((DecodingKey::from_ec_der(&point), ec_algorithms(point.len())?))
        }
        "OKP" => {
            let curve = text(key, "crv")?;
            if curve != "Ed25519" {
                return Err(Trouble::NotForUs(format!("its `crv` is `{}`", curve.escape_debug())));
            }
            let point = bytes(key, "x")?;
            Ok((DecodingKey::from_ed_der(&point), ed_algorithms(point.len())?))
        }
        "oct" => {
            let secret = bytes(key, "k")?;
            Ok((DecodingKey::from_secret(&secret), secret_algorithms(&secret)?))
        }
        other => Err(Trouble::NotForUs(format!("its `kty` is `{}`", other.escape_debug()))),
    }
}

fn text<'a>(key: &'a Map<String, Value>, name: &str) -> Result<&'a str, Trouble> {
    let value = key.get(name).and_then(Value::as_str);
    value.ok_or_else(|| Trouble::Broken(format!("it has no text `{name}`")))
}

fn bytes(key: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Trouble> {
    let decoded = URL_SAFE_NO_PAD.decode(text(key, name)?);
    decoded.map_err(|error| Trouble::Broken(format!("`{name}` is not base64url without padding: {error}")))
}
