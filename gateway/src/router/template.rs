//! From the path template of a document to the path pattern of a route.

/// The pattern of a route for `template` (OpenAPI 3.1, "Path Templating"). With `takes_rest`, the last parameter takes the rest of
/// the path. It may match more than the template says, never less: the backend decides what it answers.
///
/// # Errors
/// Why there is none.
pub fn router_pattern(template: &str, takes_rest: bool) -> Result<String, String> {
    let mut pattern = String::with_capacity(template.len());
    let Some(path) = template.strip_prefix('/') else { return Err("a path starts with `/`".to_owned()) };
    let mut names: Vec<String> = Vec::new();
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        pattern.push('/');
        let Some((before, inside, after)) = parameter(segment) else {
            pattern.push_str(segment);
            continue;
        };
        // Starlette's `{file:path}` takes slashes, too; its other types take one segment.
        let (name, kind) = inside.split_once(':').unwrap_or((inside, ""));
        let is_rest = kind == "path" || (takes_rest && is_last);
        if is_rest && !(is_last && before.is_empty() && after.is_empty()) {
            return Err(format!("`{{{inside}}}` takes several segments and is not the whole end of the path"));
        }
        let name = unused_name(name, &names);
        let dots = if is_rest { "..." } else { "" };
        if after.contains('{') {
            // A route has one parameter a segment.
            pattern.push_str(&format!("{{{name}}}"));
        } else {
            pattern.push_str(&format!("{before}{{{name}{dots}}}{after}"));
        }
        names.push(name);
    }
    Ok(pattern)
}

/// A segment around its first parameter.
fn parameter(segment: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = segment.split_once('{')?;
    let (inside, after) = rest.split_once('}')?;
    Some((before, inside, after))
}

/// A parameter name that a route can have, like `name`.
fn unused_name(name: &str, used: &[String]) -> String {
    let mut fitting: String = name.chars().map(|each| if each.is_ascii_alphanumeric() { each } else { '_' }).collect();
    if !fitting.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        fitting.insert(0, '_');
    }
    while used.contains(&fitting) {
        fitting.push('_');
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_becomes_a_pattern_that_matches_at_least_as_much() {
        for (template, takes_rest, pattern) in [
            ("/items", false, "/items"),
            ("/", false, "/"),
            ("/items/{item_id}/parts/{part}", false, "/items/{item_id}/parts/{part}"),
            ("/items/{item-id}", false, "/items/{item_id}"),
            ("/items/{0}", false, "/items/{_0}"),
            ("/tiles/{z}/{x}/{y}.png", false, "/tiles/{z}/{x}/{y}.png"),
            ("/tiles/{z}-{x}-{y}", false, "/tiles/{z}"),
            ("/files/{path:path}", false, "/files/{path...}"),
            ("/files/{path}", true, "/files/{path...}"),
            ("/numbers/{n:int}", false, "/numbers/{n}"),
            ("/a/{x}/b/{x}", false, "/a/{x}/b/{x_}"),
        ] {
            assert_eq!(router_pattern(template, takes_rest).as_deref(), Ok(pattern), "{template}");
        }
    }

    #[test]
    fn a_parameter_in_the_middle_cannot_take_the_rest() {
        for template in ["/files/{path:path}/raw", "/files/a{path:path}", "items"] {
            assert!(router_pattern(template, false).is_err(), "{template}");
        }
    }
}
