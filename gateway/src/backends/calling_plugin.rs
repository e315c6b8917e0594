//! A plugin as one that calls others: who it is and what it may call.

use crate::identity::PluginIdentity;
use crate::request::RequestView;
use crate::request::field::field_value;
use crate::router::{Lookup, RouteTable};
use std::sync::Arc;

/// A plugin as one that calls others.
#[derive(Debug)]
pub struct CallingPlugin {
    /// Who it is.
    pub identity: Arc<PluginIdentity>,
    requires: RouteTable,
}

impl CallingPlugin {
    /// The plugin `name` of `namespace`, which may call what `requires` finds.
    #[must_use]
    pub fn new(namespace: &str, name: &str, requires: RouteTable) -> Self {
        let name = format!("{namespace}/{name}");
        let identity = PluginIdentity { namespace: namespace.to_owned(), field: field_value(&name), name };
        Self { identity: Arc::new(identity), requires }
    }

    /// Whether the plugin's `requires` names what it wants to call.
    #[must_use]
    pub fn may_call(&self, request: &RequestView<'_>) -> bool {
        matches!(self.requires.find(request), Lookup::Found(_))
    }

    /// Whether its `requires` names anything at all.
    #[must_use]
    pub fn calls_nobody(&self) -> bool {
        self.requires.routes().is_empty()
    }
}
