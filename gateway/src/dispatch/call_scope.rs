//! What a call of a plugin knows of the request it serves, for the calls that the plugin makes in turn.

use crate::backends::CallingPlugin;
use crate::identity::{Caller, Identity, PluginIdentity};
use crate::snapshot::{Route, Snapshot};
use crate::telemetry::{RequestId, TraceContext};
use framex_plugin_host::{CallContext, CallUsage};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How much later than the plugin host what a plugin has called is given up.
const MARGIN: Duration = Duration::from_millis(100);

/// What a call of a plugin knows of the request it serves.
#[derive(Debug)]
pub struct CallScope {
    /// The configuration that decides; one for the request and all calls it causes.
    /// Not held for a plugin that calls nobody: what the configuration has besides is free to go.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Its revision.
    pub(super) revision: u64,
    /// Request id and trace of the request.
    pub(super) ids: Option<(RequestId, TraceContext)>,
    /// The person or service behind the request.
    pub(super) on_behalf_of: Option<Arc<Caller>>,
    /// From where the request came, if it came from outside.
    pub(super) client: Option<IpAddr>,
    /// The plugin that is called, and may call others.
    pub(super) plugin: Arc<CallingPlugin>,
    /// The plugins on the way here from outside, this one last.
    pub(super) chain: Vec<Arc<PluginIdentity>>,
    /// When the plugin has no more use for an answer: its own time is over, or its caller's.
    pub(super) ends: Option<Instant>,
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
            snapshot: (!plugin.calls_nobody()).then(|| snapshot.clone()),
            revision: snapshot.revision,
            ids: ids.cloned(),
            on_behalf_of: identity.on_behalf_of().cloned(),
            client: None,
            plugin: plugin.clone(),
            chain: vec![plugin.identity.clone()],
            ends: None,
        }
    }

    /// Says from where the request came.
    #[must_use]
    pub fn with_client(mut self, client: Option<IpAddr>) -> Self {
        self.client = client;
        self
    }

    /// The scope of what a plugin calls for itself and nobody else.
    #[must_use]
    pub(super) fn of_itself(
        snapshot: Arc<Snapshot>,
        ids: (RequestId, TraceContext),
        plugin: Arc<CallingPlugin>,
    ) -> Self {
        let chain = vec![plugin.identity.clone()];
        let revision = snapshot.revision;
        Self {
            snapshot: Some(snapshot),
            revision,
            ids: Some(ids),
            on_behalf_of: None,
            client: None,
            plugin,
            chain,
            ends: None,
        }
    }

    /// The scope of a call that the plugin of this scope makes to another.
    #[must_use]
    pub(super) fn next(&self, plugin: &Arc<CallingPlugin>) -> Self {
        let mut chain = self.chain.clone();
        chain.push(plugin.identity.clone());
        Self {
            snapshot: self.snapshot.clone().filter(|_| !plugin.calls_nobody()),
            revision: self.revision,
            ids: self.ids.clone(),
            on_behalf_of: self.on_behalf_of.clone(),
            client: self.client,
            plugin: plugin.clone(),
            chain,
            ends: None,
        }
    }

    /// What the plugin host is told of the call: when it must be over, and all of this. `longest` is what the plugin's own limits
    /// allow.
    #[must_use]
    pub fn into_context(
        mut self,
        route: &Route,
        longest: Duration,
        callers_deadline: Option<Instant>,
    ) -> (CallContext, Arc<CallUsage>) {
        let now = Instant::now();
        let own = route.timeout.map(|timeout| now + timeout);
        let deadline = [own, callers_deadline].into_iter().flatten().min();
        // The plugin host ends the call itself when its own time is over, and says so better.
        self.ends = deadline.into_iter().chain(now.checked_add(longest.saturating_add(MARGIN))).min();
        let depth = u32::try_from(self.chain.len() - 1).unwrap_or(u32::MAX);
        let mut context = CallContext { deadline, depth, ..CallContext::default() };
        context.extensions.insert(Arc::new(self));
        let usage = context.usage.clone();
        (context, usage)
    }
}
