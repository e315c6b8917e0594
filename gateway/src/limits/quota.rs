//! What is left of a rate.

use std::time::Duration;

/// What is left of a rate after a request was held against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests that may come at once after a quiet time.
    pub limit: u32,
    /// Requests that may come at once now.
    pub remaining: u32,
    /// When all of it is there again if nothing more comes; of a refusal, when the next request is taken.
    pub reset: Duration,
}

impl Quota {
    /// The one that leaves the caller less.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        let key = |quota: &Self| (quota.remaining, std::cmp::Reverse(quota.reset));
        if key(&other) < key(&self) { other } else { self }
    }
}

/// A request is above a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What may come at once after a quiet time.
    pub limit: u32,
    /// After how long the next request will be taken.
    pub after: Duration,
}

impl Refusal {
    /// What the answer says of the rate: that the quota is back when the next request is taken, as `Retry-After` has it.
    #[must_use]
    pub fn quota(self) -> Quota {
        Quota { limit: self.limit, remaining: 0, reset: self.after }
    }
}

/// How one count is kept. Times are nanoseconds since the limit was made.
pub(super) trait Rule {
    /// One count. The default one was never used.
    type Count: Default;

    /// Takes one request.
    ///
    /// # Errors
    /// After how long the next one will be taken.
    fn take(&self, count: &mut Self::Count, now: u64) -> Result<Quota, Refusal>;

    /// Undoes a request that was taken at `now`.
    fn give_back(&self, count: &mut Self::Count, now: u64);

    /// When the count is as good as new if nothing more comes. Until then it must not be forgotten.
    fn forgotten_at(&self, count: &Self::Count) -> u64;
}
