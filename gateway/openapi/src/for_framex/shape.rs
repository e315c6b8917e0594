//! The types that FrameX can tell apart.

use serde_json::{Map, Value, json};

/// A type that FrameX can make a Python type of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Integer,
    Number,
    Boolean,
    Null,
    /// An object with any fields; FrameX passes it on as it is.
    Object,
    /// An object with known fields: a component of the merged document, by name. FrameX fills in what is not there.
    Model(String),
    /// A list. The shapes in it are alternatives; a list in a list is one of anything.
    List(Shapes),
}

/// Alternatives, each once, at most one of them an object and one a list; none for anything at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shapes(Vec<Shape>);

/// The component for any value, by its name in the document for FrameX.
pub(super) const ANYTHING: &str = "gw_anything";

impl Shapes {
    pub(super) const ANYTHING: Self = Self(Vec::new());

    pub(super) fn one(shape: Shape) -> Self {
        Self(vec![shape])
    }

    /// What is one of these; anything, if one of them is.
    pub(super) fn any_of(alternatives: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for alternative in alternatives {
            if alternative.is_anything() {
                return Self::ANYTHING;
            }
            alternative.0.into_iter().for_each(|shape| all.add(shape));
        }
        all
    }

    pub(super) fn add(&mut self, new: Shape) {
        let is_object = |shape: &Shape| matches!(shape, Shape::Object | Shape::Model(_));
        for old in &mut self.0 {
            match (&mut *old, &new) {
                (Shape::List(old), Shape::List(new)) => {
                    *old = Self::any_of([std::mem::take(old), new.clone()]);
                    return;
                }
                (old, new) if *old == *new => return,
                // FrameX would take the first object that fits, and add that one's fields to the other.
                (old, new) if is_object(old) && is_object(new) => {
                    *old = Shape::Object;
                    return;
                }
                _ => {}
            }
        }
        self.0.push(new);
    }

    pub(super) fn is_anything(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shape> {
        self.0.iter()
    }

    pub(super) fn has(&self, shape: &Shape) -> bool {
        self.0.contains(shape)
    }

    /// The shape, if there is one alone beside null.
    pub(super) fn single(&self) -> Option<&Shape> {
        let mut others = self.0.iter().filter(|shape| **shape != Shape::Null);
        others.next().filter(|_| others.next().is_none())
    }

    /// The one type of a value that is written as text, in a path, a query or a form: a text, if it may be one or several
    /// others. None for what cannot be written so.
    pub(super) fn as_text(&self) -> Option<&'static str> {
        let is_simple =
            |shape: &&Shape| !matches!(shape, Shape::List(_) | Shape::Object | Shape::Model(_) | Shape::Null);
        let mut simple = self.0.iter().filter(is_simple);
        match (simple.next(), simple.next(), simple.next()) {
            _ if self.is_anything() => Some("string"),
            (None, ..) => None,
            (Some(one), None, _) => Some(one.type_name()),
            (Some(Shape::Integer | Shape::Number), Some(Shape::Integer | Shape::Number), None) => Some("number"),
            _ => Some("string"),
        }
    }

    /// What the elements are, if it may be a list.
    pub(super) fn items_of_list(&self) -> Option<&Self> {
        self.0.iter().find_map(|shape| if let Shape::List(items) = shape { Some(items) } else { None })
    }

    /// The components in it.
    pub(super) fn models(&self) -> Vec<&String> {
        let mut models = Vec::new();
        for shape in &self.0 {
            match shape {
                Shape::Model(name) => models.push(name),
                Shape::List(items) => models.extend(items.models()),
                _ => {}
            }
        }
        models
    }

    /// With each object whose component is not `kept` as one with any fields.
    pub(super) fn without_models(&self, kept: &impl Fn(&str) -> bool) -> Self {
        let mut shapes = Self::default();
        for shape in &self.0 {
            shapes.add(match shape {
                Shape::Model(name) if !kept(name) => Shape::Object,
                Shape::List(items) => Shape::List(items.without_models(kept)),
                shape => shape.clone(),
            });
        }
        shapes
    }

