//! What the probes of a run have in common: each host is asked once, by whoever wants to know first, and only so much goes
//! on at once.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::facts::HostFacts;
use super::places::Places;
use super::policy::StsFacts;
use super::session::{SessionFacts, SessionPlan};
use crate::dns::{DnsError, Found, Record, Resolver};

/// What is known already, and what may go on at once.
#[derive(Debug)]
pub(super) struct Shared {
    resolver: Resolver,
    lookups: Semaphore,
    sessions: Semaphore,
    fetches: Semaphore,
    places: Places,
    hosts: Mutex<HashMap<String, Answer<HostFacts>>>,
    policies: Mutex<HashMap<String, Answer<StsFacts>>>,
}

/// What somebody is finding out, or has.
type Answer<T> = Arc<OnceCell<Arc<T>>>;

impl Shared {
    /// So many sessions, and as many lookups, go on at once, and of the sessions so many with one address. One that says
    /// 421 is left alone for this time, and asked again.
    pub fn new(resolver: &Resolver, at_once: usize, per_address: usize, back_off: Duration) -> Self {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            resolver: resolver.clone(),
            lookups: Semaphore::new(at_once),
            sessions: Semaphore::new(at_once),
            fetches: Semaphore::new(FETCHES_AT_ONCE),
            places: Places::new(per_address, back_off),
            hosts: Mutex::default(),
            policies: Mutex::default(),
        }
    }

    /// Looks up.
    pub async fn look_up<R: Record>(&self, name: &str) -> Result<Found<R>, DnsError> {
        let _turn = turn(&self.lookups).await;
        Box::pin(self.resolver.ask_async(name)).await
    }

    /// Returns what is known of a host, and asks if nobody has. What is known stays known.
    pub async fn host(&self, name: &str, ask: impl Future<Output = HostFacts>) -> Arc<HostFacts> {
        let answer = Arc::clone(locked(&self.hosts).entry(name.to_owned()).or_default());
        known(&answer, ask).await
    }

    /// Returns what is known of a domain's policy, and asks if nobody does. It is forgotten then: there is one for each
    /// domain, and so no end to them.
    pub async fn policy(&self, domain: &str, ask: impl Future<Output = StsFacts>) -> Arc<StsFacts> {
        let answer = Arc::clone(locked(&self.policies).entry(domain.to_owned()).or_default());
        let facts = known(&answer, ask).await;
        let mut policies = locked(&self.policies);
        if policies.get(domain).is_some_and(|one| Arc::ptr_eq(one, &answer)) {
            policies.remove(domain);
        }
        facts
    }

    /// Has a session with an address when it is its turn; with one that says 421 another one, after a while.
    pub async fn session(&self, plan: &SessionPlan, host: &str, name: &str, address: SocketAddr) -> SessionFacts {
        let ask = || async {
            let _turn = turn(&self.sessions).await;
            Box::pin(plan.ask(host, name, address)).await
        };
        self.places.visit(address.ip(), ask).await
    }

    /// Waits for the turn to fetch a policy, which takes a thread.
    pub async fn fetching(&self) -> SemaphorePermit<'_> {
        turn(&self.fetches).await
    }
}

async fn known<T>(answer: &OnceCell<Arc<T>>, ask: impl Future<Output = T>) -> Arc<T> {
    // Where it is dropped on its way, another that waits asks anew.
    let ask = Box::pin(ask);
    Arc::clone(answer.get_or_init(|| async { Arc::new(ask.await) }).await)
}

pub(super) async fn turn(turns: &Semaphore) -> SemaphorePermit<'_> {
    turns.acquire().await.expect("nobody closes it")
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads that fetch policies at the same time.
pub(super) const FETCHES_AT_ONCE: usize = 64;
