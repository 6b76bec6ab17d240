//! Futures that go on together, without a runtime of their own: so many at once, each result in its place.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Awaits all of them, at most `at_once` at the same time, and returns what they came to in their order.
pub(super) async fn all<F: Future>(futures: Vec<F>, at_once: usize) -> Vec<F::Output> {
    let mut waiting = futures.into_iter().enumerate();
    let mut going: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut done: Vec<(usize, F::Output)> = Vec::new();
    poll_fn(|context| {
        loop {
            going.extend(waiting.by_ref().take(at_once - going.len()).map(|(place, next)| (place, Box::pin(next))));
            let had = done.len();
            going.retain_mut(|(place, future)| match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    done.push((*place, output));
                    false
                }
                Poll::Pending => true,
            });
            match (going.is_empty(), done.len() > had) {
                // There is room for others now, which have to be polled as well.
                (_, true) => {}
                (true, false) => return Poll::Ready(()),
                (false, false) => return Poll::Pending,
            }
        }
    })
    .await;
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, output)| output).collect()
}

/// Awaits both; what is done holds no memory until the other is.
pub(super) async fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (Awaited::Going(Box::pin(one)), Awaited::Going(Box::pin(other)));
    poll_fn(|context| match (one.poll(context), other.poll(context)) {
        (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(()),
        _ => Poll::Pending,
    })
    .await;
    (one.done(), other.done())
}

/// A future, and what it came to.
enum Awaited<F: Future> {
    Going(Pin<Box<F>>),
    Done(F::Output),
}

impl<F: Future> Awaited<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Self::Going(future) = self {
            *self = Self::Done(ready!(future.as_mut().poll(context)));
        }
        Poll::Ready(())
    }

    fn done(self) -> F::Output {
        let Self::Done(output) = self else { unreachable!("it is awaited") };
        output
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn results_come_in_order_and_no_more_go_on_at_once_than_may() {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let work = |turns: usize| {
            let (now, most) = (&now, &most);
            async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                now.set(now.get() - 1);
                turns
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let turns = [5, 0, 3, 1, 4, 0, 0, 2];
        let (all, other) = runtime.block_on(both(all(turns.map(work).into(), 3), async { 7 }));
        assert_eq!((all.as_slice(), other, most.get(), now.get()), (&turns[..], 7, 3, 0));
    }
}
