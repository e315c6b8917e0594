//! The layers of the crate, read from its `use crate::…` lines and `crate::…` paths.
//!
//! A module may import only modules of lower layers: no arrow points up, none sideways. Libraries that must stay at one
//! place of the crate are held there too. Whoever wants another rule changes the tables below, in a review.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// Bottom to top.
const LAYERS: [&[&str]; 13] = [
    &["request"],
    &["identity", "rejection"],
    &["config", "lifecycle"],
    &["telemetry", "limits", "rewrite", "router", "access", "shadow", "sharing"],
    &["backends"],
    &["learning"],
    &["snapshot"],
    &["dispatch"],
    &["proxy", "reload", "worker_door"],
    &["admin"],
    &["app"],
    &["cli"],
    // The program is a single call of `cli`.
    &["main"],
];

/// Libraries (by the beginning of their names) and where they may be spoken of, by the beginning of the path below `src`.
const HELD: [(&str, &[&str]); 4] = [
    ("pingora", &["app", "proxy", "admin", "backends/"]),
    // The component host is the only place that knows it.
    ("wasmtime", &[]),
    ("redis", &["limits/shared"]),
    ("prometheus", &["telemetry", "proxy/edge.rs"]),
];

#[test]
fn every_module_imports_only_lower_layers() {
    let violations: Vec<String> = arrows()
        .into_iter()
        .filter(|arrow| match (layer_of(&arrow.from), layer_of(&arrow.to)) {
            (Some(from), Some(to)) => to >= from,
            (None, _) | (_, None) => false,
        })
        .map(|arrow| arrow.to_string())
        .collect();
    assert!(violations.is_empty(), "arrows that point up or sideways:\n{}", violations.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    let homeless: BTreeSet<String> =
        sources().into_iter().map(|source| source.module).filter(|module| layer_of(module).is_none()).collect();
    assert!(homeless.is_empty(), "modules without a layer in this test's table: {homeless:?}");
}

#[test]
fn libraries_stay_where_they_belong() {
    let mut strays = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            for name in crate_names(line) {
                let held = HELD.iter().find(|(library, _)| name.starts_with(library));
                if held.is_some_and(|(_, places)| !places.iter().any(|place| source.place.starts_with(place))) {
                    strays.push(format!("src/{}:{number}: {name}", source.place));
                }
            }
        }
    }
    assert!(strays.is_empty(), "libraries out of their place:\n{}", strays.join("\n"));
}

#[test]
fn arrows_are_read_from_every_way_to_write_them() {
    let text = "//! [`crate::app`] is only spoken of\nuse crate::config::{self, Gateway};\nuse crate::{\n    access::{AccessRule, ClaimRule}, // crate::cli\n    telemetry,\n};\nfn f() { crate::limits::f(); super::snapshot::g(); super::super::h(); framex_gateway::proxy::i() }\n";
    let source = Source { place: "x.rs".to_owned(), module: "x".to_owned(), depth: 1, text: without_comments(text) };
    let to: Vec<(usize, String)> = source.arrows().into_iter().map(|arrow| (arrow.line, arrow.to)).collect();
    let expected = [(2, "config"), (3, "access"), (3, "telemetry"), (7, "limits"), (7, "proxy"), (7, "snapshot")];
    let mut found: Vec<(usize, &str)> = to.iter().map(|(line, to)| (*line, to.as_str())).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(
        crate_names("use a::pingora::x; let y = pingora_core::z(wasmtime::w);"),
        ["a", "pingora_core", "wasmtime"]
    );
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// One module speaks of another.
struct Arrow {
    place: String,
    line: usize,
    from: String,
    to: String,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {} -> {}", self.place, self.line, self.from, self.to)
    }
}

fn arrows() -> Vec<Arrow> {
    sources().iter().flat_map(Source::arrows).collect()
}

/// One file below `src`.
struct Source {
    /// Its path below `src`, with `/`.
    place: String,
    /// The module of the crate's root that it belongs to.
    module: String,
    /// How many modules deep it is: 1 for `router.rs`, 2 for `router/params.rs`.
    depth: usize,
    /// Its text, with comments blanked.
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(files.len() > 20, "the sources are found");
    let source = |file: PathBuf| {
        let place = file.strip_prefix(&root).expect("below the root").with_extension("");
        let steps: Vec<&str> = place.iter().filter_map(|step| step.to_str()).collect();
        let text = std::fs::read_to_string(&file).expect("a source file is readable");
        Source {
            place: format!("{}.rs", steps.join("/")),
            module: steps[0].to_owned(),
            depth: steps.len(),
            text: without_comments(&text),
        }
    };
    // `lib.rs` only declares the modules.
    files.into_iter().filter(|file| *file != root.join("lib.rs")).map(source).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Comments speak of other modules freely. What looks like a comment inside a text is taken for one: no import is lost
/// by that, because an import never follows a text on its line.
fn without_comments(text: &str) -> String {
    let code = |line: &str| line.find("//").map_or(line, |start| &line[..start]).to_owned();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    fn arrows(&self) -> Vec<Arrow> {
        let to_the_root = "super::".repeat(self.depth);
        let mut arrows = Vec::new();
        for root in ["crate::", "framex_gateway::", &to_the_root] {
            for (start, _) in self.text.match_indices(root) {
                let before = &self.text[..start];
                // `super::super::` also ends in `super::`; only the whole chain counts.
                if before.ends_with("::") || before.ends_with(is_of_name) {
                    continue;
                }
                let line = before.matches('\n').count() + 1;
                for to in modules_at(&self.text[start + root.len()..]) {
                    if to != self.module && layer_of(to).is_some() {
                        arrows.push(Arrow {
                            place: self.place.clone(),
                            line,
                            from: self.module.clone(),
                            to: to.to_owned(),
                        });
                    }
                }
            }
        }
        arrows
    }
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The first names after `crate::`: one, or the outermost ones of a `{…}` list.
fn modules_at(rest: &str) -> Vec<&str> {
    let Some(list) = rest.strip_prefix('{') else {
        let end = rest.find(|character| !is_of_name(character)).unwrap_or(rest.len());
        return vec![&rest[..end]];
    };
    let mut depth = 1;
    let mut names = Vec::new();
    let mut at_name = true;
    for (index, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => at_name = true,
            _ if at_name && is_of_name(character) => {
                let end = list[index..].find(|character| !is_of_name(character)).map_or(list.len(), |end| index + end);
                names.push(&list[index..end]);
                at_name = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// The names that begin a path: `pingora_core` in `pingora_core::Error`.
fn crate_names(line: &str) -> Vec<&str> {
    line.match_indices("::")
        .filter_map(|(end, _)| {
            let start = line[..end].rfind(|character| !is_of_name(character)).map_or(0, |before| before + 1);
            (start < end && !line[..start].ends_with("::")).then(|| &line[start..end])
        })
        .collect()
}
