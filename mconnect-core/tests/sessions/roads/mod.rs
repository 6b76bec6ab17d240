//! Roads other than the network by itself, for both ways to wait.

mod forward;
mod process;
mod proxied;
mod unix;
mod via;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mconnect_core::{Connect, Event, Timeouts, observer_fn};

/// What is told of the way and of a process, in words.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn watch(&self, connect: Connect) -> Connect {
        let log = self.clone();
        connect.observer(observer_fn(move |_, event| {
            let told = match event {
                Event::Connecting { peer } => format!("connecting to {peer}"),
                Event::Connected { peer } => format!("connected to {peer}"),
                Event::ConnectFailed { error, has_next, .. } => format!("failed: {error}, {has_next}"),
                Event::ProcessSaid(line) => format!("said {}", line.escape_ascii()),
                Event::ProcessEnded(status) => format!("ended, {status}"),
                _ => return,
            };
            log.0.lock().unwrap().push(told);
        }))
    }

    /// Returns what was told, of which there may be more until this comes.
    fn until(&self, last: &str) -> Vec<String> {
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            let told = self.0.lock().unwrap().clone();
            if told.last().is_some_and(|told| told.starts_with(last)) {
                return told;
            }
            std::thread::yield_now();
        }
        panic!("no {last}: {:?}", self.0.lock().unwrap());
    }
}

fn patient() -> Timeouts {
    Timeouts::default().replies(Duration::from_secs(10)).closing(Duration::from_millis(300))
}
