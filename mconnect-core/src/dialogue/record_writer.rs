//! Writing sessions down as they go.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Recorder;
use crate::observer::{Event, Observer, observer_fn};

/// Where a record is written. A [`File`] that is open for writing is one; who wants it to appear whole under its name, or
/// not at all, makes another.
pub trait RecordSink: Send {
    /// Writes a text in the place of all that was written before.
    ///
    /// # Errors
    /// What the system says.
    fn replace(&mut self, text: &str) -> io::Result<()>;

    /// Writes more after what was written last.
    ///
    /// # Errors
    /// What the system says.
    fn append(&mut self, text: &str) -> io::Result<()>;

    /// Says whether a text can take the place of the one before. What cannot do that, such as a pipe, has a short record
    /// once, at the end.
    fn is_replaceable(&self) -> bool {
        true
    }
}

/// Writes the sessions that it observes down as a dialogue, from the first one on or once that is asked for: whatever ends
/// the process, what was said until then is there.
///
/// While the record is short it is written again and again, whole; then it grows, and only what was not written yet is in
/// memory. Before it is asked for, the session under way is kept, so that its record begins with it; of one that is longer
/// than 1 MiB, the beginning is lost.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::dialogue::{Dialogue, RecordWriter};
/// use mconnect_core::{Connect, server::Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::start()?;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("talk.txt");
/// let writer = RecordWriter::new();
/// writer.start(std::fs::File::create(&path)?)?;
/// for _ in 0..2 {
///     let connect = Connect::new("127.0.0.1", server.port()).observer(writer.next_session());
///     let mut session = connect.open()?;
///     session.greeting()?;
///     session.quit()?;
/// }
/// let (_, written) = writer.stop().ok_or("it was started")?;
/// written?;
/// assert_eq!(Dialogue::load(&path)?.sessions().len(), 2);
/// # Ok(()) }
/// # main().unwrap();
/// # }
/// ```
#[doc(alias = "log")]
pub struct RecordWriter<S>(Arc<Mutex<Log<S>>>);

struct Log<S> {
    recorder: Recorder,
    /// What is kept does not begin with the session.
    is_cut: bool,
    written: Option<Written<S>>,
}

struct Written<S> {
    sink: S,
    grows: bool,
    at: Instant,
    /// Why not all of it is there.
    failure: Option<io::Error>,
}

impl<S: RecordSink> RecordWriter<S> {
    /// Begins without anything to write to.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what observes the next session. Those before are forgotten, unless they are being written down.
    pub fn next_session(&self) -> impl Observer + use<S>
    where
        S: 'static,
    {
        let log = Arc::clone(&self.0);
        let recorder = self.log().next_session();
        observer_fn(move |at, event| {
            recorder.observe(at, event);
            locked(&log).observed(at, event);
        })
    }

    /// Starts writing, nothing at first, so that what is wrong with the sink is known at once. Says whether all of the
    /// session under way will be there.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(&self, mut sink: S) -> io::Result<bool> {
        let grows = !sink.is_replaceable();
        let begun = if grows { sink.append("") } else { sink.replace("") };
        begun?;
        let mut log = self.log();
        log.written = Some(Written { sink, grows, at: Instant::now(), failure: None });
        Ok(!log.is_cut)
    }

    /// Stops: writes the rest, and returns the sink, and whether all of the record is there; nothing if it was not started.
    #[must_use = "the record may not be there"]
    pub fn stop(&self) -> Option<(S, io::Result<()>)> {
        let mut log = self.log();
        let mut written = log.written.take()?;
        written.write(&log.recorder);
        if written.grows {
            written.append(&log.recorder.text());
        }
        // What was written in parts is kept no more.
        log.is_cut |= written.grows;
        Some((written.sink, written.failure.map_or(Ok(()), Err)))
    }

    fn log(&self) -> MutexGuard<'_, Log<S>> {
        locked(&self.0)
    }
}

impl<S: RecordSink> Log<S> {
    fn next_session(&mut self) -> Recorder {
        if self.written.is_some() {
            self.recorder = self.recorder.next_session();
        } else {
            *self = Self::default();
        }
        self.recorder.clone()
    }

    /// Does what is due after the recorder was told of an event.
    fn observed(&mut self, at: Instant, event: &Event<'_>) {
        match &mut self.written {
            Some(written) => written.observed(&self.recorder, at, event),
            None if self.recorder.size() > MOST_KEPT => {
                self.recorder.take();
                self.is_cut = true;
            }
            None => {}
        }
    }
}

impl<S: RecordSink> Written<S> {
    /// Writes once that is due.
    fn observed(&mut self, recorder: &Recorder, at: Instant, event: &Event<'_>) {
        let is_reply = matches!(event, Event::Replied { .. });
        let is_due = match recorder.size() {
            size if size > MOST_UNWRITTEN => true,
            _ if !self.sink.is_replaceable() || !is_reply => false,
            size => (!self.grows && size < SHORT) || at.saturating_duration_since(self.at) > NOW_AND_THEN,
        };
        if is_due {
            self.write(recorder);
            self.at = Instant::now();
        }
    }

