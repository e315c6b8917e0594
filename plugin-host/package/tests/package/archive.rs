//! Files of whatever origin: refused with the name of what is wrong, within bounds, never with a crash.

use super::harness::{MANIFEST, Tar, chain, compress, hello, paths_of, read};
use framex_plugin_package::{Bounds, Package};
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;
use tar::EntryType;

fn why(packed: &[u8]) -> String {
    chain(&read(packed).expect_err("a bad package"))
}

fn refused(more: Tar) -> String {
    why(&more.packed()).strip_prefix("cannot use the package test.fxp: ").expect("a problem of the content").to_owned()
}

#[test]
fn entries_that_are_no_plain_files_are_refused_by_name() {
    for (kind, what) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Directory, "a folder of its own"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::XHeader, "described by an extended header"),
        (EntryType::XGlobalHeader, "described by an extended header"),
        (EntryType::GNUSparse, "an entry of an unknown kind"),
        (EntryType::GNULongLink, "an entry of an unknown kind"),
        (EntryType::Continuous, "an entry of an unknown kind"),
    ] {
        let text = refused(Tar::of(&hello()).entry(kind, b"app/x", b""));
        assert_eq!(text, format!("app/x is {what}; a package holds plain files only"));
    }
}

#[test]
fn paths_that_lead_elsewhere_are_refused_by_name() {
    for (name, what) in [
        (b"../x".as_slice(), "\"../x\": a path in a package never goes up with `..`"),
        (b"a/../../x", "\"a/../../x\": a path in a package never goes up with `..`"),
        (b"/etc/passwd", "\"/etc/passwd\": a path in a package is relative"),
        (b"./a", "\"./a\": a path in a package has names between single slashes, none of them `.`"),
        (b"a/", "\"a/\": a path in a package has names between single slashes, none of them `.`"),
        (b"", "\"\": a path in a package has names between single slashes, none of them `.`"),
        (b"a\\b", "\"a\\\\b\": a path in a package has no backslash and no control characters"),
        (b"a\xff", "\"a\u{fffd}\": a path in a package is UTF-8"),
    ] {
        assert_eq!(refused(Tar::of(&hello()).entry(EntryType::Regular, name, b"x")), what);
    }
}

#[test]
fn paths_that_collide_are_refused_by_name() {
    let refused = |path: &str| refused(Tar::of(&hello()).file("app/a", b"").file(path, b""));
    assert_eq!(refused("app/a"), "app/a is there twice");
    assert_eq!(refused("App/b"), "App and app differ only in upper and lower case");
    assert_eq!(refused("app/A"), "app/A and app/a differ only in upper and lower case");
    assert_eq!(refused("app/a/b"), "app/a is a file and a folder");
    assert_eq!(refused("app"), "app is a file and a folder");
}

#[test]
fn a_long_path_is_read_and_one_that_is_too_long_refused() {
    let name = |length: usize| -> Vec<u8> { "abcdefg/".bytes().cycle().take(length).chain(*b"x\0").collect() };
    let with_name = |name: &[u8]| {
        Tar::of(&hello()).entry(EntryType::GNULongName, b"././@LongLink", name).file("shortened", b"content")
    };
    let package = read(&with_name(&name(400)).packed()).expect("a good package");
    assert!(paths_of(&package).iter().any(|path| path.len() == 401));
    assert!(refused(with_name(&name(600))).ends_with("has at most 512 bytes, each of its names at most 255"));
    assert!(refused(with_name(&name(100_000))).ends_with("has at most 512 bytes, each of its names at most 255"));
}

