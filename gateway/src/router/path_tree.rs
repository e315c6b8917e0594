//! The paths of all routes as trees of segments, laid out for reading.
//!
//! A node is reached by exactly one sequence of segments, so a search visits each node at most once: its cost is bound
//! by the size of the table whatever the path, and its depth by the longest pattern. Nodes, edges and text that belong
//! together lie together: with many routes, waiting for memory is most of the cost of a search.

mod build;
mod walk;

pub(super) use build::TreeBuilder;
pub(super) use walk::{Place, Walk};

use super::path_pattern::Param;
use super::segment_hash::segment_hash;

/// All trees of a table. Each has a root, which is the place before the first segment.
#[derive(Debug, Default)]
pub(super) struct PathTree {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    affixed: Vec<(Param, NodeIndex)>,
    routes: Vec<u32>,
    /// The text of all edges.
    text: String,
}

/// The place of a node in [`PathTree::nodes`].
pub(super) type NodeIndex = u32;

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// Literal segments, sorted by hash.
    edges: Slice,
    /// Parameters with fixed text, in the order of precedence.
    affixed: Slice,
    /// Routes whose pattern ends here, in the order of precedence.
    ending: Slice,
    /// Routes whose rest begins here, in the order of precedence.
    open: Slice,
    /// The child for a bare parameter; [`NO_NODE`] if there is none.
    bare: NodeIndex,
}

const NO_NODE: NodeIndex = NodeIndex::MAX;

#[derive(Clone, Copy, Debug)]
struct Edge {
    hash: u32,
    child: NodeIndex,
    text: Slice,
}

/// A part of one of the lists of [`PathTree`]; 32 bits keep a node within a cache line.
#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    start: u32,
    length: u32,
}

impl PathTree {
    fn literal_child(&self, node: &Node, segment: &str) -> Option<NodeIndex> {
        let edges = node.edges.of(&self.edges);
        if edges.is_empty() {
            return None;
        }
        let hash = segment_hash(segment);
        let first = edges.partition_point(|edge| edge.hash < hash);
        let candidates = edges[first..].iter().take_while(|edge| edge.hash == hash);
        let mut matching = candidates.filter(|edge| edge.text.of(self.text.as_bytes()) == segment.as_bytes());
        matching.next().map(|edge| edge.child)
    }
}

impl Slice {
    fn of<T>(self, items: &[T]) -> &[T] {
        &items[self.start as usize..][..self.length as usize]
    }
}
