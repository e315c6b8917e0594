//! The tokens by which workers that call the gateway are known.

use super::calling_plugin::CallingPlugin;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// Tokens are kept as digests: looking one up tells nobody, by its time, how much of it was right.
type TokenDigest = [u8; 32];

type Holders = Arc<RwLock<HashMap<TokenDigest, Arc<CallingPlugin>>>>;

/// The passes of all workers that run.
#[derive(Clone, Debug, Default)]
pub struct WorkerPasses {
    holders: Holders,
}

/// The right of one worker to call the gateway; it ends when this is dropped.
pub struct WorkerPass {
    token: String,
    holders: Holders,
}

impl fmt::Debug for WorkerPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerPass(…)")
    }
}

impl WorkerPasses {
    /// A new pass for `plugin`: 256 random bits.
    #[must_use]
    pub fn issue(&self, plugin: Arc<CallingPlugin>) -> WorkerPass {
        let token: String = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
        self.holders.write().unwrap_or_else(PoisonError::into_inner).insert(digest(&token), plugin);
        WorkerPass { token, holders: self.holders.clone() }
    }

    /// Whose token it is.
    #[must_use]
    pub fn holder(&self, token: &str) -> Option<Arc<CallingPlugin>> {
        self.holders.read().unwrap_or_else(PoisonError::into_inner).get(&digest(token)).cloned()
    }
}

impl WorkerPass {
    /// The token itself.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl Drop for WorkerPass {
    fn drop(&mut self) {
        self.holders.write().unwrap_or_else(PoisonError::into_inner).remove(&digest(&self.token));
    }
}

fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::Requirements;
    use crate::config::Outbound;
    use crate::router::RouteTable;

    #[test]
    fn a_pass_is_good_for_its_worker_and_for_as_long_as_that_runs() {
        let passes = WorkerPasses::default();
        let nothing = || Requirements::new(RouteTable::build(Vec::new()).unwrap(), Vec::new());
        let plugin = |name| Arc::new(CallingPlugin::new("shop", name, nothing(), Outbound::default()));
        let (one, two) = (passes.issue(plugin("one")), passes.issue(plugin("two")));
        let holder = |token: &str| passes.holder(token).map(|plugin| plugin.identity.name.clone());
        assert_eq!(holder(one.token()).as_deref(), Some("shop/one"));
        assert_eq!(holder(two.token()).as_deref(), Some("shop/two"));
        assert_eq!(holder(&one.token()[1..]), None);
        let token = one.token().to_owned();
        drop(one);
        assert_eq!(holder(&token), None);
    }
}
