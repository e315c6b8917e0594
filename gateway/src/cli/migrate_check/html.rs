//! The links of a page.

/// Attributes that hold a URL.
const ATTRIBUTES: [&str; 5] = ["href", "src", "action", "data-url", "hx-get"];

/// The paths from the root of the host that a page links to, `/items`, each once. What is in scripts is not seen.
pub(super) fn links_from_root(html: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for attribute in ATTRIBUTES {
        let mut rest = html;
        while let Some(found) = rest.to_ascii_lowercase().find(attribute) {
            let is_begin =
                rest[..found].ends_with(|before: char| before.is_ascii_whitespace() || before == '"' || before == '\'');
            rest = &rest[found + attribute.len()..];
            let Some(value) = rest.trim_start().strip_prefix('=').filter(|_| is_begin) else { continue };
            let value = value.trim_start();
            let link = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
                _ => value.split(['>', ' ', '\t', '\n']).next(),
            };
            let link = link.unwrap_or_default().trim();
            if link.starts_with('/') && !link.starts_with("//") && !links.iter().any(|known| known == link) {
                links.push(link.to_owned());
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_from_the_root_are_found_and_others_are_not() {
        let html = "<a href=\"/items\">x</a><A HREF='/b?c=1'><img src=/static/logo.png><form action=\"/items\">\
            <a href=\"relative\"><a href=\"//cdn/x.js\"><a href=\"https://x/y\"><p>href=\"/text</p><i data-xhref=\"/no\">";
        assert_eq!(links_from_root(html), ["/items", "/b?c=1", "/static/logo.png"]);
        assert!(links_from_root("<p>ü href").is_empty());
    }
}
