use super::*;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value};

fn outcome_of(mut reader: OutcomeReader, body: &[u8]) -> Option<u16> {
    reader.push(body);
    reader.outcome()
}

/// The outcome when the body comes cut at the places named.
fn outcome_in_pieces(mut reader: OutcomeReader, body: &[u8], cuts: &[Index]) -> Option<u16> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    cuts.extend([0, body.len()]);
    cuts.sort_unstable();
    for pair in cuts.windows(2) {
        reader.push(&body[pair[0]..pair[1]]);
    }
    reader.outcome()
}

fn outcome_byte_by_byte(mut reader: OutcomeReader, body: &[u8]) -> Option<u16> {
    body.iter().for_each(|byte| reader.push(&[*byte]));
    reader.outcome()
}

#[test]
fn the_outcome_of_a_recorded_answer_is_found() {
    macro_rules! recorded {
        ($name:literal) => {
            include_bytes!(concat!("../../fixtures/", $name)).as_slice()
        };
    }
    for (body, outcome) in [
        (recorded!("success.json"), 200),
        (recorded!("success_without_data.json"), 200),
        (recorded!("created.json"), 201),
        (recorded!("error_in_body.json"), 418),
        (recorded!("unauthorized.json"), 401),
        (recorded!("exception.json"), 500),
        (recorded!("invalid.json"), 422),
        (recorded!("data_like_an_envelope.json"), 200),
        (recorded!("error_outside_api.json"), 418),
        (recorded!("function_answer.json"), 200),
        (recorded!("function_unknown.json"), 500),
    ] {
        assert_eq!(outcome_of(OutcomeReader::json(), body), Some(outcome));
        assert_eq!(outcome_byte_by_byte(OutcomeReader::json(), body), Some(outcome));
    }
    for (body, outcome) in [
        (recorded!("error_in_stream.txt"), Some(500)),
        (recorded!("invalid_in_stream.txt"), Some(422)),
        (recorded!("stream.txt"), None),
    ] {
        assert_eq!(outcome_of(OutcomeReader::events(), body), outcome);
        assert_eq!(outcome_byte_by_byte(OutcomeReader::events(), body), outcome);
    }
    assert_eq!(outcome_of(OutcomeReader::json(), recorded!("raw.json")), None);
}

