//! So many at once, no more; others wait for room, if they may.

use super::gradient::{Gradient, Sample};
use super::waiting_room::WaitingRoom;
use crate::config::{Concurrency, MostAtOnce};
use crate::request::Priority;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A bound on what runs at once. Where there is no queue and nothing to learn, it is one atomic number.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    /// What it was made for.
    pub config: Concurrency,
    most: AtomicU32,
    running: AtomicU32,
    gradient: Option<Mutex<Gradient>>,
    waiting: AtomicU32,
    room: Mutex<WaitingRoom<Permit>>,
    started: Instant,
}

/// One that runs; dropping it makes room.
#[derive(Debug)]
pub struct Permit {
    limit: Arc<ConcurrencyLimit>,
    began: Instant,
    /// How many ran then, itself included.
    running: u32,
    end: CallEnd,
}

/// How a call ended, as far as latencies are to be learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallEnd {
    /// Its answer began then.
    Answered(Instant),
    /// It was given up because it took too long, or whoever answers says that it has too much to do.
    Overloaded,
    /// In a way that says nothing about it: by a failure, or by somebody else.
    #[default]
    Unknown,
}

/// Why a request does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// Nobody waits under this limit.
    NoQueue,
    /// Too many wait already, or somebody of a higher priority took the place.
    QueueFull,
    /// No room came in time.
    TooLong,
}

/// One that waits. Dropping it leaves the queue.
#[derive(Debug)]
struct Waiter {
    limit: Arc<ConcurrencyLimit>,
    id: u64,
    permit: oneshot::Receiver<Permit>,
}

impl ConcurrencyLimit {
    /// Nobody runs yet.
    #[must_use]
    pub fn new(config: Concurrency, now: Instant) -> Arc<Self> {
        let (most, gradient) = match config.limit {
            MostAtOnce::Fixed(most) => (most, None),
            MostAtOnce::Adaptive { least, most } => {
                let gradient = Gradient::new(least, most);
                (gradient.limit(), Some(Mutex::new(gradient)))
            }
        };
        Arc::new(Self {
            config,
            most: AtomicU32::new(most),
            running: AtomicU32::new(0),
            gradient,
            waiting: AtomicU32::new(0),
            room: Mutex::default(),
            started: now,
        })
    }

    /// How many may run now.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }

    /// How many run now.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    /// How many wait now.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Room for one more, or `None`. Nobody overtakes those who wait.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Option<Permit> {
        if self.config.queue > 0 && self.waiting.load(Ordering::SeqCst) > 0 {
            return None;
        }
        self.run()
    }

    /// Waits for room.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn wait(self: &Arc<Self>, priority: Priority) -> Result<Permit, NoRoom> {
        let mut waiter = self.queue(priority)?;
        match tokio::time::timeout(self.config.queue_timeout, &mut waiter.permit).await {
            Ok(Ok(permit)) => Ok(permit),
            // Somebody of a higher priority took the place.
            Ok(Err(_)) => Err(NoRoom::QueueFull),
            // It may have come in this very moment.
            Err(_elapsed) => waiter.permit.try_recv().map_err(|_nothing| NoRoom::TooLong),
        }
    }

    fn queue(self: &Arc<Self>, priority: Priority) -> Result<Waiter, NoRoom> {
        if self.config.queue == 0 {
            return Err(NoRoom::NoQueue);
        }
        let mut room = self.room();
        if room.len() >= self.config.queue as usize && !room.displace_below(priority) {
            return Err(NoRoom::QueueFull);
        }
        let (sender, permit) = oneshot::channel();
        let id = room.join(priority, sender);
        self.tell_waiting(&room);
        // Whoever left before that was told has not seen anybody wait.
        let spare = self.hand_over(&mut room);
        drop(room);
        drop(spare);
        Ok(Waiter { limit: self.clone(), id, permit })
    }

    fn run(self: &Arc<Self>) -> Option<Permit> {
        let most = self.most.load(Ordering::Relaxed);
        let more = |running: u32| (running < most).then_some(running + 1);
        let before = self.running.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        Some(Permit { limit: self.clone(), began: Instant::now(), running: before + 1, end: CallEnd::Unknown })
    }

    /// Lets those run for whom there is room. A permit that nobody wants any more is returned, to be dropped when the room is
    /// not held.
    #[must_use]
    fn hand_over(self: &Arc<Self>, room: &mut WaitingRoom<Permit>) -> Option<Permit> {
        let mut spare = None;
        while room.len() > 0 {
            let Some(permit) = spare.take().or_else(|| self.run()) else { break };
            match room.next() {
                Some(next) => spare = next.send(permit).err(),
                None => spare = Some(permit),
            }
        }
        self.tell_waiting(room);
        spare
    }

    fn tell_waiting(&self, room: &WaitingRoom<Permit>) {
        self.waiting.store(u32::try_from(room.len()).unwrap_or(u32::MAX), Ordering::SeqCst);
    }

    fn room(&self) -> MutexGuard<'_, WaitingRoom<Permit>> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, permit: &Permit) {
        let Some(gradient) = &self.gradient else { return };
        let latency = match permit.end {
            CallEnd::Answered(at) => Some(at.saturating_duration_since(permit.began)),
            CallEnd::Overloaded => None,
            CallEnd::Unknown => return,
        };
        let since = |time: Instant| time.saturating_duration_since(self.started);
        let sample = Sample { began: since(permit.began), latency, running: permit.running };
        let mut gradient = gradient.lock().unwrap_or_else(PoisonError::into_inner);
        gradient.learn(sample, since(Instant::now()));
        self.most.store(gradient.limit(), Ordering::Relaxed);
    }

    fn leave(self: &Arc<Self>) {
        self.running.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let spare = self.hand_over(&mut self.room());
            drop(spare);
        }
    }
}

