//! The last differences of every route, in memory.

use super::difference::Difference;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of the differences of one route.
const MOST_OF_ROUTE: usize = 1 << 20;
/// Bytes of the differences of all routes.
const MOST_OF_ALL: usize = 16 << 20;

/// The last differences of every route. Clones share one list.
#[derive(Clone, Debug, Default)]
pub struct KeptDifferences(Arc<Mutex<Lists>>);

#[derive(Debug, Default)]
struct Lists {
    /// By namespace and route, the oldest first.
    routes: BTreeMap<(String, String), VecDeque<Difference>>,
    size: usize,
}

impl KeptDifferences {
    /// Keeps a difference, and `most` of its route.
    pub fn keep(&self, difference: Difference, most: usize) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (difference.namespace.clone(), difference.route.clone());
        lists.size += difference.size();
        lists.routes.entry(key.clone()).or_default().push_back(difference);
        lists.shrink(&key, most);
    }

    /// Those of a namespace and a route, or of all, the newest of each route first.
    #[must_use]
    pub fn list(&self, namespace: Option<&str>, route: Option<&str>) -> Vec<Difference> {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_meant = |key: &(String, String)| {
            namespace.is_none_or(|namespace| key.0 == namespace) && route.is_none_or(|route| key.1 == route)
        };
        lists.routes.iter().filter(|(key, _)| is_meant(key)).flat_map(|(_, list)| list.iter().rev().cloned()).collect()
    }

    /// Forgets the routes that are not kept.
    pub fn retain(&self, is_kept: impl Fn(&str, &str) -> bool) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.routes.retain(|(namespace, route), _| is_kept(namespace, route));
        lists.size = lists.routes.values().flatten().map(Difference::size).sum();
    }
}

impl Lists {
    fn shrink(&mut self, key: &(String, String), most: usize) {
        let Some(list) = self.routes.get_mut(key) else { return };
        let mut of_route: usize = list.iter().map(Difference::size).sum();
        while list.len() > most || (of_route > MOST_OF_ROUTE && list.len() > 1) {
            let Some(oldest) = list.pop_front() else { return };
            of_route -= oldest.size();
            self.size -= oldest.size();
        }
        // The route with the most gives.
        while self.size > MOST_OF_ALL {
            let largest = self.routes.values_mut().max_by_key(|list| list.len());
            let Some(oldest) = largest.and_then(VecDeque::pop_front) else { return };
            self.size -= oldest.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::{ShownAnswer, ShownRequest};

    fn difference(route: &str, id: usize, body: usize) -> Difference {
        let answer = ShownAnswer {
            of: String::new(),
            status: Some(200),
            failure: None,
            headers: Vec::new(),
            body: Some("x".repeat(body)),
            body_bytes: 0,
            body_sha256: String::new(),
        };
        Difference {
            time: String::new(),
            request_id: id.to_string(),
            namespace: "demo".to_owned(),
            route: route.to_owned(),
            kinds: Vec::new(),
            places: Vec::new(),
            request: ShownRequest { method: String::new(), target: String::new(), headers: Vec::new() },
            answer: answer.clone(),
            copy: answer,
        }
    }

    #[test]
    fn the_last_ones_are_kept_within_bounds() {
        let kept = KeptDifferences::default();
        let ids = |route: &str| -> Vec<String> {
            kept.list(Some("demo"), Some(route)).into_iter().map(|difference| difference.request_id).collect()
        };
        (0..5).for_each(|id| kept.keep(difference("a", id, 1), 3));
        assert_eq!(ids("a"), ["4", "3", "2"]);
        (0..5).for_each(|id| kept.keep(difference("b", id, 200_000), 50));
        assert_eq!(ids("b"), ["4", "3"]);
        for route in 0..60 {
            kept.keep(difference(&format!("c{route}"), 0, 200_000), 50);
        }
        let total: usize = kept.list(None, None).iter().map(Difference::size).sum();
        assert!(total <= MOST_OF_ALL, "{total}");
        kept.retain(|_, route| route == "b");
        assert!(kept.list(None, None).iter().all(|difference| difference.route == "b"));
    }
}
