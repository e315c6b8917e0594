//! Under which key an answer is kept.

use super::store::AnswerStore;
use crate::config::CacheRules;
use crate::identity::{Identity, NamespaceGrant};
use crate::proxy::context::RequestContext;
use crate::snapshot::RouteCache;
use framex_wire::cache_control::{cache_key, store_key};
use http::{HeaderMap, Method, header};
use pingora_proxy::Session;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The key of a request: a hash of everything on which its answer depends, in hex.
pub(super) fn of(
    session: &Session,
    context: &RequestContext,
    cache: &RouteCache,
    body: &[u8],
    store: &AnswerStore,
) -> String {
    let head = session.req_header();
    let path = context.path(head);
    let mut key = Key::default();
    key.part(&cache.scope.to_le_bytes());
    key.part(if context.via_tls { b"https" } else { b"http" });
    key.part(context.host.as_bytes());
    match cache.rules {
        CacheRules::Framex => {
            key.part(
                store_key(&cache_key(head.method.as_str(), path, &arguments(head.uri.query(), &head.headers, body)))
                    .as_bytes(),
            );
        }
        CacheRules::Http => {
            // HEAD asks for what GET asks for.
            key.part(Method::GET.as_str().as_bytes());
            key.part(path.as_bytes());
            key.part(head.uri.query().unwrap_or("\0").as_bytes());
            let namespace = context.route.as_ref().map_or("", |route| &route.namespace);
            key.part(&store.changes(namespace, path).to_le_bytes());
        }
    }
    for name in &cache.vary {
        key.fields(&head.headers, name);
    }
    if !cache.shared {
        key.identity(&context.identity);
        if cache.shows_authorization {
            key.fields(&head.headers, &header::AUTHORIZATION);
        }
        key.fields(&head.headers, &header::COOKIE);
    }
    key.finish()
}

/// A hash of parts, each with its length before it: no two lists of parts are alike.
#[derive(Default)]
struct Key(Sha256);

impl Key {
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn fields(&mut self, fields: &HeaderMap, name: &http::HeaderName) {
        let values = fields.get_all(name);
        self.part(name.as_str().as_bytes());
        self.part(&(values.iter().count() as u64).to_le_bytes());
        for value in values {
            self.part(value.as_bytes());
        }
    }

    fn identity(&mut self, identity: &Identity) {
        self.part(identity.plugin().map_or("", |plugin| &plugin.name).as_bytes());
        let Some(caller) = identity.on_behalf_of() else { return self.part(b"nobody") };
        self.part(b"caller");
        self.part(caller.issuer.as_bytes());
        self.part(caller.subject.as_bytes());
        match &caller.namespaces {
            NamespaceGrant::All => self.part(b"*"),
            NamespaceGrant::Only(names) => {
                let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
                names.sort_unstable();
                self.part(names.join("\n").as_bytes());
            }
        }
    }

    fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a FrameX plugin is asked: the parameters whatever their order, and the body as the value that it says.
fn arguments(query: Option<&str>, fields: &HeaderMap, body: &[u8]) -> Value {
    let mut parameters: Map<String, Value> = Map::new();
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let values = parameters.entry(decoded(name)).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(decoded(value).into());
        }
    }
    let content_type = fields.get(header::CONTENT_TYPE).map_or(&b""[..], http::HeaderValue::as_bytes);
    let json =
        content_type.starts_with(b"application/json").then(|| serde_json::from_slice::<Value>(body).ok()).flatten();
    let body = json.unwrap_or_else(|| {
        let hash: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "type": String::from_utf8_lossy(content_type), "sha256": hash })
    });
    json!({ "query": parameters, "body": body })
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Caller;
    use std::sync::Arc;

    fn keyed(identity: &Identity) -> String {
        let mut key = Key::default();
        key.identity(identity);
        key.finish()
    }

    fn caller(subject: &str, issuer: &str, namespaces: &[&str]) -> Identity {
        Identity::Caller(Arc::new(Caller {
            subject: subject.to_owned(),
            subject_field: None,
            issuer: issuer.into(),
            namespaces: NamespaceGrant::Only(namespaces.iter().map(|name| (*name).to_owned()).collect()),
            dialect: None,
            claims: Value::Null,
            key: None,
            priority: None,
        }))
    }

    #[test]
    fn no_two_identities_have_one_key() {
        let identities = [
            Identity::Anonymous,
            caller("", "", &[]),
            caller("alice", "one", &["a"]),
            caller("alice", "two", &["a"]),
            caller("alice", "one", &["a", "b"]),
            caller("alic", "eone", &["a"]),
            caller("bob", "one", &["a"]),
        ];
        let mut keys: Vec<String> = identities.iter().map(keyed).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), identities.len());
        assert_eq!(keyed(&caller("a", "i", &["x", "y"])), keyed(&caller("a", "i", &["y", "x"])));
    }

    #[test]
    fn a_framex_plugin_is_asked_the_same_whatever_the_order_and_the_blanks() {
        let mut json_fields = HeaderMap::new();
        json_fields.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        let key = |query, fields: &HeaderMap, body: &str| {
            cache_key("POST", "/p", &arguments(Some(query), fields, body.as_bytes()))
        };
        assert_eq!(
            key("a=1&b=x+y", &json_fields, r#"{"x":1,"y":[2]}"#),
            key("b=x%20y&a=1", &json_fields, r#"{ "y": [2], "x": 1 }"#)
        );
        assert_ne!(key("a=1&a=2", &json_fields, "{}"), key("a=2&a=1", &json_fields, "{}"));
        assert_ne!(key("", &HeaderMap::new(), "1"), key("", &HeaderMap::new(), "2"));
        assert_ne!(key("", &json_fields, "{"), key("", &HeaderMap::new(), "{"));
    }
}
