//! The connection to Redis: one for all requests, made anew in the background.

use super::{SharedCount, SharedError};
use crate::config::Redis;
use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ServerErrorKind, TlsCertificates};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::Notify;

const SCRIPT: &str = include_str!("take.lua");
/// Numbers in its answer for each count.
pub(super) const NUMBERS: usize = 3;

/// Calls in a row that take too long before nobody waits for Redis any more.
const PATIENCE: u32 = 3;
/// Pauses between attempts to connect: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Longest time for one attempt.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(2);
/// How long the start waits for the first one.
const LONGEST_START: Duration = Duration::from_millis(500);

/// The connection to Redis.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// `None` while Redis is away.
    connection: ArcSwapOption<Connected>,
    timeout: Duration,
    /// Calls in a row that failed.
    in_a_row: AtomicU32,
    failures: AtomicU64,
    lost: Notify,
}

struct Connected {
    connection: MultiplexedConnection,
    /// What the server calls the script.
    script: String,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connected")
    }
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer within {0:?}")]
    Slow(Duration),
    #[error("an answer of {0} numbers where {1} belong")]
    Nonsense(usize, usize),
}

impl Link {
    /// Starts the thread of the connection and waits a moment for it to be there.
    pub(super) fn start(settings: &Redis) -> Result<Arc<Self>, SharedError> {
        let root_cert = match &settings.ca {
            Some(file) => Some(std::fs::read(file).map_err(|error| SharedError::Ca(file.clone(), error))?),
            None => None,
        };
        let url = settings.url.reveal().as_str();
        let client = match root_cert {
            None => Client::open(url),
            Some(_) => Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert }),
        };
        let client = client.map_err(SharedError::Settings)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SharedError::Thread)?;
        let link = Arc::new(Self { timeout: settings.timeout, ..Self::default() });
        let (tried, first) = mpsc::sync_channel(1);
        let of_thread = link.clone();
        std::thread::Builder::new()
            .name("shared-limits".to_owned())
            .spawn(move || runtime.block_on(of_thread.keep_up(&client, &tried)))
            .map_err(SharedError::Thread)?;
        // Without it the first requests would be counted alone.
        let _ = first.recv_timeout(LONGEST_START);
        Ok(link)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.load().is_some()
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Runs the script over these counts. `None` when Redis is away, or has no answer in time.
    pub(super) async fn run(&self, counts: &[SharedCount]) -> Option<Vec<i64>> {
        let connected = self.connection.load_full()?;
        let called = tokio::time::timeout(self.timeout, connected.call(counts)).await;
        let error = match called.unwrap_or(Err(CallError::Slow(self.timeout))) {
            Ok(numbers) => {
                self.in_a_row.store(0, Ordering::Relaxed);
                return Some(numbers);
            }
            Err(error) => error,
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let is_broken = matches!(&error, CallError::Redis(error) if error.is_unrecoverable_error());
        if is_broken || in_a_row >= PATIENCE {
            self.give_up(&connected, &error);
        }
        None
    }

    /// Lets a connection go, once; requests count alone from now on.
    fn give_up(&self, connected: &Arc<Connected>, error: &CallError) {
        let current = self.connection.compare_and_swap(connected, None);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connected)) {
            tracing::warn!(%error, "Redis is away: each gateway counts its share of the shared limits alone");
            self.lost.notify_one();
        }
    }

    /// Connects whenever there is no connection, for as long as the process lives.
    async fn keep_up(&self, client: &Client, tried: &mpsc::SyncSender<()>) {
        let mut pause = PAUSES.0;
        let mut is_known = false;
        loop {
            match self.connect(client).await {
                Ok(connected) => {
                    pause = PAUSES.0;
                    is_known = false;
                    self.in_a_row.store(0, Ordering::Relaxed);
                    self.connection.store(Some(Arc::new(connected)));
                    tracing::info!("Redis counts the shared limits");
                    let _ = tried.try_send(());
                    self.lost.notified().await;
                }
                Err(error) => {
                    // Said once, however often it is tried.
                    if !std::mem::replace(&mut is_known, true) {
                        tracing::warn!(%error, "cannot connect to Redis; it is tried again until it succeeds");
                    }
                    let _ = tried.try_send(());
                    tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// A connection over which Redis answers as fast as requests need it to.
    async fn connect(&self, client: &Client) -> Result<Connected, CallError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(LONGEST_ATTEMPT))
            .set_response_timeout(Some(LONGEST_ATTEMPT));
        let attempt = async {
            let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            let script = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await?;
            Ok::<_, RedisError>(Connected { connection, script })
        };
        let slow = |_elapsed| CallError::Slow(LONGEST_ATTEMPT);
        let connected = tokio::time::timeout(LONGEST_ATTEMPT, attempt).await.map_err(slow)??;
        let mut connection = connected.connection.clone();
        let pinged = async { redis::cmd("PING").query_async::<()>(&mut connection).await };
        tokio::time::timeout(self.timeout, pinged).await.map_err(|_elapsed| CallError::Slow(self.timeout))??;
        Ok(connected)
    }
}

impl Connected {
    async fn call(&self, counts: &[SharedCount]) -> Result<Vec<i64>, CallError> {
        let numbers = match self.evaluate("EVALSHA", &self.script, counts).await {
            // Somebody has emptied the server's cache of scripts.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.evaluate("EVAL", SCRIPT, counts).await?
            }
            answer => answer?,
        };
        let expected = counts.len() * NUMBERS;
        if numbers.len() == expected { Ok(numbers) } else { Err(CallError::Nonsense(numbers.len(), expected)) }
    }

    async fn evaluate(&self, command: &str, script: &str, counts: &[SharedCount]) -> Result<Vec<i64>, RedisError> {
        let mut command = redis::cmd(command);
        command.arg(script).arg(counts.len());
        for count in counts {
            command.arg(&count.key);
        }
        for argument in counts.iter().flat_map(|count| &*count.limit.arguments) {
            command.arg(argument);
        }
        command.query_async(&mut self.connection.clone()).await
    }
}
