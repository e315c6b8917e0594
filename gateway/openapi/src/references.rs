//! Where the references of a document lead.

use crate::budget::Budget;
use crate::note::{Notes, Place, pointer_token};
use crate::structure::{Kind, part_at, section, section_kind, walk};
use crate::unique_names::UniqueNames;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// References that lead to references; an honest document has two of them in a row at most.
const MOST_HOPS: usize = 32;

/// The part of `document` that `reference` names, if it is a part of `document` of that kind.
pub(crate) fn target<'d>(document: &'d Value, kind: Kind, reference: &str) -> Option<&'d Value> {
    part_at(document, &pointer_of(reference)?, kind)
}

/// What `value` is once its `$ref` is followed to the end; `None` if that leads nowhere.
pub(crate) fn follow<'d>(document: &'d Value, kind: Kind, value: &'d Value) -> Option<&'d Value> {
    let mut at = value;
    for _ in 0..MOST_HOPS {
        match at.get("$ref") {
            None => return Some(at),
            Some(reference) => at = target(document, kind, reference.as_str()?)?,
        }
    }
    None
}

/// The JSON pointer of a reference into the document itself: `#/components/schemas/a%20b`.
fn pointer_of(reference: &str) -> Option<String> {
    let encoded = reference.strip_prefix('#')?;
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut left = encoded.as_bytes();
    while let Some((byte, after)) = left.split_first() {
        left = after;
        let hex = if *byte == b'%' { left.get(..2) } else { None };
        let decoded = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        if decoded.is_some() {
            left = &left[2..];
        }
        bytes.push(decoded.unwrap_or(*byte));
    }
    String::from_utf8(bytes).ok()
}

/// The reference to a thing in `components`, as all references of a read document are written.
pub(crate) fn component_reference(section: &str, name: &str) -> String {
    format!("#/components/{section}/{}", pointer_token(name))
}

/// The name of the component of kind `kind` that a reference so written leads to.
pub(crate) fn component_name(kind: Kind, reference: &str) -> Option<String> {
    let name = reference.strip_prefix("#/components/")?.strip_prefix(section(kind)?)?.strip_prefix('/')?;
    (!name.contains('/')).then(|| name.replace("~1", "/").replace("~0", "~"))
}

/// Names of new components by section.
type NewNames = HashMap<&'static str, UniqueNames>;

/// Where each reference of a document leads: the reference as it should be written, or nowhere.
pub(crate) struct Plan {
    ways: HashMap<(Kind, String), Option<String>>,
    /// What is referred to without being a component, as a component: section, name, content.
    pub(crate) new_components: Vec<(&'static str, String, Value)>,
}

impl Plan {
    /// Looks up the references of a cleaned document (its `paths` and `components`).
    pub(crate) fn of(document: &mut Value, budget: &mut Budget) -> Self {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for_each_reference(document, |kind, reference| {
            let reference = (kind, reference.to_owned());
            if seen.insert(reference.clone()) {
                found.push(reference);
            }
        });
        let document = &*document;
        let mut plan = Self { ways: HashMap::with_capacity(found.len()), new_components: Vec::new() };
        let mut parts = HashMap::new();
        let mut names = NewNames::new();
        for (kind, reference) in found {
            let way = (|| {
                let pointer = pointer_of(&reference)?;
                let target = part_at(document, &pointer, kind)?;
                follow(document, kind, target)?;
                let section = section(kind)?;
                if component_name(kind, &pointer_to_reference(&pointer)).is_some() {
                    return Some(pointer_to_reference(&pointer));
                }
                if !parts.contains_key(&pointer) {
                    if !budget.allows(target) {
                        return None;
                    }
                    let name = new_name(document, section, &pointer, &mut names);
                    plan.new_components.push((section, name.clone(), target.clone()));
                    parts.insert(pointer.clone(), name);
                }
                Some(component_reference(section, &parts[&pointer]))
            })();
            plan.ways.insert((kind, reference), way);
        }
        plan
    }

