//! What a call of a plugin knows of the request it serves, for the calls that the plugin makes in turn.

use crate::backends::CallingPlugin;
use crate::identity::{Caller, Identity, PluginIdentity};
use crate::snapshot::{Route, Snapshot};
use crate::telemetry::{RequestId, TraceContext};
use framex_plugin_host::{CallContext, CallUsage};
use std::sync::Arc;
use tokio::time::Instant;

/// What a call of a plugin knows of the request it serves.
#[derive(Debug)]
pub struct CallScope {
    /// The configuration that decides; one for the request and all calls it causes.
    pub(super) snapshot: Arc<Snapshot>,
    /// Request id and trace of the request.
    pub(super) ids: Option<(RequestId, TraceContext)>,
    /// The person or service behind the request.
    pub(super) on_behalf_of: Option<Arc<Caller>>,
    /// The plugin that is called, and may call others.
    pub(super) plugin: Arc<CallingPlugin>,
    /// The plugins on the way here from outside, this one last.
    pub(super) chain: Vec<Arc<PluginIdentity>>,
}

impl CallScope {
    /// The scope of a call from outside.
    #[must_use]
    pub fn from_outside(
        snapshot: &Arc<Snapshot>,
        ids: Option<&(RequestId, TraceContext)>,
        identity: &Identity,
        plugin: &Arc<CallingPlugin>,
    ) -> Self {
        Self {
            snapshot: snapshot.clone(),
            ids: ids.cloned(),
            on_behalf_of: identity.on_behalf_of().cloned(),
            plugin: plugin.clone(),
            chain: vec![plugin.identity.clone()],
        }
    }

    /// The scope of what a plugin calls for itself and nobody else.
    #[must_use]
    pub(super) fn of_itself(
        snapshot: Arc<Snapshot>,
        ids: (RequestId, TraceContext),
        plugin: Arc<CallingPlugin>,
    ) -> Self {
        let chain = vec![plugin.identity.clone()];
        Self { snapshot, ids: Some(ids), on_behalf_of: None, plugin, chain }
    }

    /// The scope of a call that the plugin of this scope makes to another.
    #[must_use]
    pub(super) fn next(&self, plugin: &Arc<CallingPlugin>) -> Self {
        let mut chain = self.chain.clone();
        chain.push(plugin.identity.clone());
        Self {
            snapshot: self.snapshot.clone(),
            ids: self.ids.clone(),
            on_behalf_of: self.on_behalf_of.clone(),
            plugin: plugin.clone(),
            chain,
        }
    }

    /// What the plugin host is told of the call: when it must be over, and all of this.
    #[must_use]
    pub fn into_context(self, route: &Route, callers_deadline: Option<Instant>) -> (CallContext, Arc<CallUsage>) {
        let own = route.timeout.map(|timeout| Instant::now() + timeout);
        let deadline = [own, callers_deadline].into_iter().flatten().min();
        let depth = u32::try_from(self.chain.len() - 1).unwrap_or(u32::MAX);
        let mut context = CallContext { deadline, depth, ..CallContext::default() };
        context.extensions.insert(Arc::new(self));
        let usage = context.usage.clone();
        (context, usage)
    }
}
