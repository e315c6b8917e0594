//! Whose request it is, as far as counting goes.

use super::keyed_counters::Key;
use crate::config::CountedBy;
use crate::identity::Identity;
use crate::request::Priority;
use http::HeaderMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};

/// Whose request it is.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Who calls.
    pub identity: &'a Identity,
    /// From where, or from where whoever a plugin acts for.
    pub address: Option<IpAddr>,
    /// The header fields of the request.
    pub headers: &'a HeaderMap,
}

/// What a request is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountedAs<'a> {
    /// As all others.
    All,
    /// As one of a subject that an issuer names.
    Subject(&'a str, &'a str),
    /// As one with a static key.
    Key(&'a str),
    /// As one from an address, of which only the network of 64 bits counts with IPv6.
    Address(IpAddr),
    /// As one of a plugin.
    Plugin(&'a str),
    /// As one with this value of the header field; empty when there is none.
    Header(&'a [u8]),
    /// As one of nobody known, from nowhere known.
    Nobody,
}

impl<'a> Asker<'a> {
    /// Who goes first: what the caller's key says, or else the route.
    #[must_use]
    pub fn priority(&self, of_route: Priority) -> Priority {
        self.identity.on_behalf_of().and_then(|caller| caller.priority).unwrap_or(of_route)
    }

    /// What the request is counted as; `None` when it is not counted.
    #[must_use]
    pub fn counted_as(&self, by: &CountedBy) -> Option<CountedAs<'a>> {
        match by {
            CountedBy::All => Some(CountedAs::All),
            CountedBy::Subject => {
                let caller = self.identity.on_behalf_of().filter(|caller| !caller.subject.is_empty());
                Some(caller.map_or_else(|| self.place(), |caller| CountedAs::Subject(&caller.issuer, &caller.subject)))
            }
            CountedBy::Key => self.identity.on_behalf_of()?.key.as_deref().map(CountedAs::Key),
            CountedBy::Address => Some(self.place()),
            CountedBy::Plugin => self.identity.plugin().map(|plugin| CountedAs::Plugin(&plugin.name)),
            CountedBy::Header(name) => {
                Some(CountedAs::Header(self.headers.get(name).map_or(b"", |value| value.as_bytes())))
            }
        }
    }

    /// The address; a plugin that acts for nobody stands for itself.
    fn place(&self) -> CountedAs<'a> {
        match (self.address, self.identity.plugin()) {
            (Some(address), _) => CountedAs::Address(network(address)),
            (None, Some(plugin)) => CountedAs::Plugin(&plugin.name),
            (None, None) => CountedAs::Nobody,
        }
    }
}

/// An IPv4 address, or the network of 64 bits that one customer has with IPv6 (RFC 6177); the lower bits are whatever it likes.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Makes digests of what requests are counted as.
#[derive(Clone, Debug, Default)]
pub(super) struct Digester {
    upper: RandomState,
    lower: RandomState,
}

impl Digester {
    pub(super) fn digest(&self, who: &CountedAs<'_>) -> Key {
        Key::from(self.upper.hash_one(who)) << 64 | Key::from(self.lower.hash_one(who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Caller, NamespaceGrant, PluginIdentity, PluginOnBehalf};
    use http::HeaderValue;
    use std::sync::Arc;

    fn caller(issuer: &str, subject: &str, key: Option<&str>) -> Identity {
        Identity::Caller(Arc::new(Caller {
            subject: subject.to_owned(),
            subject_field: None,
            issuer: issuer.into(),
            namespaces: NamespaceGrant::All,
            dialect: None,
            claims: serde_json::Value::Null,
            key: key.map(Into::into),
            priority: None,
        }))
    }

    fn plugin(on_behalf_of: &Identity) -> Identity {
        let plugin = PluginIdentity {
            namespace: "text".to_owned(),
            name: "text/stats".to_owned(),
            field: HeaderValue::from_static("text/stats"),
        };
        Identity::Plugin(Arc::new(PluginOnBehalf {
            plugin: Arc::new(plugin),
            on_behalf_of: on_behalf_of.on_behalf_of().cloned(),
        }))
    }

    #[test]
    fn who_is_counted_as_what() {
        let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("one"))]);
        let address: IpAddr = "192.0.2.1".parse().expect("an address");
        let alice = caller("staff", "alice", None);
        let machine = caller("keys", "machine", Some("build"));
        let for_alice = plugin(&alice);
        let for_nobody = plugin(&Identity::Anonymous);
        let counted = |identity, address, by: CountedBy| Asker { identity, address, headers: &headers }.counted_as(&by);
        let anonymous = &Identity::Anonymous;
        let cases = [
            (anonymous, Some(address), CountedBy::All, Some(CountedAs::All)),
            (&alice, Some(address), CountedBy::Subject, Some(CountedAs::Subject("staff", "alice"))),
            (&for_alice, Some(address), CountedBy::Subject, Some(CountedAs::Subject("staff", "alice"))),
            (anonymous, Some(address), CountedBy::Subject, Some(CountedAs::Address(address))),
            (&for_nobody, None, CountedBy::Subject, Some(CountedAs::Plugin("text/stats"))),
            (anonymous, None, CountedBy::Address, Some(CountedAs::Nobody)),
            (&machine, None, CountedBy::Key, Some(CountedAs::Key("build"))),
            (&alice, None, CountedBy::Key, None),
            (&for_alice, None, CountedBy::Plugin, Some(CountedAs::Plugin("text/stats"))),
            (&alice, None, CountedBy::Plugin, None),
            (&alice, None, CountedBy::Header(http::header::HOST), Some(CountedAs::Header(b"one"))),
            (&alice, None, CountedBy::Header(http::header::VIA), Some(CountedAs::Header(b""))),
        ];
        for (identity, address, by, expected) in cases {
            assert_eq!(counted(identity, address, by.clone()), expected, "{by:?}");
        }
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn digests_tell_apart_what_is_not_the_same() {
        let digester = Digester::default();
        let digest = |who: CountedAs<'_>| digester.digest(&who);
        assert_eq!(digest(CountedAs::Subject("a", "bc")), digest(CountedAs::Subject("a", "bc")));
        assert_ne!(digest(CountedAs::Subject("a", "bc")), digest(CountedAs::Subject("ab", "c")));
        assert_ne!(digest(CountedAs::Key("a")), digest(CountedAs::Plugin("a")));
    }
}
