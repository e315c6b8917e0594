//! `migrate step`: moves the shares of a route along a plan, and back when the bounds do not hold.
//!
//! The file is all the state there is: whoever runs the command again goes on from the shares that it has.

use super::judge::{Bounds, Judgement};
use super::namespace_file::NamespaceFile;
use super::plan::{Plan, Shares};
use super::running_gateway::RunningGateway;
use crate::cli::admin_client::AdminArguments;
use crate::cli::output;
use crate::cli::web::run;
use anyhow::bail;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

/// What `128 + SIGINT` is to a shell.
const INTERRUPTED: u8 = 130;
/// How often the numbers are looked at.
const SHORTEST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// How often the gateway may give no answer, one time after the other.
const MOST_FAILURES: u32 = 5;
/// How often something is said while nothing happens.
const NEWS: Duration = Duration::from_secs(60);

/// Which route, whose share, and what must hold.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StepArguments {
    /// The namespace of the route.
    #[arg(long)]
    namespace: String,
    /// The route's name.
    #[arg(long)]
    route: String,
    /// The plugin or backend that is to get more of the requests.
    #[arg(long)]
    to: String,
    /// What it gets, step by step, in per cent.
    #[arg(long, value_delimiter = ',', default_value = "1,10,50,100", value_parser = parse_step)]
    plan: Vec<u32>,
    /// How long the bounds must hold at each step.
    #[arg(long, default_value = "5m", value_parser = humantime::parse_duration)]
    hold: Duration,
    /// Most errors of its requests: answers of class 5xx, answers that break off, and requests that the fallback has to answer.
    #[arg(long, default_value = "1%", value_parser = parse_percent, value_name = "PERCENT")]
    max_error_rate: f64,
    /// Longest time for 99 of 100 requests.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    max_p99: Option<Duration>,
    /// How many times longer than the others it may take for 99 of 100 requests.
    #[arg(long, value_name = "NUMBER")]
    max_latency_ratio: Option<f64>,
    /// Most different answers of the copies that were compared (`shadow` of the route); no answer is different, too.
    #[arg(long, value_parser = parse_percent, value_name = "PERCENT")]
    max_difference_rate: Option<f64>,
    /// Fewest requests by which a step is judged. With less traffic, it waits on.
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    min_requests: u64,
    /// On Ctrl-C, go back to the step before in place of leaving the shares as they are.
    #[arg(long)]
    back_on_interrupt: bool,
    #[command(flatten)]
    admin: AdminArguments,
}

/// Moves the shares.
pub(super) fn step(config: &Path, arguments: &StepArguments) -> anyhow::Result<ExitCode> {
    run(async {
        let mut migration = Migration::begin(config, arguments)?;
        migration.run().await
    })
}

struct Migration<'a> {
    arguments: &'a StepArguments,
    gateway: RunningGateway<'a>,
    file: NamespaceFile,
    plan: Plan,
    bounds: Bounds,
    /// What the file said before the last step.
    before: Option<(String, Shares)>,
}

/// How the time at one step has ended.
enum End {
    Held,
    Broken(String),
    Interrupted,
}

impl<'a> Migration<'a> {
    fn begin(config: &Path, arguments: &'a StepArguments) -> anyhow::Result<Self> {
        let StepArguments { namespace, route, to, admin, .. } = arguments;
        let plan = Plan::new(arguments.plan.clone()).map_err(anyhow::Error::msg)?;
        let file = NamespaceFile::open(config, namespace, route, to)?;
        if arguments.max_difference_rate.is_some() && !file.compares {
            bail!("the route `{route}` has no `shadow` with `compare`, so differences are not known");
        }
        let gateway = RunningGateway { admin, namespace, route, to };
        gateway.serves(&file.shares)?;
        let bounds = Bounds {
            error_rate: Some(arguments.max_error_rate),
            p99: arguments.max_p99,
            latency_ratio: arguments.max_latency_ratio,
            difference_rate: arguments.max_difference_rate,
            min_requests: arguments.min_requests.max(1),
            hold: arguments.hold,
        };
        Ok(Self { arguments, gateway, file, plan, bounds, before: None })
    }

