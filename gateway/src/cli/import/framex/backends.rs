//! Which backends take the place of an instance and its upstreams.
//!
//! A backend has one key and one rule of access. Where FrameX has several for the paths of one address, there are as many
//! backends, each for its paths.

use super::super::path_rule::{PathRule, Paths};
use super::super::yaml_text::{YamlText, list, scalar};
use super::keys::{CLAIM, Secrets, place_of};
use super::masked;
use crate::config::parse_endpoint;
use crate::router::router_pattern;
use framex_wire::config::{FrameXConfig, KeyRules, Proxy, Upstream};
use std::collections::BTreeSet;

/// Where FrameX has its own document.
const DOCUMENT: &str = "/api/v1/openapi.json";
/// Where FrameX is called for functions.
const FUNCTIONS: &str = "/api/v1/proxy/remote";
/// FrameX sets its own plugins no time; its proxy plugin waits so long.
const PLUGIN_SILENCE: &str = "600s";

/// A backend to write.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) is_instance: bool,
    /// Whether its key opens the document.
    pub(super) learns: bool,
    pub(super) paths: Paths,
    /// Sentences about it.
    remarks: Vec<String>,
    /// `Err` with the reason when the gateway cannot go there.
    endpoint: Result<String, String>,
    key: Option<String>,
    silence: Option<String>,
    document: String,
    functions: Vec<String>,
    /// The rule of FrameX that its callers have to satisfy.
    access: Option<String>,
}

/// Plans the backends of the upstreams, in their order, and those of the instance.
pub(super) fn plan(config: &FrameXConfig, secrets: &mut Secrets) -> Vec<Planned> {
    let mut planned = Vec::new();
    if let Some(proxy) = &config.proxy {
        for (index, upstream) in proxy.upstreams.iter().enumerate() {
            // Names are ordered as text.
            let number = if proxy.upstreams.len() > 9 { format!("{:03}", index + 1) } else { (index + 1).to_string() };
            plan_upstream(config, proxy, upstream, &format!("behind-{number}"), secrets, &mut planned);
        }
    }
    plan_instance(config, secrets, &mut planned);
    planned
}

fn plan_upstream(
    config: &FrameXConfig,
    proxy: &Proxy,
    upstream: &Upstream,
    name: &str,
    secrets: &mut Secrets,
    planned: &mut Vec<Planned>,
) {
    let mut remarks = vec![masked(&format!("{} of plugins.proxy.proxy_urls (line {}).", upstream.url, upstream.line))];
    let is_loaded = config.load_builtin_plugins.iter().any(|plugin| plugin == "proxy");
    let is_list = config.settings.iter().any(|setting| setting.key == "plugins.proxy.proxy_urls");
    let read = |rules: &[String]| -> (Vec<PathRule>, Vec<String>) {
        let (real, odd): (Vec<_>, Vec<_>) =
            rules.iter().map(|rule| (rule, PathRule::of_proxy(rule))).partition(|(_, rule)| rule.is_real());
        (real.into_iter().map(|(_, rule)| rule).collect(), odd.into_iter().map(|(text, _)| text.clone()).collect())
    };
    let ((enable, odd), (disable, odd_too)) = (read(&upstream.enable), read(&upstream.disable));
    for rule in odd.into_iter().chain(odd_too) {
        remarks.push(format!(
            "FrameX: the rule {rule:?} matches no path there (only `*` and `/…/*` are patterns), so it is left out."
        ));
    }
    let mut paths = Paths { enable, disable };
    if is_list {
        remarks.push("FrameX: `proxy_urls` is a list, of which FrameX 0.4.2 proxies nothing, so nothing is routed here either. Remove `enable: []` to route everything that it has.".to_owned());
    } else if !is_loaded {
        remarks.push(format!(
            "FrameX: its proxy plugin is not in `load_builtin_plugins`, so it proxies nothing, and nothing is routed here. Write `enable: {}` to route it.",
            list(paths.enable.iter().map(PathRule::glob))
        ));
        paths.enable = Vec::new();
    }
    let silence = Some(proxy.timeout.as_secs()).filter(|seconds| *seconds > 0).map(|seconds| format!("{seconds}s"));
    let document_rule = proxy.auth.rule_for(&upstream.docs_path);
    let document_key = document_rule.and_then(|rule| rule.keys.first());
    let functions_rule = proxy.auth.rule_for(FUNCTIONS);
    let mut functions: Vec<String> = Vec::new();
    for function in &upstream.functions {
        if is_function(function) {
            functions.push(function.clone());
        } else {
            remarks.push(format!(
                "FrameX: the function {function:?} has no module in its name, so nothing calls it by name."
            ));
        }
    }
    let parts = parts_of(&paths, &proxy.auth, &config.auth);
    for (index, (paths, key_rule, access_rule)) in parts.iter().enumerate() {
        let rule = key_rule.map(|rule| &proxy.auth.rules[rule]).filter(|rule| !rule.keys.is_empty());
        let key = rule.and_then(|rule| rule.keys.first());
        let learns = key.is_none() || key == document_key || document_rule.is_none();
        let with_key = rule.or(document_rule.filter(|rule| !rule.keys.is_empty()));
        let key =
            with_key.map(|rule| secrets.variable(rule.keys[0].reveal(), place_of("plugins.proxy.auth.rules", rule, 1)));
        let has_functions =
            !functions.is_empty() && (functions_rule.is_none() || rule == functions_rule || index + 1 == parts.len());
        planned.push(Planned {
            name: if parts.len() == 1 { name.to_owned() } else { format!("{name}-part-{}", index + 1) },
            is_instance: false,
            learns,
            paths: paths.clone(),
            remarks: std::mem::take(&mut remarks),
            endpoint: endpoint(&upstream.url),
            key,
            silence: silence.clone(),
            document: upstream.docs_path.clone(),
            functions: if has_functions { std::mem::take(&mut functions) } else { Vec::new() },
            access: access_rule.map(|rule| config.auth.rules[rule].path.clone()),
        });
    }
}

