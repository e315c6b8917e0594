//! What the schemas of a merged document say, in the types of FrameX.

use super::python;
use super::shape::{Shape, Shapes};
use super::type_names::types_of;
use crate::references::component_name;
use crate::structure::Kind;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap, HashSet};

/// References and schemas inside each other that are followed; what is beyond may be anything.
const DEEPEST: usize = 64;
/// Schemas and fields that are looked at, all in all. A document of no great size can repeat its own without end.
const MOST_STEPS: usize = 2_000_000;

/// The schemas of a merged document.
pub(super) struct Schemas<'m> {
    components: Option<&'m Map<String, Value>>,
    /// Of components; one that is being looked at is anything.
    known: HashMap<String, Shapes>,
    steps_left: usize,
}

/// A schema as that of one object.
#[derive(Default)]
pub(super) struct View<'m> {
    /// Its fields with their schemas, in the order of the document.
    pub(super) fields: Vec<(&'m str, &'m Value)>,
    positions: HashMap<&'m str, usize>,
    pub(super) required: BTreeSet<&'m str>,
    /// Whether it can have other fields, too.
    pub(super) is_open: bool,
    /// Whether others say that they are this with more fields.
    has_heirs: bool,
    /// Whether it is one of several objects.
    pub(super) is_one_of_several: bool,
    /// Whether it is too large to look at.
    pub(super) is_too_large: bool,
}

impl<'m> Schemas<'m> {
    pub(super) fn new(merged: &'m Value) -> Self {
        let components = merged.get("components").and_then(|components| components.get("schemas"));
        Self { components: components.and_then(Value::as_object), known: HashMap::new(), steps_left: MOST_STEPS }
    }

