//! A plugin that misbehaves on request: one path for every way in which a plugin can hurt its host.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use wasip2::clocks::monotonic_clock;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::{OutputStream, StreamError};

struct Rogue;
wasip2::http::proxy::export!(Rogue);

/// The most one blocking write takes.
const WRITE: usize = 4096;

impl Guest for Rogue {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = Query(query);
        match path {
            "/hello" => text(response, "hello from rogue\n"),
            "/spin" => spin(),
            "/burn" => burn(response, query.number("millions", 100)),
            "/hog" => hog(),
            "/allocate" => allocate(response, query.number("mib", 1)),
            "/trap" => panic!("asked to"),
            "/stack" => text(response, &recurse(0).to_string()),
            "/silent" => {}
            "/refuse" => ResponseOutparam::set(response, Err(ErrorCode::ConfigurationError)),
            "/sleep" => sleep(response, query.number("ms", 3_600_000)),
            "/stream" => stream(response, query.number("n", 16), query.number("delay", 0)),
            "/endless" => endless(response),
            "/echo" => echo(request, response),
            "/half" => half(response, query.0),
            "/short" => short(response),
            "/linger" => linger(response),
            "/headers" => headers(request, response),
            "/forbidden" => forbidden(response),
            "/trailers" => trailers(response),
            "/fetch" => fetch(response, query.number("n", 1)),
            "/call" => call(response, &query),
            "/count" => count(response),
            "/environment" => environment(response),
            "/leak" => leak(response),
            "/log" => log(response, query.number("lines", 3), query.number("length", 10)),
            "/status" => status(response, query.number("code", 204)),
            _ => status(response, 404),
        }
    }
}

struct Query<'a>(&'a str);

impl Query<'_> {
    fn text(&self, name: &str) -> &str {
        self.0.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.0
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(default)
    }
}

/// Sends the head of a response and returns its body, to be written.
fn start(outparam: ResponseOutparam, status: u16, fields: Fields) -> OutgoingBody {
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).unwrap();
    let body = response.body().unwrap();
    ResponseOutparam::set(outparam, Ok(response));
    body
}

fn write_all(stream: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    bytes.chunks(WRITE).try_for_each(|piece| stream.blocking_write_and_flush(piece))
}

fn text(outparam: ResponseOutparam, content: &str) {
    let body = start(outparam, 200, Fields::new());
    write_all(&body.write().unwrap(), content.as_bytes()).unwrap();
    OutgoingBody::finish(body, None).unwrap();
}

fn status(outparam: ResponseOutparam, code: u64) {
    let body = start(outparam, code as u16, Fields::new());
    OutgoingBody::finish(body, None).unwrap();
}

/// Computes for ever.
fn spin() -> ! {
    let mut number = 0u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

/// Computes for a while, the same amount on any machine, then answers.
fn burn(outparam: ResponseOutparam, millions: u64) {
    let mut number = 0u64;
    while number < millions * 1_000_000 {
        number = black_box(number + 1);
    }
    text(outparam, "burnt\n");
}

/// Allocates for ever.
fn hog() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(vec![1u8; 1 << 20]);
        black_box(&hoard);
    }
}

fn allocate(outparam: ResponseOutparam, mebibytes: u64) {
    let block = vec![1u8; (mebibytes as usize) << 20];
    black_box(&block);
    text(outparam, "allocated\n");
}

#[allow(unconditional_recursion, reason = "this is the point")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth + 1) + frame[7]
}

fn pause(milliseconds: u64) {
    monotonic_clock::subscribe_duration(milliseconds * 1_000_000).block();
}

/// Waits without computing.
fn sleep(outparam: ResponseOutparam, milliseconds: u64) {
    pause(milliseconds);
    text(outparam, "slept\n");
}

/// Writes chunks, `delay` milliseconds apart.
fn stream(outparam: ResponseOutparam, chunks: u64, delay: u64) {
    let body = start(outparam, 200, Fields::new());
    let stream = body.write().unwrap();
    for number in 0..chunks {
        if number > 0 && delay > 0 {
            pause(delay);
        }
        write_all(&stream, format!("chunk {number}\n").as_bytes()).unwrap();
    }
    drop(stream);
    OutgoingBody::finish(body, None).unwrap();
}

/// Writes for ever, ignoring that nobody may be listening.
fn endless(outparam: ResponseOutparam) {
    let body = start(outparam, 200, Fields::new());
    let stream = body.write().unwrap();
    loop {
        let _ = write_all(&stream, &[b'x'; WRITE]);
    }
}

fn echo(request: IncomingRequest, outparam: ResponseOutparam) {
    let incoming = request.consume().unwrap();
    let input = incoming.stream().unwrap();
    let body = start(outparam, 200, Fields::new());
    let output = body.write().unwrap();
    loop {
        match input.blocking_read(64 * 1024) {
            Ok(piece) => write_all(&output, &piece).unwrap(),
            Err(StreamError::Closed) => break,
            // The sender broke off: so do we, by not finishing the body.
            Err(StreamError::LastOperationFailed(_)) => return,
        }
    }
    drop(output);
    OutgoingBody::finish(body, None).unwrap();
}

/// Breaks off in the middle of a body in one of several ways.
fn half(outparam: ResponseOutparam, how: &str) {
    let body = start(outparam, 200, Fields::new());
    let stream = body.write().unwrap();
    write_all(&stream, b"the first half\n").unwrap();
    match how {
        "spin" => spin(),
        "hog" => hog(),
        "sleep" => pause(3_600_000),
        // Dropping a body without finishing it aborts it.
        "abort" => {}
        _ => panic!("asked to"),
    }
}

