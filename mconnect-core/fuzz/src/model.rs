//! A slow tracker: it keeps everything that was sent and looks at all of it again, one octet after the other.
//!
//! It is written from the documentation of the phases, with lists and whole buffers where the tracker counts.

use mconnect_core::protocol::{Answer, Code, Phase, Request};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Commands,
    Body,
    Chunk { left: u64, is_last: bool },
    Answers,
    Tls,
    Raw,
}

/// What a session is believed to be.
#[derive(Debug)]
pub struct Model {
    mode: Mode,
    /// The line under way, and whether a part of it was sent as an answer.
    line: Vec<u8>,
    is_answer: bool,
    /// The body under way, after a CR LF.
    body: Vec<u8>,
    due: Vec<Request>,
    /// A body or an answer was sent before DATA or AUTH was granted.
    is_guessed: bool,
    is_out_of_step: bool,
    /// The message under way has had its reply.
    is_refused: bool,
    accepted: usize,
    is_lmtp: bool,
    is_closing: bool,
    has_quit: bool,
    is_closed: bool,
    last: Option<Answer>,
    /// The first reply that shows client and server out of step.
    surprise: Option<Answer>,
    /// Replies that were due when QUIT was answered, and whether a message's was among them.
    lost: usize,
    has_lost_message: bool,
    /// AUTH has ended, and what its answers would be may come all the same.
    expects_late: bool,
}

impl Model {
    pub fn new() -> Self {
        Self {
            mode: Mode::Commands,
            line: Vec::new(),
            is_answer: false,
            body: Vec::new(),
            due: vec![Request::Greeting],
            is_guessed: false,
            is_out_of_step: false,
            is_refused: false,
            accepted: 0,
            is_lmtp: false,
            is_closing: false,
            has_quit: false,
            is_closed: false,
            last: None,
            surprise: None,
            lost: 0,
            has_lost_message: false,
            expects_late: false,
        }
    }

    pub fn phase(&self) -> Phase {
        if self.is_closed {
            return Phase::Closed;
        }
        match self.mode {
            Mode::Commands if self.due.first() == Some(&Request::Greeting) => Phase::Greeting,
            Mode::Commands => Phase::Command,
            Mode::Body => Phase::Body,
            Mode::Chunk { left, .. } => Phase::Chunk { left },
            Mode::Answers => Phase::Auth,
            Mode::Tls => Phase::StartTls,
            Mode::Raw => Phase::Raw,
        }
    }

    pub fn due(&self) -> &[Request] {
        &self.due
    }

    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    pub fn has_quit(&self) -> bool {
        self.has_quit
    }

    pub fn is_in_step(&self) -> bool {
        !self.is_out_of_step
    }

    pub fn surprise(&self) -> Option<Answer> {
        self.surprise
    }

    pub fn lost(&self) -> (usize, bool) {
        (self.lost, self.has_lost_message)
    }

    /// A reply is due that one code alone grants.
    pub fn is_turning(&self) -> bool {
        self.due.iter().any(|request| only_code(*request).is_some())
    }

    /// What is sent may be a secret though it is not sent as one.
    pub fn is_in_doubt(&self) -> bool {
        (self.surprise.is_some() || self.expects_late) && self.mode != Mode::Raw
    }

    pub fn last(&self) -> Option<Answer> {
        self.last
    }

    /// Follows an octet, and says whether it belongs to a password.
    pub fn sent(&mut self, byte: u8) -> bool {
        let mut is_secret = false;
        match self.mode {
            Mode::Raw => {}
            Mode::Chunk { left, is_last } => self.chunk(left - 1, is_last),
            Mode::Body => {
                self.is_guessed |= self.due.contains(&Request::Data);
                self.body.push(byte);
                if self.body.ends_with(b"\r\n.\r\n") {
                    self.mode = Mode::Commands;
                    self.end_message(Request::EndOfData, true);
                }
            }
            Mode::Commands | Mode::Tls | Mode::Answers => {
                self.is_answer |= self.mode == Mode::Answers;
                is_secret = self.is_answer || is_in_secret(&self.line, byte);
                self.line.push(byte);
                if byte == b'\n' {
                    let (line, is_answer) = (std::mem::take(&mut self.line), std::mem::take(&mut self.is_answer));
                    self.expects_late &= is_base64(&line) || is_secret;
                    match self.mode {
                        Mode::Answers => {
                            let is_asked = |request: &Request| matches!(request, Request::Auth | Request::AuthAnswer);
                            self.is_guessed |= self.due.iter().any(is_asked);
                            self.due.push(Request::AuthAnswer);
                        }
                        _ if is_answer => {
                            self.mode = Mode::Commands;
                            self.due.push(Request::Other);
                        }
                        _ => self.command(&line),
                    }
                }
            }
        }
        is_secret
    }

