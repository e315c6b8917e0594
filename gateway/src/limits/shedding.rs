//! Refuses the less important requests before the process is in danger.
//!
//! Beside the requests something looks at the memory, at the requests that run, and at how late the runtimes' timers are, ten times
//! a second. What it decides is one number, the only thing that a request looks at: at 1 requests of low priority are refused, at 2
//! normal ones, too, at 3 all. It rises at once and falls step by step, so that it does not flap.

use super::memory;
use crate::config::{ShedMemory, Shedding};
use crate::request::Priority;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often everything is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Looks in a row that must find less before a level is left.
const CALM_LOOKS: u32 = 10;
/// From which part of its bound on each signal has which level: near the edge sooner for memory, which cannot be given back.
const MEMORY_STEPS: [f64; 3] = [1.0, 1.06, 1.12];
const IN_FLIGHT_STEPS: [f64; 3] = [1.0, 1.1, 1.2];
const DELAY_STEPS: [f64; 3] = [1.0, 2.0, 4.0];

/// Decides which requests are refused for the sake of the others.
#[derive(Debug)]
pub struct Shedder {
    level: AtomicU8,
    bounds: Bounds,
    started: Instant,
    beats: Mutex<Vec<Arc<Beat>>>,
    /// What was seen last, in percent of each bound.
    seen: [AtomicU64; Signal::ALL.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    memory: Option<u64>,
    in_flight: Option<u32>,
    delay: Option<Duration>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Memory of the process.
    Memory,
    /// Requests that run.
    InFlight,
    /// How late timers are.
    EventLoopDelay,
}

/// A timer of one runtime.
#[derive(Debug)]
struct Beat {
    /// When it is to go off, in microseconds since the start.
    due: AtomicU64,
    /// The most it was late since the last look, in microseconds.
    late: AtomicU64,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::InFlight, Self::EventLoopDelay];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::InFlight => "in_flight",
            Self::EventLoopDelay => "event_loop_delay",
        }
    }

    const fn steps(self) -> [f64; 3] {
        match self {
            Self::Memory => MEMORY_STEPS,
            Self::InFlight => IN_FLIGHT_STEPS,
            Self::EventLoopDelay => DELAY_STEPS,
        }
    }
}

impl Shedder {
    /// Sheds nothing yet; nothing ever without bounds.
    #[must_use]
    pub fn new(shedding: &Shedding) -> Self {
        let bounds = Bounds {
            memory: shedding.memory.map(|bound| match bound {
                ShedMemory::Bytes(bytes) => bytes,
                // A millionth at a time.
                ShedMemory::Part(part) => (memory::limit() / 1_000_000).saturating_mul(part.into()),
            }),
            in_flight: shedding.in_flight,
            delay: shedding.event_loop_delay,
        };
        Self {
            level: AtomicU8::new(0),
            bounds,
            started: Instant::now(),
            beats: Mutex::default(),
            seen: Default::default(),
        }
    }

    /// Whether a request is refused for the sake of others.
    #[must_use]
    pub fn sheds(&self, priority: Priority) -> bool {
        self.level.load(Ordering::Relaxed) > priority as u8
    }

    /// 0 while nothing is shed, 1 for low, 2 for normal priorities, 3 for all.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    /// What was seen last, in percent of its bound; nothing of what has none.
    pub fn seen(&self) -> impl Iterator<Item = (Signal, u64)> {
        let bounds = self.bounds;
        let has_bound = move |signal: &Signal| match signal {
            Signal::Memory => bounds.memory.is_some(),
            Signal::InFlight => bounds.in_flight.is_some(),
            Signal::EventLoopDelay => bounds.delay.is_some(),
        };
        let signals = Signal::ALL.into_iter().filter(has_bound);
        signals.map(|signal| (signal, self.seen[signal as usize].load(Ordering::Relaxed)))
    }

