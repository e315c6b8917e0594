//! Requests that two servers could read in two ways never reach a backend.

use framex_tests::{Gateway, RawAnswer, Upstream, one_route};

/// What follows every attack on the same connection; a backend that gets it was reached by smuggling.
const SMUGGLED: &str = "GET /api/v1/demo/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// A request line and fields without the empty line at the end.
fn head(fields: &str) -> String {
    format!("POST /api/v1/demo/x HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

struct Probe {
    upstream: Upstream,
    gateway: Gateway,
}

impl Probe {
    async fn start() -> Self {
        let upstream = Upstream::replying("reached").await;
        let gateway = Gateway::start(one_route(&upstream)).await;
        Self { upstream, gateway }
    }

    async fn send(&self, bytes: impl AsRef<[u8]>) -> Option<RawAnswer> {
        let mut client = self.gateway.raw().await;
        client.send(bytes).await;
        client.answer().await
    }

    /// Every one of these is answered with `status` by the gateway itself.
    async fn refuses(&self, status: u16, attacks: &[(&str, Vec<u8>)]) {
        for (what, attack) in attacks {
            let before = self.upstream.requests().len();
            let mut bytes = attack.clone();
            bytes.extend_from_slice(SMUGGLED.as_bytes());
            let answer = self.send(bytes).await;
            let answered = answer.as_ref().map(RawAnswer::status);
            let reached = self.upstream.requests().split_off(before);
            assert_eq!(answered, Some(status), "{what}: {answer:?}; reached the backend: {reached:?}");
            assert!(reached.is_empty(), "{what} reached the backend: {reached:?}");
        }
    }
}

#[tokio::test]
async fn a_length_that_can_be_read_in_two_ways_is_refused() {
    let probe = Probe::start().await;
    let cases: Vec<(&str, Vec<u8>)> = [
        ("length, then coding", head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
        ("coding, then length", head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n"),
        ("two equal lengths", head("Content-Length: 3\r\nContent-Length: 3\r\n") + "abc"),
        ("two different lengths", head("Content-Length: 3\r\nContent-Length: 4\r\n") + "abc"),
        ("a list of lengths", head("Content-Length: 3, 3\r\n") + "abc"),
        ("a signed length", head("Content-Length: +3\r\n") + "abc"),
        ("a negative length", head("Content-Length: -1\r\n")),
        ("a hexadecimal length", head("Content-Length: 0x3\r\n") + "abc"),
        ("an empty length", head("Content-Length: \r\n")),
        ("a length of 2^64", head("Content-Length: 18446744073709551616\r\n")),
        ("identity and chunked", head("Transfer-Encoding: identity, chunked\r\n") + "0\r\n\r\n"),
        ("two codings", head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
        ("two codings in one field", head("Transfer-Encoding: chunked, chunked\r\n") + "0\r\n\r\n"),
        ("an unknown coding", head("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n"),
        ("a quoted coding", head("Transfer-Encoding: \"chunked\"\r\n") + "0\r\n\r\n"),
        ("a folded coding", head("Transfer-Encoding:\r\n chunked\r\n") + "0\r\n\r\n"),
        ("a coding after a vertical tab", head("Transfer-Encoding: \u{b}chunked\r\n") + "0\r\n\r\n"),
        ("a space before the colon of a length", head("Content-Length : 3\r\n") + "abc"),
        ("a space before the colon of a coding", head("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n"),
    ]
    .into_iter()
    .map(|(what, text)| (what, text.into_bytes()))
    .collect();
    probe.refuses(400, &cases).await;
}

#[tokio::test]
async fn a_head_that_is_not_quite_http_is_refused() {
    let probe = Probe::start().await;
    let get = |line: &str| format!("{line}\r\nHost: a\r\n\r\n").into_bytes();
    let field = |field: &str| format!("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n").into_bytes();
    let cases = vec![
        ("bare LF after the request line", b"GET /api/v1/demo/x HTTP/1.1\nHost: a\r\n\r\n".to_vec()),
        ("bare LF everywhere", b"GET /api/v1/demo/x HTTP/1.1\nHost: a\n\n".to_vec()),
        ("bare LF inside a value", field("X-A: b\nX-Evil: 1")),
        ("bare CR inside a value", field("X-A: b\rX-Evil: 1")),
        ("a folded value", field("X-A: b\r\n c")),
        ("NUL in a value", field("X-A: b\0c")),
        ("NUL in a name", field("X-\0A: b")),
        ("a field without a colon", field("X-A b")),
        ("a space in a name", field("X A: b")),
        ("an underscore in a name", field("X_Forwarded_For: 6.6.6.6")),
        ("Connection names a forwarding field", field("Connection: X-Forwarded-For")),
        ("Connection names Host", field("Connection: Host")),
        ("Connection names Authorization", field("Connection: close, authorization")),
        ("two spaces in the request line", get("GET  /api/v1/demo/x HTTP/1.1")),
        ("a lower-case method", get("get /api/v1/demo/x HTTP/1.1")),
        ("HTTP/1.2", get("GET /api/v1/demo/x HTTP/1.2")),
        ("HTTP/0.9", b"GET /api/v1/demo/x\r\n".to_vec()),
        ("no version", get("GET /api/v1/demo/x ")),
    ];
    probe.refuses(400, &cases).await;
}

#[tokio::test]
async fn a_host_that_is_none_is_refused() {
    let probe = Probe::start().await;
    let host = |fields: &str| format!("GET /api/v1/demo/x HTTP/1.1\r\n{fields}\r\n").into_bytes();
    let cases = vec![
        ("no host", host("")),
        ("an empty host", host("Host: \r\n")),
        ("two hosts", host("Host: a\r\nHost: b\r\n")),
        ("a host with a path", host("Host: a/api\r\n")),
        ("a host with a space", host("Host: a b\r\n")),
        ("a host with a user", host("Host: a@b\r\n")),
        ("a host with a bad port", host("Host: a:99999\r\n")),
        ("the name of a plugin", host("Host: rogue.demo.framex.internal\r\n")),
        ("another host than the target's", b"GET http://b/api/v1/demo/x HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
    ];
    probe.refuses(400, &cases).await;
}

#[tokio::test]
async fn a_path_that_servers_read_differently_is_refused() {
    let probe = Probe::start().await;
    let paths: [&[u8]; 15] = [
        b"/api/v1/demo/../x",
        b"/api/v1/demo/./x",
        b"/api/v1/demo/%2e%2e/x",
        b"/api/v1/demo/..%2fx",
        b"/api/v1/demo/%2E./x",
        b"/api/v1/demo/..;/x",
        b"/api/v1/demo/a%2fb",
        b"/api/v1/demo/a%5cb",
        b"/api/v1/demo/a%00",
        b"/api/v1/demo/a\\b",
        b"/api/v1/demo//x",
        b"//api/v1/demo/x",
        b"/api/v1/demo/%252e%252e/x",
        b"/api/v1/demo/%zz",
        "/api/v1/demo/é".as_bytes(),
    ];
    let cases: Vec<(&str, Vec<u8>)> = paths
        .iter()
        .map(|path| {
            let what = std::str::from_utf8(path).expect("a test path is text");
            (what, [b"GET ", *path, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat())
        })
        .collect();
    probe.refuses(400, &cases).await;
    probe.refuses(400, &[("NUL", b"GET /api/v1/demo/a\0b HTTP/1.1\r\nHost: a\r\n\r\n".to_vec())]).await;
}

#[tokio::test]
async fn a_head_beyond_all_measure_is_a_431() {
    let probe = Probe::start().await;
    let many: String = (0..300).map(|number| format!("X-{number}: 1\r\n")).collect();
    let answer = probe.send(head(&many)).await.expect("an answer");
    assert!(matches!(answer.status(), 400 | 431), "300 fields: {answer:?}");
    let kilobytes = "a".repeat(100_000);
    probe.refuses(431, &[("100 kB", head(&format!("X-A: {kilobytes}\r\n")).into_bytes())]).await;
    // A client that sends much more may be cut before it could read an answer.
    let megabytes = "a".repeat(900_000);
    let answer = probe.send(head(&format!("X-A: {megabytes}\r\n"))).await;
    assert!(answer.as_ref().is_none_or(|answer| answer.status() == 431), "{answer:?}");
    assert!(probe.upstream.requests().is_empty());
}

#[tokio::test]
async fn a_body_with_broken_chunks_smuggles_nothing() {
    let probe = Probe::start().await;
    // Pingora 0.9.1 takes the first three for chunks.
    for (what, status, chunks) in [
        ("bare LF in an extension", 200, "3;a\nb\r\nabc\r\n0\r\n\r\n"),
        ("a space after a size", 200, "3 \r\nabc\r\n0\r\n\r\n"),
        ("no size", 200, "\r\nabc\r\n0\r\n\r\n"),
        ("bare LF after a size", 400, "3\nabc\r\n0\r\n\r\n"),
        ("a signed size", 400, "+3\r\nabc\r\n0\r\n\r\n"),
        ("a hexadecimal prefix", 400, "0x3\r\nabc\r\n0\r\n\r\n"),
        ("an overflowing size", 400, "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        ("a chunk longer than its size", 400, "2\r\nabc\r\n0\r\n\r\n"),
    ] {
        let mut client = probe.gateway.raw().await;
        client.send(format!("{}{chunks}{SMUGGLED}", head("Transfer-Encoding: chunked\r\n"))).await;
        let answer = client.answer().await.unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status(), status, "{what}: {answer:?}");
        // Whatever the body was taken for, nothing behind it is a request.
        assert!(client.rest().await.is_empty(), "{what}");
        let targets: Vec<String> =
            probe.upstream.requests().iter().map(|request| request.target().to_owned()).collect();
        assert!(targets.iter().all(|target| target == "/x"), "{what}: {targets:?}");
    }
}

#[tokio::test]
async fn an_absolute_target_is_its_path_and_its_host() {
    let probe = Probe::start().await;
    let answer = probe.send("GET http://a/api/v1/demo/x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("an answer");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "reached"));
    let request = probe.upstream.requests().pop().expect("a request");
    assert_eq!((request.target(), request.field("host")), ("/x?y=1", Some("a")));
}

#[tokio::test]
async fn options_of_the_whole_server_and_connect_are_answered_by_the_gateway() {
    let probe = Probe::start().await;
    for (request, accepted) in [
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", vec![200, 204, 400, 404]),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", vec![400, 405, 501]),
        ("TRACE /api/v1/demo/x HTTP/1.1\r\nHost: a\r\n\r\n", vec![405, 501]),
    ] {
        let answer = probe.send(request).await.expect("an answer");
        assert!(accepted.contains(&answer.status()), "{request}: {answer:?}");
    }
    assert!(probe.upstream.requests().is_empty());
}

#[tokio::test]
async fn proper_requests_in_a_pipeline_are_answered_in_order() {
    let probe = Probe::start().await;
    let mut client = probe.gateway.raw().await;
    let post = |path: &str| format!("POST /api/v1/demo/{path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    client.send(format!("{}{}GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n{}", post("1"), post("2"), post("3"))).await;
    for status in [200, 200, 404, 200] {
        assert_eq!(client.answer().await.expect("an answer").status(), status);
    }
    let targets: Vec<String> = probe.upstream.requests().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(targets, ["/1", "/2", "/3"]);
}
