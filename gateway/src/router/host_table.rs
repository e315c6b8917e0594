//! What belongs to each host pattern.

use super::host_pattern::{HostPattern, LONGEST_HOST};
use super::segment_hash::BuildSegmentHasher;
use std::collections::HashMap;
use std::ops::ControlFlow;

type ByName<T> = HashMap<Box<str>, T, BuildSegmentHasher>;

/// One `T` for each host pattern that a route names, and one for any host.
#[derive(Debug, Default)]
pub(super) struct HostTable<T> {
    exact: ByName<T>,
    /// By what follows the `*.`.
    wildcard: ByName<T>,
    any: T,
    /// The longest key of `wildcard` in bytes; nothing longer needs to be looked up.
    longest_suffix: usize,
}

impl<T> HostTable<T> {
    /// What belongs to a host pattern, created if need be; `None` is any host.
    pub(super) fn entry(&mut self, host: Option<&HostPattern>) -> &mut T
    where
        T: Default,
    {
        match host {
            Some(HostPattern::Exact(name)) => self.exact.entry(name.clone()).or_default(),
            Some(HostPattern::Wildcard(suffix)) => {
                self.longest_suffix = self.longest_suffix.max(suffix.len());
                self.wildcard.entry(suffix.clone()).or_default()
            }
            None => &mut self.any,
        }
    }

    /// Turns each `T` into something else.
    pub(super) fn map<U>(self, mut convert: impl FnMut(T) -> U) -> HostTable<U> {
        let Self { exact, wildcard, any, longest_suffix } = self;
        HostTable {
            exact: exact.into_iter().map(|(name, value)| (name, convert(value))).collect(),
            wildcard: wildcard.into_iter().map(|(suffix, value)| (suffix, convert(value))).collect(),
            any: convert(any),
            longest_suffix,
        }
    }

    /// Calls `visit` with what belongs to each pattern that matches `host`, in the order of precedence, until it
    /// breaks.
    pub(super) fn walk<B>(&self, host: &str, mut visit: impl FnMut(&T) -> ControlFlow<B>) -> ControlFlow<B> {
        if host.len() <= LONGEST_HOST {
            if let Some(value) = self.exact.get(host) {
                visit(value)?;
            }
            for suffix in self.suffixes(host) {
                if let Some(value) = self.wildcard.get(suffix) {
                    visit(value)?;
                }
            }
        }
        visit(&self.any)
    }

    /// What follows each dot of `host` but a first one, longest first, if it can be a key.
    fn suffixes<'a>(&self, host: &'a str) -> impl Iterator<Item = &'a str> {
        let longest = self.longest_suffix;
        let dots = host.bytes().enumerate().skip(1).filter(|(_, byte)| *byte == b'.');
        dots.map(|(index, _)| &host[index + 1..]).filter(move |suffix| suffix.len() <= longest)
    }
}
