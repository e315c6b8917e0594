//! Who calls.

use crate::request::{Dialect, Priority};
use http::HeaderValue;
use std::fmt;
use std::sync::Arc;

/// The caller of one request.
#[derive(Clone, Debug, Default)]
pub enum Identity {
    /// No credentials were needed and none were used.
    #[default]
    Anonymous,
    /// A person or service that showed a valid token.
    Caller(Arc<Caller>),
    /// A plugin, acting for whoever called it.
    Plugin(Arc<PluginOnBehalf>),
}

/// Which plugin calls.
#[derive(Debug, PartialEq, Eq)]
pub struct PluginIdentity {
    /// Its namespace.
    pub namespace: String,
    /// `namespace/plugin`.
    pub name: String,
    /// The same as backends are told it, in `X-FrameX-Plugin`.
    pub field: HeaderValue,
}

/// A plugin that calls, and for whom.
#[derive(Debug)]
pub struct PluginOnBehalf {
    /// Which plugin.
    pub plugin: Arc<PluginIdentity>,
    /// Who called it from outside; `None` on public routes.
    pub on_behalf_of: Option<Arc<Caller>>,
}

impl Identity {
    /// The caller behind a token, if there is one.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Anonymous | Self::Plugin(_) => None,
            Self::Caller(caller) => Some(caller),
        }
    }

    /// The plugin that calls.
    #[must_use]
    pub fn plugin(&self) -> Option<&PluginIdentity> {
        match self {
            Self::Plugin(plugin) => Some(&plugin.plugin),
            Self::Anonymous | Self::Caller(_) => None,
        }
    }

    /// The person or service behind the call, itself or through plugins.
    #[must_use]
    pub fn on_behalf_of(&self) -> Option<&Arc<Caller>> {
        match self {
            Self::Anonymous => None,
            Self::Caller(caller) => Some(caller),
            Self::Plugin(plugin) => plugin.on_behalf_of.as_ref(),
        }
    }

    /// The subject to show in logs and to backends.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.on_behalf_of().map(|caller| caller.subject.as_str())
    }

    /// The subject as a header field's value.
    #[must_use]
    pub fn subject_field(&self) -> Option<&HeaderValue> {
        self.on_behalf_of()?.subject_field.as_ref()
    }
}

/// A person or service that showed a valid token.
#[derive(Debug)]
pub struct Caller {
    /// The token's `sub` claim (RFC 7519 §4.1.2); empty when the token has none.
    pub subject: String,
    /// The subject as backends are told it, in `X-FrameX-Subject`; `None` when it is empty.
    pub subject_field: Option<HeaderValue>,
    /// The configured name of the issuer that signed the token, not its `iss` URL.
    pub issuer: Arc<str>,
    /// The namespaces this caller may use.
    pub namespaces: NamespaceGrant,
    /// In which words the gateway's own answers speak to the caller; `None` for what the route says.
    pub dialect: Option<Dialect>,
    /// Every claim of the token, for rules that look at more than the namespaces.
    pub claims: serde_json::Value,
    /// The name of the static key that was shown; `None` with a token.
    pub key: Option<Box<str>>,
    /// Who goes first when there is not room for all; `None` for what the route says.
    pub priority: Option<Priority>,
}

/// Which namespaces a token opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceGrant {
    /// `"*"`: every namespace, for platform operators.
    All,
    /// Exactly these.
    Only(Box<[String]>),
}

impl NamespaceGrant {
    /// Whether the grant holds `namespace`.
    #[must_use]
    pub fn contains(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| name == namespace),
        }
    }
}

impl fmt::Display for NamespaceGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("every namespace"),
            Self::Only(names) if names.is_empty() => f.write_str("no namespace"),
            Self::Only(names) => f.write_str(&names.join(", ")),
        }
    }
}
