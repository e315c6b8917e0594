//! Finding the route of a request.

use super::conflict::{Conflict, conflicts_in_group};
use super::explain::{Explanation, explain};
use super::host_pattern::HostPattern;
use super::host_table::HostTable;
use super::method_set::{MethodSet, bit};
use super::params::Params;
use super::path_tree::{NodeIndex, PathTree, Place, TreeBuilder, Walk};
use super::precedence::{compare_demands, compare_hosts, compare_paths};
use super::route_match::RouteMatch;
use crate::request::RequestView;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// All routes of one configuration. Immutable; the rules are in the documentation of [`crate::router`].
#[derive(Debug)]
pub struct RouteTable {
    routes: Vec<RouteMatch>,
    /// By route: the standard methods for which nothing but host and path is asked. Two bytes a route stay in the
    /// processor's cache where the routes themselves do not.
    unconditional: Vec<u16>,
    /// The tree of each host pattern.
    roots: HostTable<NodeIndex>,
    tree: PathTree,
}

impl Default for RouteTable {
    /// The table without routes.
    fn default() -> Self {
        let mut tree = PathTree::default();
        let roots = HostTable::<TreeBuilder>::default().map(|builder| tree.add(builder));
        Self { routes: Vec::new(), unconditional: Vec::new(), roots, tree }
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The winning route.
    Found(Found),
    /// No route matches in full, but some match in everything but the method; these are their methods.
    MethodNotAllowed(MethodSet),
    /// No route matches.
    NotFound,
}

/// The route of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its index in the list that the table was built from.
    pub route: usize,
    /// Where its parameters are in the path.
    pub params: Params,
}

impl RouteTable {
    /// Builds the table. The order of `routes` matters to indices only, never to which route wins.
    ///
    /// # Errors
    ///
    /// When routes conflict; the list is sorted by index and names each route at most once as `second`.
    pub fn build(routes: Vec<RouteMatch>) -> Result<Self, Vec<Conflict>> {
        let routes: Vec<RouteMatch> = routes.into_iter().map(RouteMatch::without_repetition).collect();
        let mut hosts: HostTable<TreeBuilder> = HostTable::default();
        let mut used: HashSet<Option<&HostPattern>> = HashSet::new();
        for (index, route) in (0..).zip(&routes) {
            for host in hosts_of(route) {
                hosts.entry(host).insert(&route.path, index);
                used.insert(host);
            }
        }
        let mut conflicts = Vec::new();
        for host in used {
            for group in hosts.entry(host).groups_mut() {
                conflicts_in_group(group, host, &routes, &mut conflicts);
                group.sort_by(|one, two| compare_demands(&routes[*one as usize], &routes[*two as usize]));
            }
        }
        if !conflicts.is_empty() {
            conflicts
                .sort_by(|one, two| (one.second, one.first, &one.reason).cmp(&(two.second, two.first, &two.reason)));
            conflicts.dedup_by_key(|conflict| conflict.second);
            return Err(conflicts);
        }
        let mut tree = PathTree::default();
        let roots = hosts.map(|builder| tree.add(builder));
        let unconditional = routes
            .iter()
            .map(|route| if route.conditions() == 0 { route.methods.answered_bits() } else { 0 })
            .collect();
        Ok(Self { routes, unconditional, roots, tree })
    }

    /// Finds the route of a request. Allocates nothing but for methods outside RFC 9110 in a
    /// [`Lookup::MethodNotAllowed`].
    #[must_use]
    pub fn find(&self, request: &RequestView<'_>) -> Lookup {
        let mut refused: Option<MethodSet> = None;
        let method = bit(request.method);
        let mut walk = Walk::new(&self.tree, request.path, |place: Place<'_>| {
            for &index in place.routes {
                if self.unconditional[index as usize] & method != 0 {
                    return ControlFlow::Break((index as usize, place.rest));
                }
                let route = &self.routes[index as usize];
                if !route.conditions_hold(request) {
                    continue;
                }
                if route.methods.allows(request.method) {
                    return ControlFlow::Break((index as usize, place.rest));
                }
                refused.get_or_insert_default().insert_all(&route.methods);
            }
            ControlFlow::Continue(())
        });
        match self.roots.walk(request.host, |root| walk.run(*root)) {
            ControlFlow::Break((route, rest)) => {
                let mut params = walk.into_params();
                if let Some(start) = rest {
                    params.push_rest(start..request.path.len(), self.routes[route].path.has_named_rest());
                }
                Lookup::Found(Found { route, params })
            }
            ControlFlow::Continue(()) => refused.map_or(Lookup::NotFound, Lookup::MethodNotAllowed),
        }
    }

    /// Says for every route whether it matches the request, or the first reason why not. Slow; for people.
    #[must_use]
    pub fn explain(&self, request: &RequestView<'_>) -> Vec<Explanation> {
        explain(&self.routes, request)
    }

    /// What the routes ask, by index.
    #[must_use]
    pub fn routes(&self) -> &[RouteMatch] {
        &self.routes
    }

    /// The indices of all routes, those that win first. Routes that no request matches both are in the order of
    /// their text.
    #[must_use]
    pub fn in_precedence_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.routes.len()).collect();
        order.sort_by(|&one, &two| {
            let (one, two) = (&self.routes[one], &self.routes[two]);
            compare_hosts(first_host(one), first_host(two))
                .then_with(|| first_host(one).cmp(&first_host(two)))
                .then_with(|| compare_paths(&one.path, &two.path))
                .then_with(|| compare_demands(one, two))
                .then_with(|| one.to_string().cmp(&two.to_string()))
        });
        order
    }
}

/// The host patterns of a route; `None` is any host.
fn hosts_of(route: &RouteMatch) -> impl Iterator<Item = Option<&HostPattern>> {
    let any = route.hosts.is_empty().then_some(None);
    route.hosts.iter().map(Some).chain(any)
}

/// The host pattern of a route that ranks highest.
fn first_host(route: &RouteMatch) -> Option<&HostPattern> {
    route.hosts.iter().min_by(|one, two| compare_hosts(Some(one), Some(two)))
}
