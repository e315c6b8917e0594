//! A window that slides: no span of its length has more requests than allowed.
//!
//! Requests are counted in slots, sixteen to a window. A slot that is partly out of the window counts as a whole, so the promise
//! holds exactly, and a request is forgotten between one window and a sixteenth more after it came. The room for one count is
//! the same however many requests are allowed.

use super::quota::{Quota, Refusal, Rule};
use std::time::Duration;

/// Slots that make up a window.
const SLOTS: u64 = 16;
/// And the one that is partly in it.
const KEPT: usize = 17;

/// At most `most` requests in any span of `SLOTS` slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlidingWindow {
    slot: u64,
    most: u32,
}

/// The requests of the last slots.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    /// The number of the latest slot.
    latest: u64,
    /// By the number of the slot, modulo their count.
    counts: [u32; KEPT],
}

impl SlidingWindow {
    /// `requests` (at least 1) in any span of `per`.
    pub(super) fn new(requests: u32, per: Duration) -> Self {
        let per = u64::try_from(per.as_nanos()).unwrap_or(u64::MAX);
        Self { slot: per.div_ceil(SLOTS).max(1), most: requests.max(1) }
    }

    /// When what came in the slot `number` is forgotten.
    fn end_of(&self, number: u64) -> u64 {
        number.saturating_add(KEPT as u64).saturating_mul(self.slot)
    }
}

impl Slots {
    fn count(&mut self, number: u64) -> &mut u32 {
        &mut self.counts[(number % KEPT as u64) as usize]
    }

    /// Forgets what has left the window when the slot `now` is the latest.
    fn advance(&mut self, now: u64) {
        let passed = now.saturating_sub(self.latest).min(KEPT as u64);
        for number in 0..passed {
            *self.count(now - number) = 0;
        }
        self.latest = self.latest.max(now);
    }

    /// The slots from the oldest to the latest, with their numbers.
    fn in_order(&self) -> impl DoubleEndedIterator<Item = (u64, u32)> {
        let oldest = self.latest.saturating_sub(KEPT as u64 - 1);
        (oldest..=self.latest).map(|number| (number, self.counts[(number % KEPT as u64) as usize]))
    }
}

impl Rule for SlidingWindow {
    type Count = Slots;

    fn take(&self, slots: &mut Slots, now: u64) -> Result<Quota, Refusal> {
        slots.advance(now / self.slot);
        let sum: u32 = slots.counts.iter().fold(0, |sum, count| sum.saturating_add(*count));
        if sum >= self.most {
            let oldest = slots.in_order().find(|(_, count)| *count > 0).map_or(slots.latest, |(number, _)| number);
            let after = self.end_of(oldest).saturating_sub(now).max(1);
            return Err(Refusal { limit: self.most, after: Duration::from_nanos(after) });
        }
        let latest = slots.latest;
        *slots.count(latest) += 1;
        let reset = self.end_of(latest).saturating_sub(now);
        Ok(Quota { limit: self.most, remaining: self.most - sum - 1, reset: Duration::from_nanos(reset) })
    }

    fn give_back(&self, slots: &mut Slots, now: u64) {
        let number = now / self.slot;
        if number <= slots.latest && slots.latest - number < KEPT as u64 {
            let count = slots.count(number);
            *count = count.saturating_sub(1);
        }
    }

    fn forgotten_at(&self, slots: &Slots) -> u64 {
        slots.in_order().rev().find(|(_, count)| *count > 0).map_or(0, |(number, _)| self.end_of(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_request_is_forgotten_between_one_window_and_a_sixteenth_more() {
        let window = SlidingWindow::new(2, Duration::from_millis(160));
        let mut slots = Slots::default();
        assert_eq!(window.take(&mut slots, 5 * MS).map(|quota| quota.remaining), Ok(1));
        assert_eq!(window.take(&mut slots, 50 * MS).map(|quota| quota.remaining), Ok(0));
        let refused = window.take(&mut slots, 60 * MS).expect_err("the window is full");
        assert_eq!(refused.after, Duration::from_millis(110));
        assert!(window.take(&mut slots, 169 * MS).is_err());
        assert_eq!(window.take(&mut slots, 170 * MS).map(|quota| quota.remaining), Ok(0));
        assert_eq!(window.forgotten_at(&slots), 340 * MS);
        window.give_back(&mut slots, 170 * MS);
        assert!(window.take(&mut slots, 171 * MS).is_ok());
        // A long quiet time forgets everything.
        assert_eq!(window.take(&mut slots, 100_000 * MS).map(|quota| quota.remaining), Ok(1));
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_allowed_and_what_has_left_it_is_forgotten(
            most in 1_u32..20,
            gaps in prop::collection::vec(0_u64..60, 1..300),
        ) {
            let per = 160 * MS;
            let window = SlidingWindow::new(most, Duration::from_nanos(per));
            let (mut slots, mut now, mut taken) = (Slots::default(), 0, Vec::<u64>::new());
            for gap in gaps {
                now += gap * MS;
                let within = |span: u64| taken.iter().filter(|time| **time + span > now).count();
                let (exact, with_slot) = (within(per), within(per + per / SLOTS));
                match window.take(&mut slots, now) {
                    Ok(_) => {
                        prop_assert!(exact < most as usize);
                        taken.push(now);
                    }
                    Err(refused) => {
                        prop_assert!(with_slot >= most as usize);
                        let mut later = slots.clone();
                        let at = now + u64::try_from(refused.after.as_nanos()).expect("soon");
                        prop_assert!(window.take(&mut later, at).is_ok());
                        prop_assert!(window.take(&mut slots.clone(), at - 1).is_err());
                    }
                }
            }
        }
    }
}
