//! What of a folder belongs to its package.

use super::harness::{chain, folder_of, hello, path, paths_of, write};
use framex_plugin_package::Package;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

fn refused(folder: &Path) -> String {
    let text = chain(&Package::open(folder).expect_err("a bad package"));
    text.replace(&folder.display().to_string(), "FOLDER")
}

#[test]
fn everything_belongs_but_hidden_files_and_what_tools_leave() {
    let folder = folder_of(&hello());
    for file in [
        ".git/config",
        ".env",
        ".venv/x",
        "target/debug/x",
        "app/node_modules/x",
        "app/__pycache__/x",
        "app/.hidden",
        "hello-1.2.2.fxp",
        "app/main.py",
        "app/target",
        "deep/er/still/x",
        "app/other.fxp",
    ] {
        write(folder.path(), file, b"x");
    }
    let package = Package::open(folder.path()).unwrap();
    assert_eq!(
        paths_of(&package),
        ["app/main.py", "app/other.fxp", "app/target", "deep/er/still/x", "hello.wasm", "plugin.yaml"]
    );
}

#[test]
fn files_of_the_manifest_says_what_belongs_beside_what_it_names_elsewhere() {
    let manifest = "{ name: hello, version: 1.2.3, component: { file: target/wasm/hello.wasm }, license_file: LICENSE,\n files: [app/, .config, target/assets] }";
    let folder = folder_of(&[("plugin.yaml", manifest.as_bytes())]);
    for file in [
        "target/wasm/hello.wasm",
        "target/wasm/other.wasm",
        "target/assets/logo.svg",
        "LICENSE",
        "README.md",
        "app/main.py",
        "app/.hidden",
        ".config",
        "DIGESTS",
        "signatures/0123456789abcdef0123456789abcdef.sig",
    ] {
        write(folder.path(), file, b"x");
    }
    let package = Package::open(folder.path()).unwrap();
    assert_eq!(
        paths_of(&package),
        [
            ".config",
            "DIGESTS",
            "LICENSE",
            "app/main.py",
            "plugin.yaml",
            "signatures/0123456789abcdef0123456789abcdef.sig",
            "target/assets/logo.svg",
            "target/wasm/hello.wasm",
        ]
    );
}

#[test]
fn what_the_manifest_lists_must_be_there() {
    let folder = folder_of(&[(
        "plugin.yaml",
        b"{ name: a, version: 1.0.0, worker: { command: [a] }, files: [app] }".as_slice(),
    )]);
    assert_eq!(refused(folder.path()), "cannot use the package FOLDER: plugin.yaml lists app, which is not there");
}

#[test]
fn links_pipes_and_sockets_are_refused_by_name() {
    let folder = folder_of(&hello());
    let place = folder.path().join("app");
    symlink("/etc/passwd", &place).unwrap();
    assert_eq!(
        refused(folder.path()),
        "cannot use the package FOLDER: app is a symbolic link; a package holds plain files only"
    );
    std::fs::remove_file(&place).unwrap();
    let _socket = UnixListener::bind(&place).unwrap();
    assert_eq!(
        refused(folder.path()),
        "cannot use the package FOLDER: app is a socket; a package holds plain files only"
    );
    std::fs::remove_file(&place).unwrap();
    std::fs::remove_file(folder.path().join("plugin.yaml")).unwrap();
    symlink("hello.wasm", folder.path().join("plugin.yaml")).unwrap();
    assert!(refused(folder.path()).contains("plugin.yaml is a symbolic link"));
}

#[test]
fn a_link_on_the_way_to_a_listed_file_leads_nowhere() {
    let elsewhere = folder_of(&[("secret", b"x".as_slice())]);
    let manifest = b"{ name: a, version: 1.0.0, worker: { command: [a] }, files: [link/secret] }";
    let folder = folder_of(&[("plugin.yaml", manifest.as_slice())]);
    symlink(elsewhere.path(), folder.path().join("link")).unwrap();
    assert!(refused(folder.path()).contains("link is a symbolic link"));
}

#[test]
fn a_folder_without_a_manifest_and_no_folder_at_all_are_refused() {
    let folder = folder_of(&[]);
    assert!(refused(folder.path()).starts_with("cannot use the package FOLDER: cannot read plugin.yaml: "));
    assert!(chain(&Package::open(&folder.path().join("none")).unwrap_err()).contains("none: No such file"));
}

#[test]
fn unpacked_it_is_the_same_package_and_its_programs_can_be_executed() {
    let mut files = hello();
    files.push(("bin/start", b"#!/bin/sh\n"));
    files.push(("app/data.txt", b"data"));
    let package = super::harness::package(&files);
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("unpacked");
    package.unpack(&folder).unwrap();
    assert!(Package::open(&folder).unwrap().files().eq(package.files()));
    let mode = |file: &str| folder.join(file).metadata().unwrap().permissions().mode() & 0o111;
    assert_ne!(mode("bin/start"), 0);
    assert_eq!(mode("app/data.txt"), 0);
    assert!(package.unpack(&folder).is_err(), "what is there is not written over");
    assert_eq!(package.file(&path("app/data.txt")), Some(b"data".as_slice()));
}