#[test]
fn a_package_that_unpacks_beyond_its_bounds_is_refused_and_never_unpacked() {
    let bounds = Bounds { unpacked_bytes: 1 << 20, files: 10 };
    let refused = |packed: &[u8]| {
        let error = Package::read(packed, Path::new("bomb.fxp"), bounds).expect_err("too large");
        chain(&error)
    };
    let zeros = vec![0; 64 << 20];
    let bomb = Tar::of(&hello()).file("zeros", &zeros).packed();
    assert!(bomb.len() < 10_000, "it is small: {}", bomb.len());
    assert_eq!(refused(&bomb), "cannot use the package bomb.fxp: with zeros the package is larger than 1048576 bytes");
    let many = (0..20).fold(Tar::of(&hello()), |tar, number| tar.file(&format!("f{number}"), b""));
    assert_eq!(
        refused(&many.packed()),
        "cannot use the package bomb.fxp: f8 is one file too many: a package holds at most 10"
    );
    // Padding behind the end, and a header that lies about a size nobody has.
    let mut padded = Tar::of(&hello()).into_bytes();
    padded.extend_from_slice(&zeros);
    Package::read(&*compress(&padded), Path::new("x"), bounds).expect("zeros mean nothing, and are not read for ever");
    let lying = Tar::of(&hello()).lying(EntryType::Regular, b"lie", b"", u64::MAX / 4).packed();
    assert!(refused(&lying).starts_with("cannot use the package bomb.fxp: "));
    let long_names = (0..1000).fold(Tar::of(&hello()), |tar, _| tar.entry(EntryType::GNULongName, b"x", &[b'a'; 2000]));
    assert!(refused(&long_names.packed()).starts_with("cannot use the package bomb.fxp: "));
}

#[test]
fn a_frame_that_asks_for_much_memory_is_refused() {
    let mut compressor = zstd::Encoder::new(Vec::new(), 3).unwrap();
    compressor.window_log(27).unwrap();
    compressor.write_all(&Tar::of(&hello()).into_bytes()).unwrap();
    assert!(why(&compressor.finish().unwrap()).contains("damaged"));
}

#[test]
fn a_package_that_is_cut_off_anywhere_is_refused() {
    let packed = super::harness::package(&hello()).pack().unwrap();
    for length in 0..packed.len() {
        assert!(read(&packed[..length]).is_err(), "{length} of {} bytes", packed.len());
    }
    // Cut before it was compressed: after the first file, and before the end that says that it is one.
    let tar = Tar::of(&hello()).into_bytes();
    for length in [0, 100, 512, 600, 1024, 1536, 2048] {
        assert!(read(&compress(&tar[..length])).is_err(), "{length}");
    }
}

#[test]
fn what_is_no_package_or_more_than_one_is_refused() {
    let tar = Tar::of(&hello()).into_bytes();
    let twice = [compress(&tar), compress(&tar)].concat();
    let with_a_tail = [compress(&tar).as_slice(), b"tail"].concat();
    for (packed, what) in [
        (b"".as_slice(), "nothing"),
        (b"PK\x03\x04 a zip", "another format"),
        (&tar, "an archive that is not compressed"),
        (&compress(b"hello"), "a text, compressed"),
        (&twice, "two packages"),
        (&with_a_tail, "something behind the end"),
    ] {
        let text = why(packed);
        assert!(
            text.starts_with("cannot use the package test.fxp: is no package file, or a damaged one"),
            "{what}: {text}"
        );
    }
}

#[test]
fn a_package_without_a_manifest_is_refused() {
    let packed = Tar::of(&[("hello.wasm", b"".as_slice())]).packed();
    assert_eq!(why(&packed), "the manifest of the package test.fxp is wrong\nplugin.yaml: is missing or empty");
    let packed = Tar::of(&[("plugin.yaml", b"\xff".as_slice())]).packed();
    assert_eq!(why(&packed), "the manifest of the package test.fxp is wrong\nplugin.yaml: is not UTF-8 text");
}

#[test]
fn a_changed_byte_of_a_packed_package_never_passes_unseen() {
    let package = super::harness::package(&hello());
    let packed = package.pack().unwrap();
    for position in 0..packed.len() {
        let mut changed = packed.clone();
        changed[position] ^= 0x10;
        // Some bytes only say how the rest is written.
        if let Ok(read) = read(&changed) {
            assert!(read.files().eq(package.files()), "byte {position}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_refused_without_a_crash(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&compress(&bytes)).is_err());
    }

    #[test]
    fn changes_of_an_archive_crash_nothing(changes in prop::collection::vec((0..4096usize, any::<u8>()), 1..8)) {
        let mut tar = Tar::of(&[("plugin.yaml", MANIFEST.as_bytes()), ("hello.wasm", b"\0asm"), ("app/x", b"x")]).into_bytes();
        for (position, byte) in changes {
            let position = position % tar.len();
            tar[position] = byte;
        }
        let _ = read(&compress(&tar));
    }
}
