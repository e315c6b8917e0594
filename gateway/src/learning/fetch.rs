//! Asking a backend for its document.

use crate::backends::{Cluster, ClusterClient, ClusterError};
use bytes::Bytes;
use framex_openapi::Bounds;
use framex_plugin_host::empty_body;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use std::sync::Arc;
use std::time::Duration;

/// Longest time from the question to the whole document.
const LONGEST: Duration = Duration::from_secs(30);

/// What a backend answered.
pub(super) enum Fetched {
    /// It is the one whose `ETag` was sent (RFC 9110 §13.1.2).
    Unchanged,
    /// This one.
    Document {
        /// JSON, perhaps.
        bytes: Bytes,
        /// What to ask with the next time.
        etag: Option<HeaderValue>,
    },
}

/// A backend gave no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("it did not come within {} s", LONGEST.as_secs())]
    Late,
    #[error("the answer is {0}, not 200")]
    Status(StatusCode),
    #[error("the answer broke off or has more than {} MiB", Bounds::default().bytes >> 20)]
    Body,
    #[error("the path cannot be asked for")]
    Path,
}

/// Asks for the document at `path`; `etag` is that of the last one.
pub(super) async fn fetch(
    client: &ClusterClient,
    cluster: &Arc<Cluster>,
    path: &str,
    etag: Option<&HeaderValue>,
) -> Result<Fetched, FetchError> {
    let mut request = Request::get(path).body(empty_body()).map_err(|_not_valid| FetchError::Path)?;
    let fields = request.headers_mut();
    fields.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    fields.insert(header::USER_AGENT, HeaderValue::from_static(concat!("framex-gateway/", env!("CARGO_PKG_VERSION"))));
    if let Some(key) = &cluster.key_field {
        fields.insert(header::AUTHORIZATION, key.clone());
    }
    if let Some(etag) = etag {
        fields.insert(header::IF_NONE_MATCH, etag.clone());
    }
    let exchange = async {
        let answer = client.call(cluster, request, None, None, &mut Vec::new()).await?;
        match answer.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Fetched::Unchanged),
            StatusCode::OK => {}
            status => return Err(FetchError::Status(status)),
        }
        let etag = answer.headers().get(header::ETAG).cloned();
        let body = Limited::new(answer.into_body(), Bounds::default().bytes).collect().await;
        let bytes = body.map_err(|_too_long_or_broken| FetchError::Body)?.to_bytes();
        Ok(Fetched::Document { bytes, etag })
    };
    tokio::time::timeout(LONGEST, exchange).await.map_err(|_elapsed| FetchError::Late)?
}
