//! Where a migration stands, and what comes next. Pure.

use std::fmt;

/// The shares of a route: names with weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shares(pub(super) Vec<(String, u32)>);

/// Nobody else can take what one does not get.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody but `{0}` has a share that could be made larger or smaller")]
pub(super) struct NobodyElse(String);

impl Shares {
    /// What `name` has, in per cent.
    pub(super) fn percent(&self, name: &str) -> f64 {
        let total: u64 = self.0.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let own: u64 = self.0.iter().filter(|(other, _)| other == name).map(|(_, weight)| u64::from(*weight)).sum();
        if total == 0 { 0.0 } else { own as f64 * 100.0 / total as f64 }
    }

    /// The shares in which `name` has so many of a hundred; the others keep their proportions.
    ///
    /// # Errors
    /// When there are no others.
    pub(super) fn with(&self, name: &str, percent: u32) -> Result<Self, NobodyElse> {
        let rest = u64::from(100 - percent.min(100));
        let others: u64 = self.0.iter().filter(|(other, _)| other != name).map(|(_, weight)| u64::from(*weight)).sum();
        if others == 0 && rest > 0 {
            return Err(NobodyElse(name.to_owned()));
        }
        let mut shares = Vec::with_capacity(self.0.len());
        // What whole numbers leave over goes to whoever is cut most (largest remainders).
        let mut remainders = Vec::new();
        for (index, (other, weight)) in self.0.iter().enumerate() {
            if other == name {
                shares.push((other.clone(), percent.min(100)));
                continue;
            }
            let exact = u64::from(*weight) * rest;
            let share = exact.checked_div(others).unwrap_or(0);
            remainders.push((exact - share * others, index));
            shares.push((other.clone(), u32::try_from(share).unwrap_or(100)));
        }
        let given: u64 = shares.iter().map(|(_, weight)| u64::from(*weight)).sum();
        remainders.sort_unstable_by_key(|(remainder, index)| (std::cmp::Reverse(*remainder), *index));
        for (_, index) in remainders.into_iter().take(usize::try_from(100_u64.saturating_sub(given)).unwrap_or(0)) {
            shares[index].1 += 1;
        }
        Ok(Self(shares))
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares: Vec<String> = self.0.iter().map(|(name, weight)| format!("{name}: {weight}")).collect();
        f.write_str(&shares.join(", "))
    }
}

/// The steps of a migration, in per cent, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan(Vec<u32>);

impl Plan {
    /// # Errors
    /// What is wrong with the steps.
    pub(super) fn new(mut steps: Vec<u32>) -> Result<Self, String> {
        if let Some(wrong) = steps.iter().find(|step| !(1..=100).contains(*step)) {
            return Err(format!("a step is 1 to 100 per cent, not {wrong}"));
        }
        steps.sort_unstable();
        steps.dedup();
        Ok(Self(steps))
    }

    /// The step after `percent`.
    pub(super) fn after(&self, percent: f64) -> Option<u32> {
        self.0.iter().copied().find(|step| f64::from(*step) > percent + 1e-9)
    }

    /// The step before `percent`; 0 before the first.
    pub(super) fn before(&self, percent: f64) -> u32 {
        self.0.iter().rev().copied().find(|step| f64::from(*step) < percent - 1e-9).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shares(list: &[(&str, u32)]) -> Shares {
        Shares(list.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect())
    }

    #[test]
    fn a_plan_goes_on_from_where_the_shares_are() {
        let plan = Plan::new(vec![100, 1, 50, 10, 10]).unwrap();
        for (percent, before, after) in [
            (0.0, 0, Some(1)),
            (0.5, 0, Some(1)),
            (1.0, 0, Some(10)),
            (7.0, 1, Some(10)),
            (50.0, 10, Some(100)),
            (100.0, 50, None),
        ] {
            assert_eq!((plan.before(percent), plan.after(percent)), (before, after), "{percent}");
        }
        assert!(Plan::new(vec![0]).is_err() && Plan::new(vec![101]).is_err());
    }

    #[test]
    fn the_others_keep_their_proportions() {
        let three = shares(&[("a", 60), ("b", 30), ("new", 10)]);
        assert_eq!(three.percent("new"), 10.0);
        assert_eq!(three.with("new", 50).unwrap(), shares(&[("a", 33), ("b", 17), ("new", 50)]));
        assert_eq!(three.with("new", 100).unwrap(), shares(&[("a", 0), ("b", 0), ("new", 100)]));
        assert_eq!(shares(&[("old", 1), ("new", 0)]).with("new", 1).unwrap().to_string(), "old: 99, new: 1");
        assert!(shares(&[("old", 0), ("new", 1)]).with("new", 50).is_err());
    }

    proptest! {
        #[test]
        fn shares_are_always_a_hundred(weights in prop::collection::vec(0_u32..2000, 1..6), percent in 0_u32..=100) {
            let mut list: Vec<(String, u32)> = weights.iter().enumerate().map(|(index, weight)| (format!("o{index}"), *weight)).collect();
            list.push(("new".to_owned(), 7));
            let before = Shares(list);
            if let Ok(after) = before.with("new", percent) {
                prop_assert_eq!(after.0.iter().map(|(_, weight)| weight).sum::<u32>(), 100);
                prop_assert_eq!(after.percent("new"), f64::from(percent));
                prop_assert!(after.0.iter().zip(&before.0).all(|(after, before)| after.0 == "new" || before.1 > 0 || after.1 == 0));
            }
        }
    }
}
