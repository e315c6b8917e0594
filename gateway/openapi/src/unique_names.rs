//! Names that are unique in one document.

use std::collections::{HashMap, HashSet};

/// Names that are taken.
#[derive(Debug, Default)]
pub(crate) struct UniqueNames {
    taken: HashSet<String>,
    /// Where counting goes on for a name that is taken.
    counts: HashMap<String, usize>,
}

impl UniqueNames {
    /// `wanted`, or the first of `wanted_2`, `wanted_3` that is free.
    pub(crate) fn unique(&mut self, wanted: String, separator: char) -> String {
        if self.taken.insert(wanted.clone()) {
            return wanted;
        }
        let count = self.counts.entry(wanted.clone()).or_insert(1);
        loop {
            *count += 1;
            let numbered = format!("{wanted}{separator}{count}");
            if self.taken.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_numbered() {
        let mut names = UniqueNames::default();
        let given: Vec<String> = ["a", "a_2", "a", "a", "b"].map(|name| names.unique(name.to_owned(), '_')).into();
        assert_eq!(given, ["a", "a_2", "a_3", "a_4", "b"]);
    }
}
