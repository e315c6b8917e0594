//! Where the parameters of a route are in the path of a request.

use super::path_pattern::{MOST_PARAMS, PathPattern};
use std::ops::Range;

/// The captures of one request, as byte ranges into its path. Holds no text and no allocation.
#[derive(Clone, Debug, Default)]
pub struct Params {
    spans: [Span; MOST_PARAMS],
    count: u8,
    rest: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Params {
    /// How many parameters were captured; an unnamed rest does not count.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether no parameter was captured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The value of the parameter at `index`, counted from the left, as it stands in the path (still percent-encoded).
    #[must_use]
    pub fn get<'a>(&self, index: usize, path: &'a str) -> Option<&'a str> {
        self.spans[..self.len()].get(index)?.of(path)
    }

    /// Name and value of each parameter. `pattern` and `path` are those that were compared.
    pub fn named<'a>(&'a self, pattern: &'a PathPattern, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let values = self.spans[..self.len()].iter().filter_map(|span| span.of(path));
        pattern.param_names().zip(values)
    }

    /// What `**` or `{name...}` matched, without a slash at its start; `None` if the pattern has no rest.
    #[must_use]
    pub fn rest<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.rest?.of(path)
    }

    pub(super) fn push(&mut self, range: Range<usize>) {
        if let Some(span) = self.spans.get_mut(usize::from(self.count)) {
            *span = Span::from(range);
            self.count += 1;
        }
    }

    pub(super) fn pop(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    pub(super) fn push_rest(&mut self, range: Range<usize>, named: bool) {
        self.rest = Some(Span::from(range.clone()));
        if named {
            self.push(range);
        }
    }
}

/// Only captures count, not what a search left behind in unused places.
impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.spans[..self.len()] == other.spans[..other.len()] && self.rest == other.rest
    }
}

impl Eq for Params {}

impl Span {
    fn of(self, path: &str) -> Option<&str> {
        path.get(self.start as usize..self.end as usize)
    }
}

impl From<Range<usize>> for Span {
    /// A path is far shorter than 4 GiB: the listener bounds the request head.
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start as u32, end: range.end as u32 }
    }
}
