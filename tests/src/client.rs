//! A proper HTTP client: HTTP/1.1 and HTTP/2, whole answers and streams.

use crate::waiting::within;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Method, Request, Version, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Which HTTP version a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, without asking first.
    Http2,
}

/// A request that is about to be sent; awaiting it sends it and reads the whole answer.
#[derive(Debug)]
pub struct Call {
    address: SocketAddr,
    protocol: Protocol,
    host: Option<String>,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Body,
}

impl Call {
    /// A request to some server.
    #[must_use]
    pub fn to(address: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            address,
            protocol: Protocol::Http1,
            host: None,
            method: method.parse().expect("a method name"),
            target: target.to_owned(),
            headers: HeaderMap::new(),
            body: Empty::new().boxed_unsync(),
        }
    }

    /// Speaks this version.
    #[must_use]
    pub fn over(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: http::HeaderName = name.parse().expect("a field name");
        self.headers.append(name, value.parse().expect("a field value"));
        self
    }

    /// Asks for another host than the address.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Shows a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends a body of known length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Full::new(body.into()).boxed_unsync();
        self
    }

    /// Sends a body of JSON.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }

    /// Sends a body of unknown length: whatever is put into the returned channel, until it is dropped.
    #[must_use]
    pub fn streaming(mut self) -> (Self, mpsc::Sender<Bytes>) {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(1);
        let pieces = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        self.body = StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece)))).boxed_unsync();
        (self, sender)
    }

    /// Sends the request and returns when the head of the answer is there.
    pub async fn open(self) -> Streamed {
        let connection = Connection::open(self.address, self.protocol).await;
        let mut streamed = connection.start(self).await;
        streamed.connection = Some(connection);
        streamed
    }

    fn into_request(self, protocol: Protocol) -> Request<Body> {
        let host = self.host.unwrap_or_else(|| self.address.to_string());
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.headers_mut() = self.headers;
        let uri = match protocol {
            Protocol::Http1 => {
                request.headers_mut().insert(header::HOST, host.parse().expect("a host is a field value"));
                self.target
            }
            Protocol::Http2 => {
                *request.version_mut() = Version::HTTP_2;
                format!("http://{host}{}", self.target)
            }
        };
        *request.uri_mut() = uri.parse().expect("a request target");
        request
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.open().await.whole().await })
    }
}

/// A connection that is used for more than one request.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    protocol: Protocol,
    task: JoinHandle<()>,
}

#[derive(Debug)]
enum Sender {
    Http1(tokio::sync::Mutex<http1::SendRequest<Body>>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn open(address: SocketAddr, protocol: Protocol) -> Self {
        let stream = TcpStream::connect(address).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("a connected socket has options");
        Self::over(stream, protocol).await
    }

    /// Speaks HTTP over a stream that is there already.
    ///
    /// # Panics
    /// When the other side does not speak the protocol.
    pub async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, protocol: Protocol) -> Self {
        let io = TokioIo::new(stream);
        // How a connection ends is seen by the requests on it.
        let (sender, task) = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.expect("the gateway speaks HTTP/1");
                let task = tokio::spawn(async move { drop(connection.with_upgrades().await) });
                (Sender::Http1(sender.into()), task)
            }
            Protocol::Http2 => {
                let handshake = http2::handshake(TokioExecutor::new(), io);
                let (sender, connection) = handshake.await.expect("the gateway speaks HTTP/2");
                (Sender::Http2(sender), tokio::spawn(async move { drop(connection.await) }))
            }
        };
        Self { sender, protocol, task }
    }

    /// Sends a request and reads the whole answer.
    pub async fn call(&self, call: Call) -> Answer {
        self.start(call).await.whole().await
    }

    /// Sends a request and returns when the head of the answer is there.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn start(&self, call: Call) -> Streamed {
        let what = format!("{} {}", call.method, call.target);
        match within(&what, self.try_start(call)).await {
            Ok(streamed) => streamed,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }

    /// Like [`Self::start`], for requests that may fail.
    ///
    /// # Errors
    /// When the connection ends or is reset before an answer.
    pub async fn try_start(&self, call: Call) -> Result<Streamed, hyper::Error> {
        let request = call.into_request(self.protocol);
        let answer = match &self.sender {
            Sender::Http1(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                let mut sender = sender.clone();
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (head, body) = answer.into_parts();
        let (status, headers, version) = (head.status.as_u16(), head.headers, head.version);
        Ok(Streamed { status, headers, version, body, trailers: None, connection: None })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer whose body is still coming. Dropping it closes its connection.
#[derive(Debug)]
pub struct Streamed {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The HTTP version of the answer.
    pub version: Version,
    body: Incoming,
    trailers: Option<HeaderMap>,
    connection: Option<Connection>,
}

impl Streamed {
    /// The next piece of the body, `None` at its end.
    ///
    /// # Panics
    /// When the body breaks off.
    pub async fn piece(&mut self) -> Option<Bytes> {
        self.try_piece().await.map(|piece| piece.expect("the body does not break off"))
    }

    /// The next piece of the body, or how it broke off.
    pub async fn try_piece(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            let frame = match within("a piece of the body", self.body.frame()).await? {
                Ok(frame) => frame,
                Err(error) => return Some(Err(error)),
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Some(Ok(data)),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
    }

    /// Reads until the body so far contains `text`.
    ///
    /// # Panics
    /// When the body ends before.
    pub async fn until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            let piece = self.piece().await.unwrap_or_else(|| panic!("`{text}` does not come after `{read}`"));
            read.push_str(&String::from_utf8_lossy(&piece));
        }
        read
    }

    /// The rest of the answer.
    pub async fn whole(mut self) -> Answer {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await {
            body.extend_from_slice(&piece);
        }
        let Self { status, headers, version, trailers, .. } = self;
        Answer { status, headers, version, trailers, body: body.into() }
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The HTTP version of the answer.
    pub version: Version,
    /// The trailers, where there were any.
    pub trailers: Option<HeaderMap>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header field; empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The `code` of an answer that the gateway itself gave.
    #[must_use]
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}