fn plan_instance(config: &FrameXConfig, secrets: &mut Secrets, planned: &mut Vec<Planned>) {
    let server = &config.server;
    let mut remarks = vec![
        "FrameX waits for its own plugins as long as they take; the gateway ends an answer after this silence."
            .to_owned(),
    ];
    let host = match server.host.as_str() {
        "0.0.0.0" | "::" | "" => {
            remarks.push(format!(
                "It listens at every address ({:?}); write the one by which the gateway reaches it.",
                server.host
            ));
            "127.0.0.1".to_owned()
        }
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let port = match server.port {
        0 => {
            remarks.push("FrameX: port 0 is another port at each start; give it one and write it here.".to_owned());
            8080
        }
        port => port,
    };
    let parts = parts_of(&Paths::all(), &config.auth, &config.auth);
    let document_rule = config.auth.rule_for(DOCUMENT);
    for (index, (paths, key_rule, access_rule)) in parts.iter().enumerate() {
        let rule = key_rule.map(|rule| &config.auth.rules[rule]).filter(|rule| !rule.keys.is_empty());
        let key = rule.and_then(|rule| rule.keys.first());
        let learns = key.is_none_or(|key| document_rule.is_none_or(|rule| rule.keys.contains(key)));
        let with_key = rule.or(document_rule.filter(|rule| !rule.keys.is_empty()));
        let key = with_key.map(|rule| secrets.variable(rule.keys[0].reveal(), place_of("auth.rules", rule, 1)));
        planned.push(Planned {
            name: if parts.len() == 1 { "instance".to_owned() } else { format!("instance-part-{}", index + 1) },
            is_instance: true,
            learns,
            paths: paths.clone(),
            remarks: std::mem::take(&mut remarks),
            endpoint: endpoint(&format!("http://{host}:{port}")),
            key,
            silence: Some(PLUGIN_SILENCE.to_owned()),
            document: DOCUMENT.to_owned(),
            functions: Vec::new(),
            access: access_rule.map(|rule| config.auth.rules[rule].path.clone()),
        });
    }
}

type Part = (Paths, Option<usize>, Option<usize>);

/// The paths divided so that each part has one key for the backend and one rule for callers.
fn parts_of(paths: &Paths, backend: &KeyRules, callers: &KeyRules) -> Vec<Part> {
    let by_key = divide(paths, backend, |rules, index| rules.rules[index].keys.first().map(|key| vec![key.reveal()]));
    let by_key = if by_key.is_empty() { vec![(paths.clone(), None)] } else { by_key };
    let mut parts = Vec::new();
    for (paths, key) in by_key {
        let by_caller = divide(&paths, callers, |rules, index| {
            Some(rules.rules[index].keys.iter().map(|key| key.reveal()).collect())
        });
        if by_caller.is_empty() {
            parts.push((paths, key, None));
        } else {
            parts.extend(by_caller.into_iter().map(|(paths, caller)| (paths, key, caller)));
        }
    }
    parts
}

/// Divides the paths by rules, unless the rules all come to the same.
fn divide<'a>(
    paths: &Paths,
    rules: &'a KeyRules,
    keys: impl Fn(&'a KeyRules, usize) -> Option<Vec<&'a str>>,
) -> Vec<(Paths, Option<usize>)> {
    let parts = paths.divided_by(rules);
    let distinct: BTreeSet<Option<Vec<&str>>> =
        parts.iter().filter_map(|(_, rule)| *rule).map(|rule| keys(rules, rule)).collect();
    match parts.iter().find_map(|(_, rule)| *rule) {
        Some(rule) if distinct.len() == 1 => vec![(paths.clone(), Some(rule))],
        _ => parts,
    }
}

fn is_function(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|each| each.is_alphanumeric() || each == '_');
    name.contains('.') && name.split('.').all(is_part)
}

