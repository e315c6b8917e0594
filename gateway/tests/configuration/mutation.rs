//! No damage to a file may make the gateway panic: it answers with problems or with a configuration.

use super::cases;
use super::outcome::compiler;
use framex_gateway::config::{self, Sources};
use framex_gateway::snapshot::Trials;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// One damage; positions are shares of the text.
#[derive(Clone, Debug)]
enum Damage {
    SetByte(f64, u8),
    Insert(f64, String),
    Delete(f64, usize),
    DoubleLine(f64),
    Truncate(f64),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = 0.0..1.0_f64;
    // What means something in YAML, in patterns and in units.
    let fragment = prop::sample::select(vec![
        ":",
        ": ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "!x ",
        "|",
        ">",
        "'",
        "\"",
        "%",
        "@",
        "\t",
        "\n",
        "\n  ",
        "#",
        ",",
        "?",
        "~",
        "<<: ",
        "---\n",
        "null",
        "true",
        "-1",
        "1e999",
        "0",
        "99999999999999999999",
        "${",
        "${X}",
        "$${",
        "{x}",
        "**",
        "*",
        "/",
        "//",
        "é",
        "\u{0}",
        "\u{feff}",
        "ms",
        "GiB",
        "/s",
    ]);
    prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Damage::SetByte(at, byte)),
        (place.clone(), fragment).prop_map(|(at, text)| Damage::Insert(at, text.to_owned())),
        (place.clone(), 1..40_usize).prop_map(|(at, length)| Damage::Delete(at, length)),
        place.clone().prop_map(Damage::DoubleLine),
        place.prop_map(Damage::Truncate),
    ]
}

impl Damage {
    fn apply(&self, text: &mut Vec<u8>) {
        let at = |share: f64, text: &[u8]| (text.len() as f64 * share) as usize;
        match self {
            Self::SetByte(share, byte) => {
                let at = at(*share, text);
                if let Some(place) = text.get_mut(at) {
                    *place = *byte;
                }
            }
            Self::Insert(share, fragment) => {
                let at = at(*share, text);
                text.splice(at..at, fragment.bytes());
            }
            Self::Delete(share, length) => {
                let at = at(*share, text);
                let end = text.len().min(at + length);
                text.drain(at..end);
            }
            Self::DoubleLine(share) => {
                let at = at(*share, text);
                let start = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
                let end = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |after| at + after + 1);
                let line = text[start..end].to_vec();
                text.splice(end..end, line);
            }
            Self::Truncate(share) => text.truncate(at(*share, text)),
        }
    }
}

#[test]
fn no_damage_to_a_valid_configuration_panics() {
    let originals: Vec<Vec<(PathBuf, Vec<u8>)>> = cases("valid").iter().map(|case| files_of(case)).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let strategy = (0..originals.len(), vec((0.0..1.0_f64, damage()), 1..4));
    let config = Config { cases: 1_500, failure_persistence: None, ..Config::default() };
    // The same damages in every run: a failure is one for everybody.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |(case, damages)| {
            let root = folder.path().join(case.to_string());
            let mut files = originals[case].clone();
            for (share, damage) in &damages {
                let file = (files.len() as f64 * share) as usize;
                damage.apply(&mut files[file].1);
            }
            for (file, content) in &files {
                write(&root.join(file), content);
            }
            let sources = config::load(&root.join("gateway.yaml"));
            if is_quick(&sources) {
                let _ = compiler().compile(sources, None, Trials::default());
            } else {
                let _ = sources.into_problems();
            }
            Ok(())
        })
        .expect("no damage panics");
}

/// Whether compiling looks up no name and compiles no component.
fn is_quick(sources: &Sources) -> bool {
    sources.namespaces.values().filter_map(|document| document.content.as_ref()).all(|namespace| {
        let mut endpoints = namespace.backends.iter().flat_map(|backend| &backend.endpoints);
        namespace.plugins.is_empty() && endpoints.all(|endpoint| endpoint.host.parse::<IpAddr>().is_ok())
    })
}

/// The YAML files of a case, by their place in it.
fn files_of(case: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = vec![PathBuf::from("gateway.yaml")];
    let namespaces = fs::read_dir(case.join("namespaces")).into_iter().flatten();
    files.extend(namespaces.map(|entry| Path::new("namespaces").join(entry.expect("a readable entry").file_name())));
    files.sort();
    files.into_iter().filter_map(|file| Some((file.clone(), fs::read(case.join(file)).ok()?))).collect()
}

fn write(file: &Path, content: &[u8]) {
    fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder can be made");
    fs::write(file, content).expect("a file can be written");
}
