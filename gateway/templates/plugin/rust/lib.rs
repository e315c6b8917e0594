//! The plugin's HTTP side: `wasi:http/incoming-handler`. Global variables may last from one call to the next
//! (`reuse` in plugin.yaml), so they hold nothing of a call.

mod greeting;

use serde_json::{json, Value};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Plugin;

// Makes `Plugin` the component's handler.
wasip2::http::proxy::export!(Plugin);

impl Guest for Plugin {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        if !matches!(request.method(), Method::Get) {
            return respond(response, 405, &json!({ "error": "use GET" }));
        }
        let target = request.path_with_query().unwrap_or_default();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let name = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "name");
        let name = name.map_or_else(|| "world".into(), |(_, value)| value);
        let configuration = configuration();
        let greeting = configuration["greeting"].as_str().unwrap_or("Hello");
        respond(response, 200, &json!({ "greeting": greeting::greet(greeting, &name) }));
    }
}

/// What the operator configured. The gateway has checked it against `config_schema` and filled in the defaults.
fn configuration() -> Value {
    let variables = wasip2::cli::environment::get_environment();
    let text = variables.into_iter().find(|(name, _)| name == "FRAMEX_PLUGIN_CONFIG").map(|(_, text)| text);
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn respond(outparam: ResponseOutparam, status: u16, answer: &Value) {
    let headers = Fields::new();
    headers.set("content-type", &[b"application/json".to_vec()]).expect("a plugin may set this header");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("the status is a valid one");
    let body = response.body().expect("the body is taken only once");
    // From here on the caller gets the head of the response, then the body while it is written.
    ResponseOutparam::set(outparam, Ok(response));
    let stream = body.write().expect("the stream is taken only once");
    // One write takes at most 4096 bytes. It fails when the caller has gone away; there is nothing to do then.
    let text = answer.to_string();
    let sent = text.as_bytes().chunks(4096).try_for_each(|piece| stream.blocking_write_and_flush(piece));
    drop(stream);
    if sent.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}