fn endpoint(url: &str) -> Result<String, String> {
    parse_endpoint(url).map(|_| url.trim_end_matches('/').to_owned())
}

impl Planned {
    /// Writes it below `backends:`.
    pub(super) fn write(&self, yaml: &mut YamlText) {
        for remark in &self.remarks {
            yaml.comment(1, remark);
        }
        yaml.line(1, &format!("{}:", self.name));
        yaml.line(2, "framex:");
        match &self.endpoint {
            Ok(endpoint) => yaml.line(3, &format!("endpoints: [{}]", scalar(endpoint))),
            Err(reason) => {
                yaml.comment(3, &masked(&format!("FrameX: {reason}")));
                yaml.line(3, "endpoints: [\"http://127.0.0.1:9\"]");
            }
        }
        if let Some(variable) = &self.key {
            yaml.line(3, &format!("key: \"${{{variable}}}\""));
        }
        if let Some(silence) = &self.silence {
            yaml.line(3, &format!("timeouts: {{ silence: {silence} }}"));
        }
        if !self.functions.is_empty() {
            yaml.comment(3, "Called by name, by POST /api/v1/proxy/remote of the gateway, which refuses all others.");
            yaml.line(3, &format!("functions: {}", list(&self.functions)));
        }
        if !self.learns {
            yaml.comment(3, "Its key does not open the document, so its paths are below `routes:`.");
            return;
        }
        yaml.line(3, "openapi:");
        yaml.line(4, &format!("path: {}", scalar(&self.document)));
        if self.paths.enable != [PathRule::All] {
            yaml.line(4, &format!("enable: {}", list(self.paths.enable.iter().map(PathRule::glob))));
        }
        if !self.paths.disable.is_empty() {
            yaml.line(4, &format!("disable: {}", list(self.paths.disable.iter().map(PathRule::glob))));
        }
        self.write_access(yaml, 4);
    }

    fn write_access(&self, yaml: &mut YamlText, depth: usize) {
        if let Some(rule) = &self.access {
            yaml.line(depth, &format!("access: {{ claims: {{ {CLAIM}: {} }} }}", scalar(rule)));
        }
    }

    /// The path of a route for the paths of one rule.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn route_path(&self, rule: &PathRule) -> Result<String, String> {
        let inner = self.paths.disable.iter().find(|out| rule.contains(out) && !self.is_of_others(out));
        if let Some(out) = inner {
            return Err(format!("it would take `{}`, which FrameX does not", out.glob()));
        }
        match rule {
            PathRule::All => Ok("/**".to_owned()),
            PathRule::Below(prefix) => Ok(format!("{prefix}**")),
            PathRule::Exactly(path) => router_pattern(path, false),
        }
    }

    /// Whether a path that is taken out has a more precise route of its own.
    fn is_of_others(&self, out: &PathRule) -> bool {
        self.access.as_ref().is_some_and(|access| PathRule::of_key(access) != *out)
    }

    /// Writes the route below `routes:`.
    pub(super) fn write_route(&self, yaml: &mut YamlText, path: &str) {
        yaml.line(1, &format!("- match: {{ path: {} }}", scalar(path)));
        yaml.line(2, &format!("to: {}", self.name));
        self.write_access(yaml, 2);
    }
}
