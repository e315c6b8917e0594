//! Counts by key, in bounded room.
//!
//! Each shard has a lock of its own, held for one count. When a shard is full, the counts that are as good as new are forgotten;
//! when those are few, the ones that would be forgotten soonest. So a caller is forgotten early only while more callers than
//! there is room for are being counted.

use super::quota::{Quota, Refusal, Rule};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, so that callers on many threads seldom meet.
const SHARDS: usize = 64;

/// A digest of what is counted. It is as good as random, so nothing that a client sends makes two of them alike.
pub type Key = u128;

/// Counts by key.
#[derive(Debug)]
pub(super) struct KeyedCounters<R: Rule> {
    rule: R,
    most_in_shard: usize,
    shards: Box<[Mutex<Shard<R::Count>>]>,
}

type Shard<C> = HashMap<Key, C, BuildHasherDefault<AsItIs>>;

impl<R: Rule> KeyedCounters<R> {
    /// Room for about `most` keys.
    pub(super) fn new(rule: R, most: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { rule, most_in_shard: most.div_ceil(SHARDS).max(8), shards }
    }

    pub(super) fn take(&self, key: Key, now: u64) -> Result<Quota, Refusal> {
        let mut shard = self.shard(key);
        if let Some(count) = shard.get_mut(&key) {
            return self.rule.take(count, now);
        }
        if shard.len() >= self.most_in_shard {
            self.make_room(&mut shard, now);
        }
        self.rule.take(shard.entry(key).or_default(), now)
    }

    pub(super) fn give_back(&self, key: Key, now: u64) {
        if let Some(count) = self.shard(key).get_mut(&key) {
            self.rule.give_back(count, now);
        }
    }

    /// How many keys are counted.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Shard<R::Count>> {
        // The table below uses the lower half of the key.
        lock(&self.shards[(key >> 64) as usize % SHARDS])
    }

    /// Many at once, so that a flood of new keys does not look through the shard for each of them.
    fn make_room(&self, shard: &mut Shard<R::Count>, now: u64) {
        let wanted = self.most_in_shard / 8 + 1;
        shard.retain(|_, count| self.rule.forgotten_at(count) > now);
        let Some(surplus) = (shard.len() + wanted).checked_sub(self.most_in_shard).filter(|surplus| *surplus > 0)
        else {
            return;
        };
        let mut ends: Vec<u64> = shard.values().map(|count| self.rule.forgotten_at(count)).collect();
        let (_, last, _) = ends.select_nth_unstable(surplus.min(shard.len()) - 1);
        let last = *last;
        let mut left = surplus;
        shard.retain(|_, count| {
            let goes = left > 0 && self.rule.forgotten_at(count) <= last;
            left -= usize::from(goes);
            !goes
        });
    }
}

fn lock<C>(shard: &Mutex<Shard<C>>) -> MutexGuard<'_, Shard<C>> {
    // A panic while counting leaves at most one wrong count behind.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keys are digests already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::super::bucket::Bucket;
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// As good as random.
    fn digest(number: u64) -> Key {
        u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
    }

    #[test]
    fn many_keys_take_bounded_room_and_the_busiest_are_kept() {
        let counters = KeyedCounters::new(Bucket::new(10, Duration::from_secs(1), 10), 6_400);
        let busy = digest(0);
        assert_eq!((0..20).filter(|_| counters.take(busy, 0).is_ok()).count(), 10);
        for number in 1..100_000 {
            assert!(counters.take(digest(number), 0).is_ok());
        }
        assert!(counters.len() <= 6_400, "{}", counters.len());
        assert!(counters.take(busy, 0).is_err(), "the one that is refused is not forgotten");
        // All of them are as good as new after a second.
        for number in 100_000..200_000 {
            assert!(counters.take(digest(number), 2_000_000_000).is_ok());
        }
        assert!(counters.len() <= 6_400, "{}", counters.len());
    }

    proptest! {
        #[test]
        fn each_key_is_counted_as_if_it_were_alone(steps in prop::collection::vec((0_u64..20, 0_u64..50_000_000), 1..400)) {
            let rule = Bucket::new(5, Duration::from_secs(1), 3);
            let counters = KeyedCounters::new(rule, 10_000);
            let mut alone = [0_u64; 20];
            let mut now = 0;
            for (key, gap) in steps {
                now += gap;
                prop_assert_eq!(counters.take(digest(key), now), rule.take(&mut alone[key as usize], now));
            }
        }
    }
}
