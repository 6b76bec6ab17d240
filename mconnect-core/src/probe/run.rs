//! Many targets: so many at once, and each report as soon as all of it is known.
//!
//! ```text
//!   targets ── a thread reads them, a few ahead ─► begun: as many as jobs, no faster than the rate ─► done ─► next
//!                                                   └ a task each; what they share is asked once
//! ```
//! A target is begun when somebody takes reports: what is done and not taken counts as under way.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io;
use std::panic;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep_until};

use super::Probe;
use super::cores::Cores;
use super::report::{ProbeReport, Target};
use super::shared::Shared;

/// How much goes on at once of many targets.
#[derive(Debug, Clone)]
pub(super) struct Many {
    jobs: usize,
    per_address: usize,
    rate: u32,
    back_off: Duration,
}

impl Default for Many {
    fn default() -> Self {
        Self { jobs: 100, per_address: 10, rate: 0, back_off: Duration::from_secs(1) }
    }
}

impl Probe {
    /// Sets how many targets of a run are under way at once, one at least; there are no more sessions than that, and no more
    /// lookups, of which there are a thousand at most.
    #[must_use]
    pub fn jobs(mut self, at_once: usize) -> Self {
        self.many.jobs = at_once.max(1);
        self
    }

    /// Sets how many sessions of a run there are with one address at once, one at least.
    #[must_use]
    pub fn per_address(mut self, at_once: usize) -> Self {
        self.many.per_address = at_once.max(1);
        self
    }

    /// Sets how many targets of a run are begun in a second; 0 is as many as can be.
    #[must_use]
    pub fn rate(mut self, a_second: u32) -> Self {
        self.many.rate = a_second;
        self
    }

    /// Sets how long, in a run, an address that says 421 is left alone before it is asked again; then four times as long, and
    /// once more. What it says after that stands. Without any time, nothing is asked again.
    #[must_use]
    pub fn back_off(mut self, at_first: Duration) -> Self {
        self.many.back_off = at_first.min(Duration::from_secs(60));
        self
    }

    /// Asks about many targets, in threads of its own, one for each core, and returns their reports in order of completion,
    /// each with its target. A thread reads the targets, a few ahead of their turn: they may come as slowly as they like, and
    /// without end.
    ///
    /// Each host is asked once in a run, at each of its addresses, however many domains it takes mail for: memory grows with
    /// the hosts, not with the targets. Here a target that is itself an address has to be global as well, unless
    /// [`allow_private`](Self::allow_private) says otherwise: nobody has looked at each.
    ///
    /// ```no_run
    /// use std::fs::File;
    /// use std::io::{BufRead, BufReader};
    ///
    /// use mconnect_core::dns::Resolver;
    /// use mconnect_core::probe::{Probe, Target};
    ///
    /// let domains = BufReader::new(File::open("domains.txt")?).lines().map_while(Result::ok).map(|line| Target::parse(line.trim()));
    /// let probe = Probe::new(Resolver::system()?).jobs(1000).per_address(20);
    /// for (target, report) in probe.run(domains)? {
    ///     println!("{target}: {:?}", report.gravest());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A target may be anything that has one, and comes back with its report.
    ///
    /// # Errors
    /// The system has no means for a runtime and a thread.
    ///
    /// # Panics
    /// Taking a report, within a runtime of tokio's.
    pub fn run<T, I>(&self, targets: I) -> io::Result<Reports<T>>
    where
        T: AsRef<Target> + Send + 'static,
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Reports::new(self, targets.into_iter())
    }

    /// Asks as [`run`](Self::run) does, awaited, in the runtime that reports are taken in.
    ///
    /// # Errors
    /// The system has no means for a thread.
    pub fn run_async<T, I>(&self, targets: I) -> io::Result<AsyncReports<T>>
    where
        T: AsRef<Target> + Send + 'static,
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        AsyncReports::new(self, targets.into_iter())
    }
}

/// Reports on many targets, in order of completion ([`Probe::run`]); `next` blocks. Dropping it ends all that is under way.
pub struct Reports<T> {
    reports: AsyncReports<T>,
    /// Where they are taken; the work is done elsewhere.
    runtime: Option<Runtime>,
}

/// Reports on many targets, in order of completion, awaited ([`Probe::run_async`]). Dropping it ends all that is under way.
pub struct AsyncReports<T> {
    work: Arc<Work>,
    targets: Receiver<T>,
    are_all_begun: bool,
    under_way: JoinSet<(T, ProbeReport)>,
    /// Where it is under way, if not where reports are taken.
    cores: Option<Cores>,
    pace: Pace,
}