    /// Measures how late the timers of this runtime are, for as long as the process lives.
    pub async fn beat(self: Arc<Self>) {
        if self.bounds.delay.is_none() {
            return;
        }
        let beat = Arc::new(Beat { due: AtomicU64::new(u64::MAX), late: AtomicU64::new(0) });
        self.beats.lock().unwrap_or_else(PoisonError::into_inner).push(beat.clone());
        loop {
            let due = Instant::now() + LOOK_INTERVAL / 2;
            beat.due.store(self.micros(due), Ordering::Relaxed);
            tokio::time::sleep_until(due).await;
            let late = Instant::now().saturating_duration_since(due);
            beat.late.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Looks and decides, for as long as the process lives. `running` says how many requests run.
    pub async fn watch(self: Arc<Self>, running: impl Fn() -> usize + Send) {
        let Bounds { memory, in_flight, delay } = self.bounds;
        if memory.is_none() && in_flight.is_none() && delay.is_none() {
            return;
        }
        let mut judge = Judge::default();
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let parts = [
                memory.map(|most| memory::used() as f64 / most as f64),
                in_flight.map(|most| running() as f64 / f64::from(most)),
                delay.map(|most| self.lateness().as_secs_f64() / most.as_secs_f64()),
            ];
            for (seen, part) in self.seen.iter().zip(parts) {
                seen.store((part.unwrap_or(0.0) * 100.0) as u64, Ordering::Relaxed);
            }
            let before = judge.level;
            let level = judge.look(&parts);
            self.level.store(level, Ordering::Relaxed);
            if level > before {
                let seen: Vec<String> =
                    self.seen().map(|(signal, part)| format!("{} {part}%", signal.label())).collect();
                tracing::warn!(level, seen = seen.join(", "), "too much to do: less important requests are refused");
            } else if level == 0 && before > 0 {
                tracing::info!("all requests are taken again");
            }
        }
    }

    /// The most that a timer was late since the last look, or is late now.
    fn lateness(&self) -> Duration {
        let now = self.micros(Instant::now());
        let late = |beat: &Arc<Beat>| {
            let overdue = now.saturating_sub(beat.due.load(Ordering::Relaxed));
            overdue.max(beat.late.swap(0, Ordering::Relaxed))
        };
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_micros(beats.iter().map(late).max().unwrap_or(0))
    }

    fn micros(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.started).as_micros()).unwrap_or(u64::MAX)
    }
}

/// Makes a level of what was seen.
#[derive(Debug, Default)]
struct Judge {
    level: u8,
    calm: u32,
}

impl Judge {
    /// `parts` are what was seen, as parts of the bounds.
    fn look(&mut self, parts: &[Option<f64>; Signal::ALL.len()]) -> u8 {
        let levels = Signal::ALL.iter().zip(parts).filter_map(|(signal, part)| {
            let part = (*part)?;
            Some(signal.steps().iter().filter(|step| part >= **step).count())
        });
        let level = u8::try_from(levels.max().unwrap_or(0)).unwrap_or(u8::MAX);
        if level >= self.level {
            self.level = level;
            self.calm = 0;
        } else {
            self.calm += 1;
            if self.calm >= CALM_LOOKS {
                self.level -= 1;
                self.calm = 0;
            }
        }
        self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_priorities_go_first_then_normal_ones_and_the_worst_signal_decides() {
        let mut judge = Judge::default();
        assert_eq!(judge.look(&[Some(0.99), None, Some(0.0)]), 0);
        assert_eq!(judge.look(&[Some(1.0), None, Some(0.0)]), 1);
        assert_eq!(judge.look(&[Some(1.01), Some(1.15), None]), 2);
        assert_eq!(judge.look(&[Some(1.2), Some(0.1), None]), 3);
        let shedder = Shedder::new(&Shedding::default());
        for (level, shed) in [(0, [false; 3]), (1, [true, false, false]), (2, [true, true, false]), (3, [true; 3])] {
            shedder.level.store(level, Ordering::Relaxed);
            assert_eq!(Priority::ALL.map(|priority| shedder.sheds(priority)), shed);
        }
    }

    #[test]
    fn a_level_is_left_step_by_step_when_it_has_been_calm_for_a_while() {
        let mut judge = Judge::default();
        assert_eq!(judge.look(&[Some(2.0), None, None]), 3);
        for _ in 0..CALM_LOOKS - 1 {
            assert_eq!(judge.look(&[Some(0.1), None, None]), 3);
        }
        assert_eq!(judge.look(&[Some(0.1), None, None]), 2);
        assert_eq!(judge.look(&[Some(1.07), None, None]), 2, "calm begins anew");
        let left: Vec<u8> = (0..2 * CALM_LOOKS).map(|_| judge.look(&[Some(0.1), None, None])).collect();
        assert_eq!((left[8], left[9], left[18], left[19]), (2, 1, 1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_runs_beside_the_requests_sees_that_too_many_run() {
        let shedder = Arc::new(Shedder::new(&Shedding { in_flight: Some(10), ..Shedding::default() }));
        let running = Arc::new(AtomicU64::new(3));
        let of_watch = running.clone();
        tokio::spawn(shedder.clone().watch(move || of_watch.load(Ordering::Relaxed) as usize));
        tokio::time::sleep(LOOK_INTERVAL * 3 / 2).await;
        assert_eq!((shedder.level(), shedder.seen().collect::<Vec<_>>()), (0, vec![(Signal::InFlight, 30)]));
        running.store(11, Ordering::Relaxed);
        tokio::time::sleep(LOOK_INTERVAL).await;
        assert_eq!(shedder.level(), 2);
    }
}
