//! Where an OpenAPI document comes from.

use crate::cli::web::{Bounds, Web, origin, parse_url, run};
use anyhow::{Context as _, bail};
use http::{Method, Uri};
use serde_json::Value;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(30), bytes: 32 << 20 };
/// Where applications have their documents, for a URL that names none.
const USUAL: [&str; 2] = ["/openapi.json", "/api/v1/openapi.json"];

/// A document that was read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) document: Value,
    pub(super) origin: Origin,
}

/// Where it was.
#[derive(Debug)]
pub(super) enum Origin {
    /// Served by this address under this path.
    Url { endpoint: String, path: String },
    /// In a file.
    File(PathBuf),
}

/// Reads a document from a URL or a file.
pub(super) fn read(source: &str) -> anyhow::Result<Source> {
    if source.starts_with("http://") || source.starts_with("https://") {
        let url = parse_url(source)?;
        return run(fetch(&url));
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(BOUNDS.bytes).unwrap_or(u64::MAX);
    let file = std::fs::File::open(source).with_context(|| format!("cannot read {source}"))?;
    file.take(most + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {source}"))?;
    if bytes.len() > BOUNDS.bytes {
        bail!("{source} has more than {} MiB", BOUNDS.bytes >> 20);
    }
    Ok(Source { document: parse(&bytes).with_context(|| source.to_owned())?, origin: Origin::File(source.into()) })
}

async fn fetch(url: &Uri) -> anyhow::Result<Source> {
    let web = Web::new()?;
    let endpoint = origin(url);
    let named = url.path_and_query().map_or("/", |path| path.as_str());
    let paths: Vec<&str> = if named == "/" { USUAL.to_vec() } else { vec![named] };
    let mut failures = Vec::new();
    for path in paths {
        let url: Uri = format!("{endpoint}{path}").parse().context("the URL is not valid")?;
        let page =
            web.ask(Method::GET, &url, &[("accept", "application/json, application/yaml;q=0.9, */*;q=0.5")], BOUNDS);
        match page.await {
            Ok(page) if page.status.is_success() && page.is_whole => {
                let document = parse(&page.body).with_context(|| url.to_string())?;
                return Ok(Source { document, origin: Origin::Url { endpoint, path: path.to_owned() } });
            }
            Ok(page) if page.status.is_success() => {
                failures.push(format!("{url} broke off or has more than {} MiB", BOUNDS.bytes >> 20));
            }
            Ok(page) if page.status.is_redirection() => {
                failures.push(format!("{url} answers {} to {}", page.status.as_u16(), page.field("location")));
            }
            Ok(page) => failures.push(format!("{url} answers {}", page.status.as_u16())),
            Err(error) => failures.push(format!("{url}: {error:#}")),
        }
    }
    bail!("there is no document: {}", failures.join("; "))
}

/// JSON, or YAML as JSON.
fn parse(bytes: &[u8]) -> anyhow::Result<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii_start().starts_with(b"{") {
        return serde_json::from_slice(bytes).context("is no JSON");
    }
    let yaml: serde_yaml::Value = serde_yaml::from_slice(bytes).context("is neither JSON nor YAML")?;
    serde_json::to_value(yaml).context("is YAML that no JSON can say")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_are_the_same_document() {
        let yaml =
            parse(b"openapi: 3.1.0\npaths:\n  /a: { get: { responses: { 200: { description: ok } } } }\n").unwrap();
        let json = parse(br#" {"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"200":{"description":"ok"}}}}}}"#);
        assert_eq!(yaml, json.unwrap());
        assert!(parse(b"<html>").is_ok_and(|text| text.is_string()), "it is refused later, as no document");
        assert!(parse(b"a: [").is_err());
    }
}
