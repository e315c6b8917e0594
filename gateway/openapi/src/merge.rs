//! One document of everything that a caller may use.

mod components;
mod names;
mod operation;
mod parameters;
mod tags;
#[cfg(test)]
mod tests;

use crate::document::Document;
use crate::left_out::LeftOut;
use crate::method::Method;
use crate::path_template::PathTemplate;
use crate::unique_names::UniqueNames;
use components::Components;
use names::operation_id;
use operation::{Frame, Links, build_operation};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tags::Tags;

/// What a merged document says of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its title.
    pub title: String,
    /// The version of what it describes.
    pub version: String,
    /// What a reader should know first, in Markdown.
    pub description: Option<String>,
    /// Where the operations are: server objects of OpenAPI.
    pub servers: Vec<Value>,
    /// How a caller says who it is: security scheme objects of OpenAPI by name. One of them is enough.
    pub security_schemes: Map<String, Value>,
}

/// One plugin or backend.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it says it has. Without it, its operations have path parameters and nothing else.
    pub document: Option<Arc<Document>>,
    /// Whose it is.
    pub namespace: String,
    /// The plugin or backend.
    pub source: String,
    /// What it is, in Markdown; else the title of its document.
    pub description: Option<String>,
    /// What callers may use.
    pub operations: Vec<Published>,
}

/// One operation that callers may use.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its path in the part's own document, as written there.
    pub path: String,
    /// Its method.
    pub method: Method,
    /// Where callers find it.
    pub public_path: PathTemplate,
    /// Whether anyone may call it, without saying who it is.
    pub is_public: bool,
    /// Whether callers should stop using it, whatever its document says.
    pub is_deprecated: bool,
}

/// A merged document.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The document, OpenAPI 3.1.
    pub document: Value,
    /// Operations for which another one stands there already.
    pub left_out: Vec<LeftOut>,
}

/// Makes one document of all `parts`.
///
/// Paths are sorted, and the methods of each. Where two operations have one path and method, the one of the earlier
/// part stays; paths that differ in the names of their parameters alone are one path, which is called as the first part
/// does. Operation ids start with namespace and source, schemas and the like with `namespace.source.`, and each
/// operation has the tag `namespace/source`, or `namespace/source: own` for each tag of its own: one place in Swagger UI
/// for an operation. Security is what `about` says, servers and security of the parts are not taken over.
#[must_use]
pub fn merge(about: &About, parts: &[Part]) -> Merged {
    let (entries, left_out) = entries_of(parts);
    let ids = assign_ids(&entries);
    let links = links_of(parts, &entries, &ids);

    let requirements: Vec<Value> = about.security_schemes.keys().map(|name| json!({ name: [] })).collect();
    let mut frame = Frame { requirements, tags: Tags::default() };
    let mut components = Components::new(parts);
    let mut paths = Map::new();
    for (entry, id) in entries.iter().zip(&ids) {
        let mut of_part = components.of_part(entry.part_index, &links[entry.part_index]);
        let operation = build_operation(entry, id, &mut frame, &mut of_part);
        paths.entry(entry.path.as_str()).or_insert_with(|| json!({}))[entry.published.method.field()] = operation;
    }
    let mut components = components.finish(&links);
    if !about.security_schemes.is_empty() {
        components.insert("securitySchemes".to_owned(), Value::Object(about.security_schemes.clone()));
    }

    let mut document = json!({ "openapi": "3.1.0", "info": { "title": about.title, "version": about.version } });
    if let Some(description) = &about.description {
        document["info"]["description"] = json!(description);
    }
    if !about.servers.is_empty() {
        document["servers"] = Value::Array(about.servers.clone());
    }
    let (tags, groups) = frame.tags.finish();
    document["tags"] = tags;
    document["x-tagGroups"] = groups;
    document["paths"] = Value::Object(paths);
    document["components"] = Value::Object(components);
    Merged { document, left_out }
}

/// A published operation and where it stands in the merged document.
struct Entry<'p> {
    part: &'p Part,
    part_index: usize,
    published: &'p Published,
    /// The template of the merged document; that of `published` but for the names of parameters.
    template: PathTemplate,
    path: String,
}

/// The operations in their order.
fn entries_of(parts: &[Part]) -> (Vec<Entry<'_>>, Vec<LeftOut>) {
    let mut templates: HashMap<String, PathTemplate> = HashMap::new();
    let mut taken: HashSet<(String, Method)> = HashSet::new();
    let mut entries = Vec::new();
    let mut left_out = Vec::new();
    for (part_index, part) in parts.iter().enumerate() {
        for published in &part.operations {
            let template = templates.entry(published.public_path.identity());
            let template = template.or_insert_with(|| published.public_path.clone()).clone();
            let path = template.to_string();
            if taken.insert((path.clone(), published.method)) {
                entries.push(Entry { part, part_index, published, template, path });
            } else {
                left_out.push(LeftOut {
                    path,
                    method: published.method,
                    part: None,
                    reason: format!("that of {}/{} comes after another one", part.namespace, part.source),
                });
            }
        }
    }
    entries.sort_by(|one, two| (&one.path, one.published.method).cmp(&(&two.path, two.published.method)));
    (entries, left_out)
}

fn assign_ids(entries: &[Entry<'_>]) -> Vec<String> {
    let mut names = UniqueNames::default();
    entries
        .iter()
        .map(|Entry { part, published, .. }| {
            let own = part.document.as_ref().and_then(|document| document.operation(&published.path, published.method));
            names.unique(operation_id(part, published, own.and_then(|own| own.id())), '_')
        })
        .collect()
}

/// For each part, where its links lead.
fn links_of(parts: &[Part], entries: &[Entry<'_>], ids: &[String]) -> Vec<Links> {
    let mut links: Vec<Links> = parts.iter().map(|_| Links::default()).collect();
    for (entry, id) in entries.iter().zip(ids) {
        let Published { path, method, .. } = entry.published;
        let document = entry.part.document.as_ref();
        let own = document.and_then(|document| document.operation(path, *method)).and_then(|own| own.id());
        links[entry.part_index].add(path, *method, own, id);
    }
    links
}
