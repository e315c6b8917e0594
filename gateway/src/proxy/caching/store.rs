//! Where answers are kept: in memory, within bounds.
//!
//! It is Pingora's storage. An answer is there only once it is whole; those who ask for it meanwhile wait for its lock. Pingora
//! wants storage and lock to live as long as the process, so there is one [`AnswerStore`] for all listeners, made at the start.

use crate::config::CacheRoom;
use crate::telemetry::Metrics;
use async_trait::async_trait;
use bytes::Bytes;
use pingora_cache::key::CacheHashKey;
use pingora_cache::lock::{CacheKeyLockImpl, CacheLock};
use pingora_cache::storage::{
    HandleHit, HandleMiss, HitHandler, MissFinishType, MissHandler, PurgeOutcome, PurgeTarget, PurgeType, Storage,
};
use pingora_cache::trace::SpanHandle;
use pingora_cache::{CacheKey, CacheMeta};
use pingora_error::{Error, ErrorType, Result};
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::any::Any;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The tag of keys whose answers are kept by FrameX's rules.
pub(super) const FRAMEX: &str = "framex";
/// How long one request may hold up others that want the same answer.
const LONGEST_LOCK: Duration = Duration::from_secs(30);
/// What an entry costs beside its bytes.
const OVERHEAD: u64 = 256;
/// Places that are told apart when something changes; two in one place cost a request more.
const PLACES: usize = 1 << 14;

/// Kept answers.
pub struct AnswerStore {
    entries: Entries,
    lock: Box<CacheKeyLockImpl>,
    largest_entry: usize,
    /// Bytes of answers that are not whole yet, and how many there may be.
    filling: AtomicU64,
    most_filling: u64,
    /// How often something changed at each place.
    changes: Box<[AtomicU32]>,
    metrics: Metrics,
}

type Entries = Cache<u128, Arc<Kept>, Bytewise, DefaultHashBuilder, CountEvictions>;

/// A kept answer.
struct Kept {
    /// As Pingora writes it.
    meta: (Vec<u8>, Vec<u8>),
    body: Bytes,
}

#[derive(Clone)]
struct Bytewise;

impl Weighter<u128, Arc<Kept>> for Bytewise {
    fn weight(&self, _key: &u128, kept: &Arc<Kept>) -> u64 {
        (kept.meta.0.len() + kept.meta.1.len() + kept.body.len()) as u64 + OVERHEAD
    }
}

#[derive(Clone)]
struct CountEvictions(Metrics);

impl Lifecycle<u128, Arc<Kept>> for CountEvictions {
    type RequestState = ();

    fn begin_request(&self) {}

    fn on_evict(&self, (): &mut (), _key: u128, _kept: Arc<Kept>) {
        self.0.cache_evictions().inc();
    }
}

impl fmt::Debug for AnswerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerStore").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl AnswerStore {
    /// A store with this room, for as long as the process runs; `None` if there is no room.
    #[must_use]
    pub fn start(room: CacheRoom, metrics: &Metrics) -> Option<&'static Self> {
        if room.memory == 0 {
            return None;
        }
        // An entry has to fit into its shard.
        let shards = usize::try_from((room.memory / room.largest_entry.max(1) / 8).clamp(1, 16)).unwrap_or(1);
        let options = OptionsBuilder::new()
            .shards(shards)
            .estimated_items_capacity(usize::try_from(room.memory >> 14).unwrap_or(usize::MAX).clamp(64, 1 << 20))
            .weight_capacity(room.memory)
            .build()
            .expect("every option is given");
        let store = Self {
            entries: Cache::with_options(
                options,
                Bytewise,
                DefaultHashBuilder::default(),
                CountEvictions(metrics.clone()),
            ),
            lock: CacheLock::new_boxed(LONGEST_LOCK),
            largest_entry: usize::try_from(room.largest_entry).unwrap_or(usize::MAX),
            filling: AtomicU64::new(0),
            most_filling: room.memory / 4,
            changes: (0..PLACES).map(|_| AtomicU32::new(0)).collect(),
            metrics: metrics.clone(),
        };
        Some(Box::leak(Box::new(store)))
    }

    pub(super) fn lock(&'static self) -> &'static CacheKeyLockImpl {
        &*self.lock
    }

    pub(super) fn largest_entry(&self) -> usize {
        self.largest_entry
    }

    /// How often something changed at a path; a part of keys, so that what was kept before is not found.
    pub(super) fn changes(&self, namespace: &str, path: &str) -> u32 {
        self.place(namespace, path).load(Ordering::Relaxed)
    }

    /// Something has changed at a path.
    pub(super) fn change(&self, namespace: &str, path: &str) {
        self.place(namespace, path).fetch_add(1, Ordering::Relaxed);
    }

    fn place(&self, namespace: &str, path: &str) -> &AtomicU32 {
        let mut hasher = DefaultHasher::new();
        (namespace, path).hash(&mut hasher);
        &self.changes[usize::try_from(hasher.finish() % PLACES as u64).unwrap_or(0)]
    }

    fn show_size(&self) {
        self.metrics.cache_bytes().set(i64::try_from(self.entries.weight()).unwrap_or(i64::MAX));
    }
}

