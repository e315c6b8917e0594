//! Schemas and the like, kept apart by the part they come from.

use super::Part;
use super::names::component_key;
use super::operation::Links;
use crate::document::Document;
use crate::references::{component_name, component_reference, mapping};
use crate::structure::{Kind, SECTIONS, section, section_kind, walk};
use crate::unique_names::UniqueNames;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The components of a merged document; those alone that something refers to.
pub(super) struct Components<'p> {
    parts: &'p [Part],
    /// What each part's component is called, by section and own name.
    names: Vec<HashMap<(&'static str, String), String>>,
    taken: HashMap<&'static str, UniqueNames>,
    /// What is still to be copied: part, section, own name, new name.
    wanted: Vec<(usize, &'static str, String, String)>,
}

/// The components of one part.
pub(super) struct PartComponents<'c, 'p> {
    all: &'c mut Components<'p>,
    part_index: usize,
    links: &'c Links,
}

impl<'p> Components<'p> {
    pub(super) fn new(parts: &'p [Part]) -> Self {
        let names = parts.iter().map(|_| HashMap::new()).collect();
        Self { parts, names, taken: HashMap::new(), wanted: Vec::new() }
    }

    pub(super) fn of_part<'c>(&'c mut self, part_index: usize, links: &'c Links) -> PartComponents<'c, 'p> {
        PartComponents { all: self, part_index, links }
    }

    /// Copies what is wanted, and what that wants.
    pub(super) fn finish(mut self, links: &[Links]) -> Map<String, Value> {
        let mut sections: HashMap<&str, Map<String, Value>> = HashMap::new();
        while let Some((part_index, section, own, name)) = self.wanted.pop() {
            let document = self.parts[part_index].document.as_deref();
            let component = document.and_then(|document| document.component(section, &own)).cloned();
            if let (Some(mut component), Some(kind)) = (component, section_kind(section)) {
                self.of_part(part_index, &links[part_index]).rewrite(kind, &mut component);
                sections.entry(section).or_default().insert(name, component);
            }
        }
        let mut components = Map::new();
        for (section, _) in SECTIONS {
            if let Some(mut held) = sections.remove(section) {
                held.sort_keys();
                components.insert(section.to_owned(), Value::Object(held));
            }
        }
        components
    }

    fn name_of(&mut self, part_index: usize, section: &'static str, own: String) -> &str {
        let Self { parts, names, taken, wanted } = self;
        names[part_index].entry((section, own)).or_insert_with_key(|(section, own)| {
            let Part { namespace, source, .. } = &parts[part_index];
            let key = component_key(&format!("{namespace}.{source}.{own}"));
            let name = taken.entry(section).or_default().unique(key, '_');
            wanted.push((part_index, section, own.clone(), name.clone()));
            name
        })
    }
}

impl PartComponents<'_, '_> {
    /// The document of the part.
    pub(super) fn document(&self) -> Option<&Document> {
        self.all.parts[self.part_index].document.as_deref()
    }

    /// Rewrites the references of `value`, and takes out of it what means something in its own document alone.
    pub(super) fn rewrite(&mut self, kind: Kind, value: &mut Value) {
        walk(kind, value, &mut |kind, object| {
            if kind == Kind::Operation {
                // Of a callback; the operation that is published gets its own afterwards.
                object.shift_remove("operationId");
                object.shift_remove("tags");
            }
            for (_, target) in mapping(kind, object).into_iter().flatten() {
                self.rewrite_reference(Kind::Schema, target);
            }
            match kind {
                Kind::Link if !self.leads_somewhere(object) => false,
                Kind::Link if !object.contains_key("$ref") => self.links.rewrite(object),
                _ => {
                    if let Some(reference) = object.get_mut("$ref") {
                        self.rewrite_reference(kind, reference);
                    }
                    true
                }
            }
        });
    }

    fn rewrite_reference(&mut self, kind: Kind, reference: &mut Value) {
        let Some(section) = section(kind) else { return };
        if let Some(own) = reference.as_str().and_then(|reference| component_name(kind, reference)) {
            let name = self.all.name_of(self.part_index, section, own);
            *reference = Value::String(component_reference(section, name));
        }
    }

    /// Whether a link, or the one that it refers to, leads to an operation of the merged document.
    fn leads_somewhere(&self, link: &Map<String, Value>) -> bool {
        let mut link = link;
        // A document that was read has no circles of references.
        while let Some(reference) = link.get("$ref").and_then(Value::as_str) {
            let name = component_name(Kind::Link, reference);
            let found = name.and_then(|name| self.document()?.component("links", &name)?.as_object());
            let Some(found) = found else { return false };
            link = found;
        }
        self.links.target(link).is_some()
    }
}
