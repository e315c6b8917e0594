//! Where tools and components are kept between builds, each by the digest of everything it was made of.

use crate::cli::output;
use anyhow::{Context as _, anyhow};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Components that are kept; those of Python and JavaScript have 13 to 20 MB.
const KEPT_COMPONENTS: usize = 16;

/// A folder of this user's.
pub(super) struct Cache {
    folder: PathBuf,
}

/// The digest of what something is made of.
pub(super) struct Ingredients(Sha256);

impl Ingredients {
    /// `recipe` names how it is made, so that another way of making it gives another digest.
    pub(super) fn of(recipe: &str) -> Self {
        Self(Sha256::new()).with(recipe, env!("CARGO_PKG_VERSION").as_bytes())
    }

    pub(super) fn with(mut self, name: &str, content: &[u8]) -> Self {
        // Lengths in front, so that no two lists of parts read the same.
        for part in [name.as_bytes(), content] {
            self.0.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            self.0.update(part);
        }
        self
    }

    /// Every file below `folder`, but what tools leave there.
    pub(super) fn with_folder(mut self, folder: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot read {}", folder.display());
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(failed)? {
            entries.push(entry.with_context(failed)?.path());
        }
        entries.sort();
        for entry in entries {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "__pycache__" {
                continue;
            }
            self = self.with("in", name.as_bytes());
            if entry.is_dir() {
                self = self.with_folder(&entry)?.with("out", b"");
            } else {
                let content = std::fs::read(&entry).with_context(|| format!("cannot read {}", entry.display()))?;
                self = self.with("file", &content);
            }
        }
        Ok(self)
    }

    fn digest(self) -> String {
        let mut text = String::new();
        for byte in self.0.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl Cache {
    /// `$FRAMEX_GATEWAY_CACHE`, or `framex-gateway` in the user's cache folder.
    pub(super) fn of_user() -> anyhow::Result<Self> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = |below: &str| variable("HOME").map(|home| Path::new(&home).join(below));
        let folder = variable("FRAMEX_GATEWAY_CACHE")
            .map(PathBuf::from)
            .or_else(|| Some(variable("XDG_CACHE_HOME").map(PathBuf::from)?.join("framex-gateway")))
            .or_else(|| home(".cache/framex-gateway"))
            .ok_or_else(|| anyhow!("there is no place for tools: set FRAMEX_GATEWAY_CACHE to a folder"))?;
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// A folder of its own for tools that look after their files themselves.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder with these tools. `install` puts them there when they are missing; builds at the same time wait for it.
    pub(super) fn tools(
        &self,
        what: &str,
        ingredients: Ingredients,
        install: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        let tools = self.folder.join("tools");
        let folder = tools.join(format!("{what}-{}", &ingredients.digest()[..16]));
        let failed = || format!("cannot write {}", tools.display());
        std::fs::create_dir_all(&tools).with_context(failed)?;
        let lock = File::create(folder.with_extension("lock")).with_context(failed)?;
        lock.lock().with_context(failed)?;
        // Written last, so that a broken installation is repeated.
        let stamp = folder.join("installed");
        if !stamp.exists() {
            output::error(&format!("installing the tools for {what} into {} (once)\n", folder.display()));
            if folder.exists() {
                std::fs::remove_dir_all(&folder).with_context(failed)?;
            }
            std::fs::create_dir(&folder).with_context(failed)?;
            install(&folder)?;
            File::create(&stamp).with_context(failed)?;
        }
        Ok(folder)
    }

    /// Puts the component at `target`; `make` builds it when these ingredients were not built before.
    pub(super) fn component(
        &self,
        ingredients: Ingredients,
        target: &Path,
        make: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let folder = self.folder.join("components");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let built = folder.join(format!("{}.wasm", ingredients.digest()));
        let lock = self.folder.join("components.lock");
        let failed = || format!("cannot write {}", lock.display());
        // One build at a time: each takes seconds of a processor, and who waits for the same component finds it made.
        let locked = File::create(&lock).with_context(failed)?;
        locked.lock().with_context(failed)?;
        if built.exists() {
            // Used, so it is kept.
            let _ = File::options().append(true).open(&built).and_then(|file| file.set_modified(SystemTime::now()));
        } else {
            let mut partial = OsString::from(&built);
            partial.push(format!(".{}", std::process::id()));
            let partial = PathBuf::from(partial);
            output::error(&format!("building {}\n", target.display()));
            let made = make(&partial);
            let kept = made.and_then(|()| std::fs::rename(&partial, &built).context("the tool left no component"));
            if kept.is_err() {
                let _ = std::fs::remove_file(&partial);
            }
            kept?;
            forget_oldest(&folder);
        }
        place(&built, target)
    }
}

/// Copies a component to where it belongs, at once: a gateway that looks never sees half of it.
pub(super) fn place(built: &Path, target: &Path) -> anyhow::Result<()> {
    if let (Ok(before), Ok(after)) = (std::fs::read(target), std::fs::read(built))
        && before == after
    {
        return Ok(());
    }
    let partial = target.with_extension("partial");
    let failed = || format!("cannot write {}", target.display());
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).with_context(failed)?;
    }
    std::fs::copy(built, &partial).with_context(failed)?;
    std::fs::rename(&partial, target).with_context(failed)
}

fn forget_oldest(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut components: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    components.sort();
    let surplus = components.len().saturating_sub(KEPT_COMPONENTS);
    for (_, component) in &components[..surplus] {
        let _ = std::fs::remove_file(component);
    }
}
