//! What a configuration means, or why it is wrong.
//!
//! Every folder below `tests/config/valid` and `tests/config/invalid` is a whole configuration. It is read, validated
//! and compiled as at the start of the gateway, and the outcome is compared with the file beside it.
//! `UPDATE_GOLDEN=1 cargo test -p framex-gateway --test configuration` writes these files anew; the diff is the review.

#[path = "configuration/golden.rs"]
mod golden;
#[path = "configuration/mutation.rs"]
mod mutation;
#[path = "configuration/outcome.rs"]
mod outcome;
#[path = "configuration/schema.rs"]
mod schema;
#[path = "configuration/schema_check.rs"]
mod schema_check;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("the package is a folder of the repository").to_owned()
}

/// The folders of `tests/config/<kind>`, in the order of their names.
fn cases(kind: &str) -> Vec<PathBuf> {
    let root = repository().join("tests/config").join(kind);
    let entries = std::fs::read_dir(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let mut cases: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable entry").path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    assert!(!cases.is_empty(), "no cases in {}", root.display());
    cases
}

/// The name of a case's folder.
fn name_of(case: &Path) -> String {
    case.file_name().expect("a case has a name").to_string_lossy().into_owned()
}

/// Compares `actual` with the content of `file`; with `UPDATE_GOLDEN=1` writes it there. Answers with what differs.
fn compare_with_golden(file: &Path, actual: &str) -> Option<String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, actual).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        return None;
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    if expected == actual {
        return None;
    }
    let mut difference = format!("{} differs; UPDATE_GOLDEN=1 writes it anew\n", file.display());
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let lines_of = |sign: char, lines: &[&str], others: &[&str]| -> String {
        lines.iter().filter(|line| !others.contains(line)).map(|line| format!("  {sign} {line}\n")).collect()
    };
    difference.push_str(&lines_of('-', &old, &new));
    difference.push_str(&lines_of('+', &new, &old));
    Some(difference)
}