impl Permit {
    /// Says how the call ended; without it nothing is learnt from it.
    pub fn ended(&mut self, end: CallEnd) {
        self.end = end;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limit.learn(self);
        self.limit.leave();
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut room = self.limit.room();
        room.leave(self.id);
        self.limit.tell_waiting(&room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn limit(most: u32, queue: u32) -> Arc<ConcurrencyLimit> {
        let config = Concurrency { limit: MostAtOnce::Fixed(most), queue, queue_timeout: Duration::from_secs(2) };
        ConcurrencyLimit::new(config, Instant::now())
    }

    /// Begins to wait; what comes of it.
    fn waiting(limit: &Arc<ConcurrencyLimit>, priority: Priority) -> tokio::task::JoinHandle<Result<Permit, NoRoom>> {
        let limit = limit.clone();
        tokio::spawn(async move { limit.wait(priority).await })
    }

    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn there_is_room_for_as_many_as_allowed_and_again_after_one_left() {
        let limit = limit(2, 0);
        let (first, second) = (limit.enter(), limit.enter());
        assert!(first.is_some() && second.is_some() && limit.enter().is_none());
        assert_eq!(limit.wait(Priority::High).await.expect_err("nobody waits"), NoRoom::NoQueue);
        drop(first);
        assert!(limit.enter().is_some());
        assert_eq!(limit.running(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_runs_by_priority_and_then_in_the_order_of_coming() {
        let limit = limit(1, 10);
        let running = limit.enter().expect("there is room");
        let mut waiters = Vec::new();
        for (index, priority) in
            [Priority::Low, Priority::Normal, Priority::Normal, Priority::High].into_iter().enumerate()
        {
            waiters.push((index, waiting(&limit, priority)));
            settle().await;
        }
        assert_eq!((limit.waiting(), limit.running()), (4, 1));
        drop(running);
        let mut order = Vec::new();
        while !waiters.is_empty() {
            settle().await;
            let next = waiters.iter().position(|(_, waiter)| waiter.is_finished()).expect("one runs now");
            let (index, waiter) = waiters.remove(next);
            assert!(waiters.iter().all(|(_, waiter)| !waiter.is_finished()), "one at a time");
            order.push(index);
            drop(waiter.await.expect("no panic").expect("room"));
        }
        assert_eq!(order, [3, 1, 2, 0]);
        assert_eq!((limit.waiting(), limit.running()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_and_a_higher_priority_takes_the_place_of_the_last_of_the_lowest() {
        let limit = limit(1, 2);
        let _running = limit.enter();
        let first = waiting(&limit, Priority::Low);
        settle().await;
        let second = waiting(&limit, Priority::Low);
        settle().await;
        assert_eq!(limit.wait(Priority::Low).await.expect_err("full"), NoRoom::QueueFull);
        let third = waiting(&limit, Priority::High);
        settle().await;
        assert!(second.is_finished() && !first.is_finished() && !third.is_finished());
        assert_eq!(second.await.expect("no panic").expect_err("displaced"), NoRoom::QueueFull);
        assert_eq!(limit.waiting(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_allowed_and_who_leaves_makes_room_in_the_queue() {
        let limit = limit(1, 1);
        let running = limit.enter();
        let begun = Instant::now();
        assert_eq!(limit.wait(Priority::Normal).await.expect_err("too long"), NoRoom::TooLong);
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        let gone = waiting(&limit, Priority::Normal);
        settle().await;
        gone.abort();
        settle().await;
        assert_eq!(limit.waiting(), 0);
        let next = waiting(&limit, Priority::Normal);
        settle().await;
        drop(running);
        let permit = next.await.expect("no panic").expect("room");
        assert_eq!(limit.running(), 1);
        // What was handed over and never taken is not lost.
        let unlucky = waiting(&limit, Priority::Normal);
        settle().await;
        drop(permit);
        unlucky.abort();
        settle().await;
        assert_eq!((limit.running(), limit.waiting()), (0, 0));
        assert!(limit.enter().is_some());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_that_come_leave_and_wait_at_once_never_are_too_many_and_none_is_forgotten() {
        let limit = limit(3, 1_000);
        let tasks = (0..200_u32).map(|number| {
            let limit = limit.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    let permit = match limit.enter() {
                        Some(permit) => permit,
                        None => match limit.wait(Priority::ALL[number as usize % 3]).await {
                            Ok(permit) => permit,
                            Err(NoRoom::TooLong) => continue,
                            Err(other) => panic!("{other:?}"),
                        },
                    };
                    assert!(limit.running() <= 3);
                    tokio::task::yield_now().await;
                    drop(permit);
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
        assert_eq!((limit.running(), limit.waiting()), (0, 0));
    }
}
