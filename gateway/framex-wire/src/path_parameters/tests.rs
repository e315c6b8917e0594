use super::*;
use proptest::prelude::*;

fn repaired(template: &str, path: &str, query: &str) -> Result<Option<(String, String)>, RepairError> {
    repair(template, path, query).map(|repaired| repaired.map(|Repaired { path, query }| (path, query)))
}

#[test]
fn parameters_are_put_where_they_belong() {
    for (template, path, query, expected) in [
        // Sent by the proxy plugin of framex-kit 0.4.2 for `/api/v1/gw/items/%C3%BC%20+~/x?q=`.
        (
            "/api/v1/gw/items/{item_id}/x",
            "/api/v1/gw/items/%7Bitem_id%7D/x",
            "item_id=%C3%BC+%2B~&q=",
            Some(("/api/v1/gw/items/%C3%BC%20%2B~/x", "q=")),
        ),
        ("/gw/items/{id}", "/gw/items/%7Bid%7D", "id=7", Some(("/gw/items/7", ""))),
        ("/gw/items/{id}", "/gw/items/%7bid%7d", "a=%7B+x&id=7&b", Some(("/gw/items/7", "a=%7B+x&b"))),
        ("/a/{x}/b/{y}", "/a/%7Bx%7D/b/%7By%7D", "y=2&&x=1", Some(("/a/1/b/2", ""))),
        ("/a/{x}.json", "/a/%7Bx%7D.json", "x=a+b%2fc%25%zz", Some(("/a/a%20b%2Fc%25%25zz.json", ""))),
        ("/ü/{größe}", "/%C3%BC/%7Bgr%C3%B6%C3%9Fe%7D", "gr%c3%b6%C3%9Fe=%C3%BC", Some(("/%C3%BC/%C3%BC", ""))),
        ("/f/{rest:path}", "/f/%7Brest%7D", "rest=a/b%2Fc..", Some(("/f/a/b/c..", ""))),
        ("/f/{rest:path}", "/f/%7Brest:path%7D", "rest=/etc", Some(("/f//etc", ""))),
        ("/f/{id:int}", "/f/%7Bid%7D", "id=1/2", Some(("/f/1%2F2", ""))),
        ("/gw/items/{id}", "/gw/items/%7Bid%7D", "", None),
        ("/gw/items/{id}", "/gw/items/%7Bid%7D", "ID=7", None),
        ("/gw/items/{id}", "/gw/items/%7Bother%7D", "id=7&other=8", None),
        ("/gw/items/{id}", "/gw/items/%7Bid%7D/", "id=7", None),
        ("/gw/items/{id}", "/gw/items/{id}", "id=7", None),
        ("/gw/items/{id}", "/gw/items/7", "id=7", None),
        ("/gw/items/{id}", "/gw%2Fitems/%7Bid%7D", "id=7", None),
        ("/a/{x}/b/{y}", "/a/5/b/%7By%7D", "x=1&y=2", None),
        ("/a/{x}/b/{y}", "/a/%7Bx%7D/b/%7By%7D", "x=1", None),
        ("/plain", "/plain", "x=1", None),
        ("/broken/{x", "/broken/%7Bx", "x=1", None),
    ] {
        let expected = expected.map(|(path, query): (&str, &str)| (path.to_owned(), query.to_owned()));
        assert_eq!(repaired(template, path, query), Ok(expected), "{template} {path} {query}");
    }
}

#[test]
fn a_value_that_would_lead_elsewhere_is_refused() {
    let dots = || Err(RepairError::DotSegment("x".to_owned()));
    for (template, path, query, expected) in [
        ("/a/{x}", "/a/%7Bx%7D", "x=", Err(RepairError::Empty("x".to_owned()))),
        ("/a/{x}", "/a/%7Bx%7D", "x", Err(RepairError::Empty("x".to_owned()))),
        ("/a/{x}", "/a/%7Bx%7D", "x=1&x=1", Err(RepairError::Repeated("x".to_owned()))),
        ("/a/{x}", "/a/%7Bx%7D", "x=..", dots()),
        ("/a/{x}", "/a/%7Bx%7D", "x=%2e", dots()),
        ("/a/{x}", "/a/%7Bx%7D", "x=b%2F..%2Fc", dots()),
        ("/a/{x}", "/a/%7Bx%7D", "x=..%5Cc", dots()),
        ("/a/.{x}", "/a/.%7Bx%7D", "x=.", dots()),
        ("/a/{x}", "/a/%7Bx%7D", "x=%252e%252e", Ok(Some(("/a/%252e%252e".to_owned(), String::new())))),
        ("/a/{x:path}", "/a/%7Bx%7D", "x=b/../c", dots()),
        ("/a/{x:path}", "/a/%7Bx%7D", "x=./b", dots()),
        ("/a/{x:path}", "/a/%7Bx%7D", "x=/", Err(RepairError::Empty("x".to_owned()))),
    ] {
        assert_eq!(repaired(template, path, query), expected, "{template} {path} {query}");
    }
}

fn percent_encoded(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

proptest! {
    #[test]
    fn a_value_stays_in_its_segment(value in "[./\\\\%2eEfF a-c]{0,8}|.*", rest in "[a-z=&]{0,8}") {
        let query = format!("id={}&_{rest}", percent_encoded(&value));
        if let Ok(Some(Repaired { path, query })) = repair("/a/{id}/b", "/a/%7Bid%7D/b", &query) {
            prop_assert_eq!(path.split('/').count(), 4);
            prop_assert!(path.split('/').all(|segment| !is_dot_segment(segment)));
            prop_assert!(path.is_ascii());
            prop_assert_eq!(query, format!("_{rest}"));
        }
    }

    #[test]
    fn no_value_makes_a_dot_segment(value in "[./\\\\%2e]{0,8}", template in "/[.]{0,2}\\{x:path\\}[./a]{0,3}") {
        let raw = template.replace("{x:path}", "%7Bx%7D");
        if let Ok(Some(Repaired { path, .. })) = repair(&template, &raw, &format!("x={}", percent_encoded(&value))) {
            prop_assert!(path.split('/').all(|segment| !is_dot_segment(segment)));
        }
    }

    #[test]
    fn any_text_is_read(template: String, path: String, query: String) {
        let _ = repair(&template, &path, &query);
        let _ = repair(&path, &path, &query);
    }
}