    /// For a list in a list FrameX knows no more than that it is one.
    pub(super) fn into_items(self) -> Self {
        let flat = |shape| if matches!(shape, Shape::List(_)) { Shape::List(Self::ANYTHING) } else { shape };
        Self(self.0.into_iter().map(flat).collect())
    }

    /// Whether `value` has one of the shapes.
    pub(super) fn accept(&self, value: &Value) -> bool {
        self.is_anything() || self.0.iter().any(|shape| shape.accepts(value))
    }

    /// The schema of a property. `name_of` says what a component is called in the document for FrameX.
    pub(super) fn property(&self, name_of: &impl Fn(&str) -> String) -> Map<String, Value> {
        let schema = match self.0.as_slice() {
            [Shape::List(items)] => json!({ "type": "array", "items": items.items(name_of) }),
            [shape] if *shape != Shape::Null => shape.alternatives(name_of).remove(0),
            _ => json!({ "anyOf": self.alternatives(name_of) }),
        };
        if let Value::Object(schema) = schema { schema } else { Map::new() }
    }

    /// FrameX reads no `anyOf` in `items`, but for a detour: one beside a `$ref` to a schema that says nothing.
    fn items(&self, name_of: &impl Fn(&str) -> String) -> Value {
        match self.0.as_slice() {
            [Shape::List(_)] => json!({ "type": "array" }),
            [shape] if *shape != Shape::Null => shape.alternatives(name_of).remove(0),
            _ => json!({ "$ref": format!("#/components/schemas/{ANYTHING}"), "anyOf": self.alternatives(name_of) }),
        }
    }

    fn alternatives(&self, name_of: &impl Fn(&str) -> String) -> Vec<Value> {
        if self.is_anything() {
            return every_shape().flat_map(|shape| shape.alternatives(name_of)).collect();
        }
        self.0.iter().flat_map(|shape| shape.alternatives(name_of)).collect()
    }

    /// Whether something in the schema refers to [`ANYTHING`].
    pub(super) fn needs_anything(&self) -> bool {
        let is_mixed = |items: &Self| items.0.len() != 1 || items.has(&Shape::Null);
        matches!(self.0.as_slice(), [Shape::List(items)] if is_mixed(items))
    }
}

fn every_shape() -> impl Iterator<Item = Shape> {
    let list = Shape::List(Shapes::ANYTHING);
    [Shape::Text, Shape::Integer, Shape::Number, Shape::Boolean, Shape::Object, list, Shape::Null].into_iter()
}

impl Shape {
    /// What JSON Schema calls it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Null => "null",
            Self::Object | Self::Model(_) => "object",
            Self::List(_) => "array",
        }
    }

    fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Integer, Value::Number(number)) => number.is_i64() || number.is_u64(),
            (Self::List(items), Value::Array(list)) => list.iter().all(|value| items.accept(value)),
            (Self::Text, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Null, Value::Null)
            | (Self::Object | Self::Model(_), Value::Object(_)) => true,
            _ => false,
        }
    }

    /// The schemas in an `anyOf`: of a list there FrameX sees a simple type of items alone, so it is one for each.
    fn alternatives(&self, name_of: &impl Fn(&str) -> String) -> Vec<Value> {
        match self {
            Self::Model(name) => vec![json!({ "$ref": format!("#/components/schemas/{}", name_of(name)) })],
            Self::List(items) => {
                let items: Vec<Self> = if items.is_anything() { every_shape().collect() } else { items.0.clone() };
                let mut types: Vec<&str> = items.iter().map(Self::type_name).filter(|name| *name != "null").collect();
                if types.is_empty() {
                    types.push("string");
                }
                types.into_iter().map(|name| json!({ "type": "array", "items": { "type": name } })).collect()
            }
            shape => vec![json!({ "type": shape.type_name() })],
        }
    }
}
