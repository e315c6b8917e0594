//! Groups of operations.

use super::Part;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

/// By the source's own tag, none for the source itself: what the tag is called here, and its description.
type TagsOfSource = BTreeMap<Option<String>, (String, Option<String>)>;

/// The tags of a merged document: each operation stands under its plugin or backend, in Swagger UI once.
#[derive(Debug, Default)]
pub(super) struct Tags {
    /// By namespace and source, which is a plugin or backend.
    by_source: BTreeMap<(String, String), TagsOfSource>,
}

impl Tags {
    /// The tags of an operation with the tags `own` in its own document.
    pub(super) fn of_operation(&mut self, part: &Part, own: &[String]) -> Vec<String> {
        let source = format!("{}/{}", part.namespace, part.source);
        let document = part.document.as_deref();
        let known = self.by_source.entry((part.namespace.clone(), part.source.clone())).or_default();
        let mut names = Vec::new();
        for tag in own {
            let name = format!("{source}: {tag}");
            let description = document.and_then(|document| document.tag_description(tag));
            known.entry(Some(tag.clone())).or_insert_with(|| (name.clone(), description.map(str::to_owned)));
            names.push(name);
        }
        if names.is_empty() {
            let title = document.map(|document| document.title()).filter(|title| !title.is_empty());
            let description = part.description.clone().or_else(|| title.map(str::to_owned));
            known.entry(None).or_insert_with(|| (source.clone(), description));
            names.push(source);
        }
        names
    }

    /// The `tags` of the document, and its `x-tagGroups`: the tags of each namespace, as Redoc shows them.
    pub(super) fn finish(self) -> (Value, Value) {
        let mut tags = Vec::new();
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut taken = HashSet::new();
        for ((namespace, _), own) in self.by_source {
            for (name, description) in own.into_values().filter(|(name, _)| taken.insert(name.clone())) {
                let mut tag = json!({ "name": name });
                if let Some(description) = description {
                    tag["description"] = json!(description);
                }
                tags.push(tag);
                groups.entry(namespace.clone()).or_default().push(name);
            }
        }
        let groups: Vec<Value> = groups.into_iter().map(|(name, tags)| json!({ "name": name, "tags": tags })).collect();
        (Value::Array(tags), Value::Array(groups))
    }
}
