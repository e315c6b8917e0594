//! Which endpoints stand out for the worse. Pure.

use super::endpoint_state::Interval;
use crate::config::Ejection;

/// Endpoints without which nobody can be said to be slower than the others.
const LEAST_COMPARED: usize = 3;
/// A difference that nobody notices, in microseconds.
const NOTICED: f64 = 5_000.0;

/// The endpoints that should be left alone, by their places in `intervals`, the worst first.
pub(super) fn outliers(intervals: &[Interval], rules: &Ejection) -> Vec<usize> {
    let is_judged = |interval: &Interval| interval.requests >= rules.least.max(1);
    let mut found: Vec<(usize, f64)> = Vec::new();
    if let Some(most) = rules.errors {
        for (index, interval) in intervals.iter().enumerate().filter(|(_, interval)| is_judged(interval)) {
            let share = f64::from(interval.errors) / f64::from(interval.requests);
            if share >= most {
                found.push((index, share / most));
            }
        }
    }
    if let Some(times) = rules.latency {
        let judged = || intervals.iter().enumerate().filter(|(_, interval)| is_judged(interval));
        let mut latencies: Vec<f64> = judged().filter_map(|(_, interval)| interval.latency).collect();
        if latencies.len() >= LEAST_COMPARED {
            latencies.sort_by(f64::total_cmp);
            let median = latencies[(latencies.len() - 1) / 2];
            for (index, interval) in judged() {
                let is_known = found.iter().any(|(other, _)| *other == index);
                if let Some(latency) = interval
                    .latency
                    .filter(|latency| !is_known && *latency >= median * times && *latency - median >= NOTICED)
                {
                    found.push((index, latency / (median * times).max(1.0)));
                }
            }
        }
    }
    found.sort_by(|one, two| two.1.total_cmp(&one.1));
    found.into_iter().map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(requests: u32, errors: u32, milliseconds: f64) -> Interval {
        Interval { requests, errors, latency: (requests > errors).then_some(milliseconds * 1000.0) }
    }

    #[test]
    fn who_errs_too_often_or_is_much_slower_than_the_median_stands_out() {
        let rules = Ejection { errors: Some(0.5), latency: Some(3.0), ..Ejection::default() };
        let intervals = [
            interval(100, 0, 10.0),
            interval(100, 50, 10.0),
            interval(100, 1, 31.0),
            interval(19, 19, 10.0),
            interval(100, 100, 0.0),
        ];
        assert_eq!(outliers(&intervals, &rules), [4, 2, 1]);
        assert_eq!(outliers(&intervals, &Ejection::default()), Vec::<usize>::new());
    }

    #[test]
    fn two_are_too_few_to_call_one_of_them_slow_and_a_few_microseconds_are_nothing() {
        let rules = Ejection { latency: Some(3.0), ..Ejection::default() };
        assert!(outliers(&[interval(100, 0, 1.0), interval(100, 0, 1000.0)], &rules).is_empty());
        let quick = [interval(100, 0, 0.1), interval(100, 0, 0.1), interval(100, 0, 4.0)];
        assert!(outliers(&quick, &rules).is_empty());
    }
}
