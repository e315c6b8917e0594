//! What a path item says of all its operations, said in each.

use crate::budget::Budget;
use crate::method::Method;
use crate::note::{Notes, Place};
use crate::references::{follow, target};
use crate::structure::Kind;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// The operations of a path item of a cleaned document, each with all that is true of it: the item's `$ref` is followed,
/// its `parameters`, `summary` and `description` are in the operations, and no parameter is a reference.
pub(crate) fn operations_of(
    document: &Value,
    item: &Value,
    place: &Place<'_>,
    budget: &mut Budget,
    notes: &mut Notes,
) -> Vec<(Method, Map<String, Value>)> {
    // What stands beside a `$ref` counts before what it leads to.
    let mut chain = vec![item];
    if let Some(reference) = item.get("$ref").and_then(Value::as_str) {
        let found = target(document, Kind::PathItem, reference).and_then(|to| follow(document, Kind::PathItem, to));
        match found {
            Some(found) => chain.push(found),
            None => notes.add(place, format!("`$ref: {reference}` leads nowhere in this document")),
        }
    }
    let of_item = |name: &str| chain.iter().find_map(|item| item.get(name));
    let mut operations = Vec::new();
    for method in Method::ALL {
        let Some(operation) = of_item(method.field()) else { continue };
        let place = place.key(method.field());
        let is_copy = item.get(method.field()).is_none();
        let Some(mut operation) = copy(operation, is_copy, budget).as_object().cloned() else {
            notes.add(&place, "is left out: too much of the document refers to it");
            continue;
        };
        for text in ["summary", "description"] {
            if let Some(of_all) = of_item(text).filter(|_| !operation.contains_key(text)) {
                operation.insert(text.to_owned(), of_all.clone());
            }
        }
        let own = operation.shift_remove("parameters").unwrap_or_default();
        let mut gathered = Parameters { document, budget, seen: HashSet::new(), list: Vec::new() };
        gathered.add(&own, false, &place, notes);
        gathered.add(of_item("parameters").unwrap_or(&Value::Null), true, &place, notes);
        if !gathered.list.is_empty() {
            operation.insert("parameters".to_owned(), Value::Array(gathered.list));
        }
        operations.push((method, operation));
    }
    operations
}

fn copy(value: &Value, is_copy: bool, budget: &mut Budget) -> Value {
    if !is_copy || budget.allows(value) { value.clone() } else { Value::Null }
}

struct Parameters<'d> {
    document: &'d Value,
    budget: &'d mut Budget,
    seen: HashSet<(String, String)>,
    list: Vec<Value>,
}

impl Parameters<'_> {
    /// Adds those of `parameters` that are not there yet, by name and place.
    fn add(&mut self, parameters: &Value, is_copy: bool, place: &Place<'_>, notes: &mut Notes) {
        for (index, parameter) in parameters.as_array().into_iter().flatten().enumerate() {
            let list = place.key("parameters");
            let place = list.index(index);
            let found = follow(self.document, Kind::Parameter, parameter);
            let key = found.and_then(|found| Some((found.get("name")?.as_str()?, found.get("in")?.as_str()?)));
            let (Some(found), Some((name, at))) = (found, key) else {
                notes.add(&place, "is left out: its `$ref` leads nowhere in this document");
                continue;
            };
            if !self.seen.insert((name.to_owned(), at.to_owned())) {
                continue;
            }
            let is_copy = is_copy || parameter.get("$ref").is_some();
            match copy(found, is_copy, self.budget) {
                Value::Null => notes.add(&place, "is left out: too much of the document refers to it"),
                parameter => self.list.push(parameter),
            }
        }
    }
}
