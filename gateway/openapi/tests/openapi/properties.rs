//! What is true whatever the documents say.

use super::arbitrary::{document, document_of_bodies, nonsense};
use super::checks::{about, part_of, problems};
use super::framex::registered_routes;
use framex_openapi::{Bounds, Document, for_framex, merge};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_merged_is_well_and_framex_can_use_what_is_made_of_it(one in document(), two in document()) {
        let read = |value| Arc::new(Document::from_value(value, &Bounds::default()).unwrap());
        // The names are such that prefixes run into each other.
        let parts = [part_of(read(one.clone()), "a", "b"), part_of(read(two), "a.b", "c"), part_of(read(one), "a_b", "")];
        let merged = merge(&about(), &parts);
        prop_assert_eq!(problems(&merged.document), Vec::<String>::new(), "{:#}", merged.document);
        prop_assert_eq!(&merge(&about(), &parts), &merged);

        let framex = for_framex(&merged.document, "edge");
        let routes = registered_routes(&framex.document);
        prop_assert!(routes.is_ok(), "{:?} {:#}", routes, framex.document);
        let routes = routes.unwrap();
        // What is not there is listed.
        for (path, item) in merged.document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                let is_listed = framex.left_out.iter().any(|out| out.path == *path && out.method.field() == method && out.part.is_none());
                let identity = |path: &str| framex_openapi::PathTemplate::parse(path).unwrap().identity();
                let is_there = routes.iter().any(|(other, of)| identity(other) == identity(path) && of == method);
                prop_assert!(is_listed != is_there, "{} {}", method, path);
            }
        }
    }

    #[test]
    fn whatever_bodies_are_framex_can_send_those_that_are_left(value in document_of_bodies()) {
        let document = Arc::new(Document::from_value(value, &Bounds::default()).unwrap());
        let merged = merge(&about(), &[part_of(document, "a", "b")]).document;
        let framex = for_framex(&merged, "edge").document;
        let routes = registered_routes(&framex);
        prop_assert!(routes.is_ok(), "{:?} {:#}", routes, framex);
    }

    #[test]
    fn a_merged_document_can_be_read_and_merged_again(value in document()) {
        let document = Arc::new(Document::from_value(value, &Bounds::default()).unwrap());
        let merged = merge(&about(), &[part_of(document, "a", "b")]).document;
        let again = Document::from_value(merged.clone(), &Bounds::default()).unwrap();
        prop_assert_eq!(again.notes(), &[]);
        let merged = merge(&about(), &[part_of(Arc::new(again), "outer", "gateway")]).document;
        prop_assert_eq!(problems(&merged), Vec::<String>::new());
    }

    #[test]
    fn nonsense_is_refused_or_read(value in nonsense(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::read(&bytes, &Bounds::default());
        let _ = Document::from_value(value.clone(), &Bounds::default());
        let _ = for_framex(&value, "");
        if let Ok(document) = Document::from_value(json!({ "openapi": "3.1.0", "paths": value }), &Bounds::default()) {
            let merged = merge(&about(), &[part_of(Arc::new(document), "a", "b")]);
            prop_assert_eq!(problems(&merged.document), Vec::<String>::new());
        }
    }
}
