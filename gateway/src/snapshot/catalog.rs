//! What callers may use, as one OpenAPI document each.
//!
//! The operations come from the documents of backends and plugins, at the paths where routes lead to them; a route without a
//! document is shown as it is written. Documents are made when they are first asked for and kept as long as the snapshot.

use super::{Routed, Snapshot};
use crate::identity::Identity;
use crate::request::RequestView;
use crate::router::{HostPattern, RouteMatch};
use crate::snapshot::{Route, Target};
use bytes::Bytes;
use framex_openapi::{About, Document, LeftOut, Method, Part, PathTemplate, Published, for_framex, merge};
use http::{HeaderMap, HeaderValue};
use quick_cache::sync::Cache;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Documents that are kept, one for each set of routes that some caller may use.
const KEPT: usize = 32;

/// Methods that are shown of a route that takes all and has no document.
const SHOWN_OF_ALL: [Method; 2] = [Method::Get, Method::Post];

/// What callers may use.
#[derive(Debug)]
pub struct Catalog {
    sources: Vec<Source>,
    entries: Vec<Entry>,
    about: About,
    /// What it is called by FrameX instances.
    name: String,
    kept: Cache<(Reader, Vec<bool>), Arc<Page>>,
}

/// Who reads a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reader {
    /// Anybody.
    Anyone,
    /// FrameX's proxy plugin, which stops at much of what OpenAPI allows.
    Framex,
}

/// A document, ready to be sent.
#[derive(Debug)]
pub struct Page {
    /// JSON.
    pub body: Bytes,
    /// Its entity tag (RFC 9110 §8.8.3).
    pub etag: HeaderValue,
    /// Operations that are not in it.
    pub left_out: Vec<LeftOut>,
}

/// A plugin or backend.
#[derive(Debug)]
struct Source {
    namespace: Arc<str>,
    name: String,
    document: Option<Arc<Document>>,
}

/// An operation.
#[derive(Debug)]
struct Entry {
    source: usize,
    route: Arc<Route>,
    hosts: Vec<HostPattern>,
    /// Its path in the source's document.
    path: String,
    method: Method,
    public_path: PathTemplate,
}

impl Catalog {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut draft = Draft {
            snapshot,
            sources: Vec::new(),
            indices: BTreeMap::new(),
            entries: Vec::new(),
            seen: HashSet::new(),
        };
        for (matches, route) in snapshot.routes_in_order() {
            draft.add(matches, route);
        }
        let Draft { sources, entries, .. } = draft;
        Self {
            sources,
            entries,
            about: about(snapshot),
            name: snapshot.gateway.documentation.name.clone(),
            kept: Cache::new(KEPT),
        }
    }

    /// The document of what `identity` may use at `host`. Takes a while where it was not asked for before.
    #[must_use]
    pub fn page(&self, identity: &Identity, host: &str, reader: Reader) -> Arc<Page> {
        let may_use: Vec<bool> = self.entries.iter().map(|entry| entry.is_for(identity, host)).collect();
        let key = (reader, may_use);
        if let Some(page) = self.kept.get(&key) {
            return page;
        }
        let page = Arc::new(self.make(&key.1, reader));
        self.kept.insert(key, page.clone());
        page
    }

    fn make(&self, may_use: &[bool], reader: Reader) -> Page {
        let mut parts: Vec<Part> = self.sources.iter().map(Source::part).collect();
        for (entry, _) in self.entries.iter().zip(may_use).filter(|(_, may_use)| **may_use) {
            parts[entry.source].operations.push(Published {
                path: entry.path.clone(),
                method: entry.method,
                public_path: entry.public_path.clone(),
                is_public: entry.route.rule.public,
                is_deprecated: false,
            });
        }
        parts.retain(|part| !part.operations.is_empty());
        let merged = merge(&self.about, &parts);
        let (document, left_out) = match reader {
            Reader::Anyone => (merged.document, merged.left_out),
            Reader::Framex => {
                let made = for_framex(&merged.document, &self.name);
                (made.document, merged.left_out.into_iter().chain(made.left_out).collect())
            }
        };
        for left_out in &left_out {
            tracing::debug!(?reader, %left_out, "an operation is not in the document");
        }
        let body = document.to_string();
        let digest = Sha256::digest(&body);
        let etag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        // Hex digits in quotes are a field value.
        let etag = HeaderValue::from_str(&format!("\"{etag}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Page { body: body.into(), etag, left_out }
    }
}

impl Entry {
    fn is_for(&self, identity: &Identity, host: &str) -> bool {
        (self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host)))
            && self.route.rule.authorise(identity).is_ok()
    }
}

impl Source {
    fn part(&self) -> Part {
        Part {
            document: self.document.clone(),
            namespace: self.namespace.to_string(),
            source: self.name.clone(),
            description: None,
            operations: Vec::new(),
        }
    }
}

fn about(snapshot: &Snapshot) -> About {
    let gateway = &snapshot.gateway;
    let mut schemes = Map::new();
    schemes.insert(
        "bearer".to_owned(),
        json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token of one of the gateway's issuers." }),
    );
    if !gateway.keys.is_empty() {
        let description = "A static key, without a scheme before it.";
        let scheme = json!({ "type": "apiKey", "in": "header", "name": "Authorization", "description": description });
        schemes.insert("key".to_owned(), scheme);
    }
    About {
        title: gateway.documentation.title.clone(),
        version: gateway.documentation.version.clone(),
        description: gateway.documentation.description.clone(),
        servers: vec![Value::Object(Map::from_iter([("url".to_owned(), json!("/"))]))],
        security_schemes: schemes,
    }
}

