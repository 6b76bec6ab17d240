//! How many sessions there were: since the start, at once, and at one address.

use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Mutex;

#[derive(Default)]
pub struct Tally {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    sessions: u64,
    open: HashMap<Ipv4Addr, u32>,
    open_in_all: u64,
    most_open: u64,
    most_at_one: u32,
}

/// A session, until it is dropped.
pub struct Open<'a> {
    tally: &'a Tally,
    address: Ipv4Addr,
}

impl Tally {
    pub fn open(&self, address: Ipv4Addr) -> Open<'_> {
        let mut counts = self.counts.lock().expect("nobody panics with it");
        let here = counts.open.entry(address).or_default();
        *here += 1;
        let here = *here;
        counts.sessions += 1;
        counts.open_in_all += 1;
        counts.most_open = counts.most_open.max(counts.open_in_all);
        counts.most_at_one = counts.most_at_one.max(here);
        Open { tally: self, address }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut counts = self.tally.counts.lock().expect("nobody panics with it");
        counts.open_in_all -= 1;
        if let Some(here) = counts.open.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                counts.open.remove(&self.address);
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { sessions, open_in_all, most_open, most_at_one, .. } =
            &*self.counts.lock().expect("nobody panics with it");
        write!(f, "sessions={sessions} open={open_in_all} most={most_open} at-one={most_at_one}")
    }
}
