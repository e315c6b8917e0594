//! The same ways to answer and to misbehave as `rogue`, over `wasi:http` 0.3: what differs there is how a body is written
//! (by tasks that go on after the response was returned) and how a call ends.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use wasip3::clocks::monotonic_clock;
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct RogueNext;
wasip3::http::service::export!(RogueNext);

impl Guest for RogueNext {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/hello" => Ok(text("hello from rogue-next\n".to_owned())),
            "/count" => Ok(count()),
            "/spin" => spin(),
            "/trap" => panic!("asked to"),
            "/hog" => hog(),
            "/refuse" => Err(ErrorCode::ConfigurationError),
            "/sleep" => {
                monotonic_clock::wait_for(3_600_000_000_000).await;
                Ok(text("slept\n".to_owned()))
            }
            "/stream" => Ok(stream(16)),
            "/half" => Ok(half(query.to_owned())),
            "/echo" => Ok(echo(request)),
            _ => Ok(text(format!("no {path}\n"))),
        }
    }
}

fn text(content: String) -> Response {
    let (mut writer, body) = wit_stream::new();
    let (result, trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(Fields::new(), Some(body), trailers);
    wit_bindgen::spawn_local(async move {
        writer.write_all(content.into_bytes()).await;
        drop(writer);
        let _ = result.write(Ok(None)).await;
    });
    response
}

/// Says how many calls this instance has counted.
fn count() -> Response {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    text(format!("call {}\n", CALLS.fetch_add(1, Ordering::Relaxed) + 1))
}

/// Computes for ever.
fn spin() -> ! {
    let mut number = 0u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

/// Allocates for ever.
fn hog() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(vec![1u8; 1 << 20]);
        black_box(&hoard);
    }
}

/// Writes chunks after it has returned its response.
fn stream(chunks: u32) -> Response {
    let (mut writer, body) = wit_stream::new();
    let (result, trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(Fields::new(), Some(body), trailers);
    wit_bindgen::spawn_local(async move {
        for number in 0..chunks {
            writer.write_all(format!("chunk {number}\n").into_bytes()).await;
        }
        drop(writer);
        let _ = result.write(Ok(None)).await;
    });
    response
}

/// Breaks off in the middle of its body in one of several ways.
fn half(how: String) -> Response {
    let (mut writer, body) = wit_stream::new();
    let (result, trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(Fields::new(), Some(body), trailers);
    wit_bindgen::spawn_local(async move {
        writer.write_all(b"the first half\n".to_vec()).await;
        match how.as_str() {
            "spin" => spin(),
            "sleep" => monotonic_clock::wait_for(3_600_000_000_000).await,
            _ => panic!("asked to"),
        }
        drop((writer, result));
    });
    response
}

/// Hands the request's body back, without a copy through the guest.
fn echo(request: Request) -> Response {
    let (result, done) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, done);
    let (response, _sent) = Response::new(Fields::new(), Some(body), trailers);
    wit_bindgen::spawn_local(async move {
        let _ = result.write(Ok(())).await;
    });
    response
}