struct Work {
    probe: Probe,
    shared: Shared,
}

impl<T: AsRef<Target> + Send + 'static> Reports<T> {
    pub(super) fn new(probe: &Probe, targets: impl Iterator<Item = T> + Send + 'static) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let reports = AsyncReports { cores: Some(Cores::all()?), ..AsyncReports::new(probe, targets)? };
        Ok(Self { reports, runtime: Some(runtime) })
    }
}

/// Waits for the next report, and begins other targets meanwhile.
impl<T: AsRef<Target> + Send + 'static> Iterator for Reports<T> {
    type Item = (T, ProbeReport);

    fn next(&mut self) -> Option<Self::Item> {
        self.runtime.as_ref()?.block_on(self.reports.next())
    }
}

impl<T> Drop for Reports<T> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl<T: AsRef<Target> + Send + 'static> AsyncReports<T> {
    pub(super) fn new(probe: &Probe, targets: impl Iterator<Item = T> + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = channel(READ_AHEAD);
        // Reading them may block for as long as it likes.
        thread::Builder::new().name("targets".to_owned()).spawn(move || {
            for target in targets {
                if sender.blocking_send(target).is_err() {
                    break;
                }
            }
        })?;
        let many = &probe.many;
        let shared = Shared::new(&probe.resolver, many.jobs, many.per_address, many.back_off);
        let (pace, probe) = (Pace::new(many.rate), probe.clone());
        let work = Arc::new(Work { probe, shared });
        Ok(Self { work, targets: receiver, are_all_begun: false, under_way: JoinSet::new(), cores: None, pace })
    }

    /// Returns the next report, with its target; `None` after the last.
    ///
    /// # Panics
    /// Outside of a runtime of tokio's, or in one without its drivers for I/O and time.
    pub async fn next(&mut self) -> Option<(T, ProbeReport)> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<(T, ProbeReport)>> {
        self.begin(context);
        match self.under_way.poll_join_next(context) {
            Poll::Ready(Some(Ok(done))) => Poll::Ready(Some(done)),
            Poll::Ready(Some(Err(error))) if error.is_panic() => panic::resume_unwind(error.into_panic()),
            // The runtime is at its end.
            Poll::Ready(Some(Err(_))) => Poll::Ready(None),
            Poll::Ready(None) if self.are_all_begun => Poll::Ready(None),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Begins as many as may be under way.
    fn begin(&mut self, context: &mut Context<'_>) {
        while !self.are_all_begun && self.under_way.len() < self.work.probe.many.jobs {
            if self.pace.poll(context).is_pending() {
                return;
            }
            match self.targets.poll_recv(context) {
                Poll::Pending => return,
                Poll::Ready(None) => self.are_all_begun = true,
                Poll::Ready(Some(target)) => {
                    self.pace.advance();
                    let work = Arc::clone(&self.work);
                    let task = async move {
                        let report = work.probe.report(target.as_ref(), &work.shared, false).await;
                        (target, report)
                    };
                    match &mut self.cores {
                        Some(cores) => self.under_way.spawn_on(task, cores.next()),
                        None => self.under_way.spawn(task),
                    };
                }
            }
        }
    }
}

impl<T> fmt::Debug for Reports<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports").field("under_way", &self.reports.under_way.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for AsyncReports<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncReports").field("under_way", &self.under_way.len()).finish_non_exhaustive()
    }
}

/// How fast targets follow each other.
struct Pace {
    gap: Duration,
    next: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// So many a second; 0 is no limit.
    fn new(rate: u32) -> Self {
        let gap = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
        Self { gap, next: Instant::now(), sleep: None }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.next {
            return Poll::Ready(());
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(self.next.into())));
        sleep.as_mut().reset(self.next.into());
        sleep.as_mut().poll(context)
    }

    fn advance(&mut self) {
        // A clock that wakes late is made up for, a pause is not.
        let earliest = Instant::now().checked_sub(LATENESS).unwrap_or(self.next);
        self.next = self.next.max(earliest) + self.gap;
    }
}

/// Targets that are read before their turn.
const READ_AHEAD: usize = 16;
/// More than a clock wakes late.
const LATENESS: Duration = Duration::from_millis(20);
