//! Addresses: how many sessions go on with one at once, how long one is left alone that asked for it by 421, and which are
//! not asked any more, since nobody is there.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::sleep_until;

use super::session::SessionFacts;
use super::turns::{locked, turn};
use crate::error::Error;

/// Those that there are sessions with, or that others wait for.
#[derive(Debug)]
pub(super) struct Places {
    at_once: usize,
    back_off: Duration,
    all: Mutex<HashMap<IpAddr, Arc<Place>>>,
}

#[derive(Debug)]
struct Place {
    turns: Semaphore,
    rests_until: Mutex<Option<Instant>>,
    /// So many connections timed out one after the other, and when the last one did.
    silences: Mutex<(u32, Option<Instant>)>,
}

impl Places {
    /// With each there are so many sessions at once; one that says 421 is left alone for so long, and longer the next time.
    pub fn new(at_once: usize, back_off: Duration) -> Self {
        Self { at_once: at_once.clamp(1, Semaphore::MAX_PERMITS), back_off, all: Mutex::default() }
    }

    /// Has a session when it is its turn; after 421 another one, up to three times, with pauses that grow fourfold. Where
    /// others found nobody, it is given up without one: a name does not change that, and each would take its time.
    pub async fn visit<F: Future<Output = SessionFacts>>(
        &self,
        address: IpAddr,
        ask: impl Fn() -> F,
        give_up: impl FnOnce() -> SessionFacts,
    ) -> SessionFacts {
        let visit = Visit { places: self, place: self.place(address), address };
        let _turn = turn(&visit.place.turns).await;
        let (mut pause, mut attempts) = (self.back_off, 1);
        loop {
            visit.place.rest().await;
            if visit.place.is_given_up() {
                return give_up();
            }
            let mut facts = ask().await;
            visit.place.note(&facts);
            facts.attempts = attempts;
            if pause.is_zero() || attempts == MOST_ATTEMPTS || !facts.is_put_off() {
                return facts;
            }
            visit.place.leave_alone(pause);
            (pause, attempts) = (pause * 4, attempts + 1);
        }
    }

    fn place(&self, address: IpAddr) -> Arc<Place> {
        let new = || {
            let (turns, rests_until) = (Semaphore::new(self.at_once), Mutex::default());
            Arc::new(Place { turns, rests_until, silences: Mutex::default() })
        };
        Arc::clone(locked(&self.all).entry(address.to_canonical()).or_insert_with(new))
    }
}

impl Place {
    /// Waits until it may be asked, as far as is known now: others do not put that off for ever.
    async fn rest(&self) {
        let until = *locked(&self.rests_until);
        if let Some(until) = until {
            sleep_until(until.into()).await;
        }
    }

    fn is_given_up(&self) -> bool {
        let (count, last) = *locked(&self.silences);
        count >= MOST_SILENCES && last.is_some_and(|last| last.elapsed() < GIVEN_UP_FOR)
    }

    fn note(&self, facts: &SessionFacts) {
        if !facts.has_connected() && facts.error.as_ref().is_some_and(Error::is_timeout) {
            let mut silences = locked(&self.silences);
            *silences = (silences.0.saturating_add(1), Some(Instant::now()));
        } else {
            *locked(&self.silences) = (0, None);
        }
    }

    fn leave_alone(&self, pause: Duration) {
        let until = Instant::now().checked_add(pause);
        let mut rests_until = locked(&self.rests_until);
        *rests_until = (*rests_until).max(until);
    }
}

/// Somebody who asks an address, or waits for it: the last one takes it out, so that there are never more than visits, and
/// those where nobody answered.
struct Visit<'a> {
    places: &'a Places,
    place: Arc<Place>,
    address: IpAddr,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let mut all = locked(&self.places.all);
        // It is in the map, and here.
        if Arc::strong_count(&self.place) == 2 && locked(&self.place.silences).0 == 0 {
            all.remove(&self.address.to_canonical());
        }
    }
}

const MOST_ATTEMPTS: u32 = 4;
/// So many are no accident.
const MOST_SILENCES: u32 = 3;
/// What is in between may be mended.
const GIVEN_UP_FOR: Duration = Duration::from_secs(10 * 60);
