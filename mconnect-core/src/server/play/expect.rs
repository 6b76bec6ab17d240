//! What is expected of a client.
//!
//! Whatever comes is compared in the client's own order, as it comes, within the deadline of the step; [`Met`] tells
//! apart what else came (a sentence) from why nothing did (an error of the system, a deadline among them), and `judge`
//! makes a deviation of either, or none where a reset or a silence is what was expected.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memmem;

use super::keywords::keywords;
use super::{Game, LEAST, STEP_PATIENCE};
use crate::dialogue::{Directive, Matched, OVER, Part, Side, Step, Text, Values, Whole, deliver, no_value};
use crate::protocol::{BodyDecoder, Limits, LineBuffer, Tracker, Visible, auth_mechanism, hide, secret_start};
use crate::server::input::Input;
use crate::server::setup::{LARGEST, Verdict};
use crate::server::{Message, Path, ServerError, auth, is_late, write};
use crate::stream::{Truncation, left};

/// What came, if it was not what was expected.
type Met = io::Result<Result<(), String>>;

impl Game<'_> {
    /// Expects what a step of the client's says, for as long as its deadline lets it.
    pub(super) fn expect(&mut self, step: &Step) -> Result<(), ServerError> {
        let patience = match &step.directive {
            Directive::Pause(_) => return Ok(()),
            Directive::Silence(time) => self.deadlines.at_most(*time),
            _ => {
                let usual = self.deadlines.scaled(STEP_PATIENCE);
                self.deadlines.next_or(usual)
            }
        };
        let deadline = Instant::now().checked_add(patience.max(LEAST));
        self.input.deadline = deadline;
        self.before.clone_from(&self.tracker);
        let met = match &step.directive {
            Directive::Line(text) => self.expect_line(text),
            Directive::Bytes(_) => self.expect_bytes(step),
            Directive::File(_) => self.expect_file(step),
            Directive::Octets(count) => self.skip_octets(*count),
            Directive::Body(file) => self.expect_body(step, file.is_some()),
            Directive::HalfClose | Directive::Close | Directive::Reset | Directive::Truncate(_) => {
                self.input.line().map(|line| match (line.is_empty(), &step.directive) {
                    (true, Directive::Truncate(_)) => Err("an orderly end".to_owned()),
                    (true, _) => Ok(()),
                    (false, _) => Err(self.concealed(&line)),
                })
            }
            Directive::Silence(_) => self.input.some().map(<[u8]>::to_vec).map(|some| Err(self.concealed(&some))),
            Directive::StartTls => match self.expect_line(&Text::from(vec![Part::Literal(b"STARTTLS".to_vec())])) {
                Ok(Ok(())) => {
                    self.out.extend_from_slice(b"220 2.0.0 go ahead\r\n");
                    self.flush(step)?;
                    left(deadline).and_then(|left| self.start_tls(left.unwrap_or(patience)))
                }
                met => met,
            },
            Directive::Tls => self.start_tls(patience),
            Directive::EndTls => self.end_tls(true, patience),
            Directive::Authenticate { mechanism, user, secret } => self.expect_proof(mechanism, user, secret),
            _ => Ok(Ok(())),
        };
        self.judge(step, met, patience)
    }

    /// Makes a deviation of what was not met. Where a silence was expected, a deadline that passes is what meets it,
    /// and where an end was, a reset.
    pub(super) fn judge(&self, step: &Step, met: Met, patience: Duration) -> Result<(), ServerError> {
        let error = match met {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(got)) => return Err(self.deviation(step, got)),
            Err(error) => error,
        };
        let (is_late, is_reset) = (is_late(&error), error.kind() == io::ErrorKind::ConnectionReset);
        match &step.directive {
            Directive::Silence(time) if is_late && patience < *time => Err(self.deviation(step, OVER.to_owned())),
            Directive::Silence(_) if is_late => Ok(()),
            Directive::Close | Directive::Reset if is_reset => Ok(()),
            Directive::Reset if Truncation::of(&error).is_some() => Ok(()),
            Directive::Truncate(how) if Truncation::of(&error) == Some(*how) => Ok(()),
            _ if is_late => Err(self.deviation(step, format!("nothing in {patience:?}"))),
            _ => Err(self.deviation(step, error.to_string())),
        }
    }

    /// Shakes hands, and goes on inside TLS. What has come before the client's hello is told instead: it was sent in
    /// the clear, behind something that should have been the last.
    pub(super) fn start_tls(&mut self, patience: Duration) -> Met {
        let Some(tls) = &self.setup.tls else { return Ok(Err("no TLS: this needs the feature tls".to_owned())) };
        if !self.input.rest().is_empty() {
            return Ok(Err(format!("{} before the handshake", self.concealed(self.input.rest()))));
        }
        let (stream, version) = tls.accept(Arc::clone(&self.stream), patience)?;
        self.stream = stream;
        self.input = Input::new(Arc::clone(&self.stream));
        self.shared.note_tls(self.session, &version);
        self.tls = Some(version);
        self.forget();
        Ok(Ok(()))
    }

    /// Ends TLS, or waits until the client does, at most this long.
    pub(super) fn end_tls(&mut self, awaits: bool, patience: Duration) -> Met {
        if !self.input.rest().is_empty() {
            return Ok(Err(self.concealed(self.input.rest())));
        }
        self.stream.set_read_timeout(Some(patience.max(LEAST)))?;
        self.stream = self.stream.end_tls(awaits)?;
        self.input = Input::new(Arc::clone(&self.stream));
        self.tls = None;
        self.forget();
        Ok(Ok(()))
    }

    /// What was said before TLS started or ended counts no more.
    fn forget(&mut self) {
        self.tracker.tls_started();
        self.said = LineBuffer::new(Limits::default().line);
    }

    /// Expects a whole exchange of AUTH, and grants it, as a server with this one user would.
    fn expect_proof(&mut self, mechanism: &str, user: &Text, secret: &Text) -> Met {
        let (user, secret) = match (self.values.fill(user), self.values.fill(secret)) {
            (Ok(user), Ok(secret)) => (user, secret),
            (Err(name), _) | (_, Err(name)) => return Ok(Err(no_value(&name))),
        };
        let Some(mut exchange) = auth::exchange(mechanism, &user, &secret, &self.stream.channel_bindings()) else {
            return Ok(Err(auth::NO_EXCHANGE.to_owned()));
        };
        let line = self.input.line()?;
        let shown = self.heard(&line);
        let is_named = auth_mechanism(&line).is_some_and(|named| {
            named.eq_ignore_ascii_case(mechanism.as_bytes())
                && line.get(COMMAND.len()..).is_some_and(|rest| rest.starts_with(named))
        });
        if !is_named || !line.ends_with(b"\r\n") {
            return Ok(Err(shown));
        }
        let initial = secret_start(&line).map(|start| line[start..].trim_ascii_end().to_vec());
        let verdict = exchange.run(initial.filter(|initial| !initial.is_empty()), |challenge| {
            self.answer(challenge)?;
            let answer = self.input.line()?;
            self.heard(&answer);
            Ok(answer)
        })?;
        let reply = verdict.reply();
        self.answer(reply)?;
        if verdict != Verdict::Granted {
            return Ok(Err(format!("an exchange that ended with `{reply}`")));
        }
        self.shared.note_user(self.session, exchange.user());
        self.user = Some(exchange.user().to_owned());
        Ok(Ok(()))
    }

    /// Says a reply in an exchange.
    fn answer(&mut self, reply: &str) -> io::Result<()> {
        self.note(Side::Server, reply.as_bytes());
        let line = format!("{reply}\r\n");
        self.follow_said(line.as_bytes());
        write(&*self.stream, line.as_bytes(), self.input.deadline)
    }

    /// Expects a line: as it is, but for the case of the keywords in a command. Where text is due, in a body or an
    /// answer, there are none.
    fn expect_line(&mut self, text: &Text) -> Met {
        let line = self.input.line()?;
        let Some(sent) = line.strip_suffix(b"\r\n") else { return Ok(Err(self.heard(&line))) };
        let keywords = if self.takes_text { Vec::new() } else { keywords(sent) };
        let met = self.values.matches_command(&text.0, sent, &keywords, Whole::Yes);
        // A command may follow the lone dot at once.
        self.takes_text &= sent != b".";
        let shown = self.heard(&line);
        match met {
            Some(taken) => {
                self.hide_secrets(&line, &taken);
                self.values.capture(taken);
                Ok(Ok(()))
            }
            None => Ok(Err(shown)),
        }
    }

    /// Sees to it that what was taken out of a secret is one from now on: a name may stand for the password in an AUTH.
    fn hide_secrets(&mut self, line: &[u8], taken: &[(String, Vec<u8>)]) {
        if taken.is_empty() {
            return;
        }
        let secrets = self.before.clone().sent_secrets(line);
        let is_secret = |value: &[u8]| secrets.iter().any(|at| memmem::find(&line[at.clone()], value).is_some());
        for (name, _) in taken.iter().filter(|(_, value)| is_secret(value)) {
            self.values.hide(name.clone());
        }
    }

    /// Follows and notes what the client sent, and returns it as it is shown: without the secrets in it.
    fn heard(&mut self, bytes: &[u8]) -> String {
        if bytes.is_empty() {
            return shown(b"");
        }
        let told = hide(bytes, &self.tracker.sent_secrets(bytes)).into_owned();
        let ended = told.iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
        self.note(Side::Client, &told[..told.len() - ended]);
        shown(&self.values.mask(&told))
    }

    /// Returns what the client sent where nothing should come, as it is shown: without the secrets in it.
    pub(super) fn concealed(&self, bytes: &[u8]) -> String {
        let secrets = self.tracker.clone().sent_secrets(bytes);
        shown(&self.values.mask(&hide(bytes, &secrets)))
    }

    /// Expects exactly these bytes, wherever lines end; they are few enough to be kept, since the dialogue has them
    /// itself.
    fn expect_bytes(&mut self, step: &Step) -> Met {
        let mut wanted = Vec::new();
        let delivered = deliver(step, &self.values, &mut |bytes| {
            wanted.extend_from_slice(bytes);
            Ok(())
        });
        if let Some(Err(why)) = delivered {
            return Ok(Err(why));
        }
        let sent = self.exactly(wanted.len())?;
        let shown = self.heard(&sent);
        Ok(if sent == wanted { Ok(()) } else { Err(shown) })
    }

    /// Compares what comes with a file, a block at a time, so that neither is kept whole.
    fn expect_file(&mut self, step: &Step) -> Met {
        let (values, mut same) = (self.values.clone(), Matched::default());
        // What came instead, or why nothing came.
        let mut other: Option<io::Result<Vec<u8>>> = None;
        let delivered = deliver(step, &values, &mut |mut wanted| {
            while !wanted.is_empty() {
                let came = self.input.some().map(|some| &some[..some.len().min(wanted.len())]);
                let size = came.as_ref().map_or(0, |some| same.add(wanted, some));
                match came {
                    Ok(some) if size == some.len() && size > 0 => wanted = &wanted[size..],
                    came => {
                        other = Some(came.map(|some| some[size..].to_vec()));
                        return Err(String::new());
                    }
                }
                self.input.take(size);
            }
            Ok(())
        });
        let came = match (other, delivered) {
            (Some(came), _) => came?,
            (None, Some(Err(why))) => return Ok(Err(why)),
            (None, _) => {
                self.heard(same.lines());
                return Ok(Ok(()));
            }
        };
        Ok(Err(match same.all() {
            Some(same) => self.heard(&[same, &came].concat()),
            None => {
                self.heard(same.lines());
                same.followed_by(if came.is_empty() { "the end of the stream" } else { "others" })
            }
        }))
    }

    /// Takes so many octets, whatever they are.
    fn skip_octets(&mut self, count: u64) -> Met {
        let mut left = count;
        while left > 0 {
            let some = self.input.some()?;
            let size = some.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if size == 0 {
                return Ok(Err(format!("{} octets and the end of the stream", count - left)));
            }
            self.tracker.sent(&some[..size]);
            self.input.take(size);
            left -= size as u64;
        }
        Ok(Ok(()))
    }

    /// Reads so many octets, or as many as come before the end.
    fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut sent = Vec::new();
        while sent.len() < count {
            let some = self.input.some()?;
            let part = &some[..some.len().min(count - sent.len())];
            if part.is_empty() {
                break;
            }
            sent.extend_from_slice(part);
            let size = part.len();
            self.input.take(size);
        }
        Ok(sent)
    }

    /// Expects a message, up to its lone dot, and keeps it; where the step names a file, it has to be that.
    fn expect_body(&mut self, step: &Step, is_of_file: bool) -> Met {
        let content = match body(&mut self.input, &mut self.tracker)? {
            Ok(content) => content,
            Err(content) if content.len() > LARGEST => {
                return Ok(Err(format!("more than {LARGEST} octets")));
            }
            Err(content) => return Ok(Err(format!("{} octets and no lone dot", content.len()))),
        };
        let is_same = if is_of_file { is_body(&content, step, &self.values) } else { Ok(true) };
        let size = content.len();
        let (session, user, tls) = (self.session, self.user.clone(), self.tls.clone());
        self.shared.keep(Message { session, sender: Path::default(), recipients: Vec::new(), content, user, tls });
        Ok(is_same.and_then(|is_same| if is_same { Ok(()) } else { Err(format!("another message, of {size} octets")) }))
    }
}

