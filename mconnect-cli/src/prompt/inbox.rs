//! What the server said and is not shown yet: a thread listens and puts it here, the prompt takes it out.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::Reader;
use mconnect_core::protocol::{Answer, Phase, Standing};

use super::waker::Waker;
use crate::judge::End;
use crate::lock::locked;

/// A queue between the listening thread and the prompt. Its lock is held while a line is followed, so that the prompt
/// never sees a reply as come that it cannot show yet.
pub struct Inbox {
    content: Mutex<Content>,
    changed: Condvar,
    waker: Arc<Waker>,
    /// STARTTLS, once granted, starts TLS.
    upgrades: bool,
}

#[derive(Default)]
struct Content {
    lines: Vec<Heard>,
    size: usize,
    end: Option<Ending>,
    unfinished: Unfinished,
}

/// What came of a line that has not ended.
#[derive(Debug, Default, Clone)]
pub struct Unfinished {
    /// The last of it.
    pub tail: Vec<u8>,
    /// All of it, in octets.
    pub size: usize,
    /// When its first octet came.
    since: Option<Instant>,
}

impl Unfinished {
    /// Says whether it is so old that it is shown before it ends.
    pub fn is_old(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= PAUSE)
    }

    fn follow(&mut self, buffered: &[u8], is_another: bool) {
        if is_another || buffered.is_empty() {
            self.since = None;
        }
        self.tail = buffered[buffered.len().saturating_sub(LONGEST_TAIL)..].to_vec();
        self.size = buffered.len();
        if self.size > 0 {
            self.since.get_or_insert_with(Instant::now);
        }
    }
}

/// A line that was received, and where the session stood then.
pub struct Heard {
    pub raw: Vec<u8>,
    pub ends_reply: bool,
    pub standing: Standing,
}

/// Why the listening thread ended.
pub enum Ending {
    /// The connection did.
    Connection(End),
    /// STARTTLS was granted: what comes next is no SMTP.
    StartTls(Reader),
}

impl Heard {
    /// Returns what this line's reply answers, if it ends one.
    pub fn answer(&self) -> Option<Answer> {
        self.standing.last_answer.filter(|_| self.ends_reply)
    }
}

impl Inbox {
    /// Starts the thread that listens; with `upgrades`, it ends where TLS is to start.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen(reader: Reader, waker: Arc<Waker>, upgrades: bool) -> io::Result<Arc<Self>> {
        let inbox = Arc::new(Self { content: Mutex::default(), changed: Condvar::new(), waker, upgrades });
        let theirs = Arc::clone(&inbox);
        thread::Builder::new().name("listener".to_owned()).spawn(move || theirs.fill(reader))?;
        Ok(inbox)
    }

    /// Takes everything that is there, and the end if it came.
    pub fn take(&self) -> (Vec<Heard>, Option<Ending>) {
        let mut content = locked(&self.content);
        content.size = 0;
        self.waker.settle();
        self.changed.notify_all();
        (std::mem::take(&mut content.lines), content.end.take())
    }

    /// Returns what came of a line that has not ended.
    pub fn unfinished(&self) -> Unfinished {
        locked(&self.content).unfinished.clone()
    }

    /// Waits until there is something to take, or until `is_over`, or the deadline, and says whether it was not the
    /// deadline.
    pub fn wait(&self, deadline: Option<Instant>, is_over: impl Fn() -> bool) -> bool {
        let mut content = locked(&self.content);
        while content.lines.is_empty() && content.end.is_none() && !is_over() {
            content = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(content).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => self.changed.wait_timeout(content, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        true
    }

    fn fill(&self, mut reader: Reader) {
        let mut before = reader.standing().phase;
        loop {
            if !reader.is_ready() {
                reader.receive();
            }
            let mut content = locked(&self.content);
            let had_lines = !content.lines.is_empty();
            let mut is_another = false;
            while reader.is_ready() {
                is_another = true;
                let heard = match reader.read_line() {
                    Ok(Some(line)) => (line.raw().to_vec(), line.ends_reply()),
                    Ok(None) => return self.end(content, Ending::Connection(End::Closed)),
                    Err(error) => return self.end(content, Ending::Connection(End::Broken(error))),
                };
                let standing = reader.standing();
                content.size += heard.0.len() + size_of::<Heard>();
                content.lines.push(Heard { raw: heard.0, ends_reply: heard.1, standing });
                if self.upgrades && standing.phase == Phase::StartTls && before != Phase::StartTls {
                    return self.end(content, Ending::StartTls(reader));
                }
                before = standing.phase;
            }
            content.unfinished.follow(reader.buffered(), is_another);
            if content.unfinished.size > 0 {
                self.waker.hasten(Instant::now() + PAUSE);
            }
            if had_lines || !content.lines.is_empty() {
                self.tell();
            }
            while content.size > MOST_HELD {
                content = self.changed.wait(content).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn end(&self, mut content: MutexGuard<'_, Content>, ending: Ending) {
        content.unfinished = Unfinished::default();
        content.end = Some(ending);
        self.tell();
    }

    fn tell(&self) {
        self.changed.notify_all();
        self.waker.wake();
    }
}

/// A line that has not ended after this is shown as far as it came.
const PAUSE: Duration = Duration::from_millis(500);
/// This much of it is kept to be shown, in octets.
const LONGEST_TAIL: usize = 400;
/// When so many octets wait to be shown, no more are read.
const MOST_HELD: usize = 1024 * 1024;
