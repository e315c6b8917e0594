//! Takes out of a document what does not belong there, so that whatever is left is an OpenAPI 3.1 document.
//!
//! The smallest part that is wrong is left out with a note: a parameter without a name, a `maximum` that is a text.
//! Fields that OpenAPI does not know are left out without one.

mod parts;
mod schema;

use crate::note::{Notes, Place};
use crate::structure::{Field, Kind, field, may_refer};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Cleans the parts of one document.
pub(crate) struct Cleaner<'n> {
    pub(crate) notes: &'n mut Notes,
    /// In OpenAPI 3.0, what stands beside a `$ref` is ignored.
    pub(crate) is_3_0: bool,
}

impl Cleaner<'_> {
    /// Cleans `value`, which should be of kind `kind`; says whether it can stay.
    pub(crate) fn clean(&mut self, kind: Kind, value: &mut Value, place: &Place<'_>) -> bool {
        if kind == Kind::Schema && value.is_boolean() {
            return true;
        }
        let Value::Object(object) = value else {
            self.notes.add(place, "is left out: it is no object");
            return false;
        };
        if may_refer(kind) && object.contains_key("$ref") && !self.clean_reference(kind, object, place) {
            return false;
        }
        if kind == Kind::Schema {
            schema::upgrade(object);
        }
        object.retain(|name, held| {
            if name == "$ref" || (name.starts_with("x-") && kind != Kind::Callback) {
                return name != "$ref" || may_refer(kind);
            }
            field(kind, name).is_some_and(|field| self.fits(field, held, &place.key(name)))
        });
        if object.contains_key("$ref") && kind != Kind::Schema && kind != Kind::PathItem {
            return true;
        }
        match parts::finish(kind, object) {
            Ok(()) => true,
            Err(reason) => {
                self.notes.add(place, format!("is left out: {reason}"));
                false
            }
        }
    }

    fn clean_reference(&mut self, kind: Kind, object: &mut Map<String, Value>, place: &Place<'_>) -> bool {
        if !object["$ref"].is_string() {
            self.notes.add(&place.key("$ref"), "is left out: it is no text");
            object.shift_remove("$ref");
            return kind == Kind::Schema || kind == Kind::PathItem;
        }
        match kind {
            Kind::Schema if self.is_3_0 => object.retain(|name, _| name == "$ref"),
            Kind::Schema | Kind::PathItem => {}
            _ => object.retain(|name, _| matches!(name.as_str(), "$ref" | "summary" | "description")),
        }
        true
    }

    fn fits(&mut self, field: Field, held: &mut Value, place: &Place<'_>) -> bool {
        let wanted = match (field, &mut *held) {
            (Field::One(kind), held) => return self.clean(kind, held, place),
            (Field::List(kind), Value::Array(parts)) => {
                let mut index = 0;
                parts.retain_mut(|part| {
                    index += 1;
                    self.clean(kind, part, &place.index(index - 1))
                });
                // JSON Schema forbids an `anyOf` of nothing.
                return kind != Kind::Schema || !parts.is_empty();
            }
            (Field::ByName(kind), Value::Object(parts)) => {
                parts.retain(|name, part| self.clean(kind, part, &place.key(name)));
                return true;
            }
            (Field::Responses, Value::Object(responses)) => {
                responses.retain(|status, response| {
                    parts::is_status(status) && self.clean(Kind::Response, response, &place.key(status))
                });
                return true;
            }
            (Field::Values, Value::Array(_)) | (Field::Anything, _) => return true,
            (Field::List(_) | Field::Values, _) => "list",
            (Field::ByName(_) | Field::Responses, _) => "object",
            (Field::Text, held) => return held.is_string() || self.is_wrong(place, "text"),
            (Field::Flag, held) => return held.is_boolean() || self.is_wrong(place, "`true` or `false`"),
            (Field::Number, held) => return held.is_number() || self.is_wrong(place, "number"),
            (Field::Count, held) => {
                let is_whole = held.as_f64().is_some_and(|number| number >= 0.0 && number.fract() == 0.0);
                return is_whole || self.is_wrong(place, "whole number");
            }
            (Field::Texts, held) => return keep_texts(held) || self.is_wrong(place, "list of texts"),
            (Field::TextByName, Value::Object(texts)) => {
                texts.retain(|_, text| text.is_string());
                return true;
            }
            (Field::TextsByName, Value::Object(lists)) => {
                lists.retain(|_, list| keep_texts(list));
                return true;
            }
            (Field::TextByName | Field::TextsByName, _) => "object",
            (Field::Types, held) => return schema::keep_types(held) || self.is_wrong(place, "type of JSON Schema"),
            (Field::Discriminator, held) => {
                return parts::keep_discriminator(held) || self.is_wrong(place, "discriminator");
            }
            (Field::ExternalDocs, held) => {
                return parts::keep_external_docs(held) || self.is_wrong(place, "object with a `url`");
            }
            (Field::Xml, held) => return parts::keep_xml(held) || self.is_wrong(place, "object"),
        };
        self.is_wrong(place, wanted)
    }

    fn is_wrong(&mut self, place: &Place<'_>, wanted: &str) -> bool {
        self.notes.add(place, format!("is left out: it is no {wanted}"));
        false
    }
}

/// Keeps the texts of a list, each once; says whether `held` is a list.
fn keep_texts(held: &mut Value) -> bool {
    let Value::Array(list) = held else { return false };
    let mut seen = HashSet::new();
    list.retain(|text| text.as_str().is_some_and(|text| seen.insert(text.to_owned())));
    true
}

#[cfg(test)]
mod tests;
