//! The server's side of AUTH.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::setup::{Exchange, Gate, Setup, Step};
use crate::auth::{Hash, Mechanism, attributes, cram_md5, decode, encode, nonce};
use crate::stream::ChannelBindings;

impl Setup {
    /// Offers AUTH to these users, with their passwords: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1 and SCRAM-SHA-256, and inside
    /// TLS SCRAM-SHA-1-PLUS and SCRAM-SHA-256-PLUS.
    #[must_use]
    pub fn auth<'a>(self, users: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.auth_by(users, &USUAL)
    }

    /// Offers AUTH with these mechanisms only, and of them those that are bound to TLS inside it only; those with a token take
    /// it as a password.
    #[must_use]
    pub fn auth_by<'a>(
        mut self,
        users: impl IntoIterator<Item = (&'a str, &'a str)>,
        mechanisms: &[Mechanism],
    ) -> Self {
        let users = users.into_iter().map(|(user, password)| (user.to_owned(), password.to_owned())).collect();
        self.auth = Some(Arc::new(Users { users: Arc::new(users), mechanisms: mechanisms.to_vec() }));
        self
    }
}

struct Users {
    users: Arc<Vec<(String, String)>>,
    mechanisms: Vec<Mechanism>,
}

/// Gives the exchange that one user is expected to make by this mechanism over this channel; nothing if there is no such
/// mechanism.
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
                let bound = |mechanism: &&Mechanism| mechanism.unbound().is_some() && self.offers(**mechanism, channel);
                State::ScramFirst {
                    hash: Hash::of(mechanism)?,
                    channel: mechanism.unbound().map(|_| channel.clone()),
                    offers_binding: self.mechanisms.iter().any(|mechanism| bound(&mechanism)),
                }
            }
        };
        Some(Box::new(Proof { users: Arc::clone(&self.users), state }))
    }
}

struct Proof {
    users: Arc<Vec<(String, String)>>,
    state: State,
}

enum State {
    Plain,
    Token(Mechanism),
    LoginUser,
    LoginPassword {
        user: String,
    },
    CramMd5(Option<String>),
    ScramFirst {
        hash: Hash,
        /// What the exchange has to be bound to, if it is one that has to.
        channel: Option<ChannelBindings>,
        offers_binding: bool,
    },
    ScramLast {
        hash: Hash,
        user: String,
        messages: String,
        begin: String,
        salt: Vec<u8>,
    },
    Done {
        is_granted: bool,
    },
}

impl Proof {
    fn is_password(&self, user: &str, password: &str) -> bool {
        self.users.iter().any(|known| known.0 == user && known.1 == password)
    }

    fn verdict(is_granted: bool) -> Option<Step> {
        Some(if is_granted { Step::Granted } else { Step::Refused })
    }

    /// Goes on; nothing if the answer is malformed.
    fn advance(&mut self, answer: Option<&str>) -> Option<Step> {
        match (&self.state, answer) {
            (State::Plain | State::Token(_) | State::ScramFirst { .. }, None) => Some(Step::Challenge(String::new())),
            (State::Plain, Some(answer)) => {
                let mut parts = answer.split('\0').skip(1);
                let (user, password) = (parts.next()?, parts.next()?);
                Self::verdict(self.is_password(user, password))
            }
            (State::Token(mechanism), Some(answer)) => {
                let mechanism = *mechanism;
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
                self.state = State::LoginPassword { user: user.to_owned() };
                Some(Step::Challenge(encode(b"Password:")))
            }
            (State::LoginPassword { user }, password) => Self::verdict(self.is_password(user, password?)),
            (State::CramMd5(None), None) => {
                let challenge = format!("<{}@loopback.mconnect.test>", nonce());
                let step = Step::Challenge(encode(challenge.as_bytes()));
                self.state = State::CramMd5(Some(challenge));
                Some(step)
            }
            (State::CramMd5(challenge), answer) => {
                let (challenge, answer) = (challenge.as_ref()?, answer?);
                let is_proof = |known: &(String, String)| cram_md5(&known.0, &known.1, challenge.as_bytes()) == answer;
                Self::verdict(self.users.iter().any(is_proof))
            }
            (State::ScramFirst { hash, channel, offers_binding }, Some(first)) => {
                // No other identity than the user's is spoken.
                let (flag, bare) = first.split_once(",,")?;
                let binding: &[u8] = match (flag.strip_prefix("p="), channel) {
                    (Some(name), Some(channel)) => channel.iter().find(|(known, _)| *known == name)?.1,
                    (None, None) if flag == "n" => &[],
                    // The client has not seen what was offered: somebody took it out.
                    (None, None) if flag == "y" && *offers_binding => return Some(Step::Refused),
                    (None, None) if flag == "y" => &[],
                    _ => return None,
                };
                let [user, nonce] = attributes(bare, ['n', 'r'])?;
                let user = user.replace("=2C", ",").replace("=3D", "=");
                let (nonce, salt) = (format!("{nonce}{}", self::nonce()), self::nonce().into_bytes());
                let own = format!("r={nonce},s={},i={ROUNDS}", encode(&salt));
                let messages = format!("{bare},{own}");
                let begin = format!("c={},r={nonce}", encode(&[flag.as_bytes(), b",,", binding].concat()));
                self.state = State::ScramLast { hash: *hash, user, messages, begin, salt };
                Some(Step::Challenge(encode(own.as_bytes())))
            }
            (State::ScramLast { hash, user, messages, begin, salt }, answer) => {
                let answer = answer?;
                let [_, _, proof] = attributes(answer, ['c', 'r', 'p'])?;
                let password = self.users.iter().find(|known| known.0 == *user).map(|known| known.1.as_str());
                let salted = hash.salted(password.unwrap_or_default(), salt, ROUNDS);
                let message = format!("{messages},{begin}");
                let is_proven = decode(proof.as_bytes())? == hash.proof(&salted, &message);
                let is_granted = password.is_some() && is_proven && answer.starts_with(&format!("{begin},p="));
                let last = match is_granted {
                    true => format!("v={}", encode(&hash.server_signature(&salted, &message))),
                    false => return Some(Step::Refused),
                };
                self.state = State::Done { is_granted };
                Some(Step::Challenge(encode(last.as_bytes())))
            }
            (State::Done { is_granted }, _) => Self::verdict(*is_granted),
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
        next.unwrap_or(Step::Malformed)
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
/// The least that [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677#section-4) allows.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");
