//! Which parts of an OpenAPI 3.1 document are what.
//!
//! Everything that reads or rewrites a document goes by this table, so a value that only looks like a schema or a
//! reference, inside an example or a default, is never taken for one.

use serde_json::{Map, Value};

/// What an object of a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    PathItem,
    Operation,
    Parameter,
    Header,
    RequestBody,
    Response,
    MediaType,
    Encoding,
    Example,
    Link,
    Callback,
    Schema,
}

/// What a field of such an object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Anything,
    Text,
    Flag,
    Number,
    /// A whole number that is not negative.
    Count,
    /// A list of anything.
    Values,
    /// A list of texts, each once.
    Texts,
    /// An object whose values are texts.
    TextByName,
    /// An object whose values are lists of texts.
    TextsByName,
    /// `type` of a schema.
    Types,
    Discriminator,
    ExternalDocs,
    Xml,
    One(Kind),
    List(Kind),
    ByName(Kind),
    /// Responses by status.
    Responses,
}

/// The sections of `components` that hold something that a reference can name, and what.
pub(crate) const SECTIONS: [(&str, Kind); 9] = [
    ("schemas", Kind::Schema),
    ("responses", Kind::Response),
    ("parameters", Kind::Parameter),
    ("examples", Kind::Example),
    ("requestBodies", Kind::RequestBody),
    ("headers", Kind::Header),
    ("links", Kind::Link),
    ("callbacks", Kind::Callback),
    ("pathItems", Kind::PathItem),
];

/// The section of `components` that holds things of this kind.
pub(crate) fn section(kind: Kind) -> Option<&'static str> {
    SECTIONS.iter().find(|(_, held)| *held == kind).map(|(name, _)| *name)
}

/// What a section of `components` holds.
pub(crate) fn section_kind(name: &str) -> Option<Kind> {
    SECTIONS.iter().find(|(section, _)| *section == name).map(|(_, held)| *held)
}

/// What the field `name` of an object holds; `None` for one that is not known, or that the gateway decides itself:
/// `servers` and `security`.
pub(crate) fn field(kind: Kind, name: &str) -> Option<Field> {
    use Field::{Anything, ByName, ExternalDocs, Flag, List, One, Responses, Text, TextByName, Texts};
    Some(match (kind, name) {
        (Kind::Schema, _) => return schema_field(name),
        (Kind::Callback, "$ref") => return None,
        (Kind::Callback, _) => One(Kind::PathItem),
        (Kind::PathItem | Kind::Operation | Kind::Response | Kind::Example, "summary")
        | (
            Kind::PathItem
            | Kind::Operation
            | Kind::Parameter
            | Kind::Header
            | Kind::RequestBody
            | Kind::Response
            | Kind::Example
            | Kind::Link,
            "description",
        ) => Text,
        (Kind::PathItem, "get" | "put" | "post" | "delete" | "options" | "head" | "patch" | "trace") => {
            One(Kind::Operation)
        }
        (Kind::PathItem | Kind::Operation, "parameters") => List(Kind::Parameter),
        (Kind::Operation, "tags") => Texts,
        (Kind::Operation, "externalDocs") => ExternalDocs,
        (Kind::Operation, "operationId") => Text,
        (Kind::Operation, "requestBody") => One(Kind::RequestBody),
        (Kind::Operation, "responses") => Responses,
        (Kind::Operation, "callbacks") => ByName(Kind::Callback),
        (Kind::Operation | Kind::Parameter | Kind::Header, "deprecated") => Flag,
        (Kind::Parameter, "name" | "in") => Text,
        (Kind::Parameter, "allowEmptyValue" | "allowReserved") => Flag,
        (Kind::Parameter | Kind::Header, "required" | "explode") => Flag,
        (Kind::Parameter | Kind::Header, "style") => Text,
        (Kind::Parameter | Kind::Header | Kind::MediaType, "schema") => One(Kind::Schema),
        (Kind::Parameter | Kind::Header | Kind::MediaType, "example") => Anything,
        (Kind::Parameter | Kind::Header | Kind::MediaType, "examples") => ByName(Kind::Example),
        (Kind::Parameter | Kind::Header | Kind::RequestBody | Kind::Response, "content") => ByName(Kind::MediaType),
        (Kind::RequestBody, "required") => Flag,
        (Kind::MediaType, "encoding") => ByName(Kind::Encoding),
        (Kind::Encoding, "contentType" | "style") => Text,
        (Kind::Encoding, "explode" | "allowReserved") => Flag,
        (Kind::Encoding | Kind::Response, "headers") => ByName(Kind::Header),
        (Kind::Response, "links") => ByName(Kind::Link),
        (Kind::Example, "value") => Anything,
        (Kind::Example, "externalValue") => Text,
        (Kind::Link, "operationRef" | "operationId") => Text,
        (Kind::Link, "parameters") => TextByName,
        (Kind::Link, "requestBody") => Anything,
        _ => return None,
    })
}

