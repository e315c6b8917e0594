//! The document of a gateway for a FrameX instance, whose proxy plugin points at it.
//!
//! FrameX (0.4.2) makes Python functions and classes of a document, and one thing that it does not understand costs it
//! all that comes after. So it is given what it can use, in the words that it knows:
//!
//! - **Operations.** One for each path: the first that FrameX can call of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS and
//!   TRACE. Each has an id that is a Python name and no other gateway's.
//! - **Parameters** in the path and the query, whose names are Python names. FrameX demands every parameter, so an
//!   optional one stays only if it has a default, which a caller can pass to say nothing. Lists stay if they are
//!   required: FrameX takes them in a form, and sends them in the query. Those in headers and cookies are never sent.
//!   A parameter of several types is a text if it may be one.
//! - **Parameters in the path** may be called otherwise than elsewhere. FrameX does not put their values into the path;
//!   it asks for `/items/%7Bid%7D?id=7`, and the gateway mends that, whatever the name is.
//! - **Bodies** are JSON objects with known fields, or forms of files, texts and numbers.
//! - **Fields** have a `type`, an `anyOf` of them, or a `$ref` to an object with known fields. Objects that FrameX would
//!   change on their way (it knows no union of objects, no additional fields, no recursion) are objects with any fields,
//!   which it passes on as they are. An optional field without a default may be null, because FrameX would send `""` or
//!   0 otherwise; lists and objects are sent empty.

mod body;
mod models;
mod operation;
mod parameters;
mod python;
mod recursion;
mod schemas;
mod shape;
#[cfg(test)]
mod tests;
mod type_names;

use crate::left_out::LeftOut;
use crate::method::Method;
use crate::path_template::PathTemplate;
use crate::unique_names::UniqueNames;
use models::Models;
use operation::{Context, build_operation};
use schemas::Schemas;
use serde_json::{Map, Value, json};

/// A document for FrameX.
#[derive(Clone, Debug, PartialEq)]
pub struct ForFrameX {
    /// The document.
    pub document: Value,
    /// What FrameX cannot use, by path and method.
    pub left_out: Vec<LeftOut>,
}

/// Makes a document for FrameX of a merged one.
///
/// `gateway` is what this gateway is called; ids of operations and schemas start with it. It should differ from that of any
/// other gateway to which the same FrameX instance points: where two upstreams have one operation id, FrameX sends the
/// calls for the first, with its key, to the second.
#[must_use]
pub fn for_framex(merged: &Value, gateway: &str) -> ForFrameX {
    let prefix = prefix_of(gateway);
    let mut models = Models::new(&prefix);
    let mut schemas = Schemas::new(merged);
    let mut ids = UniqueNames::default();
    let mut left_out = Vec::new();
    let mut paths = Map::new();
    for (path, item) in merged.get("paths").and_then(Value::as_object).into_iter().flatten() {
        let mut chosen: Option<Method> = None;
        for method in Method::ALL {
            let Some(operation) = item.get(method.field()) else { continue };
            let mut leave_out = |part: Option<String>, reason: String| {
                left_out.push(LeftOut { path: path.clone(), method, part, reason });
            };
            if let Some(chosen) = chosen {
                leave_out(None, format!("FrameX knows one method of a path, and here that is {chosen}"));
                continue;
            }
            let Ok(template) = PathTemplate::parse(path) else {
                leave_out(None, "its path is no path template".to_owned());
                continue;
            };
            let context = Context { merged, template: &template, method, schemas: &mut schemas, left_out: Vec::new() };
            match build_operation(context, operation) {
                Ok(built) => {
                    built.left_out.into_iter().for_each(|(part, reason)| leave_out(Some(part), reason));
                    let own = operation.get("operationId").and_then(Value::as_str);
                    let own = own.map_or_else(|| format!("{}_{path}", method.field()), str::to_owned);
                    let id = ids.unique(python::fitting(&format!("{prefix}{own}")), '_');
                    let operation = models.finish_operation(&id, built.operation, built.body);
                    paths.insert(built.path, json!({ method.field(): operation }));
                    chosen = Some(method);
                }
                Err(reason) => leave_out(None, reason),
            }
        }
    }
    ForFrameX { document: frame(merged, paths, models.finish(&mut schemas)), left_out }
}

/// The rest of the document: what FrameX does not read stays as it is.
fn frame(merged: &Value, paths: Map<String, Value>, schemas: Map<String, Value>) -> Value {
    let mut document = Map::new();
    for (field, value) in merged.as_object().into_iter().flatten() {
        if !matches!(field.as_str(), "paths" | "components" | "webhooks") {
            document.insert(field.clone(), value.clone());
        }
    }
    let mut components = Map::new();
    components.insert("schemas".to_owned(), Value::Object(schemas));
    if let Some(schemes) = merged.get("components").and_then(|components| components.get("securitySchemes")) {
        components.insert("securitySchemes".to_owned(), schemes.clone());
    }
    document.insert("paths".to_owned(), Value::Object(paths));
    document.insert("components".to_owned(), Value::Object(components));
    Value::Object(document)
}

/// No attribute of FrameX's proxy plugin starts with `gw_`.
fn prefix_of(gateway: &str) -> String {
    match python::fitting(gateway).as_str() {
        "" => "gw_".to_owned(),
        name => format!("gw_{name}_"),
    }
}
