//! Whether a share may grow, stays, or has to go back. Pure.

use std::fmt;
use std::time::Duration;

/// What is counted of those who answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Numbers {
    pub(super) requests: u64,
    /// Answers of class 5xx, answers that broke off, and requests that the fallback had to answer.
    pub(super) errors: u64,
    /// Upper bounds in seconds, ascending, each with how many requests took no longer.
    pub(super) buckets: Vec<(f64, u64)>,
}

/// What is counted of copies that were compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Copies {
    pub(super) compared: u64,
    pub(super) different: u64,
}

/// What is counted at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Who is to get more.
    pub(super) new: Numbers,
    /// The others together.
    pub(super) old: Numbers,
    pub(super) copies: Copies,
}

/// What must hold for a share to grow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bounds {
    /// Errors of all requests, from 0 to 1.
    pub(super) error_rate: Option<f64>,
    pub(super) p99: Option<Duration>,
    /// The 99th percentile against that of the others.
    pub(super) latency_ratio: Option<f64>,
    /// Different answers of all that were compared.
    pub(super) difference_rate: Option<f64>,
    pub(super) min_requests: u64,
    pub(super) hold: Duration,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is too early to tell.
    Wait,
    /// All bounds have held.
    Advance,
    /// A bound is broken; which.
    Back(String),
}

impl Sample {
    /// What was counted since `earlier`. Counters that are lower than before have begun anew.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            new: self.new.since(&earlier.new),
            old: self.old.since(&earlier.old),
            copies: self.copies.since(earlier.copies),
        }
    }

    /// Judges what was counted in the time that the share has had.
    pub(super) fn judge(&self, held: Duration, bounds: &Bounds, is_all: bool) -> Judgement {
        if let Some(broken) = self.broken(bounds) {
            return Judgement::Back(broken);
        }
        // Where all requests go to one, there is nobody to copy from.
        let are_copies_known = bounds.difference_rate.is_none() || is_all || self.copies.compared > 0;
        if held >= bounds.hold && self.new.requests >= bounds.min_requests && are_copies_known {
            Judgement::Advance
        } else {
            Judgement::Wait
        }
    }

    fn broken(&self, bounds: &Bounds) -> Option<String> {
        let Self { new, old, copies } = self;
        // Before there are enough to go by, only what cannot become good any more counts.
        let is_over = |count: u64, of: u64, bound: f64| count as f64 > bound * of.max(bounds.min_requests) as f64;
        if let Some(bound) = bounds.error_rate.filter(|bound| is_over(new.errors, new.requests, *bound)) {
            return Some(format!(
                "its error rate is {}, above {}; that of the others is {} in the same time",
                Rate(new.errors, new.requests),
                Percent(bound),
                Rate(old.errors, old.requests)
            ));
        }
        if let Some(bound) = bounds.difference_rate.filter(|bound| is_over(copies.different, copies.compared, *bound)) {
            let rate = Rate(copies.different, copies.compared);
            return Some(format!("its difference rate is {rate}, above {}", Percent(bound)));
        }
        let p99 = new.p99().filter(|_| new.requests >= bounds.min_requests)?;
        let others = old.p99().filter(|_| old.requests >= bounds.min_requests);
        let of_others = others.map_or_else(|| "not known".to_owned(), |others| format!("{others:.1?}"));
        if let Some(bound) = bounds.p99.filter(|bound| p99 > *bound) {
            return Some(format!("its p99 is {p99:.1?}, above {bound:.1?}; that of the others is {of_others}"));
        }
        let others = others.filter(|others| !others.is_zero())?;
        let ratio = p99.as_secs_f64() / others.as_secs_f64();
        let bound = bounds.latency_ratio.filter(|bound| ratio > *bound)?;
        Some(format!("its p99 is {p99:.1?}, {ratio:.1} times that of the others ({others:.1?}), above {bound}"))
    }
}

impl Numbers {
    fn since(&self, earlier: &Self) -> Self {
        if self.requests < earlier.requests {
            return self.clone();
        }
        let before =
            |bound: f64| earlier.buckets.iter().find(|(other, _)| *other == bound).map_or(0, |(_, count)| *count);
        Self {
            requests: self.requests - earlier.requests,
            errors: self.errors.saturating_sub(earlier.errors),
            buckets: self.buckets.iter().map(|(bound, count)| (*bound, count.saturating_sub(before(*bound)))).collect(),
        }
    }

    /// The 99th percentile, as Prometheus reckons it: evenly spread inside the bucket. `None` without requests.
    pub(super) fn p99(&self) -> Option<Duration> {
        let total = self.buckets.last().map(|(_, count)| *count).filter(|total| *total > 0)?;
        let rank = total as f64 * 0.99;
        let (mut lower, mut below) = (0.0, 0);
        for (bound, count) in &self.buckets {
            if *count as f64 >= rank {
                if bound.is_infinite() {
                    return Some(Duration::from_secs_f64(lower));
                }
                let inside = (rank - below as f64) / (*count - below).max(1) as f64;
                return Some(Duration::from_secs_f64(lower + (bound - lower) * inside));
            }
            (lower, below) = (*bound, *count);
        }
        None
    }
}

