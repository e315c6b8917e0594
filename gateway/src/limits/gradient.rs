//! How many requests at once an adaptive limit allows, learnt from latencies.
//!
//! What a request takes while there is no queueing is the base. Whenever requests take longer than that, by more than a tolerance,
//! they wait for each other behind the gateway, and fewer are let through: the limit is multiplied by the gradient
//! `tolerance * base / latency`, at least a half. Otherwise it grows by its square root, if it was used. The idea is that of Netflix'
//! concurrency-limits and of Envoy's adaptive concurrency.
//!
//! The base cannot be seen while there is queueing. So the limit is halved for one window now and then, and when it has been
//! falling for a while, and the base is measured then: if the backend itself has become slower, the limit does not fall for
//! ever; if it is overloaded, half of its load shows more of the truth each time. Pure: time goes in, a limit comes out.

use std::time::Duration;

/// Latency above the base that is not taken for queueing.
const TOLERANCE: f64 = 1.5;
/// Time and samples that one look at the latencies needs.
const WINDOW: Duration = Duration::from_millis(100);
const FEWEST_SAMPLES: u32 = 10;
/// A window with few requests ends all the same.
const LONGEST_WINDOW: Duration = Duration::from_secs(2);
/// How long it takes until the base is measured anew: at first, after it turned out another one, and at most.
const PROBE_INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A base that differs by more than this part is another one.
const ANOTHER_BASE: f64 = 0.2;
/// Windows in which the limit falls before the base is doubted.
const FALLS_BEFORE_PROBE: u32 = 5;
/// What is left of the limit after a window with calls that were too slow for anybody to wait.
const BACK_OFF: f64 = 0.9;
/// How much of a new latency a base takes over that was measured before.
const TAKEN_OVER: f64 = 0.5;

/// How many requests at once are allowed, learnt from latencies. Times are since the limit was made.
#[derive(Debug)]
pub(super) struct Gradient {
    least: f64,
    most: f64,
    limit: f64,
    /// Seconds of a request without queueing.
    base: Option<f64>,
    window: Samples,
    falls: u32,
    /// When the base was measured last.
    measured: Duration,
    /// After how long it is measured again.
    interval: Duration,
    probe: Option<Probe>,
}

/// The base is being measured.
#[derive(Clone, Copy, Debug)]
struct Probe {
    began: Duration,
    /// The limit before.
    limit: f64,
}

#[derive(Debug, Default)]
struct Samples {
    began: Duration,
    sum: f64,
    count: u32,
    most_running: u32,
    overloaded: bool,
}

/// One request that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When it began to run.
    pub(super) began: Duration,
    /// How long it took; `None` when it was given up because it took too long.
    pub(super) latency: Option<Duration>,
    /// How many ran when it began, itself included.
    pub(super) running: u32,
}

impl Gradient {
    /// Between `least` (at least 1) and `most`. It begins low: what a backend bears is found out in seconds, and what it does not
    /// bear may break it.
    pub(super) fn new(least: u32, most: u32) -> Self {
        let least = f64::from(least.max(1));
        let most = f64::from(most).max(least);
        Self {
            least,
            most,
            limit: 20.0_f64.clamp(least, most),
            base: None,
            window: Samples::default(),
            falls: 0,
            measured: Duration::ZERO,
            interval: PROBE_INTERVAL.0,
            probe: None,
        }
    }

    /// How many may run.
    pub(super) fn limit(&self) -> u32 {
        // Between 1 and `most`, which was a u32.
        self.limit as u32
    }

    /// Learns from a request that ended at `now`.
    pub(super) fn learn(&mut self, sample: Sample, now: Duration) {
        // What began before the limit was halved says nothing about the half.
        if self.probe.is_some_and(|probe| sample.began < probe.began) {
            return;
        }
        self.window.most_running = self.window.most_running.max(sample.running);
        match sample.latency {
            Some(latency) => {
                self.window.sum += latency.as_secs_f64();
                self.window.count += 1;
            }
            None => self.window.overloaded = true,
        }
        let age = now.saturating_sub(self.window.began);
        let is_full = age >= WINDOW && self.window.count >= FEWEST_SAMPLES;
        if is_full || (age >= LONGEST_WINDOW && (self.window.count > 0 || self.window.overloaded)) {
            let window = std::mem::replace(&mut self.window, Samples { began: now, ..Samples::default() });
            self.look(&window, now);
        }
    }

    fn look(&mut self, window: &Samples, now: Duration) {
        let latency = (window.count > 0).then(|| (window.sum / f64::from(window.count)).max(1e-6));
        if let (Some(probe), Some(latency)) = (self.probe, latency) {
            self.probe = None;
            let is_another = self.base.is_none_or(|base| (latency / base - 1.0).abs() > ANOTHER_BASE);
            self.interval = if is_another { PROBE_INTERVAL.0 } else { (self.interval * 2).min(PROBE_INTERVAL.1) };
            self.base = Some(latency);
            self.measured = now;
            self.falls = 0;
            self.limit = probe.limit;
            return;
        }
        if window.overloaded {
            self.fall(self.limit * BACK_OFF, now);
            return;
        }
        let Some(latency) = latency else { return };
        let is_used = f64::from(window.most_running) * 2.0 >= self.limit;
        let base = match self.base {
            Some(base) if latency >= base && is_used => base,
            // Half of what is allowed does not queue, so this is a measurement, too.
            Some(base) => {
                if !is_used {
                    self.measured = now;
                }
                base + (latency - base) * TAKEN_OVER
            }
            None => {
                self.measured = now;
                latency
            }
        };
        self.base = Some(base);
        let gradient = (TOLERANCE * base / latency).clamp(0.5, 1.0);
        let next = self.limit * gradient + self.limit.sqrt();
        if next < self.limit {
            self.fall(next, now);
        } else if is_used {
            self.falls = 0;
            self.limit = next.min(self.most);
        }
        if self.probe.is_none() && now.saturating_sub(self.measured) >= self.interval {
            self.begin_probe(now);
        }
    }

