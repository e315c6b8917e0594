use super::*;
use framex_wire::config::read;

const FIXTURE: &str = include_str!("../../../../framex-wire/fixtures/config.toml");

fn imported(toml: &str) -> String {
    namespace_file(&read(toml).expect("FrameX starts with it"), "vision")
}

#[test]
fn no_secret_comes_into_the_file_and_no_setting_is_forgotten() {
    let config = read(FIXTURE).unwrap();
    let text = namespace_file(&config, "vision");
    for secret in ["team-key", "vision-key", "one-key", "upstream-key", "hunter2", "client-secret", "0123456789abcdef"]
    {
        assert!(!text.contains(secret), "{secret} in:\n{text}");
    }
    let whole: String = text.split_whitespace().filter(|word| *word != "#").collect();
    for setting in config.settings.iter().filter(|setting| advice(setting).is_some()) {
        let squeezed: String = masked(&setting.text).split_whitespace().collect();
        assert!(whole.contains(&squeezed), "{} in:\n{text}", setting.text);
    }
}

#[test]
fn passwords_in_addresses_are_masked() {
    assert_eq!(masked("a \"http://u:p@h/x\" and https://h2/@"), "a \"http://***@h/x\" and https://h2/@");
    let text =
        imported("load_builtin_plugins = [\"proxy\"]\n[plugins.proxy.proxy_urls.\"http://joe:hunter2@a\"]\nx = 1\n");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn the_one_key_of_everything_needs_one_backend_each() {
    let text = imported(
        "load_builtin_plugins = [\"proxy\"]\n[auth.rules]\n\"/api/v1/*\" = [\"a-key-of-sixteen-and-more\"]\n[plugins.proxy.proxy_urls.\"http://a:1\"]\n[plugins.proxy.auth.rules]\n\"/api/v1/*\" = [\"b\"]\n",
    );
    let backends: Vec<&str> =
        text.lines().filter(|line| line.ends_with(":") && line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert_eq!(backends, ["  behind-1:", "  instance:"], "{text}");
    assert!(
        text.contains("namespaces: [vision], dialect: framex, claims: { framex_paths: [\"/api/v1/*\"] }"),
        "{text}"
    );
    assert!(!text.contains("routes:"), "{text}");
}

#[test]
fn what_framex_does_not_proxy_is_not_routed() {
    for (toml, said) in [
        (
            "load_builtin_plugins = [\"proxy\"]\n[plugins.proxy]\nproxy_urls = [\"http://a:1\"]\n",
            "`proxy_urls` is a list",
        ),
        ("[plugins.proxy.proxy_urls.\"http://a:1\"]\n", "not in `load_builtin_plugins`"),
    ] {
        let text = imported(toml);
        let flowing = text.replace("\n  # ", " ");
        assert!(flowing.contains(said) && text.contains("enable: []"), "{text}");
    }
}
