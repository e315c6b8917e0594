//! A plugin as one that calls others: who it is and what it may call.

use crate::config::Outbound;
use crate::identity::PluginIdentity;
use crate::request::RequestView;
use crate::request::field::field_value;
use crate::router::{Lookup, RouteTable};
use framex_plugin_package::Scheme;
use http::Uri;
use std::sync::Arc;

/// What a plugin may call.
#[derive(Debug)]
pub struct Requirements {
    table: RouteTable,
    /// Whose each has to be, in the order of the table's routes.
    namespaces: Vec<Option<String>>,
}

impl Requirements {
    /// What `table` finds, where each of its routes is to be one of the namespace that stands at its index, if one does.
    #[must_use]
    pub fn new(table: RouteTable, namespaces: Vec<Option<String>>) -> Self {
        Self { table, namespaces }
    }
}

/// What a plugin may call of what it wants to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed<'a> {
    /// In which namespace only.
    pub namespace: Option<&'a str>,
}

/// A plugin as one that calls others.
#[derive(Debug)]
pub struct CallingPlugin {
    /// Who it is.
    pub identity: Arc<PluginIdentity>,
    requires: Requirements,
    outbound: Outbound,
}

impl CallingPlugin {
    /// The plugin `name` of `namespace`, which may call what `requires` finds and the hosts outside that `outbound` names.
    #[must_use]
    pub fn new(namespace: &str, name: &str, requires: Requirements, outbound: Outbound) -> Self {
        let name = format!("{namespace}/{name}");
        let identity = PluginIdentity { namespace: namespace.to_owned(), field: field_value(&name), name };
        Self { identity: Arc::new(identity), requires, outbound }
    }

    /// Whether the plugin's `requires` names what it wants to call.
    #[must_use]
    pub fn may_call(&self, request: &RequestView<'_>) -> Option<Allowed<'_>> {
        match self.requires.table.find(request) {
            Lookup::Found(found) => Some(Allowed { namespace: self.requires.namespaces.get(found.route)?.as_deref() }),
            Lookup::MethodNotAllowed(_) | Lookup::NotFound => None,
        }
    }

    /// Whether its permissions name the host of an absolute target, with its scheme and port.
    #[must_use]
    pub fn may_reach(&self, target: &Uri) -> bool {
        let scheme = match target.scheme_str() {
            None | Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(_) => return false,
        };
        let Some(authority) = target.authority() else { return false };
        // What stands before an `@` is not for the host, and hides from people what is called.
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(scheme.usual_port());
        self.outbound
            .hosts
            .iter()
            .any(|allowed| (allowed.scheme, allowed.port) == (scheme, port) && allowed.host == host)
    }

    /// Whether those hosts may be in private networks.
    #[must_use]
    pub fn reaches_private_networks(&self) -> bool {
        self.outbound.private_networks
    }

    /// Whether its `requires` names anything at all.
    #[must_use]
    pub fn calls_nobody(&self) -> bool {
        self.requires.namespaces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_outside_is_one_with_its_scheme_and_port() {
        let hosts = ["https://api.example.com", "http://10.0.0.1:8080", "https://[2001:db8::1]"];
        let outbound = Outbound { hosts: hosts.map(|host| host.parse().unwrap()).to_vec(), private_networks: false };
        let plugin = CallingPlugin::new(
            "shop",
            "one",
            Requirements::new(RouteTable::build(Vec::new()).unwrap(), Vec::new()),
            outbound,
        );
        let may_reach = |target: &str| plugin.may_reach(&target.parse().unwrap());
        for target in [
            "https://API.example.com/x?y",
            "https://api.example.com:443/",
            "http://10.0.0.1:8080/",
            "https://[2001:db8::1]/",
        ] {
            assert!(may_reach(target), "{target}");
        }
        for target in [
            "http://api.example.com/",
            "https://api.example.com:444/",
            "https://api.example.com.evil.example/",
            "https://evil.example/api.example.com",
            "https://api.example.com@evil.example/",
            "https://evil.example@api.example.com/",
            "https://api.example.com./",
            "http://10.0.0.1/",
            "ftp://api.example.com/",
            "/",
        ] {
            assert!(!may_reach(target), "{target}");
        }
    }
}