    pub(super) fn component(&self, name: &str) -> Option<&'m Value> {
        self.components?.get(name)
    }

    /// The component to which `schema` refers.
    fn referred(&self, schema: &Value) -> Option<(&'m str, &'m Value)> {
        let name = component_name(Kind::Schema, schema.get("$ref")?.as_str()?)?;
        self.components?.get_key_value(&name).map(|(name, component)| (name.as_str(), component))
    }

    /// `schema` without what stands around it: a `$ref`, an `allOf` of one, an `anyOf` of it and null.
    pub(super) fn core(&self, schema: &'m Value) -> &'m Value {
        let mut core = schema;
        for _ in 0..DEEPEST {
            let is_null = |schema: &Value| schema.get("type").is_some_and(|name| name == "null");
            let parts = ["allOf", "anyOf", "oneOf"].iter().find_map(|word| core.get(word)?.as_array());
            let mut parts = parts.into_iter().flatten().filter(|part| !is_null(part));
            core = match (self.referred(core), parts.next(), parts.next()) {
                (Some((_, component)), ..) => component,
                (None, Some(part), None) if core.get("properties").is_none() => part,
                _ => return core,
            };
        }
        core
    }

    /// The types of what `schema` allows.
    pub(super) fn shapes(&mut self, schema: &'m Value) -> Shapes {
        self.shapes_at(schema, 0)
    }

    /// Whether one more schema or field may be looked at.
    fn takes_step(&mut self) -> bool {
        let left = self.steps_left.checked_sub(1);
        self.steps_left = left.unwrap_or_default();
        left.is_some()
    }

    fn shapes_at(&mut self, schema: &'m Value, depth: usize) -> Shapes {
        if depth > DEEPEST || !self.takes_step() {
            return Shapes::ANYTHING;
        }
        if let Some((name, component)) = self.referred(schema) {
            return self.component_shapes(name, component, depth + 1);
        }
        let types = types_of(schema);
        for word in ["anyOf", "oneOf"] {
            let Some(Value::Array(alternatives)) = schema.get(word) else { continue };
            let shapes = Shapes::any_of(alternatives.iter().map(|schema| self.shapes_at(schema, depth + 1)));
            if !shapes.is_anything() {
                return shapes;
            }
            if types.is_empty() {
                return Shapes::ANYTHING;
            }
        }
        if let Some(Value::Array(parts)) = schema.get("allOf") {
            let mut parts = parts.iter().map(|schema| self.shapes_at(schema, depth + 1));
            let first = parts.by_ref().find(|shapes| !shapes.is_anything());
            let is_one = parts.all(|shapes| shapes.is_anything()) && schema.get("properties").is_none();
            match first {
                Some(first) if is_one => return first,
                Some(first) if matches!(first.single(), Some(Shape::Model(_))) => return Shapes::one(Shape::Object),
                Some(first) => return first,
                None => {}
            }
        }
        let mut shapes = Shapes::default();
        for name in types {
            shapes.add(match name {
                "string" => Shape::Text,
                "integer" => Shape::Integer,
                "number" => Shape::Number,
                "boolean" => Shape::Boolean,
                "null" => Shape::Null,
                "array" => Shape::List(self.item_shapes(schema, depth)),
                _ => Shape::Object,
            });
        }
        shapes
    }

    fn item_shapes(&mut self, schema: &'m Value, depth: usize) -> Shapes {
        let first = schema.get("prefixItems").and_then(Value::as_array);
        // `items: false` after the first ones is no type of its own.
        let rest = schema.get("items").filter(|rest| first.is_none() || !rest.is_boolean());
        let all = first.into_iter().flatten().chain(rest);
        Shapes::any_of(all.map(|schema| self.shapes_at(schema, depth + 1))).into_items()
    }

    fn component_shapes(&mut self, name: &'m str, component: &'m Value, depth: usize) -> Shapes {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        self.known.insert(name.to_owned(), Shapes::ANYTHING);
        let shapes = if self.is_model(component, depth) {
            Shapes::one(Shape::Model(name.to_owned()))
        } else {
            self.shapes_at(component, depth)
        };
        self.known.insert(name.to_owned(), shapes.clone());
        shapes
    }

    /// Whether FrameX can make a class of a component that changes nothing on the way.
    fn is_model(&mut self, component: &'m Value, depth: usize) -> bool {
        let is_alternative = ["anyOf", "oneOf", "$ref"].iter().any(|word| component.get(word).is_some());
        if is_alternative || types_of(component).iter().any(|name| *name != "object") {
            return false;
        }
        let view = self.view_at(component, depth);
        view.is_closed_object() && view.fields.iter().all(|(name, _)| python::is_field_name(name))
    }

    /// `schema` as that of one object, whatever it is.
    pub(super) fn view(&mut self, schema: &'m Value) -> View<'m> {
        self.view_at(schema, 0)
    }

    fn view_at(&mut self, schema: &'m Value, depth: usize) -> View<'m> {
        let mut view = View::default();
        self.gather(schema, &mut view, &mut HashSet::new(), depth);
        view.is_open |= view.has_heirs;
        view.remove_read_only();
        view
    }

    fn gather(&mut self, schema: &'m Value, view: &mut View<'m>, seen: &mut HashSet<&'m str>, depth: usize) {
        if depth > DEEPEST || !self.takes_step() {
            view.is_too_large = true;
            return;
        }
        if let Some((name, component)) = self.referred(schema)
            && seen.insert(name)
        {
            self.gather(component, view, seen, depth + 1);
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.gather(part, view, seen, depth + 1);
        }
        if schema.get("allOf").is_some() {
            // They are heirs of a part, as this is.
            view.has_heirs = false;
        }
        let mut is_one_of_some = false;
        for word in ["anyOf", "oneOf"] {
            let alternatives = schema.get(word).and_then(Value::as_array).into_iter().flatten();
            let mut objects: Vec<&Value> = Vec::new();
            for alternative in alternatives {
                let shapes = self.shapes_at(alternative, depth + 1);
                is_one_of_some |= !shapes.is_anything();
                if !shapes.is_anything() && shapes.single().is_some() {
                    objects.push(alternative);
                } else if !shapes.is_anything() && !shapes.has(&Shape::Null) {
                    view.is_one_of_several = true;
                }
            }
            match objects.as_slice() {
                [] => {}
                [object] => self.gather(object, view, seen, depth + 1),
                _ => view.is_one_of_several = true,
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        for (name, property) in properties {
            if !self.takes_step() {
                view.is_too_large = true;
                return;
            }
            view.add_field(name, property);
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        view.required.extend(required.filter_map(Value::as_str));
        let additional = schema.get("additionalProperties").is_some_and(|schema| *schema != Value::Bool(false));
        let has_patterns = schema.get("patternProperties").is_some();
        view.is_open |= additional || has_patterns;
        view.has_heirs |= schema.get("discriminator").is_some() && !is_one_of_some;
    }
}

impl<'m> View<'m> {
    fn add_field(&mut self, name: &'m str, schema: &'m Value) {
        match self.positions.get(name) {
            Some(at) => self.fields[*at].1 = schema,
            None => {
                self.positions.insert(name, self.fields.len());
                self.fields.push((name, schema));
            }
        }
    }

    /// What is read only is not sent.
    fn remove_read_only(&mut self) {
        let is_read_only = |schema: &Value| schema.get("readOnly") == Some(&Value::Bool(true));
        let Self { fields, required, .. } = self;
        fields.retain(|(name, schema)| {
            if is_read_only(schema) {
                required.remove(name);
            }
            !is_read_only(schema)
        });
    }

    fn is_closed_object(&self) -> bool {
        !self.fields.is_empty() && !self.is_open && !self.is_one_of_several && !self.is_too_large
    }
}
