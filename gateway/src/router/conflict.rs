//! Routes that the rules of precedence cannot order.

use super::host_pattern::HostPattern;
use super::route_match::RouteMatch;

/// Two routes that one request could match and that no rule orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The index of the route that was given first.
    pub first: usize,
    /// The index of the other one.
    pub second: usize,
    /// What they have in common, for the operator; no full stop.
    pub reason: String,
}

/// Reports each route of a group once, with the first one it conflicts with. A group shares the host pattern and the
/// path but for names. Comparing every pair of a group is meant: groups are small, and large ones are kept apart by
/// their conditions.
pub(super) fn conflicts_in_group(
    group: &[u32],
    host: Option<&HostPattern>,
    routes: &[RouteMatch],
    conflicts: &mut Vec<Conflict>,
) {
    for (position, &second) in group.iter().enumerate() {
        let second = second as usize;
        let clash = group[..position].iter().find(|first| clash(&routes[**first as usize], &routes[second]));
        if let Some(&first) = clash {
            let reason = describe(&routes[first as usize], &routes[second], host);
            conflicts.push(Conflict { first: first as usize, second, reason });
        }
    }
}

/// Whether two routes of a group can match one request with nothing to order them.
fn clash(one: &RouteMatch, two: &RouteMatch) -> bool {
    one.conditions() == two.conditions() && one.methods.intersects(&two.methods) && !one.is_kept_apart_from(two)
}

fn describe(one: &RouteMatch, two: &RouteMatch, host: Option<&HostPattern>) -> String {
    let host = host.map_or_else(|| "any host".to_owned(), |host| format!("host `{host}`"));
    let path = if one.path == two.path {
        format!("`{}`", one.path)
    } else {
        format!("`{}` and `{}`, which are the same path,", one.path, two.path)
    };
    let methods = one.methods.iter().filter(|method| two.methods.names(method));
    let methods: Vec<&str> = methods.map(http::Method::as_str).collect();
    let methods = if methods.is_empty() { "every method".to_owned() } else { methods.join(", ") };
    let conditions = match one.conditions() {
        0 => "without conditions on headers or query".to_owned(),
        1 => "with one condition each that does not exclude the other".to_owned(),
        count => format!("with {count} conditions each that do not exclude one another"),
    };
    format!("both answer {methods} for {path} on {host}, {conditions}")
}
