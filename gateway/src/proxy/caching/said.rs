//! What callers are told of the cache.

use framex_wire::cache_control::{CacheAction, CacheStatus};
use pingora_cache::{CacheMeta, CachePhase};
use std::time::SystemTime;

/// FrameX's word for it.
pub(super) fn status(phase: CachePhase, action: CacheAction, has_key: bool) -> CacheStatus {
    match phase {
        CachePhase::Hit | CachePhase::Stale | CachePhase::StaleUpdating | CachePhase::Revalidated => CacheStatus::Hit,
        _ if has_key => action.status_of_new(),
        _ => CacheStatus::Bypass,
    }
}

/// The value of `Cache-Status` (RFC 9211 §2).
pub(super) fn cache_status(phase: CachePhase, action: CacheAction, has_key: bool, meta: Option<&CacheMeta>) -> String {
    let ttl = meta.map(|meta| match meta.fresh_until().duration_since(SystemTime::now()) {
        Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        Err(past) => i64::try_from(past.duration().as_secs()).map_or(i64::MIN, |past| -past),
    });
    let ttl = ttl.map(|ttl| format!("; ttl={ttl}")).unwrap_or_default();
    let what = match phase {
        CachePhase::Hit | CachePhase::Stale | CachePhase::StaleUpdating => format!("hit{ttl}"),
        CachePhase::Miss if action == CacheAction::Refresh => format!("fwd=request; stored{ttl}"),
        CachePhase::Miss => format!("fwd=uri-miss; stored{ttl}"),
        CachePhase::Expired => format!("fwd=stale; stored{ttl}"),
        CachePhase::Revalidated => format!("fwd=stale; fwd-status=304; stored{ttl}"),
        CachePhase::RevalidatedNoCache(_) => "fwd=stale; fwd-status=304".to_owned(),
        _ if !has_key || action == CacheAction::Bypass => "fwd=bypass".to_owned(),
        _ => "fwd=uri-miss".to_owned(),
    };
    format!("framex-gateway; {what}")
}
