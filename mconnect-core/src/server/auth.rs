//! The server's side of AUTH ([RFC 4954](https://www.rfc-editor.org/rfc/rfc4954)).
//!
//! What a mechanism is, `auth` knows for both sides: hashing, base64, the attributes of SCRAM. Here is only what a
//! server does with it, as a state for each thing that it waits for:
//!
//! ```text
//!    PLAIN, tokens   ──► answer ──► verdict
//!    LOGIN           ──► user ──► password ──► verdict
//!    CRAM-MD5        ──► digest of a challenge ──► verdict
//!    SCRAM           ──► first ──► proof ──► (the server's own proof) ──► verdict
//! ```
//!
//! Passwords are kept and compared as they are: they are a test's.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::setup::{Exchange, Gate, Setup, Step, Verdict};
use crate::auth::{Hash, Mechanism, attributes, cram_md5, decode, encode, nonce};
use crate::stream::ChannelBindings;

impl Setup {
    /// Offers AUTH to these users, with their passwords: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1 and SCRAM-SHA-256, and
    /// inside TLS SCRAM-SHA-1-PLUS and SCRAM-SHA-256-PLUS. A wrong password gets a 535 ([RFC 4954, section
    /// 6](https://www.rfc-editor.org/rfc/rfc4954#section-6)).
    ///
    /// It is offered in the clear too, unless [`require_tls`](Self::require_tls) says otherwise.
    ///
    /// ```
    /// use mconnect_core::auth::{Credentials, Exchange, Mechanism};
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().auth([("tim", "pencil")]).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?.require()?;
    /// for (password, code) in [("crayon", 535), ("pencil", 235)] {
    ///     let exchange = Exchange::new(Mechanism::ScramSha256, &Credentials::new("tim", password));
    ///     assert_eq!(session.authenticate(exchange)?.code(), code);
    /// }
    /// # session.quit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn auth<'a>(self, users: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.auth_by(users, &USUAL)
    }

    /// Offers AUTH with these mechanisms only, and of them those that are bound to TLS inside it only; those with a
    /// token, XOAUTH2 and OAUTHBEARER, take it as a password. EXTERNAL is granted to a client that names one of the
    /// users, whatever certificate it has shown.
    ///
    /// ```
    /// use mconnect_core::auth::Mechanism;
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().auth_by([("tim", "pencil")], &[Mechanism::Login]).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?.require()?;
    /// assert_eq!(session.command("AUTH PLAIN AHRpbQBwZW5jaWw=")?.code(), 504);
    /// # session.quit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn auth_by<'a>(
        mut self,
        users: impl IntoIterator<Item = (&'a str, &'a str)>,
        mechanisms: &[Mechanism],
    ) -> Self {
        let users = users.into_iter().map(|(user, password)| (user.to_owned(), password.to_owned())).collect();
        self.auth = Some(Arc::new(Users { users: Arc::new(users), mechanisms: mechanisms.to_vec() }));
        self
    }

    /// Takes no mail from who has not authenticated: says 530 to every command but EHLO, HELO, LHLO, AUTH, STARTTLS,
    /// NOOP, RSET and QUIT ([RFC 4954, section 6](https://www.rfc-editor.org/rfc/rfc4954#section-6)).
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().auth([("tim", "pencil")]).require_auth().start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.read_reply()?.require(220)?;
    /// session.command("EHLO client.example")?.require(250)?;
    /// assert_eq!(session.command("MAIL FROM:<>")?.code(), 530);
    /// session.command("AUTH PLAIN AHRpbQBwZW5jaWw=")?.require(235)?;
    /// session.command("MAIL FROM:<>")?.require(250)?;
    /// session.quit()?;
    /// assert_eq!(server.sessions()[0].user.as_deref(), Some("tim"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn require_auth(self) -> Self {
        Self { needs_auth: true, ..self }
    }
}

/// Who may come in, and by which mechanisms.
struct Users {
    users: Arc<Vec<(String, String)>>,
    mechanisms: Vec<Mechanism>,
}

/// Returns the exchange that one user is expected to make by this mechanism over this channel; nothing if there is no
/// such mechanism.
pub(super) fn exchange(
    mechanism: &str,
    user: &[u8],
    secret: &[u8],
    channel: &ChannelBindings,
) -> Option<Box<dyn Exchange>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mechanisms = Mechanism::from_name(mechanism.as_bytes()).into_iter().collect();
    let users = Users { users: Arc::new(vec![(text(user), text(secret))]), mechanisms };
    users.begin(mechanism.as_bytes(), channel)
}