impl Copies {
    fn since(self, earlier: Self) -> Self {
        if self.compared < earlier.compared {
            return self;
        }
        Self { compared: self.compared - earlier.compared, different: self.different.saturating_sub(earlier.different) }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests, errors {}", self.new.requests, Rate(self.new.errors, self.new.requests))?;
        if let Some(p99) = self.new.p99() {
            write!(f, ", p99 {p99:.1?}")?;
        }
        write!(f, "; the others {} requests, errors {}", self.old.requests, Rate(self.old.errors, self.old.requests))?;
        if let Some(p99) = self.old.p99() {
            write!(f, ", p99 {p99:.1?}")?;
        }
        if self.copies.compared > 0 {
            write!(f, "; copies differ {}", Rate(self.copies.different, self.copies.compared))?;
        }
        Ok(())
    }
}

struct Rate(u64, u64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, of) = self;
        let rate = if *of == 0 { 0.0 } else { *count as f64 / *of as f64 };
        write!(f, "{} ({count} of {of})", Percent(rate))
    }
}

/// From 0 to 1.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} %", self.0 * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(requests: u64, errors: u64, fast: u64) -> Numbers {
        Numbers { requests, errors, buckets: vec![(0.1, fast), (1.0, requests), (f64::INFINITY, requests)] }
    }

    fn bounds() -> Bounds {
        Bounds {
            error_rate: Some(0.01),
            p99: Some(Duration::from_millis(500)),
            latency_ratio: Some(2.0),
            difference_rate: Some(0.1),
            min_requests: 100,
            hold: Duration::from_secs(60),
        }
    }

    #[test]
    fn a_share_grows_only_when_everything_held_long_enough() {
        let (early, late) = (Duration::from_secs(59), Duration::from_secs(60));
        let copies = |compared, different| Copies { compared, different };
        let back = |what: &str| Judgement::Back(what.to_owned());
        for (new, old, copied, held, expected) in [
            (numbers(100, 1, 100), numbers(900, 0, 900), copies(10, 1), late, Judgement::Advance),
            (numbers(100, 1, 100), numbers(900, 0, 900), copies(10, 1), early, Judgement::Wait),
            (numbers(99, 0, 99), numbers(900, 0, 900), copies(10, 0), late, Judgement::Wait),
            (numbers(100, 0, 100), numbers(900, 0, 900), copies(0, 0), late, Judgement::Wait),
            // One error of fifty may still become one of a hundred; two cannot.
            (numbers(50, 1, 50), numbers(0, 0, 0), copies(1, 0), early, Judgement::Wait),
            (
                numbers(50, 2, 50),
                numbers(100, 1, 100),
                copies(1, 0),
                early,
                back(
                    "its error rate is 4.00 % (2 of 50), above 1.00 %; that of the others is 1.00 % (1 of 100) in the same time",
                ),
            ),
            (
                numbers(100, 0, 100),
                numbers(900, 0, 900),
                copies(100, 11),
                early,
                back("its difference rate is 11.00 % (11 of 100), above 10.00 %"),
            ),
            (
                numbers(100, 0, 90),
                numbers(900, 0, 900),
                copies(1, 0),
                early,
                back("its p99 is 910.0ms, above 500.0ms; that of the others is 99.0ms"),
            ),
            // Too few are slow to say so.
            (numbers(99, 0, 0), numbers(900, 0, 900), copies(1, 0), late, Judgement::Wait),
        ] {
            let sample = Sample { new, old, copies: copied };
            assert_eq!(sample.judge(held, &bounds(), false), expected, "{sample}");
        }
        let slower = Sample { new: numbers(100, 0, 97), old: numbers(900, 0, 900), copies: copies(1, 0) };
        let only_ratio = Bounds { p99: None, ..bounds() };
        assert_eq!(
            slower.judge(late, &only_ratio, false),
            back("its p99 is 700.0ms, 7.1 times that of the others (99.0ms), above 2")
        );
        // Who has everything has nobody to be compared with.
        let alone = Sample { new: numbers(100, 0, 97), old: numbers(0, 0, 0), copies: copies(0, 0) };
        assert_eq!(alone.judge(late, &only_ratio, true), Judgement::Advance);
    }

    #[test]
    fn counters_are_counted_from_where_they_were() {
        let sample = |requests, errors, fast| Sample { new: numbers(requests, errors, fast), ..Sample::default() };
        assert_eq!(sample(110, 3, 109).since(&sample(100, 2, 100)), sample(10, 1, 9));
        assert_eq!(sample(5, 1, 5).since(&sample(100, 2, 100)), sample(5, 1, 5), "the gateway was started again");
        assert_eq!(sample(5, 0, 5).since(&Sample::default()), sample(5, 0, 5));
    }
}
