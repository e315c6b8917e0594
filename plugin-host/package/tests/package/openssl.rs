//! Keys and signatures as the `openssl` program writes and reads them.

use super::harness::{hello, package};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use framex_plugin_package::{KeyError, PublicKey, SigningKey};
use std::path::Path;
use std::process::Command;

fn openssl(folder: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("openssl cannot be started ({error}); install the package openssl"));
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).expect("a file that openssl wrote")
}

#[test]
fn keys_that_openssl_made_sign_and_verify_here() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    openssl(folder, "genpkey -algorithm ed25519 -out key.pem");
    openssl(folder, "pkey -in key.pem -pubout -out public.pem");
    let key = SigningKey::from_pem(&text(folder, "key.pem")).unwrap();
    let public = PublicKey::from_pem(&text(folder, "public.pem")).unwrap();
    assert_eq!(key.public_key(), public);
    assert_eq!(public.to_pem(), text(folder, "public.pem"));

    openssl(folder, "pkey -in key.pem -pubout -outform DER -out public.der");
    let digest = openssl(folder, "dgst -sha256 -r public.der");
    assert!(String::from_utf8_lossy(&digest).starts_with(public.id().as_str()));
}

#[test]
fn keys_and_signatures_made_here_are_good_to_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (key, private) = SigningKey::generate().unwrap();
    std::fs::write(folder.join("key.pem"), &private).unwrap();
    openssl(folder, "pkey -in key.pem -out again.pem");
    assert_eq!(text(folder, "again.pem"), private);
    openssl(folder, "pkey -in key.pem -pubout -out public.pem");
    assert_eq!(text(folder, "public.pem"), key.public_key().to_pem());

    let mut package = package(&hello());
    package.sign(&key, "acme").unwrap();
    let (_, signature) = package.files().find(|(path, _)| path.as_str().starts_with("signatures/")).unwrap();
    let signature: serde_json::Value = serde_json::from_slice(signature).unwrap();
    let signature = STANDARD.decode(signature["signature"].as_str().unwrap()).unwrap();
    std::fs::write(folder.join("signature"), signature).unwrap();
    std::fs::write(folder.join("DIGESTS"), package.digest_list()).unwrap();
    openssl(folder, "pkeyutl -verify -pubin -inkey public.pem -rawin -in DIGESTS -sigfile signature");
}

#[test]
fn other_keys_that_openssl_makes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (make, refused) in [
        ("genpkey -algorithm ed448 -out key.pem", KeyError::NotEd25519),
        ("genpkey -algorithm x25519 -out key.pem", KeyError::NotEd25519),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem", KeyError::NotEd25519),
        ("genpkey -algorithm ed25519 -aes256 -pass pass:secret -out key.pem", KeyError::IsEncrypted),
    ] {
        openssl(folder, make);
        assert_eq!(SigningKey::from_pem(&text(folder, "key.pem")).unwrap_err(), refused, "{make}");
        if refused == KeyError::NotEd25519 {
            openssl(folder, "pkey -in key.pem -pubout -out public.pem");
            assert_eq!(PublicKey::from_pem(&text(folder, "public.pem")), Err(refused), "{make}");
        }
    }
}