#[async_trait]
impl Storage for AnswerStore {
    async fn lookup(&'static self, key: &CacheKey, _: &SpanHandle) -> Result<Option<(CacheMeta, HitHandler)>> {
        let Some(kept) = self.entries.get(&u128::from_be_bytes(key.combined_bin())) else { return Ok(None) };
        let meta = CacheMeta::deserialize(&kept.meta.0, &kept.meta.1)?;
        let hit = Hit { body: kept.body.clone(), start: 0, end: kept.body.len(), is_done: false };
        Ok(Some((meta, Box::new(hit))))
    }

    async fn get_miss_handler(&'static self, key: &CacheKey, meta: &CacheMeta, _: &SpanHandle) -> Result<MissHandler> {
        Ok(Box::new(Filling {
            store: self,
            key: u128::from_be_bytes(key.combined_bin()),
            is_framex: key.user_tag == FRAMEX,
            meta: meta.serialize()?,
            body: Vec::new(),
            counted: 0,
            is_given_up: false,
        }))
    }

    async fn purge(&'static self, target: PurgeTarget<'_>, _: PurgeType, _: &SpanHandle) -> Result<PurgeOutcome> {
        let removed = self.entries.remove(&u128::from_be_bytes(target.key().combined_bin()));
        self.show_size();
        Ok(if removed.is_some() { PurgeOutcome::Purged(None) } else { PurgeOutcome::NotFound })
    }

    async fn update_meta(&'static self, key: &CacheKey, meta: &CacheMeta, _: &SpanHandle) -> Result<bool> {
        let key = u128::from_be_bytes(key.combined_bin());
        let Some(kept) = self.entries.get(&key) else { return Ok(false) };
        self.entries.insert(key, Arc::new(Kept { meta: meta.serialize()?, body: kept.body.clone() }));
        Ok(true)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync + 'static) {
        self
    }
}

/// A kept answer that is being given.
struct Hit {
    body: Bytes,
    start: usize,
    end: usize,
    is_done: bool,
}

#[async_trait]
impl HandleHit for Hit {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        if std::mem::replace(&mut self.is_done, true) {
            return Ok(None);
        }
        Ok(Some(self.body.slice(self.start..self.end)))
    }

    async fn finish(self: Box<Self>, _: &'static (dyn Storage + Sync), _: &CacheKey, _: &SpanHandle) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        true
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        if start >= self.body.len() {
            return Error::e_explain(ErrorType::InternalError, "a range begins behind the end of the answer");
        }
        (self.start, self.end) = (start, end.unwrap_or(usize::MAX).min(self.body.len()).max(start));
        self.is_done = false;
        Ok(())
    }

    fn get_eviction_weight(&self) -> usize {
        self.body.len()
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}

/// An answer that is being kept.
struct Filling {
    store: &'static AnswerStore,
    key: u128,
    is_framex: bool,
    meta: (Vec<u8>, Vec<u8>),
    body: Vec<u8>,
    /// What it has of the bytes that are counted as filling.
    counted: u64,
    is_given_up: bool,
}

impl Filling {
    fn give_up(&mut self) {
        self.is_given_up = true;
        self.body = Vec::new();
        self.store.filling.fetch_sub(std::mem::take(&mut self.counted), Ordering::Relaxed);
    }
}