    /// Writes the references in `value` as planned. What leads nowhere says nothing (a schema, an answer) or is left
    /// out; says whether `value` itself stays.
    pub(crate) fn apply(&self, kind: Kind, value: &mut Value, place: &Place<'_>, notes: &mut Notes) -> bool {
        walk(kind, value, &mut |kind, object| self.apply_to_object(kind, object, place, notes))
    }

    fn apply_to_object(
        &self,
        kind: Kind,
        object: &mut Map<String, Value>,
        place: &Place<'_>,
        notes: &mut Notes,
    ) -> bool {
        if let Some(mapping) = mapping(kind, object) {
            mapping.retain(|value, target| {
                let way = target.as_str().and_then(|target| self.way(Kind::Schema, &mapping_reference(target)));
                if way.is_none() {
                    notes.add(place, format!("a discriminator says `{value}` is `{target}`, which is not there"));
                }
                way.is_some_and(|way| {
                    *target = Value::String(way.clone());
                    true
                })
            });
        }
        let Some(reference) = object.get("$ref").and_then(Value::as_str) else { return true };
        if let Some(way) = self.way(kind, reference).cloned() {
            object.insert("$ref".to_owned(), Value::String(way));
            return true;
        }
        let instead = match kind {
            Kind::Schema => "anything is allowed there instead",
            Kind::Response => "nothing is known of the answer",
            _ => "it is left out",
        };
        notes.add(place, format!("`$ref: {reference}` leads nowhere in this document; {instead}"));
        object.shift_remove("$ref");
        if kind == Kind::Response {
            // An operation without answers is none.
            object.entry("description").or_insert_with(|| Value::String(String::new()));
        }
        matches!(kind, Kind::Schema | Kind::Response)
    }

    fn way(&self, kind: Kind, reference: &str) -> Option<&String> {
        self.ways.get(&(kind, reference.to_owned()))?.as_ref()
    }
}

/// The `mapping` of a schema's discriminator.
pub(crate) fn mapping(kind: Kind, object: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    if kind != Kind::Schema {
        return None;
    }
    object.get_mut("discriminator")?.get_mut("mapping")?.as_object_mut()
}

/// A discriminator may name a schema by its bare name.
fn mapping_reference(target: &str) -> String {
    if target.contains(['/', '#']) { target.to_owned() } else { component_reference("schemas", target) }
}

/// `pointer` is decoded, so it is its own canonical writing but for its `#`.
fn pointer_to_reference(pointer: &str) -> String {
    format!("#{pointer}")
}

fn for_each_reference(document: &mut Value, mut visit: impl FnMut(Kind, &str)) {
    let mut visit_object = |kind: Kind, object: &mut Map<String, Value>| {
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            visit(kind, reference);
        }
        for target in mapping(kind, object).into_iter().flat_map(|mapping| mapping.values()) {
            visit(Kind::Schema, &mapping_reference(target.as_str().unwrap_or_default()));
        }
        true
    };
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        walk(Kind::PathItem, item, &mut visit_object);
    }
    for (name, held) in document["components"].as_object_mut().into_iter().flatten() {
        let Some(kind) = section_kind(name) else { continue };
        for (_, component) in held.as_object_mut().into_iter().flatten() {
            walk(kind, component, &mut visit_object);
        }
    }
}

/// `Item.properties.size` for `/components/schemas/Item/properties/size`.
fn new_name(document: &Value, section: &'static str, pointer: &str, names: &mut NewNames) -> String {
    let short = pointer.strip_prefix("/components/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let fitting = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '.' };
    let base: String = short.unwrap_or(&pointer[1..]).chars().map(fitting).take(100).collect();
    let names = names.entry(section).or_default();
    loop {
        let name = names.unique(base.clone(), '.');
        if document["components"][section].get(&name).is_none() {
            return name;
        }
    }
}
