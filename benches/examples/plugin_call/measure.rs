//! Rounds of calls, with the CPU time of the whole process and of the worker's, and the latency of each call.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::time::Instant;

use crate::cases::{Case, NATIVE, Source};
use crate::worker::Worker;

const IN_FLIGHT: [usize; 2] = [1, 16];

/// How much is measured.
pub(crate) struct Plan {
    rounds: u32,
    length: Duration,
    only: Option<String>,
    /// Instead of one per core.
    pub(crate) guest_threads: Option<u32>,
}

impl Plan {
    pub(crate) fn from_arguments(arguments: &[String]) -> Result<Self, String> {
        let mut plan = Self { rounds: 5, length: Duration::from_millis(500), only: None, guest_threads: None };
        for pair in arguments.chunks(2) {
            let [option, value] = pair else { return Err(pair.concat()) };
            let number = || value.parse::<u32>().map_err(|wrong| format!("{value}: {wrong}"));
            match option.as_str() {
                "--rounds" => plan.rounds = number()?,
                "--milliseconds" => plan.length = Duration::from_millis(number()?.into()),
                "--guest-threads" => plan.guest_threads = Some(number()?),
                "--only" => plan.only = Some(value.clone()),
                _ => return Err(option.clone()),
            }
        }
        Ok(plan)
    }

    /// What others are compared with is always measured.
    pub(crate) fn measures(&self, name: &str) -> bool {
        name == NATIVE || name == "Rust, reused" || self.only.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }

    /// The medians of all rounds, in the order of `IN_FLIGHT` and of `cases`. The cases take turns, so that what else the machine
    /// does meets all of them.
    pub(crate) async fn run(&self, cases: &[Case], worker: &Worker) -> Vec<Vec<Numbers>> {
        let mut rounds = vec![vec![Vec::new(); cases.len()]; IN_FLIGHT.len()];
        for _ in 0..self.rounds {
            for (in_flight, rounds) in IN_FLIGHT.into_iter().zip(&mut rounds) {
                for (case, rounds) in cases.iter().zip(rounds) {
                    calls(case, in_flight, self.length / 5).await;
                    rounds.push(measure(case, in_flight, self.length, worker).await);
                }
            }
        }
        rounds.iter().map(|cases| cases.iter().map(|rounds| Numbers::median(rounds)).collect()).collect()
    }
}

/// All in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    cpu: f64,
    p50: f64,
    p99: f64,
    instantiate: f64,
}

impl Numbers {
    fn median(rounds: &[Self]) -> Self {
        let of = |value: fn(&Self) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            cpu: of(|round| round.cpu),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            instantiate: of(|round| round.instantiate),
        }
    }
}

/// Latency and instantiation time of each call.
type Times = Vec<(Duration, u64)>;

async fn measure(case: &Case, in_flight: usize, length: Duration, worker: &Worker) -> Numbers {
    let cpu = || own_cpu() + if matches!(case.source, Source::Worker(_)) { worker.cpu() } else { Duration::ZERO };
    let before = cpu();
    let mut times = calls(case, in_flight, length).await;
    let cpu = cpu() - before;
    times.sort_unstable();
    let at = |percent: usize| microseconds(times[(times.len() - 1) * percent / 100].0);
    let made: Vec<u64> = times.iter().map(|(_, made)| *made).filter(|made| *made > 0).collect();
    let instantiate = Duration::from_nanos(made.iter().sum::<u64>() / (made.len() as u64).max(1));
    let count = u32::try_from(times.len()).expect("a round is short");
    Numbers {
        cpu: microseconds(cpu) / f64::from(count),
        p50: at(50),
        p99: at(99),
        instantiate: microseconds(instantiate),
    }
}

/// Calls for as long as `length`, so many at once from one thread: the part that an I/O thread has in the gateway.
async fn calls(case: &Case, in_flight: usize, length: Duration) -> Times {
    let until = Instant::now() + length;
    let callers = (0..in_flight).map(|_| async move {
        let mut times = Times::new();
        let mut connection = None;
        loop {
            let started = Instant::now();
            let made = case.ask(&mut connection).await;
            let ended = Instant::now();
            times.push((ended - started, made));
            if ended > until {
                return times;
            }
        }
    });
    futures_util::future::join_all(callers).await.concat()
}

/// CPU time of all threads of this process.
fn own_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("every process may ask for its own");
    let spent = usage.user_time() + usage.system_time();
    Duration::from_micros(spent.num_microseconds().try_into().expect("time that was spent"))
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub(crate) fn print_table(cases: &[Case], results: &[Vec<Numbers>]) {
    println!("| in flight | answered by | CPU-µs/call | above | | p50 µs | p99 µs | instantiation µs |");
    println!("|---|---|---|---|---|---|---|---|");
    for (in_flight, numbers) in IN_FLIGHT.into_iter().zip(results) {
        for (case, line) in cases.iter().zip(numbers) {
            let base = cases.iter().position(|other| other.name == case.base).expect("always measured");
            let above = line.cpu - numbers[base].cpu;
            println!(
                "| {in_flight} | {} | {:.1} | {above:.1} | {} | {:.0} | {:.0} | {:.0} |",
                case.name, line.cpu, case.base, line.p50, line.p99, line.instantiate
            );
        }
    }
}