#[test]
fn an_outcome_is_known_before_the_data_has_come() {
    let mut reader = OutcomeReader::json();
    reader.push(br#"{"status":4"#);
    reader.push(br#"04,"message":"x\"}","timesta"#);
    assert_eq!(reader.outcome(), None);
    reader.push(br#"mp":"2026-11-25 02:22:06""#);
    assert_eq!(reader.outcome(), Some(404));
}

#[test]
fn only_an_envelope_has_an_outcome() {
    let time = r#""timestamp":"2026-11-25 02:22:06""#;
    for (body, outcome) in [
        (format!(r#"{{ {time} , "message" : null,"data":{{"status":1}},"status":503}}"#), Some(503)),
        (format!("\n{{\"status\":\t404 ,\"message\":{{\"status\":7}},{time}}}"), Some(404)),
        (r#"{"is_middleware_error":true,"status":404,"message":"x"}"#.to_owned(), Some(404)),
        (r#"{"is_middleware_error":false,"status":404,"message":"x"}"#.to_owned(), None),
        (r#"{"status":3}"#.to_owned(), None),
        (r#"{"status":404,"message":"x"}"#.to_owned(), None),
        (r#"{"status":404,"message":"x","timestamp":1700000000}"#.to_owned(), None),
        (r#"{"status":404,"message":"x","timestamp":"2026-11-25T02:22:06Z"}"#.to_owned(), None),
        (format!(r#"{{"status":404,{time}}}"#), None),
        (format!(r#"{{"status":"404","message":"x",{time}}}"#), None),
        (format!(r#"{{"status":404.0,"message":"x",{time}}}"#), None),
        (format!(r#"{{"status":4e2,"message":"x",{time}}}"#), None),
        (format!(r#"{{"status":-404,"message":"x",{time}}}"#), None),
        (format!(r#"{{"status":9,"message":"x",{time}}}"#), None),
        (format!(r#"{{"status":600,"message":"x",{time}}}"#), None),
        (format!(r#"{{"status":65936,"message":"x",{time}}}"#), None),
        (r#"{"status":404"#.to_owned(), None),
        (format!(r#"{{"st\u0061tus":404,"message":"x",{time}}}"#), None),
        (format!(r#"{{"message":"\",\"status\":404,","x":"\\",{time}}}"#), None),
        (format!(r#"{{"data":{{"status":404,"message":"x",{time}}}}}"#), None),
        (format!(r#"[{{"status":404,"message":"x",{time}}}]"#), None),
        (String::new(), None),
    ] {
        assert_eq!(outcome_of(OutcomeReader::json(), body.as_bytes()), outcome, "{body}");
        assert_eq!(outcome_byte_by_byte(OutcomeReader::json(), body.as_bytes()), outcome, "{body}");
    }
}

#[test]
fn a_walk_through_a_body_has_an_end() {
    let body = |length: usize| {
        format!(r#"{{"status":500,"message":"{}","timestamp":"2026-11-25 02:22:06"}}"#, "x".repeat(length))
    };
    assert_eq!(outcome_of(OutcomeReader::json(), body(60_000).as_bytes()), Some(500));
    assert_eq!(outcome_of(OutcomeReader::json(), body(70_000).as_bytes()), None);
    assert_eq!(outcome_byte_by_byte(OutcomeReader::json(), body(70_000).as_bytes()), None);
    let late = |length: usize| {
        format!(r#"{{"message":"{}","status":500,"timestamp":"2026-11-25 02:22:06"}}"#, "x".repeat(length))
    };
    for (length, outcome) in [(4000, Some(500)), (5000, None)] {
        assert_eq!(outcome_of(OutcomeReader::json(), late(length).as_bytes()), outcome);
        assert_eq!(outcome_byte_by_byte(OutcomeReader::json(), late(length).as_bytes()), outcome);
    }
}

#[test]
fn an_error_is_found_anywhere_in_a_stream() {
    let data = r#"{"status": 500, "message": "x"}"#;
    for (stream, outcome) in [
        (format!("event: error\ndata: {data}\n\n"), Some(500)),
        (format!("event:error\rdata:{data}\r\r"), Some(500)),
        (format!("event: error\r\nid: 7\r\ndata: {data}\r\n\r\n"), Some(500)),
        (format!("\u{feff}event: error\ndata: {data}\n\n"), Some(500)),
        (format!(": comment\n\ndata: a\n\nevent: error\ndata: {data}\n\nevent: finish\ndata: {{}}\n\n"), Some(500)),
        ("event: error\ndata: {\"status\":\ndata: 500,\ndata: \"message\": 1}\n\n".to_owned(), Some(500)),
        (format!("event: finish\nevent: error\ndata: {data}\n\n"), Some(500)),
        (format!("event: error\ndata: {{}}\n\nevent: error\ndata: {data}\n\n"), Some(500)),
        (format!("event: error\nevent: finish\ndata: {data}\n\n"), None),
        (format!("event: error\nevent\ndata: {data}\n\n"), None),
        (format!("event: errors\ndata: {data}\n\n"), None),
        (format!("event:  error\ndata: {data}\n\n"), None),
        (format!("event : error\ndata: {data}\n\n"), None),
        (format!("event: error\ndatas: {data}\n\n"), None),
        (format!("event: error\n\ndata: {data}\n\n"), None),
        (format!("xevent: error\ndata: {data}\n\n"), None),
        (format!("event: error\ndata: {data}\n"), None),
        (format!("event: message\ndata: event: error\\ndata: {data}\n\n"), None),
        ("event: error\ndata: {\"status\": 500}\n\n".to_owned(), None),
        ("event: error\ndata: {\"content\": \"x\"}\n\n".to_owned(), None),
        (format!("data: {}\n\nevent: error\ndata: {data}\n\n", "x".repeat(200_000)), Some(500)),
        (format!("{}\nevent: error\ndata: {data}\n\n", "e".repeat(200_000)), Some(500)),
    ] {
        assert_eq!(outcome_of(OutcomeReader::events(), stream.as_bytes()), outcome, "{stream:.200}");
        assert_eq!(outcome_byte_by_byte(OutcomeReader::events(), stream.as_bytes()), outcome, "{stream:.200}");
    }
}

#[test]
fn the_headers_of_an_answer_say_how_to_read_it() {
    let kind = |content_type, raw| {
        OutcomeReader::for_answer(content_type, raw).map(|reader| matches!(reader.0, Kind::Events(_)))
    };
    assert_eq!(kind(Some("application/json"), Some("False")), Some(false));
    assert_eq!(kind(Some("Application/JSON; charset=utf-8"), None), Some(false));
    assert_eq!(kind(Some("text/event-stream; charset=utf-8"), None), Some(true));
    assert_eq!(kind(Some("application/json"), Some("True")), None);
    assert_eq!(kind(Some("text/html"), None), None);
    assert_eq!(kind(None, None), None);
}

/// What the body says, read as a whole.
fn naive(document: &Value) -> Option<u16> {
    let object = document.as_object()?;
    let status = object.get("status")?.as_u64().filter(|status| (100..600).contains(status))?;
    object.get("message")?;
    let has_timestamp = object.get("timestamp").is_some_and(|time| time == "2026-11-25 02:22:06");
    let is_marked = object.get("is_middleware_error") == Some(&Value::Bool(true));
    (has_timestamp || is_marked).then(|| u16::try_from(status).ok()).flatten()
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..700).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        Just(Value::from("2026-11-25 02:22:06")),
        Just(Value::from("\\\"status\":500,{[")),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_key(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec!["status", "message", "timestamp", "is_middleware_error", "data"]).prop_map(str::to_owned),
        1 => ".{0,4}",
    ]
}

/// Envelopes and what is close to one.
fn any_document() -> impl Strategy<Value = Value> {
    let near = (any::<[bool; 4]>(), 90_u64..610, any_value(), any_value(), any::<bool>()).prop_map(
        |(has, status, message, data, mark)| {
            let entries = [
                ("data", data),
                ("timestamp", Value::from("2026-11-25 02:22:06")),
                ("is_middleware_error", Value::from(mark)),
                ("message", message),
            ];
            let mut map: Map<String, Value> =
                entries.into_iter().zip(has).filter(|(_, has)| *has).map(|((k, v), _)| (k.to_owned(), v)).collect();
            map.insert("status".to_owned(), Value::from(status));
            Value::Object(map)
        },
    );
    prop_oneof![near, any_value()]
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "event: error",
        "event: ",
        "event",
        "error",
        "data: ",
        "data",
        "{\"status\": 500, \"message\": 1}",
        ": x",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\u{feff}",
        "{\"status\":",
        "404,",
        "\"message\":\"m\"}",
        " ",
        "\"",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn a_walk_finds_what_reading_the_whole_finds(document in any_document(), is_pretty: bool) {
        let body = if is_pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) };
        let body = body.expect("a value is written");
        prop_assert_eq!(outcome_of(OutcomeReader::json(), &body), naive(&document));
    }

    #[test]
    fn how_a_body_is_cut_changes_nothing(document in any_document(), cuts: [Index; 8]) {
        let body = document.to_string().into_bytes();
        let whole = outcome_of(OutcomeReader::json(), &body);
        prop_assert_eq!(outcome_in_pieces(OutcomeReader::json(), &body, &cuts), whole);
    }

    #[test]
    fn how_a_stream_is_cut_changes_nothing(stream in any_stream(), cuts: [Index; 8]) {
        let whole = outcome_of(OutcomeReader::events(), &stream);
        prop_assert_eq!(outcome_in_pieces(OutcomeReader::events(), &stream, &cuts), whole);
        prop_assert_eq!(outcome_byte_by_byte(OutcomeReader::events(), &stream), whole);
    }

    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>, cuts: [Index; 4]) {
        for reader in [OutcomeReader::json, OutcomeReader::events] {
            prop_assert_eq!(outcome_in_pieces(reader(), &bytes, &cuts), outcome_of(reader(), &bytes));
        }
    }
}