    fn command(&mut self, line: &[u8]) {
        // The first 64 octets tell the command.
        let text: String = line.iter().take(64).map(|byte| char::from(*byte)).collect();
        let words: Vec<&str> = text.split(['\t', '\n', '\x0c', '\r', ' ']).filter(|word| !word.is_empty()).collect();
        let verb = words.first().map(|verb| verb.to_ascii_uppercase());
        let request = match verb.as_deref() {
            None if line.len() <= 64 => Request::EmptyLine,
            Some("EHLO") => Request::Ehlo,
            Some("HELO") => Request::Helo,
            Some("LHLO") => Request::Lhlo,
            Some("MAIL") => Request::Mail,
            Some("RCPT") => Request::Rcpt,
            Some("DATA") => Request::Data,
            Some("RSET") => Request::Rset,
            Some("QUIT") => Request::Quit,
            _ if is_auth(&line[..line.len().min(64)]) => Request::Auth,
            Some("AUTH") => Request::Auth,
            Some("XCLIENT") => Request::XClient,
            Some("STARTTLS") => Request::StartTls,
            Some("BDAT") => {
                let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
                let size = words.get(1).filter(|word| is_number(word)).and_then(|word| word.parse::<u64>().ok());
                let is_last = words.get(2).is_some_and(|word| word.eq_ignore_ascii_case("LAST"));
                match (size, words.len()) {
                    (Some(size), 2) => return self.chunk(size, false),
                    (Some(size), 3) if is_last => return self.chunk(size, true),
                    _ => Request::Other,
                }
            }
            _ => Request::Other,
        };
        self.mode = match request {
            Request::Data => Mode::Body,
            Request::Auth => Mode::Answers,
            _ => Mode::Commands,
        };
        self.body = b"\r\n".to_vec();
        self.due.push(request);
    }

    fn chunk(&mut self, left: u64, is_last: bool) {
        if left > 0 {
            self.mode = Mode::Chunk { left, is_last };
        } else {
            self.mode = Mode::Commands;
            self.end_message(Request::Bdat, is_last);
        }
    }

    fn end_message(&mut self, request: Request, is_last: bool) {
        if self.is_refused {
            self.is_refused = false;
            return;
        }
        let hopeful = self.due.iter().filter(|due| **due == Request::Rcpt).count();
        let replies = if is_last && self.is_lmtp { (self.accepted + hopeful).max(1) } else { 1 };
        self.due.extend(std::iter::repeat_n(request, replies));
    }

    /// Follows a whole line.
    pub fn received(&mut self, code: Option<u16>, is_last: bool) {
        let (Some(code), true) = (code, is_last) else { return };
        if code == 221 && self.due.contains(&Request::Quit) {
            while self.due[0] != Request::Quit {
                let missing = self.due.remove(0);
                self.lost += usize::from(missing != Request::EmptyLine);
                self.has_lost_message |= matches!(missing, Request::EndOfData | Request::Bdat);
            }
        }
        let mut asked = if self.due.is_empty() { None } else { Some(self.due.remove(0)) };
        if asked.is_none() && (400..600).contains(&code) && code != 421 {
            asked = match self.mode {
                Mode::Body => Some(Request::EndOfData),
                Mode::Chunk { .. } => Some(Request::Bdat),
                _ => None,
            };
            self.is_refused |= asked.is_some();
        }
        let is_granted = asked.is_some_and(|request| grants(request, code));
        let answer = Code::new(code).map(|code| Answer::new(asked, code));
        if is_out_of_step(asked, code) && self.surprise.is_none() {
            self.surprise = answer;
        }
        if matches!(asked, Some(Request::Auth | Request::AuthAnswer)) {
            self.expects_late = code != 334;
        }
        match (asked, code) {
            (Some(Request::Data), 354) => {}
            (Some(Request::Auth | Request::AuthAnswer), 334) if self.mode == Mode::Answers => {}
            (_, 354) => {
                self.body = b"\r\n".to_vec();
                self.turn_to(Mode::Body);
            }
            (_, 334) => self.turn_to(Mode::Answers),
            (Some(Request::Data), _) => self.refuse(Mode::Body, Request::Data),
            (Some(Request::Auth | Request::AuthAnswer), _) => self.refuse(Mode::Answers, Request::Auth),
            (Some(Request::Rcpt), _) if !is_granted && self.is_lmtp => self.expect_one_fewer(),
            (Some(request), _) if is_granted => match request {
                Request::StartTls => self.turn_to(Mode::Tls),
                Request::Rcpt => self.accepted += 1,
                Request::Ehlo | Request::Lhlo | Request::Helo | Request::Mail | Request::Rset | Request::XClient => {
                    self.is_lmtp |= request == Request::Lhlo;
                    self.accepted = 0;
                }
                _ => {}
            },
            _ => {}
        }
        self.is_closing |= matches!(code, 221 | 421);
        self.has_quit |= asked == Some(Request::Quit);
        if self.due.is_empty() {
            self.is_out_of_step = false;
            self.is_guessed = false;
        }
        self.last = answer;
    }