impl Users {
    /// Says whether a mechanism is offered over this channel: one that is bound to TLS needs something that it can be
    /// bound to.
    fn offers(&self, mechanism: Mechanism, channel: &ChannelBindings) -> bool {
        self.mechanisms.contains(&mechanism) && (mechanism.unbound().is_none() || channel.iter().next().is_some())
    }
}

impl Gate for Users {
    fn mechanisms(&self, channel: &ChannelBindings) -> String {
        let offered = self.mechanisms.iter().filter(|mechanism| self.offers(**mechanism, channel));
        offered.map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(" ")
    }

    fn begin(&self, mechanism: &[u8], channel: &ChannelBindings) -> Option<Box<dyn Exchange>> {
        let mechanism = Mechanism::from_name(mechanism).filter(|mechanism| self.offers(*mechanism, channel))?;
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginUser,
            Mechanism::CramMd5 => State::CramMd5(None),
            Mechanism::XOAuth2 | Mechanism::OAuthBearer | Mechanism::External => State::Token(mechanism),
            Mechanism::ScramSha1 | Mechanism::ScramSha256 | Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus => {
                let is_bound =
                    |mechanism: &Mechanism| mechanism.unbound().is_some() && self.offers(*mechanism, channel);
                State::ScramFirst {
                    hash: Hash::of(mechanism)?,
                    channel: mechanism.unbound().map(|_| channel.clone()),
                    offers_binding: self.mechanisms.iter().any(is_bound),
                }
            }
        };
        Some(Box::new(Proof { users: Arc::clone(&self.users), user: String::new(), state }))
    }
}

/// An exchange under way.
struct Proof {
    users: Arc<Vec<(String, String)>>,
    /// Who the client says it is, once it has.
    user: String,
    state: State,
}

/// What is waited for: the answer that a client is to give next.
enum State {
    Plain,
    /// A token, or the name of whom the certificate is of.
    Token(Mechanism),
    LoginUser,
    LoginPassword,
    /// The digest of this challenge, which is said before.
    CramMd5(Option<String>),
    /// The client's first message ([RFC 5802, section 7](https://www.rfc-editor.org/rfc/rfc5802#section-7)).
    ScramFirst {
        hash: Hash,
        /// What the exchange has to be bound to, if it is one that has to.
        channel: Option<ChannelBindings>,
        /// A client that says that it saw no mechanism with binding has been lied to, if one was offered.
        offers_binding: bool,
    },
    /// Its last, with the proof, over what was said before.
    ScramLast {
        hash: Hash,
        messages: String,
        begin: String,
        salt: Vec<u8>,
    },
    /// Nothing more than an empty line, which acknowledges the server's own proof.
    Done,
}

impl Proof {
    /// Says whether this is the password of this user.
    fn is_password(&self, user: &str, password: &str) -> bool {
        self.users.iter().any(|known| known.0 == user && known.1 == password)
    }

    fn verdict(is_granted: bool) -> Option<Step> {
        Some(Step::Over(if is_granted { Verdict::Granted } else { Verdict::Refused }))
    }

