//! Links of an application that is served somewhere else than it thinks: at another host, over another scheme, under a prefix.
//!
//! An application writes links for the place where it believes to be. What it sends back is changed so that clients find what is
//! meant; what leads elsewhere stays. Pure: text in, text out, `None` for "as it is".

use serde_json::{Map, Value, json};

/// Where an application is, and where it believes to be.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// How clients reach the gateway: `http` or `https`.
    pub scheme: &'a str,
    /// The host, with its port, that the client named.
    pub authority: &'a str,
    /// What stands before the application's paths at the gateway; empty, or starts with `/` and does not end with one.
    pub prefix: &'a str,
    /// What the application's paths begin with of which clients see nothing; in the same form.
    pub hidden_prefix: &'a str,
    /// Hosts, with their ports, by which the application may call itself.
    pub own_authorities: [&'a str; 2],
}

impl Move<'_> {
    /// A URL or URL reference (RFC 3986 §4.1), as in `Location`.
    #[must_use]
    pub fn url(&self, text: &str) -> Option<String> {
        if let Some(rest) = text.strip_prefix("//") {
            let (authority, path) = split_authority(rest);
            return self.is_own(authority).then(|| format!("//{}{}", self.authority, self.path(path)));
        }
        if text.starts_with('/') {
            return Some(self.path(text)).filter(|moved| moved != text);
        }
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = split_authority(rest);
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") || !self.is_own(authority) {
            return None;
        }
        let moved = format!("{}://{}{}", self.scheme, self.authority, self.path(path));
        Some(moved).filter(|moved| moved != text)
    }

    /// The value of a `Set-Cookie` field (RFC 6265 §4.1): a cookie of the whole application belongs to its prefix, and is shown to
    /// nobody else's application.
    #[must_use]
    pub fn cookie(&self, text: &str) -> Option<String> {
        let mut moved = String::with_capacity(text.len() + self.prefix.len());
        for (index, part) in text.split(';').enumerate() {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let is = |attribute: &str| index > 0 && name.trim().eq_ignore_ascii_case(attribute);
            if is("domain") && self.is_own_host(value.trim().trim_start_matches('.')) {
                // Without a domain it belongs to the host that the client named.
                continue;
            }
            if index > 0 {
                moved.push(';');
            }
            if is("path") && value.trim().starts_with('/') {
                let path = self.path(value.trim());
                // `/prefix/` would not match `/prefix` itself (RFC 6265 §5.1.4).
                let path = if value.trim() == "/" && !self.prefix.is_empty() { self.prefix } else { &path };
                moved.push_str(&format!("{name}={path}"));
            } else {
                moved.push_str(part);
            }
        }
        Some(moved).filter(|moved| moved != text)
    }

    /// The value of a `Link` field (RFC 8288 §3): every `<target>` in it.
    #[must_use]
    pub fn link_field(&self, text: &str) -> Option<String> {
        let mut moved = String::with_capacity(text.len() + self.prefix.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            let (target, after) = after.split_once('>')?;
            moved.push_str(before);
            moved.push('<');
            moved.push_str(self.url(target).as_deref().unwrap_or(target));
            moved.push('>');
            rest = after;
        }
        moved.push_str(rest);
        Some(moved).filter(|moved| moved != text)
    }

    /// A page of Swagger UI or ReDoc: every quoted text in it that is a path. `None` also for other pages.
    #[must_use]
    pub fn docs_page(&self, html: &str) -> Option<String> {
        let known = ["SwaggerUIBundle", "swagger-ui", "redoc"];
        if self.prefix.is_empty() && self.hidden_prefix.is_empty() || !known.iter().any(|word| html.contains(word)) {
            return None;
        }
        let mut moved = String::with_capacity(html.len() + 4 * self.prefix.len());
        let mut rest = html;
        while let Some(open) = rest.find(['"', '\'']) {
            let (before, quoted) = rest.split_at(open);
            let quote = &quoted[..1];
            moved.push_str(before);
            moved.push_str(quote);
            rest = &quoted[1..];
            let is_path = rest.starts_with('/') && !rest.starts_with("//");
            if let Some(end) = rest.find(quote).filter(|end| is_path && !rest[..*end].contains(['\n', '<', ' '])) {
                moved.push_str(&self.path(&rest[..end]));
                rest = &rest[end..];
                moved.push_str(quote);
                rest = &rest[1..];
            }
        }
        moved.push_str(rest);
        Some(moved).filter(|moved| moved != html)
    }

    /// An OpenAPI document: where its server is.
    #[must_use]
    pub fn document(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut document: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
        if !document.contains_key("openapi") {
            return None;
        }
        let root = if self.prefix.is_empty() { "/" } else { self.prefix };
        let given = document.get("servers").and_then(Value::as_array).filter(|servers| !servers.is_empty());
        let servers = match given {
            None if self.hidden_prefix.is_empty() && self.prefix.is_empty() => return None,
            None => json!([{ "url": root }]),
            Some(servers) => servers
                .iter()
                .cloned()
                .map(|mut server| {
                    let url = server.get("url").and_then(Value::as_str).unwrap_or_default();
                    let moved = if url == "/" || url.is_empty() { Some(root.to_owned()) } else { self.url(url) };
                    if let (Some(moved), Some(server)) = (moved, server.as_object_mut()) {
                        server.insert("url".to_owned(), Value::String(moved));
                    }
                    server
                })
                .collect(),
        };
        // It stands where it stood, or right behind what the document is.
        match document.get_mut("servers") {
            Some(place) => *place = servers,
            None => drop(document.shift_insert(2.min(document.len()), "servers".to_owned(), servers)),
        }
        serde_json::to_vec(&document).ok()
    }

    /// A path that starts with `/`, with whatever follows it; also an empty one.
    fn path(&self, path: &str) -> String {
        let path = if path.is_empty() { "/" } else { path };
        let is_below = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
        };
        if !self.prefix.is_empty() && is_below(self.prefix) {
            // The application knows its prefix (`root_path`).
            return path.to_owned();
        }
        if self.hidden_prefix.is_empty() {
            return format!("{}{path}", self.prefix);
        }
        match path.strip_prefix(self.hidden_prefix).filter(|_| is_below(self.hidden_prefix)) {
            Some(rest) if rest.is_empty() && self.prefix.is_empty() => "/".to_owned(),
            Some(rest) => format!("{}{rest}", self.prefix),
            // It leads out of what clients can reach.
            None => path.to_owned(),
        }
    }

    fn is_own(&self, authority: &str) -> bool {
        authority.eq_ignore_ascii_case(self.authority)
            || self.own_authorities.iter().any(|own| !own.is_empty() && authority.eq_ignore_ascii_case(own))
    }

    /// Whether a host without a port is one by which the application calls itself.
    fn is_own_host(&self, host: &str) -> bool {
        let host_of = |authority: &str| match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
            _ => authority.to_owned(),
        };
        self.own_authorities.iter().any(|own| !own.is_empty() && host.eq_ignore_ascii_case(&host_of(own)))
    }
}

