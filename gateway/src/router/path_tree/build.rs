//! Growing a tree, and laying it out.

use super::super::path_pattern::{Param, PathPattern, Segment};
use super::super::precedence::affix_rank;
use super::super::segment_hash::segment_hash;
use super::{Edge, NO_NODE, Node, NodeIndex, PathTree, Slice};
use std::collections::HashMap;

/// The tree of one host pattern while routes are still added.
#[derive(Debug)]
pub(in crate::router) struct TreeBuilder {
    nodes: Vec<GrowingNode>,
}

#[derive(Debug, Default)]
struct GrowingNode {
    literals: HashMap<Box<str>, usize>,
    affixed: Vec<(Param, usize)>,
    bare: Option<usize>,
    ending: Vec<u32>,
    open: Vec<u32>,
}

impl Default for TreeBuilder {
    fn default() -> Self {
        Self { nodes: vec![GrowingNode::default()] }
    }
}

impl TreeBuilder {
    /// Adds a route.
    pub(in crate::router) fn insert(&mut self, pattern: &PathPattern, route: u32) {
        let node = pattern.segments().iter().fold(0, |node, segment| self.child(node, segment));
        let node = &mut self.nodes[node];
        if pattern.has_rest() { node.open.push(route) } else { node.ending.push(route) }
    }

    /// Every list of routes that share a pattern but for names.
    pub(in crate::router) fn groups_mut(&mut self) -> impl Iterator<Item = &mut Vec<u32>> {
        self.nodes.iter_mut().flat_map(|node| [&mut node.ending, &mut node.open]).filter(|group| !group.is_empty())
    }

    fn child(&mut self, parent: usize, segment: &Segment) -> usize {
        let new = self.nodes.len();
        let node = &mut self.nodes[parent];
        let child = match segment {
            Segment::Literal(literal) => *node.literals.entry(literal.clone()).or_insert(new),
            Segment::Param(param) if param.is_bare() => *node.bare.get_or_insert(new),
            Segment::Param(param) => affixed_child(&mut node.affixed, param, new),
        };
        if child == new {
            self.nodes.push(GrowingNode::default());
        }
        child
    }
}

fn affixed_child(children: &mut Vec<(Param, usize)>, param: &Param, new: usize) -> usize {
    let same = |other: &Param| other.prefix == param.prefix && other.suffix == param.suffix;
    if let Some((_, child)) = children.iter().find(|(other, _)| same(other)) {
        return *child;
    }
    let index = children.partition_point(|(other, _)| affix_rank(other) <= affix_rank(param));
    children.insert(index, (param.clone(), new));
    new
}

impl PathTree {
    /// Adds a finished tree and returns its root.
    pub(in crate::router) fn add(&mut self, mut tree: TreeBuilder) -> NodeIndex {
        self.lay_out(&mut tree.nodes, 0)
    }

    /// Lays a node out before its children, and each child with all below it before the next. The depth is bounded by
    /// the length of patterns.
    fn lay_out(&mut self, nodes: &mut [GrowingNode], index: usize) -> NodeIndex {
        let GrowingNode { literals, affixed, bare, ending, open } = std::mem::take(&mut nodes[index]);
        let place = self.nodes.len();
        self.nodes.push(Node::default());
        let ending = append(&mut self.routes, ending);
        let open = append(&mut self.routes, open);

        let mut edges: Vec<(Edge, usize)> =
            literals.into_iter().map(|(literal, child)| (self.unfinished_edge(&literal), child)).collect();
        edges.sort_by_key(|(edge, _)| edge.hash);
        let edge_slice = append(&mut self.edges, edges.iter().map(|(edge, _)| *edge));
        let affixed_slice = append(&mut self.affixed, affixed.iter().map(|(param, _)| (param.clone(), NO_NODE)));

        for (offset, (_, child)) in edges.into_iter().enumerate() {
            self.edges[edge_slice.start as usize + offset].child = self.lay_out(nodes, child);
        }
        for (offset, (_, child)) in affixed.into_iter().enumerate() {
            self.affixed[affixed_slice.start as usize + offset].1 = self.lay_out(nodes, child);
        }
        let bare = bare.map_or(NO_NODE, |child| self.lay_out(nodes, child));
        self.nodes[place] = Node { edges: edge_slice, affixed: affixed_slice, ending, open, bare };
        place as NodeIndex
    }

    fn unfinished_edge(&mut self, literal: &str) -> Edge {
        let text = Slice { start: self.text.len() as u32, length: literal.len() as u32 };
        self.text.push_str(literal);
        Edge { hash: segment_hash(literal), child: NO_NODE, text }
    }
}

fn append<T>(list: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> Slice {
    let start = list.len();
    list.extend(items);
    Slice { start: start as u32, length: (list.len() - start) as u32 }
}
