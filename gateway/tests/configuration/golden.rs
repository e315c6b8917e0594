//! The golden files.

use super::outcome::{compile, describe_problems, describe_service, describe_snapshot};
use super::{cases, compare_with_golden, name_of};

#[test]
fn valid_configurations_mean_what_is_written_beside_them() {
    let mut differences = Vec::new();
    for case in cases("valid") {
        let compiled = compile(&case);
        let problems = describe_problems(&case, &compiled.problems);
        let Some(snapshot) = compiled.snapshot.filter(|_| problems.is_empty()) else {
            differences.push(format!("{} is not valid:\n{problems}", name_of(&case)));
            continue;
        };
        differences.extend(compare_with_golden(&case.join("expected.json"), &describe_snapshot(&case, &snapshot)));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn invalid_configurations_are_refused_with_what_is_written_beside_them() {
    let mut differences = Vec::new();
    for case in cases("invalid") {
        let compiled = compile(&case);
        if compiled.problems.is_empty() {
            differences.push(format!("{} has no problem", name_of(&case)));
        }
        let actual = describe_problems(&case, &compiled.problems) + &describe_service(compiled.snapshot.as_ref());
        differences.extend(compare_with_golden(&case.join("expected.err"), &actual));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_problem_names_its_file_and_no_rust_type() {
    for case in cases("invalid") {
        for problem in compile(&case).problems {
            let line = problem.to_string();
            assert!(problem.file.starts_with(&case), "{}: {line}", name_of(&case));
            assert!(!line.contains('\n') && !line.contains('\\'), "{}: {line}", name_of(&case));
            for word in ["struct ", "Raw", "enum ", "u32", "usize", "Option"] {
                assert!(!problem.message.contains(word), "{} speaks Rust ({word}): {line}", name_of(&case));
            }
        }
    }
}
