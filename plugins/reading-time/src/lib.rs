//! Says how long a text takes to read: a plugin that calls another one.
//!
//! Counting words is what the plugin text-stats does already, so this one sends it the text. A call goes to
//! `http://<namespace>.framex.internal/<path>` by the standard outgoing handler. The gateway answers it inside its own process
//! when the target is a component, and over the network when it is a backend; the code is the same. What may be called is
//! listed under `requires` in plugin.yaml, and the called namespace has to let the plugin in (`access.invoke.plugins`).

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::{InputStream, StreamError};

const NAMESPACE: &str = "text.framex.internal";
const PATH: &str = "/api/v1/text/stats";
/// What people read silently in a minute, on average (Brysbaert 2019).
const WORDS_PER_MINUTE: u64 = 238;

struct ReadingTime;

wasip2::http::proxy::export!(ReadingTime);

impl Guest for ReadingTime {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        if !matches!(request.method(), Method::Post) {
            return respond(response, 405, r#"{"error":"POST a text"}"#);
        }
        match count_words(request) {
            Ok(words) => {
                let seconds = (words * 60).div_ceil(WORDS_PER_MINUTE);
                respond(response, 200, &format!(r#"{{"words":{words},"seconds":{seconds}}}"#));
            }
            // What went wrong goes to the log, and the caller learns that it was not its own fault.
            Err(reason) => {
                wasip2::cli::stderr::get_stderr().blocking_write_and_flush(reason.as_bytes()).ok();
                respond(response, 502, r#"{"error":"the words could not be counted"}"#);
            }
        }
    }
}

/// Passes the text on as it arrives, and reads the number of its words from the answer.
fn count_words(request: IncomingRequest) -> Result<u64, String> {
    let call = OutgoingRequest::new(Fields::new());
    call.set_method(&Method::Post).expect("a valid method");
    call.set_scheme(Some(&Scheme::Http)).expect("a valid scheme");
    call.set_authority(Some(NAMESPACE)).expect("a valid authority");
    call.set_path_with_query(Some(PATH)).expect("a valid path");
    let body = call.body().expect("the body is taken only once");
    // This starts the call; the body is written while it runs.
    let answer = outgoing_handler::handle(call, None).map_err(|error| format!("the call is refused: {error:?}\n"))?;
    // A body that ends early is an error for the called plugin, which then answers with one; so this only ends the copy.
    if copy(request, &body).is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
    answer.subscribe().block();
    let answer: Result<IncomingResponse, ErrorCode> =
        answer.get().expect("it is there").expect("it is taken only once");
    let answer = answer.map_err(|error| format!("the call failed: {error:?}\n"))?;
    let status = answer.status();
    let json = read_all(answer).map_err(|error| format!("the answer broke off: {error:?}\n"))?;
    let words = serde_json::from_slice::<serde_json::Value>(&json).ok().and_then(|stats| stats["words"].as_u64());
    words.filter(|_| status == 200).ok_or_else(|| format!("text-stats answered {status}\n"))
}

fn copy(request: IncomingRequest, to: &OutgoingBody) -> Result<(), StreamError> {
    let body = request.consume().expect("the body is taken only once");
    let from = body.stream().expect("the stream is taken only once");
    let to = to.write().expect("the stream is taken only once");
    // One write takes at most 4096 bytes.
    while let Some(piece) = next(&from, 4096)? {
        to.blocking_write_and_flush(&piece)?;
    }
    Ok(())
}

fn read_all(answer: IncomingResponse) -> Result<Vec<u8>, StreamError> {
    let body: IncomingBody = answer.consume().expect("the body is taken only once");
    let stream = body.stream().expect("the stream is taken only once");
    let mut all = Vec::new();
    while let Some(piece) = next(&stream, 64 * 1024)? {
        all.extend(piece);
    }
    Ok(all)
}

/// The next piece of a stream; none at its end, which is reported as a closed stream.
fn next(stream: &InputStream, most: u64) -> Result<Option<Vec<u8>>, StreamError> {
    match stream.blocking_read(most) {
        Ok(piece) => Ok(Some(piece)),
        Err(StreamError::Closed) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sends a whole response at once.
fn respond(outparam: ResponseOutparam, status: u16, json: &str) {
    let headers = Fields::new();
    headers.set("content-type", &[b"application/json".to_vec()]).expect("a plugin may set this header");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("the status is a valid one");
    let body = response.body().expect("the body is taken only once");
    ResponseOutparam::set(outparam, Ok(response));
    let stream = body.write().expect("the stream is taken only once");
    let sent = stream.blocking_write_and_flush(json.as_bytes());
    drop(stream);
    if sent.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}