    /// Writes what there is; what is wrong with the sink is told at the end.
    fn write(&mut self, recorder: &Recorder) {
        if self.grows {
            self.append(&recorder.take());
        } else if recorder.size() < SHORT {
            self.failure = self.sink.replace(&recorder.text()).err();
        } else {
            self.grows = true;
            self.failure = self.sink.replace(&recorder.take()).err();
        }
    }

    fn append(&mut self, text: &str) {
        if self.failure.is_none() {
            self.failure = self.sink.append(text).err();
        }
    }
}

impl RecordSink for File {
    fn replace(&mut self, text: &str) -> io::Result<()> {
        self.rewind()?;
        self.write_all(text.as_bytes())?;
        self.set_len(text.len() as u64)
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        self.write_all(text.as_bytes())
    }

    fn is_replaceable(&self) -> bool {
        self.metadata().is_ok_and(|metadata| metadata.is_file())
    }
}

impl<S> Default for RecordWriter<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S> Default for Log<S> {
    fn default() -> Self {
        Self { recorder: Recorder::new(), is_cut: false, written: None }
    }
}

impl<S> fmt::Debug for RecordWriter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = locked(&self.0);
        f.debug_struct("RecordWriter").field("is_started", &log.written.is_some()).finish_non_exhaustive()
    }
}

fn locked<S>(log: &Mutex<Log<S>>) -> MutexGuard<'_, Log<S>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A record of fewer octets is short, and is written at each reply; a longer one now and then.
const SHORT: usize = 16 * 1024;
const NOW_AND_THEN: Duration = Duration::from_secs(1);
/// So many octets wait at most.
const MOST_UNWRITTEN: usize = 64 * 1024;
/// So many octets of a session are kept before anybody asks for them.
const MOST_KEPT: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Answer, Code, ReplyLine, Request};

    /// Keeps what is written, part by part.
    #[derive(Default)]
    struct Parts {
        text: String,
        replaced: usize,
        is_pipe: bool,
    }

    impl RecordSink for Parts {
        fn replace(&mut self, text: &str) -> io::Result<()> {
            assert!(!self.is_pipe);
            (self.text, self.replaced) = (text.to_owned(), self.replaced + 1);
            Ok(())
        }

        fn append(&mut self, text: &str) -> io::Result<()> {
            self.text.push_str(text);
            Ok(())
        }

        fn is_replaceable(&self) -> bool {
            !self.is_pipe
        }
    }

    fn noop(session: &impl Observer) {
        let now = Instant::now();
        session.observe(now, &Event::Sent(b"NOOP\r\n"));
        session.observe(now, &Event::Received(ReplyLine::new(b"250 ok\r\n")));
        let answer = Answer::new(Some(Request::Other), Code::new(250).unwrap());
        session.observe(now, &Event::Replied { answer, outstanding: 0 });
    }

    const NOOP: &str = "C: NOOP\n# 250 ok\nS: 250\n";

    #[test]
    fn a_record_begins_with_the_session_under_way_and_has_each_that_follows() {
        let writer = RecordWriter::new();
        noop(&writer.next_session());
        let second = writer.next_session();
        noop(&second);
        assert!(writer.start(Parts::default()).unwrap());
        noop(&second);
        let third = writer.next_session();
        noop(&third);
        // What is still heard of a session that is over is no part of the next.
        noop(&second);
        let (parts, written) = writer.stop().unwrap();
        written.unwrap();
        assert_eq!(parts.text, format!("{NOOP}{NOOP}*next session*\n{NOOP}"));
        assert!(parts.replaced > 2, "it was there after each reply");
        assert!(writer.stop().is_none());
    }

    #[test]
    fn a_long_record_grows_and_what_is_no_file_has_it_once() {
        for is_pipe in [false, true] {
            let writer = RecordWriter::new();
            writer.start(Parts { is_pipe, ..Parts::default() }).unwrap();
            for _ in 0..3 {
                let session = writer.next_session();
                (0..2000).for_each(|_| noop(&session));
            }
            let (parts, written) = writer.stop().unwrap();
            written.unwrap();
            let expected = [NOOP.repeat(2000), NOOP.repeat(2000), NOOP.repeat(2000)].join("*next session*\n");
            assert!(parts.text == expected, "{} octets of {}", parts.text.len(), expected.len());
        }
    }

    #[test]
    fn of_a_session_that_is_too_long_to_be_kept_the_beginning_is_lost_and_that_is_said() {
        let writer = RecordWriter::new();
        let session = writer.next_session();
        for _ in 0..=MOST_KEPT / NOOP.len() {
            noop(&session);
        }
        assert!(!writer.start(Parts::default()).unwrap());
        let (parts, _) = writer.stop().unwrap();
        assert!(parts.text.len() < 1024);
    }
}
