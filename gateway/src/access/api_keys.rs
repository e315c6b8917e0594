//! Static keys, for callers that cannot get tokens: FrameX instances send one raw key in `Authorization`.

use crate::identity::Caller;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Keys with their holders. Only digests are kept, so comparing tells nothing about a key by its time.
#[derive(Default)]
pub struct ApiKeys {
    holders: HashMap<[u8; 32], Arc<Caller>>,
    /// The length of the longest: tokens are longer than keys, and need not be looked up.
    longest: usize,
}

impl ApiKeys {
    /// Adds a key; `false` when it is there already.
    pub fn add(&mut self, key: &str, holder: Caller) -> bool {
        self.longest = self.longest.max(key.len());
        self.holders.insert(digest_of(key), Arc::new(holder)).is_none()
    }

    /// Whose key it is.
    #[must_use]
    pub fn holder(&self, key: &str) -> Option<&Arc<Caller>> {
        if key.len() > self.longest {
            return None;
        }
        self.holders.get(&digest_of(key))
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("count", &self.holders.len()).finish()
    }
}

fn digest_of(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}
