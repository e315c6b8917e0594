//! Where the client's address is decided.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// Who the client is and how it reached the first proxy that we trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client's address.
    pub ip: IpAddr,
    /// Whether the connection's peer is a trusted proxy, whose `X-Forwarded-Proto` counts.
    pub via_trusted_proxy: bool,
}

/// The rightmost address of `X-Forwarded-For` that no trusted proxy has; the peer itself when it is not trusted.
///
/// Each trusted proxy appends the address it saw, so everything left of the first untrusted address is the client's
/// own invention.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> ClientAddress {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|network| network.contains(ip));
    let peer = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(&peer) {
        return ClientAddress { ip: peer, via_trusted_proxy: false };
    }
    let mut client = peer;
    for value in headers.get_all("x-forwarded-for").iter().rev() {
        let Ok(value) = value.to_str() else { break };
        for part in value.rsplit(',') {
            let Some(ip) = parse_ip(part.trim()) else { return ClientAddress { ip: client, via_trusted_proxy: true } };
            client = ip;
            if !is_trusted(&ip) {
                return ClientAddress { ip, via_trusted_proxy: true };
            }
        }
    }
    ClientAddress { ip: client, via_trusted_proxy: true }
}

/// An address, perhaps with a port (`1.2.3.4:5`, `[::1]:5`), as some proxies write it.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let ip: IpAddr = text.parse().ok().or_else(with_port).or_else(bracketed)?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("header value"));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().expect("network")).collect();
        client_address(peer.parse().expect("address"), &headers, &trusted).ip.to_string()
    }

    #[test]
    fn an_untrusted_peer_cannot_choose_its_address() {
        assert_eq!(decide("203.0.113.9", &["1.2.3.4"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(decide("203.0.113.9", &["1.2.3.4"], &[]), "203.0.113.9");
    }

    #[test]
    fn behind_trusted_proxies_the_rightmost_untrusted_address_counts() {
        let trusted = ["10.0.0.0/8", "::1/128"];
        assert_eq!(decide("10.0.0.1", &["6.6.6.6, 203.0.113.9"], &trusted), "203.0.113.9");
        assert_eq!(decide("10.0.0.1", &["6.6.6.6", "203.0.113.9, 10.0.0.2"], &trusted), "203.0.113.9");
        assert_eq!(decide("::1", &["[2001:db8::1]:443"], &trusted), "2001:db8::1");
        assert_eq!(decide("::ffff:10.0.0.1", &["203.0.113.9"], &trusted), "203.0.113.9");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        assert_eq!(decide("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(decide("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
    }
}