/// Says whether a message is the one that a step names, which is read a block at a time.
fn is_body(content: &[u8], step: &Step, values: &Values) -> Result<bool, String> {
    let (mut decoder, mut block, mut rest, mut is_same) = (BodyDecoder::default(), Vec::new(), content, true);
    let delivered = deliver(step, values, &mut |encoded| {
        block.clear();
        decoder.decode(encoded, &mut block);
        match rest.strip_prefix(&*block) {
            Some(after) => rest = after,
            None => is_same = false,
        }
        if is_same { Ok(()) } else { Err(String::new()) }
    });
    match delivered {
        Some(Err(why)) if is_same => Err(why),
        _ => Ok(is_same && rest.is_empty()),
    }
}

/// Reads a body up to its lone dot; without one, or if it is larger than a message may be, what came instead is the
/// error.
fn body(input: &mut Input, tracker: &mut Tracker) -> io::Result<Result<Vec<u8>, Vec<u8>>> {
    let (mut decoder, mut content) = (BodyDecoder::default(), Vec::new());
    loop {
        let some = input.some()?;
        if some.is_empty() {
            return Ok(Err(content));
        }
        let size = some.len();
        let end = decoder.decode(some, &mut content);
        tracker.sent(&some[..end.unwrap_or(size)]);
        input.take(end.unwrap_or(size));
        match end {
            _ if content.len() > LARGEST => return Ok(Err(content)),
            Some(_) => return Ok(Ok(content)),
            None => {}
        }
    }
}

/// Returns octets as a message shows them.
fn shown(line: &[u8]) -> String {
    if line.is_empty() { "the end of the stream".to_owned() } else { format!("`{}`", Visible(line)) }
}

/// What stands before the mechanism of an AUTH.
const COMMAND: &[u8] = b"AUTH ";
