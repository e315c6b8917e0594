//! The application's OpenAPI document, if it can be learnt from.

use super::check::Question;
use super::finding::Finding;
use super::probe::Probe;
use framex_openapi::{Bounds, Document, ReadError};
use serde_json::Value;

/// Where applications have it.
const USUAL: [&str; 2] = ["/openapi.json", "/api/v1/openapi.json"];
/// A document of this size is read and sent, but is worth knowing.
const LARGE: usize = 2 << 20;
/// Notes that are shown.
const MOST_NOTES: usize = 20;

/// A document that can be learnt from.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) path: String,
    pub(super) document: Document,
    /// As it was sent.
    pub(super) raw: Value,
}

impl Known {
    /// Whether a FrameX instance wrote it.
    pub(super) fn is_framex(&self) -> bool {
        self.document.title() == "FrameX API"
    }

    /// Whether the document has an operation that a path may be of.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        self.document.operations().iter().any(|operation| is_of(operation.path(), path))
    }
}

/// Whether a path is one of a template.
fn is_of(template: &str, path: &str) -> bool {
    let (mut of_template, mut of_path) = (template.split('/'), path.split('/'));
    loop {
        match (of_template.next(), of_path.next()) {
            (None, None) => return true,
            (Some(template), Some(path)) if template.contains('{') || template == path => {}
            _ => return false,
        }
    }
}

pub(super) async fn check(probe: &mut Probe, question: &Question, findings: &mut Vec<Finding>) -> Option<Known> {
    let paths: Vec<&str> = match &question.openapi {
        Some(path) => vec![path.as_str()],
        None => USUAL.to_vec(),
    };
    let written =
        "routes that are written down: `match: { path: PREFIX/** }, to: NAME, rewrite: { strip_prefix: PREFIX }`";
    let mut missing = Vec::new();
    for path in paths {
        let page = match probe.document(path).await {
            Ok(page) => page,
            Err(error) => {
                missing.push(format!("{path}: {error:#}"));
                continue;
            }
        };
        match page.status.as_u16() {
            200 if !page.is_whole => {
                let why = format!("The document broke off or has more than {} MiB.", Bounds::default().bytes >> 20);
                findings.push(Finding::breaks("document_large", why, written).at([path]));
                return None;
            }
            200 => return read(path, &page.body, findings),
            401 | 403 => {
                let why = format!(
                    "The document is answered with {}: the gateway asks for it without a login, so it can learn nothing.",
                    page.status.as_u16()
                );
                findings.push(
                    Finding::breaks("document_closed", why, format!("the document open to the gateway, or {written}"))
                        .at([path]),
                );
                return None;
            }
            status if page.status.is_redirection() => {
                missing.push(format!("{path} answers {status} to {}", page.field("location")));
            }
            status => missing.push(format!("{path} answers {status}")),
        }
    }
    let why = format!(
        "There is no OpenAPI document ({}), so nothing can be learnt and callers see no operations.",
        missing.join("; ")
    );
    let setting = format!("`openapi: PATH` of the backend (--openapi here) if it is elsewhere, else {written}");
    findings.push(match question.openapi {
        Some(_) => Finding::breaks("document_missing", why, setting),
        None => Finding::look("document_missing", why, setting),
    });
    None
}

fn read(path: &str, bytes: &[u8], findings: &mut Vec<Finding>) -> Option<Known> {
    let document = match Document::read(bytes, &Bounds::default()) {
        Ok(document) => document,
        Err(error) => {
            let setting = match &error {
                ReadError::Swagger(_) => "a newer generator in the application, or the document converted to OpenAPI 3",
                _ => "a document of OpenAPI 3.0 or 3.1",
            };
            findings.push(
                Finding::breaks("document_unreadable", format!("Nothing can be learnt of it: {error}."), setting)
                    .at([path]),
            );
            return None;
        }
    };
    let raw: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let version = raw["openapi"].as_str().unwrap_or_default();
    findings.push(
        Finding::fine(
            "document",
            format!(
                "OpenAPI {version}, {} operations, {} KiB: they are routed without being written down.",
                document.operations().len(),
                bytes.len() >> 10
            ),
        )
        .at([path]),
    );
    if bytes.len() > LARGE {
        let why = format!(
            "The document has {} MiB. Whoever asks the gateway for the document of everything is sent this, too.",
            bytes.len() >> 20
        );
        findings.push(
            Finding::look(
                "document_large",
                why,
                "`openapi: { interval: 5m }` asks more seldom; ETags in the application save sending it",
            )
            .at([path]),
        );
    }
    for note in document.notes().iter().take(MOST_NOTES) {
        findings.push(
            Finding::look("document_part", format!("Part of the document is not used: {}.", note.reason), "")
                .at([note.place.clone()]),
        );
    }
    let servers = raw["servers"].as_array().into_iter().flatten().filter_map(|server| server["url"].as_str());
    for server in servers.filter(|server| *server != "/") {
        let is_absolute = server.parse::<http::Uri>().is_ok_and(|url| url.scheme().is_some());
        findings.push(if is_absolute {
            Finding::look("servers", format!("The document says that the service is at {server}; callers will use the gateway's address. A path in it is not asked for."), "`rewrite: { add_prefix: … }` of written routes, where the application is really below that path").at([server])
        } else {
            Finding::look("root_path", format!("The application believes that it is below {server} (`root_path`), and writes links for that place."), format!("`at: {server}` for the same place at the gateway, or no root_path: the gateway says the prefix in X-Forwarded-Prefix")).at([server])
        });
    }
    Some(Known { path: path.to_owned(), document, raw })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_a_template_segment_by_segment() {
        assert!(is_of("/items/{id}", "/items/7") && is_of("/tiles/{x}.png", "/tiles/1.png"));
        assert!(!is_of("/items/{id}", "/items") && !is_of("/items", "/items/7") && !is_of("/a", "/b"));
    }
}
