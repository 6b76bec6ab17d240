//! How much goes on at once: sessions, lookups, and policies that are fetched.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::dns::{DnsError, Found, Record, Resolver};

/// The turns of a run.
#[derive(Debug)]
pub(super) struct Turns {
    resolver: Resolver,
    lookups: Semaphore,
    sessions: Semaphore,
    fetches: Semaphore,
}

impl Turns {
    /// So many sessions go on at once, and as many lookups there, a thousand at most.
    pub fn new(resolver: &Resolver, at_once: usize) -> Self {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            resolver: resolver.clone(),
            lookups: Semaphore::new(at_once.min(LOOKUPS_AT_ONCE)),
            sessions: Semaphore::new(at_once),
            fetches: Semaphore::new(FETCHES_AT_ONCE),
        }
    }

    /// Looks up when it is its turn.
    pub async fn look_up<R: Record>(&self, name: &str) -> Result<Found<R>, DnsError> {
        let _turn = turn(&self.lookups).await;
        Box::pin(self.resolver.ask_async(name)).await
    }

    /// Waits for the turn of a session.
    pub async fn session(&self) -> SemaphorePermit<'_> {
        turn(&self.sessions).await
    }

    /// Waits for the turn to fetch a policy, which takes a thread.
    pub async fn fetching(&self) -> SemaphorePermit<'_> {
        turn(&self.fetches).await
    }
}

pub(super) async fn turn(turns: &Semaphore) -> SemaphorePermit<'_> {
    turns.acquire().await.expect("nobody closes it")
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lookups at the same time: more would be lost by the sockets of one name server.
const LOOKUPS_AT_ONCE: usize = 1000;
/// Threads that fetch policies at the same time.
pub(super) const FETCHES_AT_ONCE: usize = 64;