/// A catalog that is being made.
struct Draft<'a> {
    snapshot: &'a Snapshot,
    sources: Vec<Source>,
    indices: BTreeMap<(Arc<str>, String), usize>,
    entries: Vec<Entry>,
    seen: HashSet<(Vec<HostPattern>, String, Method)>,
}

impl Draft<'_> {
    fn add(&mut self, matches: &RouteMatch, route: &Arc<Route>) {
        if !matches.headers.is_empty() || !matches.query.is_empty() {
            // The document shows paths and methods; the route without conditions stands for it.
            return;
        }
        let targets: Vec<(String, Option<Arc<Document>>)> = route
            .shares()
            .map(|(_, share)| (share.target.name().to_owned(), self.snapshot.document_of(share)))
            .collect();
        let documented = targets.iter().find_map(|(name, document)| Some((name, document.as_ref()?)));
        let source = match documented {
            Some((name, document)) => self.source(route, name, Some(document)),
            None => self.source(route, route.target.name(), None),
        };
        if let Some((_, document)) = documented {
            let mut shows_some = false;
            for operation in document.operations() {
                let Some(public) = public_path(matches, route, operation.path()) else { continue };
                shows_some |= self.push(source, matches, route, operation.path(), operation.method(), &public);
            }
            if shows_some || self.is_twin(matches) {
                return;
            }
        }
        for method in Method::ALL {
            let is_shown = if matches.methods.is_all() {
                SHOWN_OF_ALL.contains(&method)
            } else {
                http_method(method).is_some_and(|method| matches.methods.names(&method))
            };
            if is_shown && method != Method::Options {
                let path = matches.path.as_str();
                self.push(source, matches, route, path, method, path);
            }
        }
    }

    /// Whether the route is there a second time, for the path with a slash more or less at its end.
    fn is_twin(&self, matches: &RouteMatch) -> bool {
        let text = matches.path.as_str();
        let other = text.strip_suffix('/').map_or_else(|| format!("{text}/"), str::to_owned);
        Method::ALL.iter().any(|method| self.seen.contains(&(matches.hosts.clone(), other.clone(), *method)))
    }

    fn source(&mut self, route: &Route, name: &str, document: Option<&Arc<Document>>) -> usize {
        let key = (route.namespace.clone(), name.to_owned());
        *self.indices.entry(key).or_insert_with(|| {
            self.sources.push(Source {
                namespace: route.namespace.clone(),
                name: name.to_owned(),
                document: document.cloned(),
            });
            self.sources.len() - 1
        })
    }

    /// Whether the operation is shown at `public`: a request there comes to this route.
    fn push(
        &mut self,
        source: usize,
        matches: &RouteMatch,
        route: &Arc<Route>,
        path: &str,
        method: Method,
        public: &str,
    ) -> bool {
        let Some(http_method) = http_method(method) else { return false };
        let Ok(public_path) = PathTemplate::parse(public) else { return false };
        let host = matches.hosts.first().map(|host| match host {
            HostPattern::Exact(host) => host.to_string(),
            HostPattern::Wildcard(suffix) => format!("any.{suffix}"),
        });
        let view = RequestView {
            method: &http_method,
            host: host.as_deref().unwrap_or_default(),
            path: public,
            query: None,
            headers: &HeaderMap::new(),
        };
        let comes_here = match self.snapshot.route(&view) {
            Routed::Route(found) => found.name == route.name && found.namespace == route.namespace,
            Routed::MethodNotAllowed(_) | Routed::Unavailable(_) | Routed::NotLearnt(_) | Routed::NotFound => false,
        };
        let key = (matches.hosts.clone(), public_path.identity(), method);
        if !comes_here || !self.seen.insert(key) {
            return false;
        }
        let hosts = matches.hosts.clone();
        self.entries.push(Entry { source, route: route.clone(), hosts, path: path.to_owned(), method, public_path });
        true
    }
}

/// Where callers find the path `path` of the backend, if the route leads there.
fn public_path(matches: &RouteMatch, route: &Route, path: &str) -> Option<String> {
    let rewrite = &route.rewrite;
    let rest = match &rewrite.add_prefix {
        Some(added) => path.strip_prefix(added.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))?,
        None => path,
    };
    let public = match &rewrite.strip_prefix {
        // The backend's root is the prefix itself.
        Some(stripped) if rest == "/" && !matches.path.as_str().ends_with('/') => stripped.clone(),
        Some(stripped) => format!("{stripped}{rest}"),
        None => rest.to_owned(),
    };
    // Templates that differ in names alone are one path.
    (matches.path.capture(&public).is_some()).then_some(public)
}

fn http_method(method: Method) -> Option<http::Method> {
    method.as_str().parse().ok()
}

impl Snapshot {
    /// What the target of a route says that it has.
    fn document_of(&self, route: &Route) -> Option<Arc<Document>> {
        let name = route.target.name();
        let of_package = self.namespaces.get(&*route.namespace).and_then(|part| part.documents.get(name));
        of_package.cloned().or_else(|| {
            let learnt = self.learnt.get(&*route.namespace)?;
            let is_network = matches!(&route.target, Target::Cluster(_));
            learnt.documents().find(|(backend, _)| is_network && *backend == name).map(|(_, document)| document.clone())
        })
    }
}
