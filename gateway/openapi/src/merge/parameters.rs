//! Parameters that say the same as the path.

use crate::path_template::PathTemplate;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// `own` parameters of an operation whose path is `source` in its own document, `public` for the gateway's callers, and
/// `merged`, which is `public` but for names, in the merged document: one in the path for each name of `merged`, and all
/// that are elsewhere.
///
/// A name that is in `source` and `public` is the same parameter. If as many are left on both sides, they are the same in
/// their order; else nothing is known of those that callers see but that they are texts.
pub(super) fn consistent_parameters(
    own: Vec<Value>,
    source: Option<&PathTemplate>,
    public: &PathTemplate,
    merged: &PathTemplate,
) -> Vec<Value> {
    let (in_path, elsewhere): (Vec<Value>, Vec<Value>) =
        own.into_iter().partition(|parameter| parameter.get("in").is_some_and(|place| place == "path"));
    let mut in_path: HashMap<String, Value> = in_path
        .into_iter()
        .filter_map(|parameter| Some((parameter.get("name")?.as_str()?.to_owned(), parameter)))
        .collect();

    let is_in = |template: &PathTemplate, name: &str| template.names().any(|other| other == name);
    let source_only: Vec<&str> =
        source.into_iter().flat_map(PathTemplate::names).filter(|name| !is_in(public, name)).collect();
    let is_in_source = |name: &str| source.is_some_and(|source| is_in(source, name));
    let public_only: Vec<&str> = public.names().filter(|name| !is_in_source(name)).collect();
    let twins: HashMap<&str, &str> = if source_only.len() == public_only.len() {
        public_only.into_iter().zip(source_only).collect()
    } else {
        HashMap::new()
    };

    let for_path = public.names().zip(merged.names()).map(|(public_name, merged_name)| {
        let source_name = twins.get(public_name).copied().unwrap_or(public_name);
        let known = in_path.remove(source_name).filter(|_| is_in_source(source_name));
        in_path_called(merged_name, known)
    });
    for_path.collect::<Vec<_>>().into_iter().chain(elsewhere).collect()
}

fn in_path_called(name: &str, known: Option<Value>) -> Value {
    let mut parameter = Map::new();
    parameter.insert("name".to_owned(), json!(name));
    parameter.insert("in".to_owned(), json!("path"));
    parameter.insert("required".to_owned(), json!(true));
    match known {
        Some(Value::Object(known)) => {
            for (field, value) in known {
                parameter.entry(field).or_insert(value);
            }
        }
        _ => {
            parameter.insert("schema".to_owned(), json!({ "type": "string" }));
        }
    }
    Value::Object(parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_and_types(source: &str, public: &str, merged: &str) -> Vec<String> {
        let template = |text| PathTemplate::parse(text).unwrap();
        let source = template(source);
        let own = source
            .names()
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "title": name } }))
            .chain([json!({ "name": "q", "in": "query", "schema": {} })])
            .chain([json!({ "name": "stray", "in": "path", "required": true, "schema": {} })])
            .collect();
        let parameters = consistent_parameters(own, Some(&source), &template(public), &template(merged));
        let described = |parameter: &Value| match parameter["schema"].get("title") {
            Some(title) => format!("{}={}", parameter["name"].as_str().unwrap(), title.as_str().unwrap()),
            None => parameter["name"].as_str().unwrap().to_owned(),
        };
        parameters.iter().map(described).collect()
    }

    #[test]
    fn each_name_of_the_path_has_one_parameter() {
        for (source, public, merged, expected) in [
            ("/i/{id}", "/a/i/{id}", "/a/i/{id}", vec!["id=id", "q"]),
            ("/i/{id}", "/a/i/{item}", "/a/i/{item}", vec!["item=id", "q"]),
            ("/i/{id}", "/a/i/{item}", "/a/i/{other}", vec!["other=id", "q"]),
            ("/{a}/{b}", "/{b}/{a}", "/{b}/{a}", vec!["b=b", "a=a", "q"]),
            ("/{a}/{b}", "/{b}/{a}", "/{x}/{y}", vec!["x=b", "y=a", "q"]),
            ("/{a}/{b}", "/{a}/{c}", "/{a}/{c}", vec!["a=a", "c=b", "q"]),
            ("/i/{id}", "/{tenant}/i/{id}", "/{tenant}/i/{id}", vec!["tenant", "id=id", "q"]),
            ("/i/{id}", "/{tenant}/i/{item}", "/{tenant}/i/{item}", vec!["tenant", "item", "q"]),
            ("/i/{id}", "/i", "/i", vec!["q"]),
            ("/i", "/i/{stray}", "/i/{stray}", vec!["stray", "q"]),
        ] {
            assert_eq!(names_and_types(source, public, merged), expected, "{source} {public} {merged}");
        }
    }
}