#[async_trait]
impl HandleMiss for Filling {
    async fn write_body(&mut self, data: Bytes, _: bool) -> Result<()> {
        if self.is_given_up {
            return Ok(());
        }
        let bytes = data.len() as u64;
        self.counted += bytes;
        let filling = self.store.filling.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.body.len() + data.len() > self.store.largest_entry || filling > self.store.most_filling {
            self.give_up();
        } else {
            self.body.extend_from_slice(&data);
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<MissFinishType> {
        let size = self.body.len();
        if !self.is_given_up && (!self.is_framex || is_framex_success(&self.body)) {
            let (meta, body) =
                (std::mem::take(&mut self.meta), Bytes::from(std::mem::take(&mut self.body).into_boxed_slice()));
            self.store.entries.insert(self.key, Arc::new(Kept { meta, body }));
            self.store.show_size();
        }
        Ok(MissFinishType::Created(size))
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Whether FrameX would keep what the answer says: a success with data. What is in no envelope is one by its status.
fn is_framex_success(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Envelope {
        status: u16,
        #[serde(default)]
        data: Option<IgnoredAny>,
        #[serde(rename = "message")]
        _message: IgnoredAny,
    }
    match serde_json::from_slice::<Envelope>(body) {
        Ok(envelope) => framex_wire::cache_control::is_storable(envelope.status, envelope.data.is_none()),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(memory: u64, largest_entry: u64) -> (&'static AnswerStore, Metrics) {
        let metrics = Metrics::new();
        (AnswerStore::start(CacheRoom { memory, largest_entry }, &metrics).expect("there is room"), metrics)
    }

    async fn fill(store: &'static AnswerStore, key: &CacheKey, body: &[u8]) {
        let header = pingora_http::ResponseHeader::build(200, None).unwrap();
        let now = std::time::SystemTime::now();
        let meta = CacheMeta::new(now + Duration::from_secs(60), now, 0, 0, header);
        let span = pingora_cache::trace::Span::inactive().handle();
        let mut handler = store.get_miss_handler(key, &meta, &span).await.unwrap();
        for chunk in body.chunks(10_000) {
            handler.write_body(Bytes::copy_from_slice(chunk), false).await.unwrap();
        }
        handler.finish().await.unwrap();
    }

    async fn read(store: &'static AnswerStore, key: &CacheKey) -> Option<Bytes> {
        let (_, mut hit) = store.lookup(key, &pingora_cache::trace::Span::inactive().handle()).await.unwrap()?;
        hit.read_body().await.unwrap()
    }

    #[tokio::test]
    async fn many_answers_stay_within_the_room() {
        let (store, metrics) = store(1 << 20, 128 << 10);
        for number in 0..500 {
            fill(store, &CacheKey::new(format!("key {number}"), ""), &vec![7; 20_000]).await;
            assert!(store.entries.weight() <= 1 << 20);
        }
        assert!(read(store, &CacheKey::new("key 499", "")).await.is_some_and(|body| body.len() == 20_000));
        assert!(metrics.cache_evictions().get() > 400, "{}", metrics.cache_evictions().get());
        assert_eq!(store.filling.load(Ordering::Relaxed), 0);
        let too_large = CacheKey::new("large", "");
        fill(store, &too_large, &vec![7; 129 << 10]).await;
        assert!(read(store, &too_large).await.is_none());
        assert_eq!(store.filling.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn only_what_framex_would_keep_is_kept_by_its_rules() {
        let (store, _) = store(1 << 20, 128 << 10);
        for (body, is_kept) in [
            (r#"{"status":200,"message":"success","timestamp":"t","data":{"a":1}}"#, true),
            (r#"{"status":200,"message":"success","timestamp":"t","data":null}"#, false),
            (r#"{"status":404,"message":"Not Found","timestamp":"t"}"#, false),
            (r#"{"status":201,"message":"unexpected code","data":[]}"#, true),
            (r#"[1,2]"#, true),
        ] {
            for (tag, expected) in [(FRAMEX, is_kept), ("", true)] {
                let key = CacheKey::new(format!("{tag}{body}"), tag);
                fill(store, &key, body.as_bytes()).await;
                assert_eq!(read(store, &key).await.is_some(), expected, "{body}");
            }
        }
    }

    #[tokio::test]
    async fn a_range_is_a_part_of_the_body() {
        let mut hit = Hit { body: Bytes::from_static(b"0123456789"), start: 0, end: 10, is_done: false };
        hit.seek(2, Some(5)).unwrap();
        assert_eq!(hit.read_body().await.unwrap().unwrap(), "234");
        assert_eq!(hit.read_body().await.unwrap(), None);
        assert!(hit.seek(10, None).is_err());
    }

    #[test]
    fn a_change_is_seen_at_its_place() {
        let (store, _) = store(1 << 20, 128 << 10);
        let before = store.changes("shop", "/items");
        store.change("shop", "/items");
        assert_eq!(store.changes("shop", "/items"), before + 1);
    }
}
