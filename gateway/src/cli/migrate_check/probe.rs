//! Asking the application, within bounds.

use crate::backends::OutboundError;
use crate::cli::web::{Bounds, Page, Web};
use http::{Method, Uri};
use std::time::Duration;
use tokio::time::Instant;

/// Questions of one check.
const MOST_REQUESTS: usize = 200;
/// Time of one check.
const LONGEST: Duration = Duration::from_secs(90);
/// What a page may cost.
const PAGE: Bounds = Bounds { time: Duration::from_secs(4), bytes: 1 << 20 };
/// What a document may cost.
const DOCUMENT: Bounds = Bounds { time: Duration::from_secs(30), bytes: 32 << 20 };

/// Asks one application.
#[derive(Debug)]
pub(super) struct Probe {
    web: Web,
    origin: String,
    /// Sent with every request.
    fields: Vec<(String, String)>,
    began: Instant,
    requests: usize,
}

/// What a path looks like that the application does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    status: u16,
    body: Vec<u8>,
}

impl Shape {
    pub(super) fn of(page: &Page, path: &str) -> Self {
        // A page that repeats the path looks the same for every one.
        let body = String::from_utf8_lossy(&page.body).replace(path, "");
        Self { status: page.status.as_u16(), body: body.into_bytes() }
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }
}

impl Probe {
    pub(super) fn new(origin: &str, fields: Vec<(String, String)>) -> anyhow::Result<Self> {
        Ok(Self { web: Web::new()?, origin: origin.to_owned(), fields, began: Instant::now(), requests: 0 })
    }

    pub(super) fn requests(&self) -> usize {
        self.requests
    }

    /// Whether no more may be asked.
    pub(super) fn is_spent(&self) -> bool {
        self.requests >= MOST_REQUESTS || self.began.elapsed() > LONGEST
    }

    /// Sends this with every further request.
    pub(super) fn add_field(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// A GET; `None` when there was no answer, or no more may be asked.
    pub(super) async fn get(&mut self, path: &str) -> Option<Page> {
        self.ask(Method::GET, path, &[]).await
    }

    /// Any safe request.
    pub(super) async fn ask(&mut self, method: Method, path: &str, fields: &[(&str, &str)]) -> Option<Page> {
        if self.is_spent() {
            return None;
        }
        self.try_ask(method, path, fields, PAGE).await.ok()
    }

    /// A GET for a document.
    pub(super) async fn document(&mut self, path: &str) -> anyhow::Result<Page> {
        self.try_ask(Method::GET, path, &[("accept", "application/json")], DOCUMENT).await
    }

    /// The first question, whose failure is worth telling.
    pub(super) async fn first(&mut self) -> anyhow::Result<Page> {
        self.try_ask(Method::GET, "/", &[], PAGE).await
    }

    async fn try_ask(
        &mut self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        bounds: Bounds,
    ) -> anyhow::Result<Page> {
        debug_assert!(method.is_safe(), "a check changes nothing");
        self.requests += 1;
        let url: Uri = format!("{}{path}", self.origin).parse()?;
        let own = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // What one question says itself goes before what all say.
        let own = own.filter(|(name, _)| !fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
        let all: Vec<(&str, &str)> = own.chain(fields.iter().copied()).collect();
        match self.web.ask(method.clone(), &url, &all, bounds).await {
            // uvicorn closes a connection after an exception in the application without saying so.
            Err(error) if error.is::<OutboundError>() => self.web.ask(method, &url, &all, bounds).await,
            other => other,
        }
    }
}
