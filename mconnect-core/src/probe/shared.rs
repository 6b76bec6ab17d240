//! What the probes of a run have in common: what is known of hosts, each of which is asked once, by whoever wants to know
//! first, and how much goes on at once.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::facts::HostFacts;
use super::places::Places;
use super::policy::StsFacts;
use super::turns::{Turns, locked};
use crate::dns::Resolver;

/// What is known already, and what may go on at once.
#[derive(Debug)]
pub(super) struct Shared {
    pub turns: Turns,
    pub places: Places,
    hosts: Answers<HostFacts>,
    policies: Answers<StsFacts>,
}

/// By name, what somebody is finding out, or has.
type Answers<T> = Mutex<HashMap<String, Arc<OnceCell<Arc<T>>>>>;

impl Shared {
    /// So many sessions, and as many lookups, go on at once, and of the sessions so many with one address. One that says
    /// 421 is left alone for this time, and asked again.
    pub fn new(resolver: &Resolver, at_once: usize, per_address: usize, back_off: Duration) -> Self {
        let (turns, places) = (Turns::new(resolver, at_once), Places::new(per_address, back_off));
        Self { turns, places, hosts: Mutex::default(), policies: Mutex::default() }
    }

    /// Returns what is known of a host, and asks if nobody has. What is known stays known.
    pub async fn host<F: Future<Output = HostFacts>>(&self, name: &str, ask: impl FnOnce() -> F) -> Arc<HostFacts> {
        let answer = Arc::clone(locked(&self.hosts).entry(name.to_owned()).or_default());
        known(&answer, ask).await
    }

    /// Returns what is known of a domain's policy, and asks if nobody does. It is forgotten then: there is one for each
    /// domain, and so no end to them.
    pub async fn policy<F: Future<Output = StsFacts>>(&self, domain: &str, ask: impl FnOnce() -> F) -> Arc<StsFacts> {
        let answer = Arc::clone(locked(&self.policies).entry(domain.to_owned()).or_default());
        let facts = known(&answer, ask).await;
        let mut policies = locked(&self.policies);
        if policies.get(domain).is_some_and(|one| Arc::ptr_eq(one, &answer)) {
            policies.remove(domain);
        }
        facts
    }
}

async fn known<T, F: Future<Output = T>>(answer: &OnceCell<Arc<T>>, ask: impl FnOnce() -> F) -> Arc<T> {
    // Where it is dropped on its way, another that waits asks anew. Those who wait hold nothing of it.
    Arc::clone(answer.get_or_init(|| async { Arc::new(Box::pin(ask()).await) }).await)
}
