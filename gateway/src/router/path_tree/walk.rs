//! Reading a tree: every group of routes whose pattern matches a path, in the order of precedence.

use super::super::params::Params;
use super::{NO_NODE, NodeIndex, PathTree};
use std::ops::ControlFlow;

/// A walk over the places of one path. The captures are kept along the way.
pub(in crate::router) struct Walk<'a, F> {
    tree: &'a PathTree,
    path: &'a str,
    params: Params,
    visit: F,
}

/// Routes that share a pattern but for names, and match the path.
pub(in crate::router) struct Place<'a> {
    /// The routes in the order of precedence; never empty.
    pub(in crate::router) routes: &'a [u32],
    /// Where the rest begins in the path, for patterns that have one.
    pub(in crate::router) rest: Option<usize>,
}

impl<'a, B, F: FnMut(Place<'a>) -> ControlFlow<B>> Walk<'a, F> {
    pub(in crate::router) fn new(tree: &'a PathTree, path: &'a str, visit: F) -> Self {
        Self { tree, path, params: Params::default(), visit }
    }

    /// Visits every place of the tree below `root` until the visitor breaks.
    pub(in crate::router) fn run(&mut self, root: NodeIndex) -> ControlFlow<B> {
        if self.path.starts_with('/') { self.node(root, Some(1)) } else { ControlFlow::Continue(()) }
    }

    /// The captures at the place where the visitor broke, without the rest.
    pub(in crate::router) fn into_params(self) -> Params {
        self.params
    }

    /// `start` is where the next segment begins; `None` when the path has ended.
    fn node(&mut self, index: NodeIndex, start: Option<usize>) -> ControlFlow<B> {
        let tree = self.tree;
        let node = &tree.nodes[index as usize];
        match start {
            None => self.group(node.ending.of(&tree.routes), None)?,
            Some(start) => {
                let length = self.path.as_bytes()[start..].iter().position(|byte| *byte == b'/');
                let end = length.map_or(self.path.len(), |length| start + length);
                let next = length.map(|_| end + 1);
                let segment = &self.path[start..end];
                if let Some(child) = tree.literal_child(node, segment) {
                    self.node(child, next)?;
                }
                for (param, child) in node.affixed.of(&tree.affixed) {
                    if param.capture(segment).is_some() {
                        self.param(*child, start + param.prefix.len()..end - param.suffix.len(), next)?;
                    }
                }
                if node.bare != NO_NODE && !segment.is_empty() {
                    self.param(node.bare, start..end, next)?;
                }
            }
        }
        self.group(node.open.of(&tree.routes), Some(start.unwrap_or(self.path.len())))
    }

    fn param(&mut self, child: NodeIndex, span: std::ops::Range<usize>, next: Option<usize>) -> ControlFlow<B> {
        self.params.push(span);
        self.node(child, next)?;
        self.params.pop();
        ControlFlow::Continue(())
    }

    fn group(&mut self, routes: &'a [u32], rest: Option<usize>) -> ControlFlow<B> {
        if routes.is_empty() { ControlFlow::Continue(()) } else { (self.visit)(Place { routes, rest }) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::path_pattern::PathPattern;
    use super::super::TreeBuilder;
    use super::*;

    fn tree(patterns: &[String]) -> (PathTree, NodeIndex) {
        let mut builder = TreeBuilder::default();
        for (index, pattern) in (0..).zip(patterns) {
            builder.insert(&PathPattern::parse(pattern).unwrap(), index);
        }
        let mut tree = PathTree::default();
        let root = tree.add(builder);
        (tree, root)
    }

    fn visited(patterns: &[&str], path: &str) -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        let (tree, root) = tree(&patterns);
        let mut seen = Vec::new();
        let mut walk: Walk<'_, _> = Walk::new(&tree, path, |place: Place<'_>| {
            seen.extend(place.routes.iter().map(|index| patterns[*index as usize].clone()));
            ControlFlow::<()>::Continue(())
        });
        assert!(walk.run(root).is_continue());
        assert!(walk.into_params().is_empty(), "captures of abandoned ways are dropped");
        seen
    }

    #[test]
    fn patterns_are_visited_in_the_order_of_precedence() {
        let patterns = [
            "/**",
            "/{a}/{b}/c",
            "/{a}/**",
            "/a/{b}/c",
            "/a/b/**",
            "/a/b/c",
            "/a/b{x}/c",
            "/a/{x}b/c",
            "/a/bb{x}/c",
            "/a/**",
            "/a/b/c/**",
        ];
        assert_eq!(
            visited(&patterns, "/a/b/c"),
            ["/a/b/c", "/a/b/c/**", "/a/b/**", "/a/{b}/c", "/a/**", "/{a}/{b}/c", "/{a}/**", "/**"]
        );
        assert_eq!(
            visited(&patterns, "/a/bbb/c"),
            ["/a/bb{x}/c", "/a/b{x}/c", "/a/{x}b/c", "/a/{b}/c", "/a/**", "/{a}/{b}/c", "/{a}/**", "/**"]
        );
        assert_eq!(visited(&patterns, "/a"), ["/a/**", "/{a}/**", "/**"]);
        assert_eq!(visited(&patterns, "/"), ["/**"]);
        assert!(visited(&patterns, "*").is_empty());
    }

    #[test]
    fn a_search_visits_no_place_twice() {
        let segment =
            |number: u32, bit: u32| if number >> bit & 1 == 1 { "/a".to_owned() } else { format!("/{{p{bit}}}") };
        let patterns: Vec<String> = (0..1 << 12)
            .map(|number| (0..12).map(|bit| segment(number, bit)).chain(["/a".repeat(8)]).collect())
            .collect();
        let (tree, root) = tree(&patterns);
        let path = "/a".repeat(20);
        let mut places = 0;
        let mut walk = Walk::new(&tree, &path, |_: Place<'_>| {
            places += 1;
            ControlFlow::<()>::Continue(())
        });
        assert!(walk.run(root).is_continue());
        assert_eq!(places, 1 << 12, "every pattern matches, each is visited once");
    }
}
