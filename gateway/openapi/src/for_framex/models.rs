//! The schemas of a document for FrameX: it makes a class of each.

use super::body::Body;
use super::python;
use super::recursion::recursive_edges;
use super::schemas::{Schemas, View};
use super::shape::{ANYTHING, Shape, Shapes};
use crate::unique_names::UniqueNames;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// An object with known fields.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Text that describes it: `title`, `description`.
    texts: Map<String, Value>,
    fields: Vec<ModelField>,
}

/// A field of a model.
#[derive(Debug)]
struct ModelField {
    name: String,
    shapes: Shapes,
    texts: Map<String, Value>,
    is_required: bool,
    default: Option<Value>,
}

impl Model {
    /// The model of all fields of `view` that FrameX can have.
    pub(super) fn of<'m>(schema: &'m Value, view: &View<'m>, schemas: &mut Schemas<'m>) -> Self {
        let fields = view.fields.iter().filter(|(name, _)| python::is_field_name(name));
        let fields = fields.map(|(name, schema)| {
            let shapes = schemas.shapes(schema);
            ModelField {
                name: (*name).to_owned(),
                texts: texts_of(schema),
                is_required: view.required.contains(name),
                default: schema.get("default").filter(|value| shapes.accept(value)).cloned(),
                shapes,
            }
        });
        Self { texts: texts_of(schema), fields: fields.collect() }
    }

    /// The components of the merged document that it refers to.
    pub(super) fn models(&self) -> impl Iterator<Item = &String> {
        self.fields.iter().flat_map(|field| field.shapes.models())
    }

    /// Whether FrameX can make one of nothing.
    fn has_required_fields(&self) -> bool {
        self.fields.iter().any(|field| field.is_required)
    }
}

/// The models of one document.
pub(super) struct Models {
    prefix: String,
    names: UniqueNames,
    /// What components of the merged document are called.
    renamed: HashMap<String, String>,
    /// Models of components, by the names of these.
    of_components: BTreeMap<String, Model>,
    /// Schemas of bodies alone, by name.
    of_bodies: BTreeMap<String, BodySchema>,
}

enum BodySchema {
    Model(Model),
    Written(Value),
}

impl Models {
    pub(super) fn new(prefix: &str) -> Self {
        let mut names = UniqueNames::default();
        names.unique(ANYTHING.to_owned(), '_');
        Self {
            prefix: prefix.to_owned(),
            names,
            renamed: HashMap::new(),
            of_components: BTreeMap::new(),
            of_bodies: BTreeMap::new(),
        }
    }

    /// Gives an operation its id and its body.
    pub(super) fn finish_operation(
        &mut self,
        id: &str,
        mut operation: Map<String, Value>,
        body: Option<Body>,
    ) -> Value {
        operation.insert("operationId".to_owned(), json!(id));
        if let Some(body) = body {
            let (media_type, name) = match body {
                Body::Component(name) => ("application/json", self.name_of(&name)),
                Body::Model(model) => ("application/json", self.add_body(id, BodySchema::Model(model))),
                Body::Form(schema) => ("multipart/form-data", self.add_body(id, BodySchema::Written(schema))),
            };
            let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
            let body = json!({ "required": true, "content": { media_type: { "schema": schema } } });
            operation.insert("requestBody".to_owned(), body);
        }
        Value::Object(operation)
    }

    fn add_body(&mut self, id: &str, schema: BodySchema) -> String {
        let name = self.names.unique(format!("{id}_body"), '_');
        self.of_bodies.insert(name.clone(), schema);
        name
    }

    fn name_of(&mut self, component: &str) -> String {
        if let Some(name) = self.renamed.get(component) {
            return name.clone();
        }
        let fitting = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
        let name = self.names.unique(format!("{}{component}", self.prefix).chars().map(fitting).collect(), '_');
        self.renamed.insert(component.to_owned(), name.clone());
        name
    }

    /// The schemas of the document: those of bodies, and all that they refer to.
    pub(super) fn finish(mut self, schemas: &mut Schemas<'_>) -> Map<String, Value> {
        let mut wanted: Vec<String> = self.renamed.keys().cloned().collect();
        for body in self.of_bodies.values() {
            if let BodySchema::Model(model) = body {
                wanted.extend(model.models().cloned());
            }
        }
        wanted.sort();
        while let Some(name) = wanted.pop() {
            if !self.of_components.contains_key(&name)
                && let Some(schema) = schemas.component(&name)
            {
                let view = schemas.view(schema);
                let model = Model::of(schema, &view, schemas);
                wanted.extend(model.models().cloned());
                self.name_of(&name);
                self.of_components.insert(name, model);
            }
        }
        let recursive = recursive_edges(&self.of_components);
        let mut written = BTreeMap::new();
        let mut needs_anything = false;
        let mut write = |name: &str, own: &str, model: &Model| {
            let (schema, needs) = self.write(own, model, &recursive);
            needs_anything |= needs;
            written.insert(name.to_owned(), schema);
        };
        for (own, model) in &self.of_components {
            write(&self.renamed[own], own, model);
        }
        for (name, body) in &self.of_bodies {
            if let BodySchema::Model(model) = body {
                write(name, "", model);
            }
        }
        for (name, body) in self.of_bodies {
            if let BodySchema::Written(schema) = body {
                written.insert(name, schema);
            }
        }
        if needs_anything {
            written.insert(ANYTHING.to_owned(), json!({}));
        }
        written.into_iter().collect()
    }

    /// The schema of a model, `own` being its component; and whether it refers to [`ANYTHING`].
    fn write(&self, own: &str, model: &Model, recursive: &HashSet<(String, String)>) -> (Value, bool) {
        let mut properties = Map::new();
        let mut needs_anything = false;
        for field in &model.fields {
            let mut shapes = field.shapes.clone();
            if !field.is_required && field.default.is_none() && self.would_be_invented(&shapes) {
                shapes.add(Shape::Null);
            }
            let is_kept = |target: &str| !recursive.contains(&(own.to_owned(), target.to_owned()));
            let shapes = shapes.without_models(&is_kept);
            let mut property = shapes.property(&|component| self.renamed[component].clone());
            property.extend(field.texts.clone());
            if let Some(default) = &field.default {
                property.insert("default".to_owned(), default.clone());
            }
            needs_anything |= shapes.needs_anything();
            properties.insert(field.name.clone(), Value::Object(property));
        }
        let required: Vec<&str> =
            model.fields.iter().filter(|field| field.is_required).map(|field| field.name.as_str()).collect();
        let mut schema = model.texts.clone();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        (Value::Object(schema), needs_anything)
    }

    /// Whether FrameX would send a value of its own where a caller gives none: the first alternative's `""`, 0 or
    /// `false`; or would fail to make one, for an object with required fields.
    fn would_be_invented(&self, shapes: &Shapes) -> bool {
        if shapes.is_anything() || shapes.has(&Shape::Null) {
            return false;
        }
        match shapes.iter().next() {
            Some(Shape::Model(name)) => self.of_components.get(name).is_none_or(Model::has_required_fields),
            Some(Shape::Object | Shape::List(_)) | None => false,
            Some(_) => true,
        }
    }
}

fn texts_of(schema: &Value) -> Map<String, Value> {
    let text = |name: &str| Some((name.to_owned(), schema.get(name).filter(|text| text.is_string())?.clone()));
    ["title", "description"].into_iter().filter_map(text).collect()
}
