//! Routes with the table that finds them.

use super::route::Route;
use crate::request::RequestView;
use crate::router::{Conflict, Explanation, Lookup, RouteMatch, RouteTable};
use std::collections::HashSet;
use std::sync::Arc;

/// Routes with the table that finds them.
#[derive(Debug, Default)]
pub(super) struct Routing {
    table: RouteTable,
    routes: Vec<Arc<Route>>,
}

impl Routing {
    /// # Errors
    /// When routes conflict.
    pub(super) fn build(matches: Vec<RouteMatch>, routes: Vec<Arc<Route>>) -> Result<Self, Vec<Conflict>> {
        Ok(Self { table: RouteTable::build(matches)?, routes })
    }

    /// Leaves out whatever conflicts with something before it.
    pub(super) fn build_without_conflicts(mut matches: Vec<RouteMatch>, mut routes: Vec<Arc<Route>>) -> Self {
        loop {
            // The table is built from the list alone, so each round leaves at least one route out.
            match RouteTable::build(matches.clone()) {
                Ok(table) => return Self { table, routes },
                Err(conflicts) => {
                    let out: HashSet<usize> = conflicts.iter().map(|conflict| conflict.second).collect();
                    retain_others(&mut matches, &out);
                    retain_others(&mut routes, &out);
                }
            }
        }
    }

    pub(super) fn find(&self, request: &RequestView<'_>) -> Lookup {
        self.table.find(request)
    }

    pub(super) fn get(&self, index: usize) -> (&RouteMatch, &Arc<Route>) {
        (&self.table.routes()[index], &self.routes[index])
    }

    pub(super) fn in_precedence_order(&self) -> impl Iterator<Item = (&RouteMatch, &Arc<Route>)> {
        self.table.in_precedence_order().into_iter().map(|index| self.get(index))
    }

    pub(super) fn explain(&self, request: &RequestView<'_>) -> impl Iterator<Item = (Arc<Route>, Explanation)> {
        self.table.explain(request).into_iter().map(|explained| (self.routes[explained.route].clone(), explained))
    }
}

/// Keeps those whose index is not in `out`.
pub(super) fn retain_others<T>(list: &mut Vec<T>, out: &HashSet<usize>) {
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        !out.contains(&(index - 1))
    });
}