    /// Goes on; nothing if the answer is malformed.
    fn advance(&mut self, answer: Option<&str>) -> Option<Step> {
        match (&self.state, answer) {
            (State::Plain | State::Token(_) | State::ScramFirst { .. }, None) => Some(Step::Challenge(String::new())),
            (State::Plain, Some(answer)) => {
                let mut parts = answer.split('\0').skip(1);
                let (user, password) = (parts.next()?, parts.next()?);
                user.clone_into(&mut self.user);
                Self::verdict(self.is_password(user, password))
            }
            (State::Token(mechanism), Some(answer)) => {
                let mechanism = *mechanism;
                let claimed = match mechanism {
                    Mechanism::External => answer,
                    Mechanism::OAuthBearer => answer.split(',').find_map(|part| part.strip_prefix("a=")).unwrap_or(""),
                    _ => answer.split('\x01').find_map(|part| part.strip_prefix("user=")).unwrap_or(""),
                };
                self.user = claimed.replace("=2C", ",").replace("=3D", "=");
                let is_proof = |(user, token): &(String, String)| match mechanism {
                    Mechanism::External => answer == user,
                    Mechanism::OAuthBearer => {
                        answer.starts_with(&format!("n,a={},", user.replace('=', "=3D").replace(',', "=2C")))
                            && answer.split('\x01').any(|field| field == format!("auth=Bearer {token}"))
                    }
                    _ => answer == format!("user={user}\x01auth=Bearer {token}\x01\x01"),
                };
                Self::verdict(self.users.iter().any(is_proof))
            }
            (State::LoginUser, None) => Some(Step::Challenge(encode(b"Username:"))),
            (State::LoginUser, Some(user)) => {
                user.clone_into(&mut self.user);
                self.state = State::LoginPassword;
                Some(Step::Challenge(encode(b"Password:")))
            }
            (State::LoginPassword, password) => Self::verdict(self.is_password(&self.user, password?)),
            (State::CramMd5(None), None) => {
                let challenge = format!("<{}@loopback.mconnect.test>", nonce());
                let step = Step::Challenge(encode(challenge.as_bytes()));
                self.state = State::CramMd5(Some(challenge));
                Some(step)
            }
            (State::CramMd5(challenge), answer) => {
                let (challenge, answer) = (challenge.as_ref()?, answer?);
                let challenge = challenge.as_bytes();
                answer.rsplit_once(' ').map_or("", |(user, _)| user).clone_into(&mut self.user);
                Self::verdict(self.users.iter().any(|known| cram_md5(&known.0, &known.1, challenge) == answer))
            }
            (State::ScramFirst { hash, channel, offers_binding }, Some(first)) => {
                // No other identity than the user's is spoken.
                let (flag, bare) = first.split_once(",,")?;
                let binding: &[u8] = match (flag.strip_prefix("p="), channel) {
                    (Some(name), Some(channel)) => channel.iter().find(|(known, _)| *known == name)?.1,
                    (None, None) if flag == "n" => &[],
                    // The client has not seen what was offered: somebody took it out.
                    (None, None) if flag == "y" && *offers_binding => return Some(Step::Over(Verdict::Refused)),
                    (None, None) if flag == "y" => &[],
                    _ => return None,
                };
                let [user, nonce] = attributes(bare, ['n', 'r'])?;
                let user = user.replace("=2C", ",").replace("=3D", "=");
                let (nonce, salt) = (format!("{nonce}{}", self::nonce()), self::nonce().into_bytes());
                let own = format!("r={nonce},s={},i={ROUNDS}", encode(&salt));
                let messages = format!("{bare},{own}");
                let begin = format!("c={},r={nonce}", encode(&[flag.as_bytes(), b",,", binding].concat()));
                self.user = user;
                self.state = State::ScramLast { hash: *hash, messages, begin, salt };
                Some(Step::Challenge(encode(own.as_bytes())))
            }
            (State::ScramLast { hash, messages, begin, salt }, answer) => {
                let answer = answer?;
                let [_, _, proof] = attributes(answer, ['c', 'r', 'p'])?;
                let password = self.users.iter().find(|known| known.0 == self.user).map(|known| known.1.as_str());
                let salted = hash.salted(password.unwrap_or_default(), salt, ROUNDS);
                let message = format!("{messages},{begin}");
                let is_proven = decode(proof.as_bytes())? == hash.proof(&salted, &message);
                if password.is_none() || !is_proven || !answer.starts_with(&format!("{begin},p=")) {
                    return Some(Step::Over(Verdict::Refused));
                }
                let last = format!("v={}", encode(&hash.server_signature(&salted, &message)));
                self.state = State::Done;
                Some(Step::Challenge(encode(last.as_bytes())))
            }
            (State::Done, _) => Some(Step::Over(Verdict::Granted)),
        }
    }
}

impl Exchange for Proof {
    fn step(&mut self, answer: Option<&[u8]>) -> Step {
        let decoded = answer.map(|answer| String::from_utf8(decode(if answer == b"=" { b"" } else { answer })?).ok());
        let next = match decoded {
            None => self.advance(None),
            Some(None) => None,
            Some(Some(answer)) => self.advance(Some(&answer)),
        };
        next.unwrap_or(Step::Over(Verdict::Malformed))
    }

    fn user(&self) -> &str {
        &self.user
    }
}

/// What is offered to passwords unless it is said otherwise.
const USUAL: [Mechanism; 7] = [
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::CramMd5,
    Mechanism::ScramSha1,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha256Plus,
];
/// Why there is no exchange.
pub(super) const NO_EXCHANGE: &str = "no such mechanism here, or none that this connection can be bound to";
/// The least that [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677#section-4) allows, and enough for a test.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");