    fn turn_to(&mut self, mode: Mode) {
        self.mode = mode;
        (self.line, self.is_answer) = (Vec::new(), false);
        self.is_out_of_step |= !self.due.is_empty();
    }

    fn refuse(&mut self, guess: Mode, request: Request) {
        if self.mode == guess && !self.due.contains(&request) {
            self.mode = Mode::Commands;
        }
        self.is_out_of_step |= self.is_guessed;
    }

    /// A recipient fewer of the first message in flight that has several.
    fn expect_one_fewer(&mut self) {
        let is_end = |due: &Request| *due == Request::EndOfData;
        let second = self.due.windows(2).position(|pair| pair.iter().all(is_end));
        if let Some(at) = second {
            self.due.remove(at);
        }
    }

    pub fn ended(&mut self) {
        self.is_closed = true;
    }

    pub fn enter_raw(&mut self) {
        self.mode = Mode::Raw;
        self.due.clear();
    }

    pub fn tls_started(&mut self) {
        let is_greeted = self.due.first() != Some(&Request::Greeting);
        *self = Self { last: self.last, surprise: self.surprise, is_lmtp: self.is_lmtp, ..Self::new() };
        if is_greeted {
            self.due.clear();
        }
    }

    pub fn forgo_empty_line(&mut self) {
        if self.due.first() == Some(&Request::EmptyLine) {
            self.due.remove(0);
        }
    }
}

/// The code that alone grants what is asked for, where there is only one.
fn only_code(request: Request) -> Option<u16> {
    Some(match request {
        Request::Greeting | Request::StartTls | Request::XClient => 220,
        Request::Data => 354,
        Request::Auth | Request::AuthAnswer => 235,
        Request::Quit => 221,
        _ => return None,
    })
}

fn grants(request: Request, code: u16) -> bool {
    match only_code(request) {
        Some(only) => code == only,
        None => (200..300).contains(&code) && !matches!(code, 220 | 221 | 235),
    }
}

/// The closed list of what shows client and server out of step.
fn is_out_of_step(asked: Option<Request>, code: u16) -> bool {
    let is_auth = matches!(asked, Some(Request::Auth | Request::AuthAnswer));
    match (asked, code) {
        (_, 221 | 421) => false,
        (None, _) => true,
        (Some(request), _) if only_code(request) == Some(code) => false,
        (_, 220 | 235) => true,
        (_, 334) => !is_auth,
        (Some(request), 200..300) => only_code(request).is_some(),
        (_, 400..600) => false,
        _ => true,
    }
}

/// Where the mechanism of an AUTH begins in the beginning of a line: behind its verb, in any case and behind any blanks,
/// and what parts the two.
fn mechanism_in(head: &[u8]) -> Option<usize> {
    let verb = head.iter().position(|byte| *byte > b' ')?;
    let after = verb + 4;
    let is_auth = head.len() > after && head[verb..after].eq_ignore_ascii_case(b"AUTH");
    if !is_auth || head[after].is_ascii_alphanumeric() {
        return None;
    }
    Some((after..head.len()).find(|at| is_of_mechanism(head[*at])).unwrap_or(head.len()))
}

fn is_auth(head: &[u8]) -> bool {
    mechanism_in(head).is_some()
}

fn is_of_mechanism(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Says whether the octet that follows this beginning of a line belongs to the initial response of AUTH: it comes behind a
/// mechanism and one octet more, or so late that they may have gone by.
fn is_in_secret(line: &[u8], next: u8) -> bool {
    let head = &line[..line.len().min(64)];
    let Some(mechanism) = mechanism_in(head) else { return false };
    let end = (mechanism..head.len()).find(|at| !is_of_mechanism(head[*at]));
    match end {
        _ if mechanism == head.len() && head.len() < 64 => false,
        // A CR may belong to the end of the line.
        Some(end) if head[end] == b'\r' && end + 1 == head.len() && head.len() < 64 => next != b'\n',
        Some(end) => head[end] != b'\n',
        None => head.len() == 64,
    }
}

/// Says whether a line is nothing but base64, and no command: those that a session does not depend on are as long as base64,
/// too.
pub fn is_base64(line: &[u8]) -> bool {
    let text: String = line.trim_ascii().iter().map(|byte| char::from(*byte)).collect();
    let digits = text.trim_end_matches('=');
    let verbs = [
        "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "AUTH", "STARTTLS", "RSET", "QUIT", "NOOP", "HELP",
        "VRFY", "EXPN", "ETRN", "ATRN", "XFORWARD",
    ];
    !digits.is_empty()
        && text.len() - digits.len() <= 2
        && text.len().is_multiple_of(4)
        && digits.chars().all(|c| c.is_ascii_alphanumeric() || "+/".contains(c))
        && !verbs.iter().any(|verb| text.eq_ignore_ascii_case(verb))
}

/// Where the initial response begins in a whole line, if it is an AUTH with one.
pub fn secret_in(line: &[u8]) -> Option<usize> {
    (0..line.len()).find(|at| is_in_secret(&line[..*at], line[*at]))
}
