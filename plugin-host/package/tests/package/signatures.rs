//! What was signed is exactly what is there, or refused with the name of the file.

use super::harness::{Tar, folder_of, hello, package, path, read, write};
use framex_plugin_package::{Package, PublicKey, PublisherKeys, SigningKey, Verified, sign_at};
use std::collections::BTreeMap;

fn key() -> SigningKey {
    SigningKey::generate().expect("random numbers").0
}

fn believing(keys: &[(&str, &SigningKey)]) -> PublisherKeys {
    let mut publishers = PublisherKeys::new();
    for (publisher, key) in keys {
        publishers.add(*publisher, key.public_key());
    }
    publishers
}

/// The files of `hello`, signed.
fn signed(keys: &[(&str, &SigningKey)]) -> BTreeMap<String, Vec<u8>> {
    let mut files = hello();
    files.push(("app/main.py", b"print(1)"));
    let mut package = package(&files);
    for (publisher, key) in keys {
        package.sign(key, publisher).expect("signed");
    }
    package.files().map(|(path, content)| (path.to_string(), content.to_vec())).collect()
}

fn verify(files: &BTreeMap<String, Vec<u8>>, publishers: &PublisherKeys) -> Result<Verified, Vec<String>> {
    let tar = files.iter().fold(Tar::new(), |tar, (path, content)| tar.file(path, content));
    let package = read(&tar.packed()).expect("a package");
    package.verify(publishers).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn publishers(verified: &Verified) -> Vec<&str> {
    verified.publishers.iter().map(String::as_str).collect()
}

#[test]
fn an_unsigned_package_is_whole_and_nobodys() {
    let verified = package(&hello()).verify(&believing(&[("acme", &key())])).unwrap();
    assert!(verified.is_unsigned() && !verified.is_signed_by("acme"));
}

#[test]
fn several_publishers_sign_and_only_known_keys_count() {
    let (acme, other, stranger) = (key(), key(), key());
    let files = signed(&[("acme", &acme), ("other", &other), ("acme", &stranger)]);
    let verified = verify(&files, &believing(&[("acme", &acme), ("my-other", &other)])).unwrap();
    // The operator's name for a key counts, not the publisher's own.
    assert_eq!(publishers(&verified), ["acme", "my-other"]);
    assert_eq!(verified.unknown_keys.iter().collect::<Vec<_>>(), [&stranger.public_key().id()]);
    let verified = verify(&files, &PublisherKeys::new()).unwrap();
    assert!(!verified.is_unsigned() && verified.publishers.is_empty());
}

#[test]
fn a_changed_byte_of_any_file_is_refused_with_the_name_of_the_file() {
    let acme = key();
    let files = signed(&[("acme", &acme)]);
    let publishers = believing(&[("acme", &acme)]);
    let signature = format!("signatures/{}.sig", acme.public_key().id());
    for (name, content) in &files {
        for position in 0..content.len() {
            let mut changed = files.clone();
            changed.get_mut(name).unwrap()[position] ^= 1;
            let tar = changed.iter().fold(Tar::new(), |tar, (path, content)| tar.file(path, content));
            // A changed manifest may be none any more.
            let Ok(package) = read(&tar.packed()) else { continue };
            let errors = match package.verify(&publishers) {
                Ok(verified) => {
                    // The publisher's own name and the layout of the file prove nothing; of the key's, nobody is believed.
                    assert_eq!(*name, signature, "byte {position} of {name}");
                    assert!(verified.is_signed_by("acme"), "byte {position} of {name}");
                    continue;
                }
                Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
            };
            assert!(errors.iter().any(|error| error.contains(name)), "byte {position} of {name}: {errors:?}");
        }
    }
    let mut changed = files;
    changed.get_mut("app/main.py").unwrap()[6] = b'2';
    assert_eq!(
        verify(&changed, &publishers),
        Err(vec!["app/main.py was changed after the package was signed".to_owned()])
    );
}

#[test]
fn missing_and_added_files_are_named_all_at_once() {
    let acme = key();
    let mut files = signed(&[("acme", &acme)]);
    files.remove("app/main.py");
    files.insert("app/evil.py".to_owned(), Vec::new());
    files.insert("hello.wasm".to_owned(), b"other".to_vec());
    files.insert("signatures/evil.py".to_owned(), Vec::new());
    assert_eq!(
        verify(&files, &believing(&[("acme", &acme)])),
        Err(vec![
            "app/evil.py was added after the package was signed".to_owned(),
            "hello.wasm was changed after the package was signed".to_owned(),
            "signatures/evil.py was added after the package was signed".to_owned(),
            "app/main.py was signed but is missing".to_owned(),
        ])
    );
}

#[test]
fn digests_without_a_signature_are_checked_too() {
    let acme = key();
    let mut files = signed(&[("acme", &acme)]);
    files.retain(|name, _| !name.starts_with("signatures/"));
    assert!(verify(&files, &PublisherKeys::new()).unwrap().is_unsigned());
    files.insert("hello.wasm".to_owned(), b"other".to_vec());
    assert!(verify(&files, &PublisherKeys::new()).is_err());
}

#[test]
fn a_signature_over_nothing_or_something_else_is_refused() {
    let acme = key();
    let publishers = believing(&[("acme", &acme)]);
    let files = signed(&[("acme", &acme)]);
    let signature = format!("signatures/{}.sig", acme.public_key().id());

    let mut without_digests = files.clone();
    without_digests.remove("DIGESTS");
    assert_eq!(
        verify(&without_digests, &publishers),
        Err(vec![format!("DIGESTS is missing, but {signature} is there")])
    );

    // Someone changes a file and makes the digests right again.
    let mut resigned = files.clone();
    resigned.insert("hello.wasm".to_owned(), b"other".to_vec());
    let forger = key();
    let mut forged = package(&resigned.iter().map(|(n, c)| (n.as_str(), c.as_slice())).collect::<Vec<_>>());
    assert_eq!(forged.sign(&forger, "acme").unwrap().removed, [path(&signature)]);
    let verified = forged.verify(&publishers).unwrap();
    assert!(!verified.is_signed_by("acme"));
    resigned.insert("DIGESTS".to_owned(), forged.digest_list().into_bytes());
    assert_eq!(
        verify(&resigned, &publishers),
        Err(vec![format!("{signature} is not a signature of acme over this DIGESTS")])
    );
}

#[test]
fn a_signature_of_another_version_or_key_does_not_fit() {
    let (acme, other) = (key(), key());
    let publishers = believing(&[("acme", &acme), ("other", &other)]);
    let mut files = signed(&[("acme", &acme)]);
    let signature = files.remove(&format!("signatures/{}.sig", acme.public_key().id())).unwrap();
    let wrong_name = format!("signatures/{}.sig", other.public_key().id());
    files.insert(wrong_name.clone(), signature);
    assert_eq!(
        verify(&files, &publishers),
        Err(vec![format!(
            "{wrong_name} is no signature: is of the key {}, not of that in its name",
            acme.public_key().id()
        )])
    );

    let mut files = signed(&[("acme", &acme)]);
    let manifest = String::from_utf8(files["plugin.yaml"].clone()).unwrap().replace("1.2.3", "1.2.4");
    files.insert("plugin.yaml".to_owned(), manifest.into_bytes());
    assert_eq!(
        verify(&files, &publishers),
        Err(vec![
            "DIGESTS is not of hello 1.2.4".to_owned(),
            "plugin.yaml was changed after the package was signed".to_owned(),
        ])
    );
}

#[test]
fn digests_are_taken_only_as_signing_writes_them() {
    let acme = key();
    let files = signed(&[("acme", &acme)]);
    let list = String::from_utf8(files["DIGESTS"].clone()).unwrap();
    let mut lines: Vec<&str> = list.lines().collect();
    lines[1..].reverse();
    let last = lines[1].to_owned();
    lines.insert(1, &last);
    for text in [list.to_uppercase().replace("FRAMEX", "framex"), lines.join("\n"), String::new(), "\0\n\0".to_owned()]
    {
        let mut files = files.clone();
        files.insert("DIGESTS".to_owned(), text.into_bytes());
        assert!(verify(&files, &believing(&[("acme", &acme)])).is_err());
    }
}

#[test]
fn what_stands_in_a_signature_is_bounded() {
    let acme = key();
    let files = signed(&[("acme", &acme)]);
    let name = format!("signatures/{}.sig", acme.public_key().id());
    let good = String::from_utf8(files[&name].clone()).unwrap();
    for (bad, why) in [
        (good.replace("ed25519", "none"), "is made with \"none\"; only ed25519 is known"),
        (good.replace("acme", "not a name"), "\"not a name\" is no publisher's name"),
        (good.replace('{', &" ".repeat(2000)), "is larger than 1024 bytes"),
        (good.replace("\"publisher\"", "\"extra\""), "unknown field `extra`"),
        ("hello".to_owned(), "expected value"),
    ] {
        let mut files = files.clone();
        files.insert(name.clone(), bad.into_bytes());
        let errors = verify(&files, &PublisherKeys::new()).unwrap_err();
        assert!(errors[0].starts_with(&format!("{name} is no signature: {why}")), "{errors:?}");
    }
}

#[test]
fn signing_a_folder_or_a_file_where_it_is_adds_and_replaces() {
    let (acme, other) = (key(), key());
    let publishers = believing(&[("acme", &acme), ("other", &other)]);
    let folder = folder_of(&hello());
    let file = folder.path().join("hello-1.2.3.fxp");
    std::fs::write(&file, package(&hello()).pack().unwrap()).unwrap();
    for place in [folder.path(), &file] {
        assert_eq!(sign_at(place, &acme, "acme").unwrap().removed, []);
        assert_eq!(sign_at(place, &other, "other").unwrap().removed, []);
        assert_eq!(sign_at(place, &acme, "acme").unwrap().key, acme.public_key().id());
        let package = Package::open(place).unwrap();
        assert_eq!(package.inspect().signatures.len(), 2);
        assert!(package.verify(&publishers).unwrap().is_signed_by("other"));
    }
    assert_eq!(Package::open(folder.path()).unwrap().pack().unwrap(), std::fs::read(&file).unwrap());

    write(folder.path(), "hello.wasm", b"other");
    let removed = sign_at(folder.path(), &acme, "acme").unwrap().removed;
    assert_eq!(removed, [path(&format!("signatures/{}.sig", other.public_key().id()))]);
    let verified = Package::open(folder.path()).unwrap().verify(&publishers).unwrap();
    assert_eq!(self::publishers(&verified), ["acme"]);
}

#[test]
fn a_publisher_has_a_name() {
    let error = package(&hello()).sign(&key(), "Acme Ltd").unwrap_err();
    assert!(error.to_string().starts_with("`Acme Ltd` is no publisher name;"));
}

#[test]
fn keys_are_given_in_pem() {
    let acme = key();
    let mut publishers = PublisherKeys::new();
    publishers.add_pem("acme", &acme.public_key().to_pem()).unwrap();
    assert!(publishers.add_pem("acme", "hello").is_err());
    let files = signed(&[("acme", &acme)]);
    assert!(verify(&files, &publishers).unwrap().is_signed_by("acme"));
    assert_eq!(PublicKey::from_pem(&acme.public_key().to_pem()), Ok(acme.public_key()));
}