/// What a keyword of JSON Schema 2020-12, with the words that OpenAPI adds, holds. Keywords that give a schema a name
/// of its own or refer by one (`$id`, `$anchor`, `$dynamicRef`) are left out: they would change what a `$ref` means.
fn schema_field(name: &str) -> Option<Field> {
    use Field::{Anything, ByName, Count, Flag, List, Number, One, Text, Texts, Values};
    Some(match name {
        "title" | "description" | "format" | "pattern" | "contentEncoding" | "contentMediaType" | "$comment" => Text,
        "type" => Field::Types,
        "properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions" => ByName(Kind::Schema),
        "items"
        | "additionalProperties"
        | "unevaluatedProperties"
        | "unevaluatedItems"
        | "contains"
        | "propertyNames"
        | "not"
        | "if"
        | "then"
        | "else"
        | "contentSchema" => One(Kind::Schema),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => List(Kind::Schema),
        "required" => Texts,
        "enum" | "examples" => Values,
        "default" | "const" | "example" => Anything,
        "maximum" | "exclusiveMaximum" | "minimum" | "exclusiveMinimum" | "multipleOf" => Number,
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxContains" | "minContains" | "maxProperties"
        | "minProperties" => Count,
        "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => Flag,
        "dependentRequired" => Field::TextsByName,
        "discriminator" => Field::Discriminator,
        "externalDocs" => Field::ExternalDocs,
        "xml" => Field::Xml,
        _ => return None,
    })
}

/// Whether an object of this kind may be a `$ref` instead.
pub(crate) fn may_refer(kind: Kind) -> bool {
    section(kind).is_some()
}

/// Lets `visit` change each object in `value`, which is one of kind `kind`, from the outside in, and takes those out to
/// which it says no. Says whether `value` itself stays.
pub(crate) fn walk(
    kind: Kind,
    value: &mut Value,
    visit: &mut impl FnMut(Kind, &mut Map<String, Value>) -> bool,
) -> bool {
    // A schema may be `true` or `false`.
    let Value::Object(object) = value else { return true };
    if !visit(kind, object) {
        return false;
    }
    retain_parts(kind, object, |part, held| walk(part, held, visit));
    true
}

/// Lets `keep` change each part that stands directly in an object of kind `kind`, and takes those out that it does not
/// keep.
fn retain_parts(kind: Kind, object: &mut Map<String, Value>, mut keep: impl FnMut(Kind, &mut Value) -> bool) {
    object.retain(|name, held| {
        if name.starts_with("x-") && kind != Kind::Schema {
            return true;
        }
        match (field(kind, name), held) {
            (Some(Field::One(part)), held) => return keep(part, held),
            (Some(Field::List(part)), Value::Array(parts)) => parts.retain_mut(|held| keep(part, held)),
            (Some(Field::ByName(part)), Value::Object(parts)) => parts.retain(|_, held| keep(part, held)),
            (Some(Field::Responses), Value::Object(parts)) => parts.retain(|_, held| keep(Kind::Response, held)),
            _ => {}
        }
        true
    });
}

/// The part of a document that a JSON pointer names, if it is of kind `wanted`. `pointer` is decoded, without `#`.
pub(crate) fn part_at<'d>(document: &'d Value, pointer: &str, wanted: Kind) -> Option<&'d Value> {
    let tokens: Vec<String> =
        pointer.strip_prefix('/')?.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
    let mut tokens = tokens.iter().map(String::as_str);
    let top = tokens.next()?;
    let (mut kind, mut at) = match top {
        "paths" => (Kind::PathItem, document.get(top)?.get(tokens.next()?)?),
        "components" => {
            let section = tokens.next()?;
            (section_kind(section)?, document.get(top)?.get(section)?.get(tokens.next()?)?)
        }
        _ => return None,
    };
    while let Some(token) = tokens.next() {
        at = at.get(token)?;
        kind = match field(kind, token)? {
            Field::One(part) => part,
            Field::List(part) => {
                at = at.get(tokens.next()?.parse::<usize>().ok()?)?;
                part
            }
            Field::ByName(part) => {
                at = at.get(tokens.next()?)?;
                part
            }
            Field::Responses => {
                at = at.get(tokens.next()?)?;
                Kind::Response
            }
            _ => return None,
        };
    }
    (kind == wanted).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pointer_finds_parts_of_the_kind_that_it_should() {
        let document = json!({
            "paths": { "/a": { "get": { "responses": { "200": { "content": { "a/b": { "schema": { "type": "null" } } } } } } } },
            "components": { "schemas": { "x~/y": { "properties": { "default": { "allOf": [{ "type": "string" }] } } } } },
        });
        let found = |pointer, kind| part_at(&document, pointer, kind).is_some();
        assert!(found("/paths/~1a/get/responses/200/content/a~1b/schema", Kind::Schema));
        assert!(found("/components/schemas/x~0~1y", Kind::Schema));
        assert!(found("/components/schemas/x~0~1y/properties/default/allOf/0", Kind::Schema));
        assert!(!found("/components/schemas/x~0~1y/properties", Kind::Schema));
        assert!(!found("/components/schemas/x~0~1y", Kind::Response));
        assert!(!found("/info", Kind::Schema));
        assert!(!found("", Kind::Schema));
    }

    #[test]
    fn data_is_no_part() {
        let mut schema =
            json!({ "properties": { "example": {} }, "example": { "items": {} }, "const": {}, "enum": [{}] });
        let mut seen = 0;
        retain_parts(Kind::Schema, schema.as_object_mut().unwrap(), |_, _| {
            seen += 1;
            true
        });
        assert_eq!(seen, 1);
    }
}
