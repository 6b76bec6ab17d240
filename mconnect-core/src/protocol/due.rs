//! Which replies are due.
//!
//! A client that sends without reading can make any number of them due. They are kept in runs, so that a million RSET
//! take as much memory as one; beyond 4,096 runs they are counted as more of the last kind, and only their number is
//! right.

use std::collections::VecDeque;

use super::phase::Request;

/// The replies that are due, in order, in runs of the same request.
#[derive(Debug, Default, Clone)]
pub(super) struct Due {
    runs: VecDeque<(Request, usize)>,
    count: usize,
}

impl Due {
    /// Expects so many more replies to this.
    pub fn push(&mut self, request: Request, count: usize) {
        self.count += count;
        let is_full = self.runs.len() >= MOST_RUNS;
        match self.runs.back_mut() {
            Some((last, run)) if *last == request || is_full => *run += count,
            _ => self.runs.push_back((request, count)),
        }
    }

    /// Returns how many replies are due.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes the request whose reply came, if one was due.
    pub fn pop(&mut self) -> Option<Request> {
        let (request, run) = self.runs.front_mut()?;
        let request = *request;
        *run -= 1;
        self.count -= 1;
        if *run == 0 {
            self.runs.pop_front();
        }
        Some(request)
    }

    /// Returns the request whose reply is due next.
    pub fn front(&self) -> Option<Request> {
        self.runs.front().map(|(request, _)| *request)
    }

    /// Expects one reply fewer of a kind of which several are due.
    pub fn spare(&mut self, request: Request) {
        if let Some((_, run)) = self.runs.iter_mut().find(|(due, run)| *due == request && *run > 1) {
            *run -= 1;
            self.count -= 1;
        }
    }

    /// Says whether a reply is due to such a request.
    pub fn holds(&self, is_it: impl Fn(Request) -> bool) -> bool {
        self.runs.iter().any(|(request, _)| is_it(*request))
    }

    /// Returns how many replies are due to this.
    pub fn count_of(&self, request: Request) -> usize {
        self.runs.iter().filter(|(due, _)| *due == request).map(|(_, run)| run).sum()
    }
}

/// More runs than these are counted, but no longer told apart.
const MOST_RUNS: usize = 4096;
