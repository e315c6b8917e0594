//! A steady load, to see what is lost while something happens.

use crate::client::{Call, Connection, Protocol};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A request that takes longer than this is lost.
const LONGEST: Duration = Duration::from_secs(30);
/// Between two requests of one caller.
const PAUSE: Duration = Duration::from_millis(10);

/// Callers that send one GET after the other.
#[derive(Debug)]
pub struct Load {
    callers: JoinSet<Loaded>,
    is_over: Arc<AtomicBool>,
}

/// What became of a load.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Requests that were sent.
    pub sent: usize,
    /// What was answered other than 200, or not at all, and how often.
    pub lost: BTreeMap<String, usize>,
    /// The longest that one took.
    pub slowest: Duration,
    /// What the answers said, and how often.
    pub texts: BTreeMap<String, usize>,
}

impl Load {
    /// Begins: so many callers ask `address` for `target`.
    #[must_use]
    pub fn start(address: SocketAddr, target: &str, callers: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let (target, is_over) = (target.to_owned(), is_over.clone());
            tasks.spawn(async move {
                let mut loaded = Loaded::default();
                while !is_over.load(Ordering::Relaxed) {
                    loaded.add(address, &target).await;
                    tokio::time::sleep(PAUSE).await;
                }
                loaded
            });
        }
        Self { callers: tasks, is_over }
    }

    /// Ends it.
    ///
    /// # Panics
    /// When a caller has failed.
    pub async fn finish(mut self) -> Loaded {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Loaded::default();
        while let Some(loaded) = self.callers.join_next().await {
            let loaded = loaded.expect("callers count what is lost");
            all.sent += loaded.sent;
            all.slowest = all.slowest.max(loaded.slowest);
            for (reason, count) in loaded.lost {
                *all.lost.entry(reason).or_default() += count;
            }
            for (text, count) in loaded.texts {
                *all.texts.entry(text).or_default() += count;
            }
        }
        all
    }
}

impl Loaded {
    /// How many were lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.lost.values().sum()
    }

    async fn add(&mut self, address: SocketAddr, target: &str) {
        let start = Instant::now();
        let target = target.to_owned();
        // A task of its own: whatever a client cannot cope with is a lost request, and no failed test.
        let request = tokio::spawn(async move {
            let connection = Connection::open(address, Protocol::Http1).await;
            let answer = connection.call(Call::to(address, "GET", &target)).await;
            (answer.status, answer.text())
        });
        self.sent += 1;
        let reason = match tokio::time::timeout(LONGEST, request).await {
            Ok(Ok((200, text))) => {
                *self.texts.entry(text).or_default() += 1;
                None
            }
            Ok(Ok((status, text))) => Some(format!("{status} {text}")),
            Ok(Err(_)) => Some("no answer".to_owned()),
            Err(_) => Some(format!("not within {LONGEST:?}")),
        };
        if let Some(reason) = reason {
            *self.lost.entry(reason).or_default() += 1;
        }
        self.slowest = self.slowest.max(start.elapsed());
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests sent, {} lost, the slowest took {:?}", self.sent, self.lost(), self.slowest)?;
        self.lost.iter().try_for_each(|(reason, count)| write!(f, "\n  {count} × {reason}"))
    }
}
