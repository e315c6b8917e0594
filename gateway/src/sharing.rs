//! Which of several shares a value falls to. Pure, and the same in every process and every version of the gateway.
//!
//! Weighted rendezvous hashing: each share draws a number from the value and its own name, as if from a lottery in which its weight
//! is its chance, and the best number wins. So
//!
//! - the same value always falls to the same share, whatever the order of the shares;
//! - a share whose weight grows against the others keeps every value that it has, and takes others over; one whose weight falls
//!   gives some away and takes none; nothing moves between the others;
//! - only the proportions count: `{ a: 95, b: 5 }` is `{ a: 19, b: 1 }`.

/// A share as it takes part in the lottery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    weight: u32,
    name: u64,
}

impl Lot {
    /// The share called `name`.
    #[must_use]
    pub fn new(name: &str, weight: u32) -> Self {
        Self { weight, name: mix(hash(name.as_bytes())) }
    }

    /// Its weight.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }
}

/// The index of the share that `value` falls to; `None` when nobody has a weight. Allocates nothing.
#[must_use]
pub fn share_of(value: &[u8], lots: impl Iterator<Item = Lot>) -> Option<usize> {
    let value = hash(value);
    let drawn =
        lots.enumerate().filter(|(_, lot)| lot.weight > 0).map(|(index, lot)| (draw(value, lot), lot.name, index));
    // Two that draw the same number, which nobody will live to see, are ordered by their names.
    let best = drawn.min_by(|one, two| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1)));
    best.map(|(_, _, index)| index)
}

/// Exponentially distributed with the weight as its rate: the smallest of several is a lot's own in proportion to its weight.
fn draw(value: u64, lot: Lot) -> f64 {
    // 53 bits are what an f64 holds; never 0 and never 1.
    let fraction = ((mix(value ^ lot.name) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -fraction.ln() / f64::from(lot.weight)
}

/// FNV-1a, which is defined byte by byte.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finaliser of SplitMix64: every bit of the result depends on every bit of `x`.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pick<'a>(value: &str, shares: &[(&'a str, u32)]) -> Option<&'a str> {
        share_of(value.as_bytes(), shares.iter().map(|(name, weight)| Lot::new(name, *weight)))
            .map(|index| shares[index].0)
    }

    #[test]
    fn what_falls_where_is_the_same_for_ever() {
        // A change here moves the users of everybody who runs the gateway.
        let to = |value: &str| pick(value, &[("old", 90), ("new", 10)]).unwrap();
        let new: Vec<u32> = (0..60).filter(|number| to(&format!("user-{number}")) == "new").collect();
        assert_eq!(new, [14, 20, 29, 32, 34, 50]);
        assert_eq!(pick("x", &[("old", 0), ("new", 0)]), None);
        assert_eq!(pick("x", &[("old", 0), ("new", 1)]), Some("new"));
    }

    #[test]
    fn shares_are_as_large_as_their_weights_say() {
        for (old, new) in [(99, 1), (90, 10), (50, 50), (1, 3)] {
            let to_new = (0..20_000).filter(|n| pick(&format!("s{n}"), &[("old", old), ("new", new)]) == Some("new"));
            let (expected, seen) = (f64::from(new) / f64::from(old + new), to_new.count() as f64 / 20_000.0);
            assert!((seen - expected).abs() < 0.015, "{old}:{new} gives {seen}");
        }
    }

    proptest! {
        #[test]
        fn a_share_that_grows_keeps_what_it_has(value in ".{1,40}", weights in prop::array::uniform3(0_u32..1000), more in 1_u32..1000) {
            let [a, b, c] = weights;
            let before = pick(&value, &[("a", a), ("b", b), ("c", c)]);
            let after = pick(&value, &[("a", a), ("b", b + more), ("c", c)]);
            prop_assert!(after == before || after == Some("b"));
            // The way of a migration: what one gets the other loses.
            let moved = pick(&value, &[("a", a.saturating_sub(more)), ("b", b + more)]);
            if pick(&value, &[("a", a), ("b", b)]) == Some("b") {
                prop_assert_eq!(moved, Some("b"));
            }
        }

        #[test]
        fn the_order_of_shares_and_their_unit_do_not_matter(value in ".{1,40}", weights in prop::array::uniform3(1_u32..1000)) {
            let [a, b, c] = weights;
            let picked = pick(&value, &[("a", a), ("b", b), ("c", c)]);
            prop_assert_eq!(pick(&value, &[("c", c), ("a", a), ("b", b)]), picked);
            prop_assert_eq!(pick(&value, &[("a", a * 8), ("b", b * 8), ("c", c * 8)]), picked);
        }
    }
}