/// An authority, and the path, query and fragment behind it.
fn split_authority(text: &str) -> (&str, &str) {
    text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVED: Move<'_> = Move {
        scheme: "https",
        authority: "api.example.com",
        prefix: "/api/v1/shop",
        hidden_prefix: "",
        own_authorities: ["10.0.0.7:8000", "shop.internal"],
    };

    #[test]
    fn links_into_the_application_are_moved_and_others_stay() {
        for (link, moved) in [
            ("/items", Some("/api/v1/shop/items")),
            ("/", Some("/api/v1/shop/")),
            ("/items?next=/x#y", Some("/api/v1/shop/items?next=/x#y")),
            ("items/7", None),
            ("?page=2", None),
            ("", None),
            ("http://10.0.0.7:8000/items/", Some("https://api.example.com/api/v1/shop/items/")),
            ("HTTP://Shop.Internal", Some("https://api.example.com/api/v1/shop/")),
            ("http://api.example.com/items/", Some("https://api.example.com/api/v1/shop/items/")),
            ("//shop.internal/items", Some("//api.example.com/api/v1/shop/items")),
            ("/api/v1/shop/items", None),
            ("/api/v1/shop?x", None),
            ("/api/v1/shopping", Some("/api/v1/shop/api/v1/shopping")),
            ("https://api.example.com/api/v1/shop/items", None),
            ("https://login.example.com/items", None),
            ("http://10.0.0.7:8001/items", None),
            ("//cdn.example.com/x", None),
            ("mailto:a@shop.internal", None),
            ("ftp://shop.internal/x", None),
        ] {
            assert_eq!(MOVED.url(link).as_deref(), moved, "{link}");
        }
    }

    #[test]
    fn a_prefix_that_clients_do_not_see_is_taken_off() {
        let moved = Move { prefix: "/shop", hidden_prefix: "/v2", ..MOVED };
        assert_eq!(moved.url("/v2/items").as_deref(), Some("/shop/items"));
        assert_eq!(moved.url("/v2").as_deref(), Some("/shop"));
        assert_eq!(moved.url("/v1/items"), None);
        let moved = Move { prefix: "", ..moved };
        assert_eq!(moved.url("/v2").as_deref(), Some("/"));
        assert_eq!(moved.url("/v2/items").as_deref(), Some("/items"));
    }

    #[test]
    fn cookies_belong_to_the_application_alone() {
        for (cookie, moved) in [
            ("s=1; Path=/; HttpOnly", Some("s=1; Path=/api/v1/shop; HttpOnly")),
            ("s=1; path=/cart; Secure", Some("s=1; path=/api/v1/shop/cart; Secure")),
            ("s=1; Path=/; Domain=shop.internal; Max-Age=5", Some("s=1; Path=/api/v1/shop; Max-Age=5")),
            ("s=1; Domain=.10.0.0.7", Some("s=1")),
            ("s=1; Domain=example.com", None),
            ("s=1", None),
            ("path=/; HttpOnly", None),
            ("s=1; Path=/api/v1/shop", None),
        ] {
            assert_eq!(MOVED.cookie(cookie).as_deref(), moved, "{cookie}");
        }
    }

    #[test]
    fn link_fields_and_documents_are_moved() {
        let field = "</items?page=2>; rel=\"next\", <https://other/x>; rel=\"up\"";
        let moved = "</api/v1/shop/items?page=2>; rel=\"next\", <https://other/x>; rel=\"up\"";
        assert_eq!(MOVED.link_field(field).as_deref(), Some(moved));
        assert_eq!(MOVED.link_field("<unclosed"), None);
        let document = |text: &str| MOVED.document(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(
            document(r#"{"openapi":"3.1.0","info":{},"paths":{}}"#).as_deref(),
            Some(r#"{"openapi":"3.1.0","info":{},"servers":[{"url":"/api/v1/shop"}],"paths":{}}"#)
        );
        assert_eq!(
            document(
                r#"{"openapi":"3.1.0","servers":[{"url":"/"},{"url":"https://x/"},{"url":"http://shop.internal/"}]}"#
            )
            .as_deref(),
            Some(
                r#"{"openapi":"3.1.0","servers":[{"url":"/api/v1/shop"},{"url":"https://x/"},{"url":"https://api.example.com/api/v1/shop/"}]}"#
            )
        );
        assert_eq!(document("[1]"), None);
        assert_eq!(document("{}"), None);
    }

    #[test]
    fn pages_of_swagger_ui_and_redoc_find_their_document() {
        let page = "<title>shop - Swagger UI</title><link href=\"https://cdn/swagger-ui.css\"><script src=\"/static/a.js\"></script>
    const ui = SwaggerUIBundle({ url: '/openapi.json', \"dom_id\": \"#swagger-ui\",
    oauth2RedirectUrl: window.location.origin + '/docs/oauth2-redirect' })";
        let moved = MOVED.docs_page(page).expect("it is one");
        assert!(
            moved.contains("url: '/api/v1/shop/openapi.json'") && moved.contains("src=\"/api/v1/shop/static/a.js\""),
            "{moved}"
        );
        assert!(
            moved.contains("+ '/api/v1/shop/docs/oauth2-redirect'") && moved.contains("\"https://cdn/swagger-ui.css\""),
            "{moved}"
        );
        assert!(
            MOVED
                .docs_page("<redoc spec-url=\"/openapi.json\"></redoc>")
                .expect("it is one")
                .contains("\"/api/v1/shop/openapi.json\"")
        );
        assert_eq!(MOVED.docs_page("<a href=\"/x\">"), None);
    }
}
