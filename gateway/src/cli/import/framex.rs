//! From the `config.toml` of a FrameX instance to a namespace file.

mod advice;
mod backends;
mod keys;

use super::path_rule::PathRule;
use super::yaml_text::{YamlText, list};
use advice::{Place, advice};
use backends::Planned;
use framex_wire::config::FrameXConfig;
use keys::Secrets;
use std::collections::BTreeMap;

/// The namespace file for everything that the instance answers, by itself or from its upstreams.
pub(super) fn namespace_file(config: &FrameXConfig, namespace: &str) -> String {
    let mut secrets = Secrets::of(namespace);
    let planned = backends::plan(config, &mut secrets);
    let keys = keys::of_callers(config, namespace, &mut secrets);
    let mut yaml = YamlText::default();
    write_head(&mut yaml, config, &secrets);
    write_platform(&mut yaml, namespace, &planned, &keys);
    yaml.line(0, &format!("namespace: {namespace}"));
    yaml.blank();
    write_backends(&mut yaml, config, &planned);
    write_routes(&mut yaml, &planned);
    write_rest(&mut yaml, config);
    yaml.finish()
}

fn write_head(yaml: &mut YamlText, config: &FrameXConfig, secrets: &Secrets) {
    yaml.sample(0, "yaml-language-server: $schema=../schema/namespace.schema.json");
    yaml.comment(
        0,
        "Made by `framex-gateway import framex` of a FrameX config.toml. A line that begins with `FrameX:` is a setting without an equal here, with what to do instead. FrameX lets its environment and .env override the file; that is not seen here.",
    );
    yaml.comment(0, "Callers need a token or key that opens this namespace. What FrameX left open is closed here until it says `public: true`.");
    if !secrets.is_empty() {
        yaml.blank();
        yaml.comment(0, "Set these variables, in the environment or in .env beside gateway.yaml:");
        for (variable, places) in secrets.iter() {
            yaml.comment(0, &format!("  {variable}: {}", places.join("; also ")));
        }
    }
    if let Some(oauth) = &config.oauth {
        yaml.blank();
        let provider = if oauth.base_url.is_empty() { "the provider" } else { oauth.base_url.as_str() };
        yaml.comment(
            0,
            &masked(&format!(
                "People logged in at {provider}. Behind the gateway they show its tokens: name it in `issuers:` of gateway.yaml, with its public keys. FrameX compares the Host of a request with its app_url and redirects where they differ, so its backend keeps `host: preserve`."
            )),
        );
    }
    yaml.blank();
}

/// What belongs into the platform team's file, ready to be copied.
fn write_platform(yaml: &mut YamlText, namespace: &str, planned: &[Planned], keys: &[keys::CallerKey]) {
    yaml.comment(0, "For gateway.yaml, the platform team's file; without the grant nothing of this is routed:");
    yaml.sample(0, "--8<--");
    yaml.sample(0, "namespaces:");
    yaml.sample(0, "  grants:");
    yaml.sample(0, &format!("    {namespace}: {{ paths: {} }}", list(granted(planned))));
    if !keys.is_empty() {
        yaml.sample(0, "keys:");
        for key in keys {
            key.write(yaml);
        }
    }
    yaml.sample(0, "-->8--");
    if planned.iter().any(|backend| backend.paths.enable.contains(&PathRule::All)) {
        yaml.comment(
            0,
            "FrameX puts the routes of plugins below /api/v1/ unless a plugin says `api_prefix=False`; those need a grant of their own.",
        );
    }
    if keys.is_empty() {
        yaml.comment(0, "FrameX asked its callers for no key (no `auth.rules`).");
    }
    yaml.blank();
}

