//! Configurations for tests, written as the people who run the gateway write them.

use crate::token::{AUDIENCE, ISSUER, SECRET};
use crate::upstream::Upstream;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A configuration that is written before the gateway starts.
#[derive(Clone, Debug, Default)]
pub struct Conf {
    platform: String,
    namespaces: BTreeMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
    variables: BTreeMap<String, String>,
}

impl Conf {
    /// One listener, one issuer, no namespaces.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds sections to `gateway.yaml`.
    #[must_use]
    pub fn platform(mut self, yaml: &str) -> Self {
        self.platform.push_str(yaml);
        self.platform.push('\n');
        self
    }

    /// Adds a namespace; `yaml` is its file without the line with its name.
    #[must_use]
    pub fn namespace(mut self, name: &str, yaml: &str) -> Self {
        self.namespaces.insert(name.to_owned(), namespace_text(name, yaml));
        self
    }

    /// Adds a file beside `gateway.yaml`.
    #[must_use]
    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name.to_owned(), content.into());
        self
    }

    /// Names a file beside `gateway.yaml` in a variable of the gateway's environment.
    #[must_use]
    pub fn file_variable(mut self, variable: &str, file: &str) -> Self {
        self.variables.insert(variable.to_owned(), file.to_owned());
        self
    }

    /// The variables that name files, for a configuration in `folder`.
    pub(crate) fn variables(&self, folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
        self.variables.iter().map(move |(variable, file)| (variable.clone(), folder.join(file)))
    }

    /// Writes everything into `folder`; returns the path of `gateway.yaml`.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> PathBuf {
        std::fs::create_dir_all(folder.join("namespaces")).expect("a test folder can be written");
        for (name, content) in &self.files {
            std::fs::write(folder.join(name), content).expect("a test folder can be written");
        }
        std::fs::write(folder.join("test.secret"), SECRET).expect("a test folder can be written");
        for (name, text) in &self.namespaces {
            replace(&folder.join(namespace_file(name)), text);
        }
        let file = folder.join("gateway.yaml");
        replace(&file, &platform_text(&self.platform));
        file
    }

    /// Like [`Self::write`], but the YAML files are links to files in `aside`, a folder that nobody watches.
    pub(crate) fn write_aside(&self, folder: &Path, aside: &Path) -> PathBuf {
        let file = self.write(folder);
        std::fs::create_dir_all(aside.join("namespaces")).expect("a test folder can be written");
        let namespaces = self.namespaces.keys().map(|name| namespace_file(name));
        for name in namespaces.chain(["gateway.yaml".to_owned()]) {
            std::fs::rename(folder.join(&name), aside.join(&name)).expect("both are in one temporary folder");
            std::os::unix::fs::symlink(aside.join(&name), folder.join(&name)).expect("a test folder can be written");
        }
        file
    }
}

/// Where the file of a namespace is, below the folder of `gateway.yaml`.
pub(crate) fn namespace_file(name: &str) -> String {
    format!("namespaces/{name}.yaml")
}

/// `gateway.yaml` with a listener, an issuer, and more sections.
pub(crate) fn platform_text(sections: &str) -> String {
    let mut text = String::new();
    for (section, default) in [
        ("listeners:", "listeners: [{ address: \"127.0.0.1:0\" }]\n"),
        ("admin:", "admin: { address: \"127.0.0.1:0\" }\n"),
        // Two threads of each kind are enough, and many gateways run at once.
        ("threads:", "threads: 2\n"),
        ("components:", "components: { threads: 2, heavy_threads: 1, instances: 50 }\n"),
    ] {
        if !sections.lines().any(|line| line.starts_with(section)) {
            text.push_str(default);
        }
    }
    if !sections.lines().any(|line| line.starts_with("issuers:")) {
        text.push_str(&format!(
            "issuers:\n  test: {{ issuer: \"{ISSUER}\", audiences: [{AUDIENCE}], algorithms: [HS256], keys: {{ secret_file: test.secret }} }}\n"
        ));
    }
    text.push_str(sections);
    text
}

/// A namespace file.
pub(crate) fn namespace_text(name: &str, yaml: &str) -> String {
    format!("namespace: {name}\n{yaml}\n")
}

/// Puts a file in place at once: a watching gateway never sees half of it.
pub(crate) fn replace(file: &Path, text: &str) {
    let partial = file.with_extension("partial");
    std::fs::write(&partial, text).expect("a test folder can be written");
    std::fs::rename(&partial, file).expect("a test folder can be written");
}

/// The namespace `demo` with one open route: everything below `/api/v1/demo` goes to `upstream`, without that prefix.
#[must_use]
pub fn one_route(upstream: &Upstream) -> Conf {
    let yaml = format!(
        "backends: {{ service: {{ http: {{ endpoints: [\"{}\"] }} }} }}
routes:
  - {{ name: all, match: {{ path: /api/v1/demo/** }}, to: service, public: true, rewrite: {{ strip_prefix: /api/v1/demo }} }}",
        upstream.url()
    );
    Conf::new().namespace("demo", &yaml)
}

/// A path inside the repository.
#[must_use]
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are inside the repository").join(path)
}
