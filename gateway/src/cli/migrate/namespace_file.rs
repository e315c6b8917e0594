//! The file of a namespace, in which the shares of one route are changed.

use super::plan::Shares;
use crate::config::{self, Compare, Namespace};
use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file of a namespace with one of its routes.
#[derive(Debug)]
pub(super) struct NamespaceFile {
    /// Where it really is: what a link points to is replaced, not the link.
    path: PathBuf,
    /// What it says as far as it is known here.
    text: String,
    route: usize,
    /// The shares that it says.
    pub(super) shares: Shares,
    /// Whether the answers to copies of the route's requests are compared.
    pub(super) compares: bool,
}

impl NamespaceFile {
    /// Reads the file and finds the route; `to` takes part in the shares, if only with nothing.
    ///
    /// # Errors
    /// When there is no such route, or the file has problems.
    pub(super) fn open(config: &Path, namespace: &str, route: &str, to: &str) -> anyhow::Result<Self> {
        let mut sources = config::load(config);
        let known: Vec<String> = sources.namespaces.keys().cloned().collect();
        let document = sources.namespaces.remove(namespace);
        let document = document.with_context(|| {
            format!("{} has no namespace `{namespace}`; it has {}", config.display(), known.join(", "))
        })?;
        let (path, text) = (document.file.clone(), document.text.clone());
        if !document.is_sound() {
            let problems: Vec<String> = document.into_problems().iter().map(ToString::to_string).collect();
            bail!("repair the file first:\n{}", problems.join("\n"));
        }
        let content = document.content.context("a sound file says something")?;
        let index = content.routes.iter().position(|found| found.name == route);
        let index = index.with_context(|| {
            let names: Vec<String> = content.routes.iter().map(|route| format!("`{}`", route.name)).collect();
            format!("the namespace `{namespace}` has no route `{route}`; it has {}", names.join(", "))
        })?;
        let found = &content.routes[index];
        let mut shares: Vec<(String, u32)> =
            found.targets.iter().map(|share| (share.target.name().to_owned(), share.weight)).collect();
        if !shares.iter().any(|(name, _)| name == to) {
            if !has(&content, to) {
                bail!("`{to}` is neither a plugin nor a backend of the namespace `{namespace}`");
            }
            shares.push((to.to_owned(), 0));
        }
        let compare: Option<&Compare> = found.shadow.as_ref().and_then(|shadow| shadow.compare.as_ref());
        Ok(Self {
            path: std::fs::canonicalize(&path).with_context(|| format!("cannot find {}", path.display()))?,
            text,
            route: index,
            shares: Shares(shares),
            compares: compare.is_some(),
        })
    }

    /// Changes the shares in the file.
    ///
    /// # Errors
    /// When somebody else has changed it, or it cannot be written.
    pub(super) fn write(&mut self, shares: Shares) -> anyhow::Result<()> {
        let text = config::edit_shares(&self.text, self.route, &shares.0)
            .with_context(|| format!("cannot change {}", self.path.display()))?;
        self.replace(text)?;
        self.shares = shares;
        Ok(())
    }

    /// The text as it is known here, to come back to.
    pub(super) fn state(&self) -> (String, Shares) {
        (self.text.clone(), self.shares.clone())
    }

    /// Comes back to what the file said before.
    ///
    /// # Errors
    /// When somebody else has changed it, or it cannot be written.
    pub(super) fn restore(&mut self, (text, shares): (String, Shares)) -> anyhow::Result<()> {
        self.replace(text)?;
        self.shares = shares;
        Ok(())
    }

    /// # Errors
    /// When it is not what was read or written here last.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let now =
            std::fs::read_to_string(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        if now != self.text {
            bail!(
                "{} was changed by somebody else; it is left as it is, with whatever shares it has now",
                self.path.display()
            );
        }
        Ok(())
    }

    /// Puts a new text in place at once, so that nobody ever reads half of it.
    fn replace(&mut self, text: String) -> anyhow::Result<()> {
        self.check()?;
        let failed = || format!("cannot write {}", self.path.display());
        let name = self.path.file_name().and_then(|name| name.to_str()).with_context(failed)?;
        // The gateway passes over hidden files.
        let beside = self.path.with_file_name(format!(".{name}.{}.new", std::process::id()));
        let written = write_like(&beside, &text, &self.path).and_then(|()| std::fs::rename(&beside, &self.path));
        if written.is_err() {
            // It is of no use any more, if it is there at all.
            let _ = std::fs::remove_file(&beside);
        }
        written.with_context(failed)?;
        self.text = text;
        Ok(())
    }
}

fn write_like(file: &Path, text: &str, like: &Path) -> std::io::Result<()> {
    let mut new = std::fs::File::create(file)?;
    new.set_permissions(std::fs::metadata(like)?.permissions())?;
    new.write_all(text.as_bytes())?;
    new.sync_all()
}

fn has(content: &Namespace, name: &str) -> bool {
    content.plugins.iter().any(|plugin| plugin.name == name)
        || content.backends.iter().any(|backend| backend.name == name)
}
