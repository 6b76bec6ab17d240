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
                is_secret = self.is_answer || has_mechanism(&self.line);
                self.line.push(byte);
                if byte == b'\n' {
                    let (line, is_answer) = (std::mem::take(&mut self.line), std::mem::take(&mut self.is_answer));
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
            None => Request::Other,
            Some("EHLO") => Request::Ehlo,
            Some("HELO") => Request::Helo,
            Some("LHLO") => Request::Lhlo,
            Some("MAIL") => Request::Mail,
            Some("RCPT") => Request::Rcpt,
            Some("DATA") => Request::Data,
            Some("RSET") => Request::Rset,
            Some("QUIT") => Request::Quit,
            Some("AUTH") => Request::Auth,
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
            Some(_) => Request::Other,
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
            while self.due.first() == Some(&Request::EmptyLine) {
                self.due.remove(0);
            }
        }
        let mut asked = if self.due.is_empty() { None } else { Some(self.due.remove(0)) };
        let is_positive = (200..300).contains(&code);
        match (asked, code) {
            (Some(Request::Data), 354) | (Some(Request::Auth | Request::AuthAnswer), 334) => {}
            (_, 354) => {
                self.body = b"\r\n".to_vec();
                self.turn_to(Mode::Body);
            }
            (_, 334) => self.turn_to(Mode::Answers),
            (Some(Request::Data), _) => self.refuse(Mode::Body, Request::Data),
            (Some(Request::Auth | Request::AuthAnswer), _) => self.refuse(Mode::Answers, Request::Auth),
            (Some(Request::StartTls), 220) => self.turn_to(Mode::Tls),
            (Some(Request::Quit), 221) => self.is_closing = true,
            (Some(Request::Ehlo | Request::Lhlo | Request::Helo | Request::Mail | Request::Rset), _) if is_positive => {
                self.is_lmtp |= asked == Some(Request::Lhlo);
                self.accepted = 0;
            }
            (Some(Request::Rcpt), _) if is_positive => self.accepted += 1,
            (Some(Request::Rcpt), _) if self.is_lmtp => self.expect_one_fewer(),
            (None, 400..600) if code != 421 => {
                asked = match self.mode {
                    Mode::Body => Some(Request::EndOfData),
                    Mode::Chunk { .. } => Some(Request::Bdat),
                    _ => None,
                };
                self.is_refused |= asked.is_some();
            }
            _ => {}
        }
        self.is_closing |= code == 421;
        self.has_quit |= asked == Some(Request::Quit);
        if self.due.is_empty() {
            self.is_out_of_step = false;
            self.is_guessed = false;
        }
        self.last = Code::new(code).map(|code| Answer { request: asked, code });
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
        *self = Self { last: self.last, is_lmtp: self.is_lmtp, ..Self::new() };
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

/// Says whether what follows this beginning of a line is the initial response of AUTH: it has a command and a mechanism,
/// or is so long that they may have gone by.
fn has_mechanism(line: &[u8]) -> bool {
    let is_space = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let head = &line[..line.len().min(64)];
    let mut words = head.split(is_space).filter(|word| !word.is_empty());
    let is_auth = words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"AUTH"));
    let ends = head.windows(2).filter(|pair| !is_space(&pair[0]) && is_space(&pair[1])).count();
    is_auth && (ends >= 2 || (ends == 1 && head.len() == 64))
}
