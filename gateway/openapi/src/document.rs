//! One document, read.

use crate::bounds::{Bounds, DEEPEST_READ, depth_of_text, measure};
use crate::budget::Budget;
use crate::clean::Cleaner;
use crate::digest::Digest;
use crate::method::Method;
use crate::note::{Note, Notes, Place};
use crate::operation::Operation;
use crate::path_template::PathTemplate;
use crate::push_down::operations_of;
use crate::read_error::ReadError;
use crate::references::Plan;
use crate::structure::{Kind, SECTIONS};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt;

/// An OpenAPI document that was read, and brought to OpenAPI 3.1.
///
/// It never changes; share it in an `Arc`.
pub struct Document {
    title: String,
    description: Option<String>,
    /// Descriptions of tags by name.
    tags: HashMap<String, String>,
    operations: Vec<Operation>,
    /// By path and method, where in `operations`.
    positions: HashMap<(String, Method), usize>,
    components: Value,
    notes: Vec<Note>,
    digest: Digest,
}

impl Document {
    /// Reads a document from JSON.
    ///
    /// # Errors
    ///
    /// If it is beyond `bounds`, or no OpenAPI document of a version that is known. Parts that are wrong are left out,
    /// with a [note](Self::notes).
    pub fn read(bytes: &[u8], bounds: &Bounds) -> Result<Self, ReadError> {
        if bytes.len() > bounds.bytes {
            return Err(ReadError::TooLarge { limit: bounds.bytes });
        }
        let limit = bounds.depth.min(DEEPEST_READ);
        if depth_of_text(bytes) > limit {
            return Err(ReadError::TooDeep { limit });
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        Self::from_object(serde_json::from_slice(bytes).map_err(ReadError::NotJson)?, bounds)
    }

    /// Reads a document that is JSON already.
    ///
    /// # Errors
    ///
    /// As for [`Document::read`].
    pub fn from_value(value: Value, bounds: &Bounds) -> Result<Self, ReadError> {
        let (depth, bytes) = measure(&value);
        if bytes > bounds.bytes {
            return Err(ReadError::TooLarge { limit: bounds.bytes });
        }
        let limit = bounds.depth.min(DEEPEST_READ);
        if depth > limit {
            return Err(ReadError::TooDeep { limit });
        }
        Self::from_object(value, bounds)
    }

    fn from_object(value: Value, bounds: &Bounds) -> Result<Self, ReadError> {
        let digest = Digest::of(&value);
        let Value::Object(mut root) = value else { return Err(ReadError::NotAnObject) };
        let is_3_0 = is_3_0(&root)?;
        let Some(Value::Object(paths)) = root.shift_remove("paths") else { return Err(ReadError::NoPaths) };
        let components = root.shift_remove("components").unwrap_or_default();

        let mut notes = Notes::default();
        let mut cleaner = Cleaner { notes: &mut notes, is_3_0 };
        let paths = clean_paths(paths, &mut cleaner);
        let components = clean_components(components, &mut cleaner);
        let mut draft = json!({ "paths": paths, "components": components });

        let mut budget = Budget::new(bounds.bytes.saturating_mul(2));
        let title = text_at(&root, "info", "title").unwrap_or_default();
        let mut operations = gather(&draft, &title, bounds, &mut budget, &mut notes)?;
        let plan = Plan::of(&mut draft, &mut budget);
        for operation in &mut operations {
            let paths = Place::root("paths");
            let path = paths.key(&operation.path);
            plan.apply(Kind::Operation, &mut operation.content, &path.key(operation.method.field()), &mut notes);
        }
        let mut components = draft["components"].take();
        settle_components(&mut components, plan, &mut notes);
        let positions = operations.iter().enumerate();
        let positions = positions.map(|(at, operation)| ((operation.path.clone(), operation.method), at)).collect();
        Ok(Self {
            description: text_at(&root, "info", "description"),
            title,
            tags: tag_descriptions(&root),
            operations,
            positions,
            components,
            notes: notes.finish(),
            digest,
        })
    }

    /// What the document calls itself; may be empty.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the document says of itself, in Markdown.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The operations, in the order of the document's paths, those of one path by method.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation at `path`, as the document writes it.
    #[must_use]
    pub fn operation(&self, path: &str, method: Method) -> Option<&Operation> {
        self.positions.get(&(path.to_owned(), method)).map(|at| &self.operations[*at])
    }

    /// What was left out, and why.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The fingerprint of the content.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn component(&self, section: &str, name: &str) -> Option<&Value> {
        self.components.get(section)?.get(name)
    }

