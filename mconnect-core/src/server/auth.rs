//! The server's side of AUTH.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::setup::{Exchange, Gate, Setup, Step};
use crate::auth::{Hash, Mechanism, cram_md5, decode, encode, field, nonce};

impl Setup {
    /// Offers AUTH to these users, with their passwords: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1 and SCRAM-SHA-256.
    #[must_use]
    pub fn auth<'a>(self, users: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.auth_by(
            users,
            &[Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5, Mechanism::ScramSha1, Mechanism::ScramSha256],
        )
    }

    /// Offers AUTH with these mechanisms only; those with a token take it as a password.
    #[must_use]
    pub fn auth_by<'a>(
        mut self,
        users: impl IntoIterator<Item = (&'a str, &'a str)>,
        mechanisms: &[Mechanism],
    ) -> Self {
        let users = users.into_iter().map(|(user, password)| (user.to_owned(), password.to_owned())).collect();
        let names = mechanisms.iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(" ");
        self.auth = Some(Arc::new(Users { users: Arc::new(users), names, mechanisms: mechanisms.to_vec() }));
        self
    }
}

struct Users {
    users: Arc<Vec<(String, String)>>,
    names: String,
    mechanisms: Vec<Mechanism>,
}

/// Gives the exchange that one user is expected to make by this mechanism; nothing if there is no such mechanism.
pub(super) fn exchange(mechanism: &str, user: &[u8], secret: &[u8]) -> Option<Box<dyn Exchange>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let users = Users {
        users: Arc::new(vec![(text(user), text(secret))]),
        names: String::new(),
        mechanisms: Mechanism::ALL.to_vec(),
    };
    users.begin(mechanism.as_bytes())
}

impl Gate for Users {
    fn mechanisms(&self) -> &str {
        &self.names
    }

    fn begin(&self, mechanism: &[u8]) -> Option<Box<dyn Exchange>> {
        let mechanism = Mechanism::from_name(mechanism).filter(|mechanism| self.mechanisms.contains(mechanism))?;
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginUser,
            Mechanism::CramMd5 => State::CramMd5(None),
            Mechanism::ScramSha1 => State::ScramFirst(Hash::Sha1),
            Mechanism::ScramSha256 => State::ScramFirst(Hash::Sha256),
            Mechanism::XOAuth2 | Mechanism::OAuthBearer | Mechanism::External => State::Token(mechanism),
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
    LoginPassword { user: String },
    CramMd5(Option<String>),
    ScramFirst(Hash),
    ScramLast { hash: Hash, user: String, messages: String, nonce: String, salt: Vec<u8> },
    Done { is_granted: bool },
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
            (State::Plain | State::Token(_) | State::ScramFirst(_), None) => Some(Step::Challenge(String::new())),
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
            (State::ScramFirst(hash), Some(first)) => {
                let bare = first.strip_prefix("n,,")?;
                let user = field(bare, 'n')?.replace("=2C", ",").replace("=3D", "=");
                let (nonce, salt) = (format!("{}{}", field(bare, 'r')?, nonce()), nonce().into_bytes());
                let own = format!("r={nonce},s={},i={ROUNDS}", encode(&salt));
                let messages = format!("{bare},{own}");
                self.state = State::ScramLast { hash: *hash, user, messages, nonce, salt };
                Some(Step::Challenge(encode(own.as_bytes())))
            }
            (State::ScramLast { hash, user, messages, nonce, salt }, answer) => {
                let (without_proof, proof) = answer?.rsplit_once(",p=")?;
                let password = self.users.iter().find(|known| known.0 == *user).map(|known| known.1.as_str());
                let salted = hash.salted(password.unwrap_or_default(), salt, ROUNDS);
                let message = format!("{messages},{without_proof}");
                let is_proven = decode(proof.as_bytes())? == hash.proof(&salted, &message);
                let is_granted = password.is_some() && is_proven && field(without_proof, 'r') == Some(nonce);
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

/// Why there is no exchange.
pub(super) const NO_EXCHANGE: &str = "no such mechanism here";
/// The least that [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677#section-4) allows.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");
