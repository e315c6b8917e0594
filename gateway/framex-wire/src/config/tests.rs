use super::*;
use crate::cache_control::TimeToLive;
use proptest::prelude::*;
use std::time::Duration;

// Read by framex-kit 0.4.2 with the same result.
const EXAMPLE: &str = include_str!("../../fixtures/config.toml");

fn example() -> FrameXConfig {
    read(EXAMPLE).expect("the example is right")
}

fn problems(text: &str) -> Vec<String> {
    read(text).map_err(|problems| problems.iter().map(ToString::to_string).collect()).err().unwrap_or_default()
}

#[test]
fn a_configuration_is_read_as_framex_reads_it() {
    let config = example();
    assert_eq!(
        config.server,
        Server {
            host: "0.0.0.0".to_owned(),
            port: 9000,
            enable_proxy: true,
            legal_proxy_code: vec![200, 201],
            excluded_log_paths: vec!["/api/v1/files".to_owned()],
            ..Server::default()
        }
    );
    assert_eq!(config.load_plugins, ["vision", "reports"]);
    assert_eq!(config.load_builtin_plugins, ["proxy"]);
    assert_eq!(
        config.cache,
        Cache { enabled: true, mode: CacheStore::File, ttl: TimeToLive::Forever, ..Cache::default() }
    );
    let oauth = config.oauth.expect("there is one");
    assert_eq!(oauth.token_url, "https://gitlab.example.com/oauth/token");
    assert_eq!(oauth.client_secret.reveal(), "client-secret");
    let proxy = config.proxy.expect("there is one");
    assert_eq!(proxy.timeout, Duration::from_secs(30));
    assert_eq!(proxy.force_stream_apis, ["/api/v1/chat"]);
    assert_eq!(proxy.auth.rules[0].keys[0].reveal(), "upstream-key");
    let urls: Vec<_> = proxy.upstreams.iter().map(|upstream| (upstream.url.as_str(), upstream.line)).collect();
    assert_eq!(urls, [("http://10.0.0.8:8080", 41), ("http://10.0.0.7:8080", 44)]);
    assert_eq!(proxy.upstreams[0].docs_path, "/api/v1/openapi.json");
    assert_eq!(proxy.upstreams[1].docs_path, "/openapi.json");
    assert_eq!(proxy.upstreams[1].functions, ["reports.build_report"]);
}

#[test]
fn every_setting_of_a_file_is_named_with_its_line_and_its_meaning() {
    let settings = example().settings;
    let shown: Vec<String> = settings
        .iter()
        .map(|setting| {
            let meaning = match &setting.meaning {
                Meaning::Typed => "typed",
                Meaning::OnlyInFrameX(what) => what,
                Meaning::OfPlugin(name) => name,
                Meaning::Unknown => "unknown",
            };
            format!("{} {} ({meaning})", setting.line, setting.text)
        })
        .collect();
    for line in [
        "2 load_plugins = [\"vision\", \"reports\"] (typed)",
        "7 server.port = \"9000\" (typed)",
        "9 server.num_cpus = 4 (how many processors Ray uses)",
        "12 server.ingress_config.max_ongoing_requests = 60 (options of Ray Serve)",
        "21 auth.rules.\"/api/v1/vision/*\" = \"***\" (typed)",
        "31 auth.oauth.jwt_secret = \"***\" (typed)",
        "39 plugins.proxy.proxy_functions.\"http://10.0.0.7:8080\" = [\"reports.build_report\"] (typed)",
        "41 plugins.proxy.proxy_urls.\"http://10.0.0.8:8080\" = {} (typed)",
        "52 plugins.vision.model = \"large\" (vision)",
        "53 plugins.vision.database = \"***\" (vision)",
        "54 plugins.vision.api_key = \"***\" (vision)",
        "61 docs.action_buttons.1.title = \"Stop\" (buttons of its documentation)",
        "63 docs.action_buttons.1.headers.Authorization = \"***\" (buttons of its documentation)",
    ] {
        assert!(shown.iter().any(|shown| shown == line), "{line} is not in {shown:#?}");
    }
    assert!(settings.iter().all(|setting| setting.meaning != Meaning::Unknown));
    assert!(settings.is_sorted_by_key(|setting| setting.line));
}

#[test]
fn no_secret_is_shown() {
    let config = example();
    for shown in [format!("{config:?}"), config.settings.iter().map(|setting| setting.text.as_str()).collect()] {
        for secret in
            ["hunter2", "vision-key", "team-key", "one-key", "client-secret", "0123456789abcdef", "upstream-key"]
        {
            assert!(!shown.contains(secret), "{secret}");
        }
    }
}

