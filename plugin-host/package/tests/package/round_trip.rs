//! A package is the same as a folder and as a file.

use super::harness::{folder_of, hello, package};
use framex_plugin_package::Package;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

fn file_name() -> impl Strategy<Value = String> {
    // Folders and files are told apart by their first letter, so that no path is both.
    "d[a-z0-9 _-]{0,3}/f[a-zé0-9 ._-]{0,120}|f[a-z0-9._-]{0,12}|d/d/d[a-z]{0,60}/d[a-z]{0,60}/f[a-z]{0,60}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_folder_that_is_packed_and_opened_holds_the_same_files(
        files in prop::collection::btree_map(file_name(), prop::collection::vec(any::<u8>(), 0..3000), 0..20)
    ) {
        // What the folder would leave out has a test of its own.
        let files: BTreeMap<String, Vec<u8>> = files.into_iter().filter(|(name, _)| !name.ends_with(".fxp")).collect();
        let mut all: Vec<(&str, &[u8])> = hello();
        all.extend(files.iter().map(|(name, content)| (name.as_str(), content.as_slice())));
        let folder = folder_of(&all);
        let from_folder = Package::open(folder.path()).unwrap();
        let packed = from_folder.pack().unwrap();
        let file = folder.path().join("x.fxp");
        std::fs::write(&file, &packed).unwrap();
        let from_file = Package::open(&file).unwrap();
        prop_assert_eq!(from_folder.files().count(), all.len());
        prop_assert!(from_folder.files().eq(from_file.files()));
        prop_assert_eq!(from_folder.digest(), from_file.digest());
        prop_assert_eq!(from_file.pack().unwrap(), packed);
    }
}

#[test]
fn the_same_content_gives_the_same_bytes_whatever_its_order_times_and_modes() {
    let mut files = hello();
    files.push(("app/b", b"b"));
    files.push(("app/a", b"a"));
    let one = folder_of(&files);
    files.reverse();
    let two = folder_of(&files);
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    std::fs::File::options().write(true).open(two.path().join("app/a")).unwrap().set_modified(old).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(two.path().join("app/b"), mode).unwrap();
    let pack = |folder: &Path| Package::open(folder).unwrap().pack().unwrap();
    assert_eq!(pack(one.path()), pack(two.path()));
    assert_eq!(pack(one.path()), package(&files).pack().unwrap());
    assert_eq!(Package::open(one.path()).unwrap().file_name(), "hello-1.2.3.fxp");
}