    pub(crate) fn tag_description(&self, tag: &str) -> Option<&str> {
        self.tags.get(tag).map(String::as_str)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("title", &self.title)
            .field("operations", &self.operations.len())
            .field("notes", &self.notes.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

fn is_3_0(root: &Map<String, Value>) -> Result<bool, ReadError> {
    let version = match (root.get("openapi"), root.get("swagger")) {
        (Some(Value::String(version)), _) => version,
        (_, Some(Value::String(version))) => return Err(ReadError::Swagger(shortened(version))),
        (_, Some(version)) => return Err(ReadError::Swagger(shortened(&version.to_string()))),
        _ => return Err(ReadError::NoVersion),
    };
    let is = |family: &str| version.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    match (is("3.0"), is("3.1")) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(ReadError::UnknownVersion(shortened(version))),
    }
}

/// A version is short; what is not is none, and goes into a log.
fn shortened(version: &str) -> String {
    version.chars().filter(|c| !c.is_control()).take(20).collect()
}

fn text_at(root: &Map<String, Value>, object: &str, field: &str) -> Option<String> {
    Some(root.get(object)?.get(field)?.as_str()?.to_owned())
}

fn tag_descriptions(root: &Map<String, Value>) -> HashMap<String, String> {
    let tags = root.get("tags").and_then(Value::as_array).into_iter().flatten();
    let described =
        |tag: &Value| Some((tag.get("name")?.as_str()?.to_owned(), tag.get("description")?.as_str()?.to_owned()));
    tags.filter_map(described).collect()
}

fn clean_paths(paths: Map<String, Value>, cleaner: &mut Cleaner<'_>) -> Map<String, Value> {
    let root = Place::root("paths");
    let mut cleaned = Map::new();
    for (path, mut item) in paths {
        let place = root.key(&path);
        if path.starts_with("x-") {
            continue;
        }
        if let Err(error) = PathTemplate::parse(&path) {
            cleaner.notes.add(&place, format!("is left out: {error}"));
        } else if cleaner.clean(Kind::PathItem, &mut item, &place) {
            cleaned.insert(path, item);
        }
    }
    cleaned
}

fn clean_components(components: Value, cleaner: &mut Cleaner<'_>) -> Map<String, Value> {
    let mut cleaned = Map::new();
    let root = Place::root("components");
    let Value::Object(mut components) = components else { return cleaned };
    for (section, kind) in SECTIONS {
        let Some(Value::Object(mut held)) = components.shift_remove(section) else { continue };
        let place = root.key(section);
        held.retain(|name, component| cleaner.clean(kind, component, &place.key(name)));
        cleaned.insert(section.to_owned(), Value::Object(held));
    }
    cleaned
}

fn gather(
    draft: &Value,
    title: &str,
    bounds: &Bounds,
    budget: &mut Budget,
    notes: &mut Notes,
) -> Result<Vec<Operation>, ReadError> {
    let root = Place::root("paths");
    let mut operations = Vec::new();
    for (path, item) in draft["paths"].as_object().into_iter().flatten() {
        for (method, content) in operations_of(draft, item, &root.key(path), budget, notes) {
            if operations.len() == bounds.operations {
                return Err(ReadError::TooManyOperations { limit: bounds.operations });
            }
            operations.push(Operation::new(draft, title, path, method, Value::Object(content)));
        }
    }
    Ok(operations)
}

fn settle_components(components: &mut Value, mut plan: Plan, notes: &mut Notes) {
    for (section, name, component) in std::mem::take(&mut plan.new_components) {
        components[section][name] = component;
    }
    let root = Place::root("components");
    for (section, kind) in SECTIONS {
        let Some(Value::Object(held)) = components.get_mut(section) else { continue };
        let place = root.key(section);
        held.retain(|name, component| plan.apply(kind, component, &place.key(name), notes));
    }
}