/// Promises more bytes than it writes.
fn short(outparam: ResponseOutparam) {
    let fields = Fields::new();
    fields.set("content-length", &[b"100".to_vec()]).unwrap();
    let body = start(outparam, 200, fields);
    write_all(&body.write().unwrap(), b"too short\n").unwrap();
    let _ = OutgoingBody::finish(body, None);
}

/// Finishes its response, then computes for ever.
fn linger(outparam: ResponseOutparam) {
    text(outparam, "done, almost\n");
    spin();
}

/// Shows what of the request the guest gets to see.
fn headers(request: IncomingRequest, outparam: ResponseOutparam) {
    let mut content =
        format!("scheme: {:?}\nauthority: {:?}\n", request.scheme().unwrap(), request.authority().unwrap_or_default());
    for (name, value) in request.headers().entries() {
        content += &format!("{name}: {}\n", String::from_utf8_lossy(&value));
    }
    text(outparam, &content);
}

/// Tries to set headers that are not a guest's to set, and says which it could.
fn forbidden(outparam: ResponseOutparam) {
    let fields = Fields::new();
    let mut content = String::new();
    for name in ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"] {
        if fields.set(name, &[b"x".to_vec()]).is_ok() {
            content += name;
            content += "\n";
        }
    }
    let body = start(outparam, 200, fields);
    write_all(&body.write().unwrap(), content.as_bytes()).unwrap();
    OutgoingBody::finish(body, None).unwrap();
}

fn trailers(outparam: ResponseOutparam) {
    let body = start(outparam, 200, Fields::new());
    write_all(&body.write().unwrap(), b"with trailers\n").unwrap();
    let fields = Fields::new();
    fields.set("x-checksum", &[b"42".to_vec()]).unwrap();
    OutgoingBody::finish(body, Some(fields)).unwrap();
}

/// Says how many calls this instance has counted.
fn count(outparam: ResponseOutparam) {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    text(outparam, &format!("call {}\n", CALLS.fetch_add(1, Ordering::Relaxed) + 1));
}

/// Shows its environment.
fn environment(outparam: ResponseOutparam) {
    let content: String =
        wasip2::cli::environment::get_environment().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    text(outparam, &content);
}

/// Answers, and keeps its body open without ever closing it.
fn leak(outparam: ResponseOutparam) {
    let body = start(outparam, 200, Fields::new());
    write_all(&body.write().unwrap(), b"never closed\n").unwrap();
    std::mem::forget(body);
}

/// Calls what the query names, with `!` for `?` and `+` for `&` in the path, and `body` bytes if it says so; reports the status and
/// the body of the answer.
fn call(outparam: ResponseOutparam, query: &Query<'_>) {
    let request = OutgoingRequest::new(Fields::new());
    let scheme = if query.text("scheme") == "https" { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).unwrap();
    request.set_authority(Some(query.text("authority"))).unwrap();
    request.set_path_with_query(Some(&query.text("path").replace('!', "?").replace('+', "&"))).unwrap();
    let length = query.number("body", 0);
    // A request whose body was never asked for is known to have none.
    let body = (length > 0).then(|| request.body().unwrap());
    if length > 0 {
        request.set_method(&Method::Post).unwrap();
    }
    let result = outgoing_handler::handle(request, None).and_then(|future| {
        if let Some(body) = body {
            // Whoever answers before it has read everything is heard all the same.
            let _ = write_all(&body.write().unwrap(), &vec![b'.'; length as usize]);
            let _ = OutgoingBody::finish(body, None);
        }
        future.subscribe().block();
        future.get().unwrap().unwrap()
    });
    let response = match result {
        Ok(response) => response,
        Err(error) => return text(outparam, &format!("{error:?}\n")),
    };
    let mut content = format!("status {}\n", response.status()).into_bytes();
    let body = response.consume().unwrap();
    let stream = body.stream().unwrap();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) => content.extend(piece),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => {
                content.extend(b"(broken off)\n");
                break;
            }
        }
    }
    text(outparam, &String::from_utf8_lossy(&content));
}

/// Makes `n` requests of its own, one after the other, and reports how the last one went.
fn fetch(outparam: ResponseOutparam, n: u64) {
    let content = (0..n).map(|_| fetch_once()).last().unwrap_or_default();
    text(outparam, &content);
}

fn fetch_once() -> String {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).unwrap();
    request.set_authority(Some("example.com")).unwrap();
    request.set_path_with_query(Some("/")).unwrap();
    let result = outgoing_handler::handle(request, None).and_then(|future| {
        future.subscribe().block();
        future.get().unwrap().unwrap()
    });
    match result {
        Ok(response) => format!("status {}\n", response.status()),
        Err(error) => format!("{error:?}\n"),
    }
}

/// Logs lines to standard output and a word without an end of line to standard error.
fn log(outparam: ResponseOutparam, lines: u64, length: u64) {
    let stdout = wasip2::cli::stdout::get_stdout();
    for number in 0..lines {
        let mut line = format!("line {number} ");
        line.extend(std::iter::repeat('.').take(length as usize));
        line.push('\n');
        write_all(&stdout, line.as_bytes()).unwrap();
    }
    write_all(&wasip2::cli::stderr::get_stderr(), b"unfinished").unwrap();
    text(outparam, "logged\n");
}
