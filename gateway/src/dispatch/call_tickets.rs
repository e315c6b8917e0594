//! What a worker shows when it calls others on behalf of a request: which request that is.
//!
//! A component's call carries the request it serves by itself. A worker serves many at once, so it is told a ticket with each
//! (`X-FrameX-Call`) and hands it on with what it calls. A ticket is good for its worker alone and until its request ends.

use super::call_scope::CallScope;
use crate::backends::CallingPlugin;
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Locks are held for an insertion or a lookup; several keep I/O threads apart.
const SHARDS: usize = 16;

type Shard = Mutex<HashMap<u128, Ticketed>>;

/// The requests that workers are answering.
#[derive(Clone, Debug)]
pub(crate) struct CallTickets {
    shards: Arc<[Shard; SHARDS]>,
}

/// What a ticket stands for.
#[derive(Clone, Debug)]
pub(super) struct Ticketed {
    pub(super) scope: Arc<CallScope>,
    /// When the request that the worker answers must be over.
    pub(super) deadline: Option<Instant>,
    /// That it is over.
    pub(super) cancelled: CancellationToken,
}

/// One ticket. It is void when this is dropped, and what was called with it ends.
#[derive(Debug)]
pub(crate) struct CallTicket {
    number: u128,
    field: HeaderValue,
    tickets: CallTickets,
    cancelled: CancellationToken,
}

impl Default for CallTickets {
    fn default() -> Self {
        Self { shards: Arc::new(std::array::from_fn(|_| Mutex::default())) }
    }
}

impl CallTickets {
    /// A ticket for a request that a worker is about to be sent.
    pub(crate) fn issue(&self, scope: CallScope, deadline: Option<Instant>) -> CallTicket {
        let number = rand::random::<u128>();
        let cancelled = CancellationToken::new();
        let known = Ticketed { scope: Arc::new(scope), deadline, cancelled: cancelled.clone() };
        self.shard(number).lock().unwrap_or_else(PoisonError::into_inner).insert(number, known);
        let field = HeaderValue::try_from(format!("{number:032x}"));
        CallTicket {
            number,
            field: field.unwrap_or_else(|_never| HeaderValue::from_static("")),
            tickets: self.clone(),
            cancelled,
        }
    }

    /// The request behind a ticket, if it still runs and was given to `plugin`.
    pub(super) fn find(&self, field: &HeaderValue, plugin: &Arc<CallingPlugin>) -> Option<Ticketed> {
        let number = u128::from_str_radix(field.to_str().ok()?, 16).ok()?;
        let known = self.shard(number).lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()?;
        Arc::ptr_eq(&known.scope.plugin, plugin).then_some(known)
    }

    fn shard(&self, number: u128) -> &Shard {
        &self.shards[(number % SHARDS as u128) as usize]
    }
}

impl CallTicket {
    /// The ticket as a header field's value.
    pub(crate) fn field(&self) -> HeaderValue {
        self.field.clone()
    }
}

impl Drop for CallTicket {
    fn drop(&mut self) {
        self.cancelled.cancel();
        self.tickets.shard(self.number).lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}