    async fn run(&mut self) -> anyhow::Result<ExitCode> {
        let (mut interrupts, mut ends) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let interrupted = async move {
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = ends.recv() => {}
            }
        };
        tokio::pin!(interrupted);
        if self.plan.after(self.percent()).is_none() {
            self.say(&format!("it has {}; the plan leads no further", self.share()));
            return Ok(ExitCode::SUCCESS);
        }
        // What is there already has to prove itself first.
        if self.percent() == 0.0 {
            self.advance()?;
        } else {
            self.say(&format!("it has {} already; watching for {:?}", self.share(), self.bounds.hold));
        }
        loop {
            match self.watch(&mut interrupted).await? {
                End::Held if self.plan.after(self.percent()).is_some() => self.advance()?,
                End::Held => {
                    self.say(&format!("done: it has {}", self.share()));
                    return Ok(ExitCode::SUCCESS);
                }
                End::Broken(why) => {
                    self.say(&format!("{why}; going back"));
                    self.go_back()?;
                    return Ok(ExitCode::FAILURE);
                }
                End::Interrupted if self.arguments.back_on_interrupt => {
                    self.say("interrupted; going back");
                    self.go_back()?;
                    return Ok(ExitCode::from(INTERRUPTED));
                }
                End::Interrupted => {
                    self.say(&format!(
                        "interrupted: it has {} and keeps it; the same command goes on from there",
                        self.share()
                    ));
                    return Ok(ExitCode::from(INTERRUPTED));
                }
            }
        }
    }

    /// Looks at the numbers until it is known whether the bounds hold.
    async fn watch(&self, interrupted: &mut (impl Future<Output = ()> + Unpin)) -> anyhow::Result<End> {
        let start = self.gateway.sample()?;
        let began = Instant::now();
        let look = (self.bounds.hold / 20).clamp(SHORTEST_LOOK, LONGEST_LOOK);
        let (mut news, mut failures) = (began, 0);
        loop {
            tokio::select! {
                () = &mut *interrupted => return Ok(End::Interrupted),
                () = sleep(look) => {}
            }
            self.file.check()?;
            let seen = match self.gateway.sample() {
                Ok(now) => now.since(&start),
                // It may be about to start again.
                Err(_error) if failures < MOST_FAILURES => {
                    failures += 1;
                    continue;
                }
                Err(error) => return Err(error.context(format!("the file keeps {}", self.share()))),
            };
            failures = 0;
            match seen.judge(began.elapsed(), &self.bounds, self.percent() >= 100.0) {
                Judgement::Advance => {
                    self.say(&format!("held at {}: {seen}", self.share()));
                    return Ok(End::Held);
                }
                Judgement::Back(why) => return Ok(End::Broken(why)),
                Judgement::Wait if news.elapsed() >= NEWS => {
                    self.say(&format!("at {} for {:.0?}: {seen}", self.share(), began.elapsed()));
                    news = Instant::now();
                }
                Judgement::Wait => {}
            }
        }
    }

    fn advance(&mut self) -> anyhow::Result<()> {
        let Some(next) = self.plan.after(self.percent()) else { return Ok(()) };
        let before = self.file.state();
        let shares = self.file.shares.with(self.gateway.to, next)?;
        self.file.write(shares)?;
        if let Err(error) = self.gateway.reload(&self.file.shares) {
            self.file.restore(before)?;
            // The gateway may have taken it over after all; what it says of that is in the first error already.
            let _ = self.gateway.admin.post("/admin/v1/reload");
            return Err(error.context("the file is as it was"));
        }
        self.before = Some(before);
        self.say(&format!("it has {} now; watching for {:?}", self.share(), self.bounds.hold));
        Ok(())
    }

    /// Back to the step before: what the file said then, or, where this run has made no step, what the plan says.
    fn go_back(&mut self) -> anyhow::Result<()> {
        match self.before.take() {
            Some(before) => self.file.restore(before)?,
            None => {
                let shares = self.file.shares.with(self.gateway.to, self.plan.before(self.percent()))?;
                self.file.write(shares)?;
            }
        }
        self.gateway.reload(&self.file.shares)?;
        self.say(&format!("it has {} again", self.share()));
        Ok(())
    }

    fn percent(&self) -> f64 {
        self.file.shares.percent(self.gateway.to)
    }

    fn share(&self) -> String {
        format!("{:.0} % ({})", self.percent(), self.file.shares)
    }

    fn say(&self, what: &str) {
        let RunningGateway { namespace, route, to, .. } = &self.gateway;
        let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
        output::print(&format!("{now} {namespace} / {route} to {to}: {what}\n"));
    }
}

fn parse_step(text: &str) -> Result<u32, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    number.parse().map_err(|_error| format!("`{text}` is no step; write whole per cents, like `10`"))
}

/// From 0 to 1.
fn parse_percent(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is no part of a whole; write a number from 0 to 100 and `%`, like `0.5%`");
    let number: f64 = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end().parse().map_err(|_error| wrong())?;
    if (0.0..=100.0).contains(&number) { Ok(number / 100.0) } else { Err(wrong()) }
}
