//! A fast hash for path segments and host names.
//!
//! The default hasher of the standard library withstands chosen keys. Here only the configuration inserts keys, and a
//! request can at worst ask for a key that is not there, so speed is what counts.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds hash maps whose keys come from the configuration only.
pub(super) type BuildSegmentHasher = BuildHasherDefault<SegmentHasher>;

/// The hash of a path segment.
pub(super) fn segment_hash(segment: &str) -> u32 {
    let mut hasher = SegmentHasher::default();
    hasher.write(segment.as_bytes());
    (hasher.finish() >> 32) as u32
}

/// An odd number with well-mixed bits (the fraction of the golden ratio).
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Eight bytes at a time: mix in, multiply to 128 bits, fold the halves.
#[derive(Default)]
pub(super) struct SegmentHasher {
    state: u64,
}

impl SegmentHasher {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word ^ MULTIPLIER) * u128::from(MULTIPLIER);
        self.state = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for SegmentHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let last = tail.iter().rev().fold(tail.len() as u64, |word, byte| word << 8 | u64::from(*byte));
        self.mix(last);
    }

    /// The end marker of a string; the length is mixed in already.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    #[test]
    fn similar_segments_hash_apart() {
        let names =
            (0..100_000).map(|number| format!("segment-{number}")).chain((0..20).map(|length| "a".repeat(length)));
        let hashes: Vec<u64> = names.map(|name| BuildSegmentHasher::default().hash_one(name.as_str())).collect();
        let whole: HashSet<u64> = hashes.iter().copied().collect();
        assert_eq!(whole.len(), hashes.len());
        let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0xffff).collect();
        assert!(low.len() > 45_000, "the low bits choose the bucket: {}", low.len());
        let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        assert_eq!(high.len(), 128, "the high bits tell entries of a bucket apart");
    }
}