// The names of all fields of the settings of framex-kit 0.4.2 and of its proxy plugin.
#[test]
fn every_setting_of_framex_has_a_meaning() {
    let secret = "auth.oauth.jwt_secret = \"0123456789abcdef0123456789abcdef\"";
    for key in include_str!("../../fixtures/settings.txt").lines() {
        let meanings: Vec<Meaning> = ["\"memory\"", "1", "true", "[]", "{}", "\"0123456789abcdef0123456789abcdef\""]
            .iter()
            .filter_map(|value| {
                let own = format!("{key} = {value}");
                let text = if key == "auth.oauth.jwt_secret" { own } else { format!("{secret}\n{own}") };
                let config = read(&text).ok()?;
                config.settings.into_iter().find(|setting| setting.key == key).map(|setting| setting.meaning)
            })
            .collect();
        assert!(!meanings.is_empty() && !meanings.contains(&Meaning::Unknown), "{key}: {meanings:?}");
    }
    let unknown = read("server.prot = 1\nplugins.proxy.urls = []\n[serve]\n").expect("it is read").settings;
    let unknown: Vec<_> = unknown.iter().filter(|s| s.meaning == Meaning::Unknown).map(|s| s.key.as_str()).collect();
    assert_eq!(unknown, ["server.prot", "plugins.proxy.urls", "serve"]);
}

// Computed with framex-kit 0.4.2.
#[test]
fn the_rules_of_keys_are_those_of_framex() {
    let text = r#"
        [auth.rules]
        "/api/v1/*" = ["p"]
        "/api/v1/a/*" = ["pa"]
        "/api/v1/a/b" = ["ab"]
        "/x*" = ["x"]
        "/*" = ["root"]
    "#;
    let rules = read(text).expect("it is right").auth;
    for (path, key) in [
        ("/api/v1/a/b", Some("ab")),
        ("/api/v1/a/c", Some("pa")),
        ("/api/v1/", Some("p")),
        ("/api/v1", Some("root")),
        ("/xy", Some("root")),
        ("/x*", Some("x")),
        ("/", Some("root")),
        ("q", None),
    ] {
        assert_eq!(rules.rule_for(path).map(|rule| rule.keys[0].reveal()), key, "{path}");
    }
}

// Computed with framex-kit 0.4.2.
#[test]
fn the_paths_that_an_upstream_gives_are_those_of_framex() {
    let upstreams = example().proxy.expect("there is one").upstreams;
    for (path, first, second) in [
        ("/api/v1/x", true, true),
        ("/api/v1/no/x", true, false),
        ("/api/v1/no", true, true),
        ("/one", true, true),
        ("/one/", true, false),
        ("/two", true, false),
    ] {
        assert_eq!((upstreams[0].takes(path), upstreams[1].takes(path)), (first, second), "{path}");
    }
    let list = read("plugins.proxy.proxy_urls = [\"http://a\"]").expect("it is right").proxy.expect("there is one");
    assert!(!list.upstreams[0].takes("/x"));
}

#[test]
fn everything_that_is_wrong_is_named_with_its_line() {
    assert_eq!(problems("a = 1\nb = [\n"), ["line 2: is not valid TOML: unclosed array, expected `]`"]);
    assert_eq!(
        problems(
            "load_plugins = \"x\"\nlog = 1\n[server]\nport = 70000\nuse_ray = \"maybe\"\nhost = 1\n[cache]\nttl = 0\nmode = \"disk\"\nmax_size = 0\n\
             [auth.oauth]\njwt_secret = \"short\"\n[plugins.proxy]\ntimeout = -1\nproxy_functions.\"http://a\" = []\n"
        ),
        [
            "line 1: load_plugins: must be a list of texts",
            "line 2: log: must be a table",
            "line 4: server.port: must be a port",
            "line 5: server.use_ray: must be `true` or `false`",
            "line 6: server.host: must be a text",
            "line 8: cache.ttl: must be -1 or a positive number of seconds",
            "line 9: cache.mode: must be `memory` or `file`",
            "line 10: cache.max_size: must be a positive number",
            "line 12: auth.oauth.jwt_secret: must be there and have 32 bytes at least",
            "line 14: plugins.proxy.timeout: must be a number of seconds",
            "line 15: plugins.proxy.proxy_functions.\"http://a\": is the address of no upstream in `proxy_urls`",
        ]
    );
}

#[test]
fn an_empty_file_has_the_defaults_of_framex() {
    let config = read("").expect("it is right");
    assert_eq!((config.server, config.cache, config.proxy), (Server::default(), Cache::default(), None));
}

proptest! {
    #[test]
    fn any_text_is_read(
        text: String,
        lines in prop::collection::vec(
            "(\\[{1,2})?(server|plugins|proxy|proxy_urls|auth|rules|a|\"x\"|\\.|\\]| = |1|0x1f|1e400|\\[\\]|\\{|\\}|\"é\"|true){1,8}",
            0..6,
        ),
    ) {
        let _ = read(&text);
        let _ = read(&lines.join("\n"));
    }
}