/// Prefixes that hold every path, each once.
fn granted(planned: &[Planned]) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    for rule in planned.iter().flat_map(|backend| &backend.paths.enable) {
        let prefix = match rule {
            PathRule::All => "/api/v1/".to_owned(),
            PathRule::Below(prefix) => prefix.clone(),
            PathRule::Exactly(path) => {
                let fixed = path.find('{').map_or(path.as_str(), |start| &path[..start]);
                let end = if fixed.len() == path.len() { fixed.len() } else { fixed.rfind('/').unwrap_or(0) };
                format!("{}/", fixed[..end].trim_end_matches('/'))
            }
        };
        if prefix.starts_with('/') && !prefix.contains("//") && !prefixes.iter().any(|wider| prefix.starts_with(wider))
        {
            prefixes.retain(|narrower| !narrower.starts_with(&prefix));
            prefixes.push(prefix);
        }
    }
    if prefixes.is_empty() {
        prefixes.push("/api/v1/".to_owned());
    }
    prefixes
}

fn write_backends(yaml: &mut YamlText, config: &FrameXConfig, planned: &[Planned]) {
    yaml.line(0, "backends:");
    yaml.comment(1, "Where two backends have one path, the first by name answers it: an upstream before the instance, which saves a hop.");
    write_settings(yaml, 1, config, Place::Upstreams);
    for backend in planned.iter().filter(|backend| !backend.is_instance) {
        backend.write(yaml);
    }
    yaml.blank();
    yaml.comment(1, "The instance itself.");
    write_settings(yaml, 1, config, Place::Instance);
    for backend in planned.iter().filter(|backend| backend.is_instance) {
        backend.write(yaml);
    }
}

/// Routes for what cannot be learnt, because its key does not open the document.
fn write_routes(yaml: &mut YamlText, planned: &[Planned]) {
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    let mut text = YamlText::default();
    let mut is_empty = true;
    for backend in planned.iter().filter(|backend| !backend.learns) {
        for rule in &backend.paths.enable {
            match backend.route_path(rule) {
                Err(reason) => {
                    text.comment(1, &format!("{} has no route to `{}`: {reason}", rule.glob(), backend.name))
                }
                Ok(path) => match taken.get(&path) {
                    Some(other) => {
                        text.comment(
                            1,
                            &format!("{path} leads to `{other}`; `{}` may have such paths too.", backend.name),
                        );
                    }
                    None => {
                        is_empty = false;
                        backend.write_route(&mut text, &path);
                        taken.insert(path, &backend.name);
                    }
                },
            }
        }
    }
    let text = text.finish();
    if text.is_empty() {
        return;
    }
    yaml.blank();
    yaml.comment(
        0,
        "The keys of these paths do not open the document of the instance, so they are written down. Replace them by what is really there.",
    );
    yaml.line(0, if is_empty { "routes: []" } else { "routes:" });
    text.lines().for_each(|line| yaml.line(0, line));
}

fn write_rest(yaml: &mut YamlText, config: &FrameXConfig) {
    if config.settings.iter().any(|setting| advice(setting).is_some_and(|(place, _)| place == Place::Rest)) {
        yaml.blank();
        yaml.comment(0, "What else the file says.");
        write_settings(yaml, 0, config, Place::Rest);
    }
}

/// The settings without an equal that belong to a place. Advice that is the same for several is given once, below them.
fn write_settings(yaml: &mut YamlText, depth: usize, config: &FrameXConfig, place: Place) {
    let advised: Vec<_> = config
        .settings
        .iter()
        .filter_map(|setting| Some((setting, advice(setting)?)))
        .filter(|(_, (of, _))| *of == place)
        .collect();
    for (index, (setting, (_, instead))) in advised.iter().enumerate() {
        yaml.comment(depth, &masked(&format!("FrameX: {} (line {})", setting.text, setting.line)));
        if advised.get(index + 1).is_none_or(|(_, (_, next))| next != instead) {
            yaml.comment(depth, &format!("  {instead}"));
        }
    }
}

/// The text without passwords in URLs, which may stand in the names of settings.
fn masked(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut masked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        masked.push_str("://");
        let end = piece.find(['/', '"', '\'', ' ', ',']).unwrap_or(piece.len());
        match piece[..end].rfind('@') {
            Some(at) => masked.push_str(&format!("***{}", &piece[at..])),
            None => masked.push_str(piece),
        }
    }
    masked
}

#[cfg(test)]
mod tests;
