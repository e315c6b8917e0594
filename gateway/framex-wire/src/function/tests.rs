use super::*;
use proptest::prelude::*;
use serde_json::json;

fn decoded(field: &str) -> Result<Value, FieldError> {
    decode_field(field, Bounds::default())
}

/// Encodes a text without making it JSON.
fn packed(text: &str) -> String {
    use base64::Engine;
    use std::io::Read;
    let mut bytes = Vec::new();
    flate2::read::ZlibEncoder::new(text.as_bytes(), flate2::Compression::best())
        .read_to_end(&mut bytes)
        .expect("it is in memory");
    bytes.iter_mut().zip(b"01234567890abcdefghijklmnopqrstuvwxyz".iter().cycle()).for_each(|(b, k)| *b ^= k);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn call(name: &str, data: &str) -> Result<FunctionCall, FunctionError> {
    let body = json!({ "data": data, "func_name": name }).to_string();
    FunctionCall::read(body.as_bytes(), Bounds::default())
}

// Written by framex-kit 0.4.2.
#[test]
fn what_framex_has_encoded_is_read() {
    for (field, value) in [
        ("SK1heZ8d/h517ntKryhKsy1NpaUj4kMnQ6dfWyNxdOVkfRk=", json!("fxplug.funcs.build_report")),
        ("SK2ZZf7/eb33dWHTMDOuVzLNbWlG72iw", json!({ "job_id": "j1" })),
        (
            "SK2ZZf7/eb33dWHTMDOuVzK1OTlAoyDkoSS8PHf6TPdy93L5lozjrq9uNQ8eNVA=",
            json!({ "job_id": "j1", "pid_name": "A", "job": null }),
        ),
        ("SK2ZZX5hhGVoC2XLZ2NpgWQW", json!({ "a": "5" })),
        ("SK2ZZZ5lhGUI7QPJZ2NqumT5", json!({ "x": 1.0 })),
        ("SK2ZZZ5lhGVoA4wmy3VkcZdkug==", json!({ "x": "ü" })),
        // `{"x": NaN}`.
        ("SK2ZZZ5lhGXIcsTKZ2N0TWVr", json!({ "x": null })),
        // Texts that change their type.
        ("SK1hAWE3NjfNOUo=", json!(5)),
        ("SK1hGR0fe2I6OTdIYGY=", json!(true)),
        ("SK1h+R/4/2Y6OTdrYGM=", Value::Null),
        ("SK1huQLhB71tOzBnTGLo", json!([1, 2])),
        ("SK1huWUHu2ZqOzBnd2IS", json!(5)),
        ("SK1huWUfumZqOzBmZ2LW", json!("q")),
        ("SK1hQTA3Ezc8uzEo", json!("AAAA")),
        ("SK1hYTY1Nl84fA==", json!("")),
        // Texts that are not encoded.
        ("{\"a\": [1, \"NaN\\\"\", -Infinity]}", json!({ "a": [1, "NaN\"", null] })),
        ("fxplug.funcs.build_report", json!("fxplug.funcs.build_report")),
        ("AAAA", json!("AAAA")),
        ("", json!("")),
    ] {
        assert_eq!(decoded(field), Ok(value), "{field}");
    }
}

#[test]
fn an_answer_is_that_of_framex() {
    let recorded: Value = serde_json::from_slice(include_bytes!("../../fixtures/function_answer.json")).expect("JSON");
    let value = json!({ "job_id": "j1", "pid_name": "A", "job": null });
    let answer: Value = serde_json::from_slice(&function_answer(&value, "2026-11-25 02:22:06")).expect("JSON");
    // Another zlib may pack the same bytes in another way.
    for field in ["status", "message", "timestamp"] {
        assert_eq!(answer[field], recorded[field]);
    }
    for data in [&answer["data"], &recorded["data"]] {
        assert_eq!(decoded(data.as_str().expect("a text")), Ok(value.clone()));
    }
    let recorded: Value =
        serde_json::from_slice(include_bytes!("../../fixtures/function_model_answer.json")).expect("JSON");
    let object = decoded(recorded["data"].as_str().expect("a text")).expect("a field");
    assert_eq!(object["__class__"], "Report");
}

#[test]
fn a_field_has_bounds() {
    let zeros = packed(&"0".repeat(1 << 20));
    assert!(zeros.len() < 3000);
    let bounds = Bounds { unpacked_bytes: 1 << 19, ..Bounds::default() };
    assert_eq!(decode_field(&zeros, bounds), Err(FieldError::TooLarge { limit: 1 << 19 }));
    let list = format!("[{}0]", "0,".repeat(1000));
    let bounds = Bounds { values: 1001, ..Bounds::default() };
    assert_eq!(decode_field(&packed(&list), bounds), Err(FieldError::TooManyValues { limit: 1001 }));
    assert!(decode_field(&packed(&list), Bounds { values: 1002, ..bounds }).is_ok());
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(decoded(&deep(64)).is_ok());
    assert_eq!(decoded(&deep(65)), Err(FieldError::TooDeep { limit: 64 }));
    assert_eq!(decoded(&deep(100_000)), Err(FieldError::TooDeep { limit: 64 }));
    let bounds = Bounds { depth: usize::MAX, ..Bounds::default() };
    assert_eq!(decode_field(&deep(101), bounds), Err(FieldError::TooDeep { limit: 100 }));
    let layers = (0..9).fold("x.y".to_owned(), |text, _| packed(&text));
    assert_eq!(decoded(&layers), Err(FieldError::TooManyLayers));
    assert_eq!(decoded("{\"a\": {\"b\": 1, \"\\u0062\": 2}}"), Err(FieldError::DuplicateKey("b".to_owned())));
}

#[test]
fn a_call_is_read_however_its_fields_are_written() {
    let expected = FunctionCall { name: "fxplug.build_report".to_owned(), arguments: Map::new() };
    for (name, data) in [
        ("fxplug.build_report".to_owned(), "{}".to_owned()),
        ("\"fxplug.build_report\"".to_owned(), packed("{}")),
        (encode(&json!("fxplug.build_report")), encode(&json!({}))),
        (packed(&packed("fxplug.build_report")), encode(&json!("{}"))),
    ] {
        assert_eq!(call(&name, &data).ok().as_ref(), Some(&expected));
    }
    let read = call("a.b", "{\"x\": {\"y\": [1, \"__type__\"]}}").expect("a call");
    assert_eq!(Value::Object(read.arguments.clone()), json!({ "x": { "y": [1, "__type__"] } }));
    assert!(read.is_listed(&["x".to_owned(), "a.b".to_owned()]));
    assert!(!read.is_listed(&["a.bc".to_owned(), "a".to_owned(), "A.b".to_owned()]));
}

#[test]
fn a_call_that_names_a_class_is_refused() {
    for data in [
        "{\"__type__\": \"dynamic_obj\", \"__module__\": \"os\", \"__class__\": \"x\", \"data\": {}}",
        "{\"a\": [{\"b\": {\"__type__\": null}}]}",
        "{\"a\": {\"\\u005f_type__\": 1}}",
        "\"{\\\"__type__\\\": 1}\"",
    ] {
        for data in [data.to_owned(), packed(data), packed(&packed(data))] {
            assert!(matches!(call("a.b", &data), Err(FunctionError::NamesClass)), "{data}");
        }
    }
    // Python reads half of a surrogate pair; the gateway does not know what it read.
    let data = "{\"__type__\": \"dynamic_obj\", \"x\": \"\\ud800\"}";
    assert!(matches!(call("a.b", data), Err(FunctionError::NoArguments)));
    assert!(matches!(call("a.b", &packed(data)), Err(FunctionError::NoArguments)));
}

#[test]
fn a_call_that_python_could_read_otherwise_is_refused() {
    let read = |body: &str| FunctionCall::read(body.as_bytes(), Bounds::default());
    for (body, message) in [
        (
            r#"{"data":"{}","func_name":"a.b","func_name":"c.d"}"#,
            "the body is no JSON object with `data` and `func_name`",
        ),
        (r#"{"data":"{}","func_name":"a.b","x":1}"#, "the body has an unknown key `x`"),
        (r#"{"data":"{}","func_name":"a.b"} x"#, "the body is no JSON object with `data` and `func_name`"),
        (r#"[]"#, "the body is no JSON object with `data` and `func_name`"),
        (r#"{"func_name":"a.b"}"#, "`data` is missing or no text"),
        (r#"{"data":{},"func_name":"a.b"}"#, "`data` is missing or no text"),
        (r#"{"data":"{}","func_name":["a.b"]}"#, "`func_name` is missing or no text"),
        (r#"{"data":"{}","func_name":"[\"a.b\"]"}"#, "`func_name` is no name of a function with its module"),
        (r#"{"data":"{}","func_name":"AAAA"}"#, "`func_name` is no name of a function with its module"),
        (r#"{"data":"{}","func_name":" a.b"}"#, "`func_name` is no name of a function with its module"),
        (r#"{"data":"{}","func_name":"a..b"}"#, "`func_name` is no name of a function with its module"),
        (r#"{"data":"[1]","func_name":"a.b"}"#, "`data` is no object of arguments by name"),
        (r#"{"data":"text","func_name":"a.b"}"#, "`data` is no object of arguments by name"),
        (r#"{"data":"{\"a\":1,\"a\":2}","func_name":"a.b"}"#, "`data` cannot be read"),
    ] {
        assert_eq!(read(body).map_err(|error| error.to_string()), Err(message.to_owned()), "{body}");
    }
    assert!(FunctionCall::read(b"\xff\xfe{\x00}\x00", Bounds::default()).is_err());
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(value in any_value()) {
        // A text by itself may change its type, as between two instances.
        let value = json!({ "value": value });
        prop_assert_eq!(decoded(&encode(&value)), Ok(value));
    }

    #[test]
    fn any_text_is_decoded(text: String, bytes: Vec<u8>, json in "[\\[\\]{}\",:0-9eE.NaInfity \\\\-]{0,40}") {
        for text in [&text, &json, &packed(&text), &packed(&json)] {
            let _ = decoded(text);
        }
        let _ = FunctionCall::read(&bytes, Bounds::default());
        let _ = FunctionCall::read(json.as_bytes(), Bounds::default());
        let _ = call(&text, &json);
    }
}
