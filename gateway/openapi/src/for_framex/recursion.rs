//! Where models refer to themselves.

use super::models::Model;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Models inside models that Python bears; an honest document has ten.
const DEEPEST: usize = 32;

/// The references, from model to model, that must be cut so that none refers to itself by whatever way, and none is very
/// deep.
pub(super) fn recursive_edges(models: &BTreeMap<String, Model>) -> HashSet<(String, String)> {
    let mut edges = HashSet::new();
    // How many models stand inside each other, for each that was looked at.
    let mut heights: HashMap<&str, usize> = HashMap::new();
    for root in models.keys() {
        let mut inside: HashSet<&str> = HashSet::new();
        let mut stack: Vec<Visit<'_>> = Vec::new();
        if !heights.contains_key(root.as_str()) {
            inside.insert(root);
            stack.push(Visit::of(root, models));
        }
        while let Some(visit) = stack.last_mut() {
            let Some(child) = visit.children.pop() else {
                let Visit { name, height, .. } = *visit;
                stack.pop();
                inside.remove(name);
                heights.insert(name, height);
                if let Some(parent) = stack.last_mut() {
                    parent.stands_above(name, height, &mut edges);
                }
                continue;
            };
            match heights.get(child) {
                _ if inside.contains(child) => {
                    edges.insert((visit.name.to_owned(), child.to_owned()));
                }
                Some(height) => visit.stands_above(child, *height, &mut edges),
                None => {
                    inside.insert(child);
                    stack.push(Visit::of(child, models));
                }
            }
        }
    }
    edges
}

struct Visit<'m> {
    name: &'m str,
    children: Vec<&'m str>,
    height: usize,
}

impl<'m> Visit<'m> {
    fn of(name: &'m str, models: &'m BTreeMap<String, Model>) -> Self {
        let children = models.get(name).into_iter().flat_map(Model::models).map(String::as_str).collect();
        Self { name, children, height: 1 }
    }

    fn stands_above(&mut self, child: &str, height: usize, edges: &mut HashSet<(String, String)>) {
        if height < DEEPEST {
            self.height = self.height.max(height + 1);
        } else {
            edges.insert((self.name.to_owned(), child.to_owned()));
        }
    }
}