    fn fall(&mut self, limit: f64, now: Duration) {
        self.limit = limit.clamp(self.least, self.most);
        self.falls += 1;
        if self.falls >= FALLS_BEFORE_PROBE {
            self.begin_probe(now);
        }
    }

    fn begin_probe(&mut self, now: Duration) {
        self.probe = Some(Probe { began: now, limit: self.limit });
        self.limit = (self.limit / 2.0).max(self.least);
        self.falls = 0;
        self.window = Samples { began: now, ..Samples::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backend that answers `parallel` requests at once, each within `base`; others wait for them. Clients ask for as much as
    /// the limit allows, up to `clients`.
    struct Simulation {
        gradient: Gradient,
        now: Duration,
        parallel: f64,
        base: f64,
        clients: u32,
    }

    impl Simulation {
        fn new(least: u32, most: u32, parallel: f64, base: f64) -> Self {
            Self { gradient: Gradient::new(least, most), now: Duration::ZERO, parallel, base, clients: 10_000 }
        }

        /// Lets it run; returns the least and most limit of the second half.
        fn run(&mut self, seconds: u64) -> (u32, u32) {
            let (start, end) = (self.now, self.now + Duration::from_secs(seconds));
            let (mut least, mut most) = (u32::MAX, 0);
            let mut noise = 7_u64;
            while self.now < end {
                let running = self.gradient.limit().min(self.clients);
                let queueing = (f64::from(running) / self.parallel).max(1.0);
                let mut latest = self.now;
                for _ in 0..running {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    // Between 0.8 and 1.2.
                    let jitter = 0.8 + (noise >> 40) as f64 / f64::from(1 << 24) * 0.4;
                    let latency = Duration::from_secs_f64(self.base * queueing * jitter);
                    let sample = Sample { began: self.now, latency: Some(latency), running };
                    let ended = self.now + latency;
                    latest = latest.max(ended);
                    self.gradient.learn(sample, ended);
                }
                self.now = latest;
                if self.now > start + (end - start) / 2 {
                    least = least.min(self.gradient.limit());
                    most = most.max(self.gradient.limit());
                }
            }
            (least, most)
        }
    }

    #[test]
    fn it_finds_what_the_backend_bears_from_below_and_from_above() {
        for parallel in [8.0, 40.0, 150.0] {
            for base in [0.002, 0.05] {
                let mut simulation = Simulation::new(1, 1_000, parallel, base);
                let (least, most) = simulation.run(60);
                let what = format!("{parallel} at once in {base}s: {least} to {most}");
                assert!(f64::from(most) <= parallel * 3.0 + 10.0, "{what}");
                // A window in three of ten is one of measuring, at half the limit.
                assert!(f64::from(least) >= parallel * 0.5 - 2.0, "{what}");
                simulation.gradient.limit = 1_000.0;
                let (_, most) = simulation.run(60);
                assert!(f64::from(most) <= parallel * 3.0 + 10.0, "from above: {parallel} {base}: {most}");
            }
        }
    }

    #[test]
    fn a_backend_that_becomes_slower_without_queueing_keeps_its_limit() {
        let mut simulation = Simulation::new(1, 200, 1_000.0, 0.01);
        assert_eq!(simulation.run(30).1, 200);
        simulation.base = 0.08;
        simulation.run(20);
        let (_, most) = simulation.run(40);
        assert!(most > 100, "{most}");
    }

    #[test]
    fn a_backend_that_bears_less_gets_less_and_more_again_when_it_recovers() {
        let mut simulation = Simulation::new(2, 500, 100.0, 0.02);
        let (least, _) = simulation.run(60);
        assert!(least >= 45, "{least}");
        simulation.parallel = 10.0;
        let (_, most) = simulation.run(60);
        assert!(most <= 60, "{most}");
        simulation.parallel = 100.0;
        let (least, most) = simulation.run(60);
        assert!(least >= 40 && most <= 310, "{least} to {most}");
    }

    #[test]
    fn calls_that_nobody_could_wait_for_bring_it_down_but_never_below_the_least() {
        let mut gradient = Gradient::new(4, 100);
        gradient.limit = 100.0;
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            now += Duration::from_secs(3);
            gradient.learn(Sample { began: now - Duration::from_secs(2), latency: None, running: 10 }, now);
        }
        assert_eq!(gradient.limit(), 4);
    }

    #[test]
    fn a_limit_that_is_not_used_does_not_grow() {
        let mut simulation = Simulation::new(4, 500, 1_000.0, 0.01);
        simulation.clients = 5;
        let (_, most) = simulation.run(30);
        assert!(most <= 20, "{most}");
    }
}
