//! Asking other servers on behalf of a command: within bounds of time and bytes, following nothing by itself.

use crate::backends::OutboundClient;
use anyhow::{Context as _, bail};
use bytes::Bytes;
use framex_plugin_host::empty_body;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::Instant;

/// What one question may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// From the question to the end of the answer.
    pub(super) time: Duration,
    /// Bytes of the body that are read.
    pub(super) bytes: usize,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) body: Bytes,
    /// Whether that is the whole body; `false` where a bound was met or the answer broke off.
    pub(super) is_whole: bool,
}

impl Page {
    /// A header field as text; empty when it is missing.
    pub(super) fn field(&self, name: impl header::AsHeaderName) -> &str {
        self.fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Asks servers, private networks included: who runs the command may reach them anyway.
#[derive(Debug)]
pub(super) struct Web {
    client: OutboundClient,
}

impl Web {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { client: OutboundClient::new().context("TLS cannot be set up")? })
    }

    /// Asks for one page.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: &Uri,
        fields: &[(&str, &str)],
        bounds: Bounds,
    ) -> anyhow::Result<Page> {
        let deadline = Instant::now() + bounds.time;
        let mut request = Request::builder().method(method).uri(url);
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            request = request.header(header::USER_AGENT, concat!("framex-gateway/", env!("CARGO_PKG_VERSION")));
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(empty_body()).context("the request is not valid")?;
        let answer = tokio::time::timeout_at(deadline, self.client.call(request, true)).await;
        let Ok(answer) = answer else { bail!("there was no answer within {} s", bounds.time.as_secs()) };
        let (head, mut body) = answer?.into_parts();
        let mut whole = Vec::new();
        let is_whole = loop {
            match tokio::time::timeout_at(deadline, body.frame()).await {
                Ok(None) => break true,
                Err(_) | Ok(Some(Err(_))) => break false,
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let room = bounds.bytes - whole.len();
                    whole.extend_from_slice(&data[..data.len().min(room)]);
                    if data.len() > room {
                        break false;
                    }
                }
            }
        };
        Ok(Page { status: head.status, fields: head.headers, body: whole.into(), is_whole })
    }
}

/// Reads the URL of a server or a page.
pub(super) fn parse_url(text: &str) -> anyhow::Result<Uri> {
    let url: Uri = text.parse().with_context(|| format!("`{text}` is no URL"))?;
    let authority =
        url.authority().with_context(|| format!("`{text}` names no host; write `http://host:port/path`"))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        bail!("`{text}` is neither http nor https");
    }
    if authority.as_str().contains('@') {
        bail!("the URL holds credentials, which would end up in a file or a log; leave them out");
    }
    Ok(url)
}

/// Scheme, host and port of a URL.
pub(super) fn origin(url: &Uri) -> String {
    format!("{}://{}", url.scheme_str().unwrap_or("http"), url.authority().map_or("", |authority| authority.as_str()))
}

/// Runs what a command has to wait for.
pub(super) fn run<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    runtime.block_on(work)
}
