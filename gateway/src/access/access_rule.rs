//! Whether a caller may use a route.

use super::challenge;
use super::token_error::TokenError;
use crate::identity::{Caller, Identity, PluginIdentity};
use crate::rejection::{Reason, Rejection};
use serde_json::Value;
use std::fmt;

/// Who may use a route.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessRule {
    /// Everyone may, and no token is looked at. The other rules do not count then.
    pub public: bool,
    /// The namespace of the route, which the token must grant.
    pub namespace: String,
    /// The names of the accepted issuers; `None` for every issuer.
    pub issuers: Option<Vec<String>>,
    /// What else the token must hold; all of it.
    pub claims: Vec<ClaimRule>,
    /// Plugins of other namespaces that may call: `namespace/plugin`, or `namespace/*` for all of one. Those of the own
    /// namespace always may.
    pub plugins: Vec<String>,
}

/// What one claim must be.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimRule {
    /// JSON pointer (RFC 6901) to the claim, such as `/realm_access/roles`.
    pub pointer: String,
    /// The claim must be one of these values, or a list that holds one. `/scope` and `/scp` also fit when they are text
    /// that holds one as a word (RFC 8693 §4.2). No other text is taken apart: a display name is not a list of roles.
    pub any_of: Vec<Value>,
}

impl AccessRule {
    /// Decides whether the caller may use the route.
    ///
    /// # Errors
    ///
    /// A 401 without a token; a 403 that names the namespace or the claim that is missing.
    pub fn authorise(&self, identity: &Identity) -> Result<(), Rejection> {
        if self.public {
            return Ok(());
        }
        let caller = match identity {
            Identity::Anonymous => return Err(TokenError::Missing.reject(&self.namespace)),
            Identity::Plugin(plugin) => return self.authorise_plugin(&plugin.plugin),
            Identity::Caller(caller) => caller,
        };
        if self.issuers.as_ref().is_some_and(|names| !names.iter().any(|name| **name == *caller.issuer)) {
            let detail = format!("tokens of the issuer `{}` are not accepted here", caller.issuer);
            return Err(self.forbid(Reason::ClaimForbidden, detail, None, caller));
        }
        if !caller.namespaces.contains(&self.namespace) {
            let detail = format!("the token does not grant the namespace `{}`", self.namespace);
            return Err(self.forbid(Reason::NamespaceForbidden, detail, None, caller));
        }
        match self.claims.iter().find(|rule| !rule.holds(&caller.claims)) {
            None => Ok(()),
            Some(rule) => {
                let detail = format!("the claim `{}` of the token is not one that this route needs", rule.pointer);
                let rejection = self.forbid(Reason::ClaimForbidden, detail, rule.scope(), caller);
                let note = format!("{}; the rule is: {rule}", rejection.note);
                Err(rejection.with_note(note))
            }
        }
    }

    /// A plugin calls by its own right, whoever it acts for: its namespace answers for what it does with the answer.
    fn authorise_plugin(&self, plugin: &PluginIdentity) -> Result<(), Rejection> {
        let is_named = |named: &String| {
            *named == plugin.name || named.strip_suffix("/*").is_some_and(|namespace| namespace == plugin.namespace)
        };
        if plugin.namespace == self.namespace || self.plugins.iter().any(is_named) {
            return Ok(());
        }
        let detail = format!("the plugin `{}` may not call the namespace `{}`", plugin.name, self.namespace);
        let note = format!("add `{}` to `access.invoke.plugins` of `{}` to allow it", plugin.name, self.namespace);
        Err(Rejection::new(Reason::NamespaceForbidden, detail).with_note(note))
    }

    fn forbid(&self, reason: Reason, detail: String, scope: Option<&str>, caller: &Caller) -> Rejection {
        let challenge = challenge::insufficient_scope(&self.namespace, &detail, scope);
        let subject = super::token_error::Shown::new(&caller.subject);
        let note = format!("caller `{subject}` of issuer `{}` is granted {}", caller.issuer, caller.namespaces);
        let mut rejection = Rejection::new(reason, detail).with_note(note);
        rejection.headers.www_authenticate = Some(challenge);
        rejection
    }
}

impl ClaimRule {
    /// Whether the claims fulfil the rule. A claim that is not there fulfils none.
    #[must_use]
    pub fn holds(&self, claims: &Value) -> bool {
        match claims.pointer(&self.pointer) {
            None => false,
            Some(Value::Array(values)) => values.iter().any(|value| self.any_of.contains(value)),
            Some(Value::String(words)) if self.is_about_scopes() => {
                words.split(' ').any(|word| self.any_of.iter().any(|accepted| accepted == word))
            }
            Some(value) => self.any_of.contains(value),
        }
    }

    fn is_about_scopes(&self) -> bool {
        matches!(self.pointer.as_str(), "/scope" | "/scp")
    }

    /// The scope that would fulfil the rule, if there is exactly one.
    fn scope(&self) -> Option<&str> {
        match self.any_of.as_slice() {
            [Value::String(scope)] if self.is_about_scopes() => Some(scope),
            _ => None,
        }
    }
}

impl fmt::Display for ClaimRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` must be or hold ", self.pointer)?;
        for (index, value) in self.any_of.iter().enumerate() {
            write!(f, "{}{value}", if index == 0 { "" } else { " or " })?;
        }
        Ok(())
    }
}
