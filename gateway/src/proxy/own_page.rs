//! What the gateway itself has: the document of everything it routes, and a page to try it.

use super::context::RequestContext;
use super::reply::edit_answer;
use crate::access::identify_if_shown;
use crate::rejection::{Reason, Rejection};
use crate::snapshot::{Reader, Snapshot};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use pingora_error::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use std::io::Read as _;
use std::time::SystemTime;

/// What may be loaded from where: nothing from elsewhere. Swagger UI sets styles on elements and draws images from data.
const POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// A page of the gateway itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum OwnPage {
    /// The document of what the caller may use.
    Document(Reader),
    /// A part of the page to try it.
    Asset(&'static Asset),
}

/// A file in the program.
#[derive(Debug)]
pub(super) struct Asset {
    path: &'static str,
    content_type: &'static str,
    is_compressed: bool,
    bytes: &'static [u8],
}

const fn asset(path: &'static str, content_type: &'static str, is_compressed: bool, bytes: &'static [u8]) -> Asset {
    Asset { path, content_type, is_compressed, bytes }
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: [Asset; 5] = [
    asset("/docs", HTML, false, include_bytes!("../../assets/docs/index.html")),
    asset("/docs/init.js", SCRIPT, false, include_bytes!("../../assets/docs/init.js")),
    asset(
        "/docs/swagger-ui-bundle.js",
        SCRIPT,
        true,
        include_bytes!("../../assets/swagger-ui/swagger-ui-bundle.js.gz"),
    ),
    asset(
        "/docs/swagger-ui.css",
        "text/css; charset=utf-8",
        true,
        include_bytes!("../../assets/swagger-ui/swagger-ui.css.gz"),
    ),
    asset("/docs/favicon.png", "image/png", false, include_bytes!("../../assets/swagger-ui/favicon-32x32.png")),
];

/// The page at `path`, where no route takes it.
///
/// # Errors
/// A 405 for a method that no page answers.
pub(super) fn find(path: &str, method: &Method, snapshot: &Snapshot) -> Result<Option<OwnPage>, Rejection> {
    if !snapshot.gateway.documentation.enabled {
        return Ok(None);
    }
    let page = match path {
        "/openapi.json" => Some(OwnPage::Document(Reader::Anyone)),
        // Where FrameX's proxy plugin looks for it.
        "/api/v1/openapi.json" => Some(OwnPage::Document(Reader::Framex)),
        _ => ASSETS.iter().find(|asset| asset.path == path).map(OwnPage::Asset),
    };
    if page.is_some() && !matches!(*method, Method::GET | Method::HEAD) {
        let mut rejection = Rejection::new(Reason::MethodNotAllowed, "allowed here: GET, HEAD");
        rejection.headers.allow = Some("GET, HEAD".to_owned());
        return Err(rejection);
    }
    Ok(page)
}

/// Answers with the page.
///
/// # Errors
/// A rejection as the inner one, when the caller's credentials are not accepted.
pub(super) async fn answer(
    session: &mut Session,
    context: &mut RequestContext,
    page: OwnPage,
) -> Result<Result<(), Rejection>> {
    let (body, mut fields) = match page {
        OwnPage::Asset(asset) => of_asset(asset, &session.req_header().headers),
        OwnPage::Document(reader) => match document(session, context, reader).await {
            Ok(document) => document,
            Err(rejection) => return Ok(Err(rejection)),
        },
    };
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let asked = session.req_header().headers.get(header::IF_NONE_MATCH);
    let is_known = asked.is_some() && asked == fields.get(header::ETAG);
    let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut answer = ResponseHeader::build(status, Some(fields.len() + 2))?;
    for (name, value) in &fields {
        answer.insert_header(name.clone(), value.clone())?;
    }
    let has_body = !is_known && session.req_header().method != Method::HEAD;
    if !is_known {
        answer.insert_header(header::CONTENT_LENGTH, body.len())?;
    }
    context.answer_began(&answer);
    edit_answer(&mut answer, context)?;
    session.write_response_header(Box::new(answer), !has_body).await?;
    if has_body {
        session.write_response_body(Some(body), true).await?;
    }
    Ok(Ok(()))
}

fn of_asset(asset: &Asset, asked: &HeaderMap) -> (Bytes, HeaderMap) {
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    // They change with the program alone, which is asked each time.
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let is_packed = asset.is_compressed && accepts_gzip(asked);
    let coding = if is_packed { "-gzip" } else { "" };
    let etag = format!("\"{}-{}{coding}\"", env!("CARGO_PKG_VERSION"), asset.bytes.len());
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        fields.insert(header::ETAG, etag);
    }
    fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if !asset.is_compressed {
        return (Bytes::from_static(asset.bytes), fields);
    }
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return (Bytes::from_static(asset.bytes), fields);
    }
    let mut plain = Vec::new();
    // What was compressed when the program was made can be read.
    let _ = GzDecoder::new(asset.bytes).read_to_end(&mut plain);
    (plain.into(), fields)
}

/// RFC 9110 §12.5.3, as far as it matters here: named, and not with a weight of 0.
fn accepts_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
            && !parts.any(|weight| {
                weight.strip_prefix("q=").is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty())
            })
    })
}

async fn document(
    session: &Session,
    context: &mut RequestContext,
    reader: Reader,
) -> Result<(Bytes, HeaderMap), Rejection> {
    let snapshot = context.snapshot.clone().ok_or(Reason::Internal)?;
    let now = context.time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    context.identity = identify_if_shown(&snapshot.tokens, &session.req_header().headers, now)?;
    let (identity, host) = (context.identity.clone(), context.host.clone());
    // The first time, large documents are put together.
    let made = tokio::task::spawn_blocking(move || snapshot.catalog().page(&identity, &host, reader)).await;
    let page = made.map_err(|error| Rejection::from(Reason::Internal).with_note(error.to_string()))?;
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    fields.insert(header::VARY, HeaderValue::from_static("authorization, host"));
    fields.insert(header::ETAG, page.etag.clone());
    Ok((page.body.clone(), fields))
}
