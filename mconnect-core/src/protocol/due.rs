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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_replies_is_counted_in_bounded_memory() {
        let mut due = Due::default();
        (0..1_000_000).for_each(|_| due.push(Request::Rset, 1));
        assert_eq!((due.count(), due.runs.len()), (1_000_000, 1));
        (0..10_000).for_each(|n| due.push(if n % 2 == 0 { Request::Mail } else { Request::Rset }, 1));
        assert_eq!((due.count(), due.runs.len()), (1_010_000, MOST_RUNS));
        assert_eq!(due.front(), Some(Request::Rset));
        let taken = std::iter::from_fn(|| due.pop()).count();
        assert_eq!((taken, due.count(), due.front()), (1_010_000, 0, None));
    }

    #[test]
    fn replies_are_due_in_the_order_of_what_was_asked_and_one_of_several_may_be_spared() {
        let mut due = Due::default();
        due.push(Request::Rcpt, 2);
        due.push(Request::EndOfData, 1);
        due.push(Request::Rcpt, 1);
        assert_eq!((due.count_of(Request::Rcpt), due.count_of(Request::EndOfData), due.count()), (3, 1, 4));
        assert!(due.holds(|request| request == Request::EndOfData) && !due.holds(|request| request == Request::Quit));
        due.spare(Request::EndOfData);
        assert_eq!(due.count(), 4, "the last of them stays");
        due.spare(Request::Rcpt);
        due.spare(Request::Rcpt);
        assert_eq!((due.count_of(Request::Rcpt), due.count()), (2, 3));
        let order: Vec<Request> = std::iter::from_fn(|| due.pop()).collect();
        assert_eq!(order, [Request::Rcpt, Request::EndOfData, Request::Rcpt]);
    }
}
