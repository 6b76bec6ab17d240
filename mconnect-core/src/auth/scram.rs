//! SCRAM ([RFC 5802](https://www.rfc-editor.org/rfc/rfc5802), [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677)).
//!
//! ```text
//!   client                                     server
//!   n,,n=user,r=NONCE                    ──►
//!                                        ◄──   r=NONCEmore,s=SALT,i=4096     round 1
//!   c=biws,r=NONCEmore,p=PROOF           ──►
//!                                        ◄──   v=SIGNATURE                   round 2: the server's proof
//!   (empty)                              ──►
//! ```
//! A 235 counts only after the server's proof: without it, whoever answers has not shown to know the password.

use std::borrow::Cow;
use std::num::NonZeroU32;

use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use super::{AuthError, Mechanism, decode, encode};
use crate::sasl::FEWEST_ROUNDS;

/// The client's side. The password is not in it: it is handed in for an answer.
pub(super) struct Scram {
    hash: Hash,
    pub binding: Binding,
    pub fewest_rounds: u32,
    nonce: String,
    /// The first message, without its header.
    bare: String,
    /// What the server has to say in the end.
    expected: Option<Vec<u8>>,
    is_proven: bool,
}

/// What binds an exchange to its channel ([RFC 5802, section 6](https://www.rfc-editor.org/rfc/rfc5802#section-6)).
pub(super) enum Binding {
    /// Nothing: the mechanism does not, or somebody wants it so.
    Nothing,
    /// Nothing, since the server has offered no mechanism for it.
    NotOffered,
    To {
        name: &'static str,
        data: Vec<u8>,
    },
}

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

impl Scram {
    pub fn new(hash: Hash, user: &str, nonce: String) -> Self {
        let bare = format!("n={},r={nonce}", escape(&prepared(user)));
        let (binding, fewest_rounds) = (Binding::Nothing, FEWEST_ROUNDS);
        Self { hash, binding, fewest_rounds, nonce, bare, expected: None, is_proven: false }
    }

    /// Returns the first message.
    pub fn first(&self) -> String {
        self.header() + &self.bare
    }

    /// Answers a message of the server's: its first, and the one with its proof.
    pub fn answer(
        &mut self,
        round: usize,
        password: &str,
        challenge: &[u8],
        unexpected: AuthError,
    ) -> Result<String, AuthError> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| unexpected.clone())?;
        if let Some(reason) = challenge.strip_prefix("e=").filter(|_| round <= 2) {
            let reason = reason.split(',').next().unwrap_or_default();
            return Err(AuthError::Refused(reason.to_owned()));
        }
        match (round, &self.expected) {
            (1, _) => self.second(password, challenge, unexpected),
            (2, Some(expected)) => {
                let proof = attributes(challenge, ['v']).and_then(|[proof]| decode(proof.as_bytes()));
                // Nothing secret depends on how long this takes: the server has sent it.
                self.is_proven = proof.as_ref() == Some(expected);
                if self.is_proven { Ok(String::new()) } else { Err(AuthError::Server) }
            }
            _ => Err(unexpected),
        }
    }

    /// Says whether the server has shown that it knows the password.
    pub fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// Answers the server's first message.
    fn second(&mut self, password: &str, challenge: &str, unexpected: AuthError) -> Result<String, AuthError> {
        let Some([nonce, salt, rounds]) = attributes(challenge, ['r', 's', 'i']) else { return Err(unexpected) };
        let is_ours = nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len();
        let salt = decode(salt.as_bytes()).filter(|salt| !salt.is_empty());
        let (true, Some(salt), Some(asked)) = (is_ours, salt, number(rounds)) else { return Err(unexpected) };
        let rounds = u32::try_from(asked).ok().filter(|rounds| *rounds <= MOST_ROUNDS).and_then(NonZeroU32::new);
        let Some(rounds) = rounds else { return Err(AuthError::Rounds(asked)) };
        if rounds.get() < self.fewest_rounds {
            return Err(AuthError::FewRounds(asked));
        }
        let input = [self.header().as_bytes(), self.binding.data()].concat();
        let without_proof = format!("c={},r={nonce}", encode(&input));
        let message = format!("{},{challenge},{without_proof}", self.bare);
        let salted = self.hash.salted(password, &salt, rounds);
        self.expected = Some(self.hash.server_signature(&salted, &message));
        Ok(format!("{without_proof},p={}", encode(&self.hash.proof(&salted, &message))))
    }

    /// Returns the header of the first message: what binds the exchange, and no other identity.
    fn header(&self) -> String {
        match &self.binding {
            Binding::Nothing => "n,,".to_owned(),
            Binding::NotOffered => "y,,".to_owned(),
            Binding::To { name, .. } => format!("p={name},,"),
        }
    }
}

impl Binding {
    fn data(&self) -> &[u8] {
        match self {
            Self::Nothing | Self::NotOffered => &[],
            Self::To { data, .. } => data,
        }
    }
}

impl Hash {
    /// Returns the hash of a mechanism, if that is SCRAM.
    pub fn of(mechanism: Mechanism) -> Option<Self> {
        match mechanism {
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Some(Self::Sha1),
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => Some(Self::Sha256),
            _ => None,
        }
    }

    /// Returns the salted password.
    pub fn salted(self, password: &str, salt: &[u8], rounds: NonZeroU32) -> Zeroizing<Vec<u8>> {
        let (algorithm, size) = match self {
            Self::Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, digest::SHA1_OUTPUT_LEN),
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
        };
        let mut salted = Zeroizing::new(vec![0; size]);
        let password = Zeroizing::new(prepared(password).into_owned());
        pbkdf2::derive(algorithm, rounds, salt, password.as_bytes(), &mut salted);
        salted
    }

    /// Returns what the client proves itself with.
    pub fn proof(self, salted: &[u8], message: &str) -> Vec<u8> {
        let client = self.hmac(salted, b"Client Key");
        let stored = match self {
            Self::Sha1 => digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &client),
            Self::Sha256 => digest::digest(&digest::SHA256, &client),
        };
        let signature = self.hmac(stored.as_ref(), message.as_bytes());
        client.iter().zip(signature).map(|(key, signature)| key ^ signature).collect()
    }

    /// Returns what the server proves itself with.
    pub fn server_signature(self, salted: &[u8], message: &str) -> Vec<u8> {
        self.hmac(&self.hmac(salted, b"Server Key"), message.as_bytes())
    }

    /// HMAC ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)) with this hash.
    fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
    }
}

/// Returns a name or a password as SASLprep makes it ([RFC 4013](https://www.rfc-editor.org/rfc/rfc4013)), so that it
/// is the same however it was typed. What must not be in one stays as it is: it is the server's to refuse that.
fn prepared(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}

/// Returns the values of a message's attributes, which have to be these, in this order; any other may follow, but each only
/// once ([RFC 5802, section 5.1](https://www.rfc-editor.org/rfc/rfc5802#section-5.1)). A message that begins with `m=` has an
/// extension that must be understood, and none is.
pub(crate) fn attributes<const N: usize>(message: &str, names: [char; N]) -> Option<[&str; N]> {
    let (mut values, mut seen) = ([""; N], Vec::new());
    for (index, part) in message.split(',').enumerate() {
        let name = part.chars().next().filter(char::is_ascii_alphabetic)?;
        let value = part[1..].strip_prefix('=')?;
        if seen.contains(&name) || name == 'm' || names.get(index).is_some_and(|expected| *expected != name) {
            return None;
        }
        seen.push(name);
        if let Some(place) = values.get_mut(index) {
            *place = value;
        }
    }
    (seen.len() >= N).then_some(values)
}

/// Reads a positive number as the grammar has it: digits that do not begin with a zero.
fn number(text: &str) -> Option<u64> {
    let is_one = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_one)
}

/// Makes a name fit for a message.
pub(super) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// Returns letters and digits that nobody can guess.
pub(crate) fn nonce() -> String {
    let mut bytes = [0; 18];
    SystemRandom::new().fill(&mut bytes).expect("the system has random numbers");
    encode(&bytes)
}

/// About a second of work.
const MOST_ROUNDS: u32 = 2_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays the examples of the RFCs.
    fn play(hash: Hash, nonce: &str, server_first: &str, proof: &str, server_last: &str) {
        let mut scram = Scram::new(hash, "user", nonce.to_owned());
        assert_eq!(scram.first(), format!("n,,n=user,r={nonce}"));
        let [server_nonce, ..] = attributes(server_first, ['r', 's', 'i']).unwrap();
        let answer = scram.answer(1, "pencil", server_first.as_bytes(), AuthError::Server).unwrap();
        assert_eq!(answer, format!("c=biws,r={server_nonce},p={proof}"));
        assert!(!scram.is_proven());
        assert_eq!(scram.answer(2, "pencil", b"v=AAAA", AuthError::Server).unwrap_err(), AuthError::Server);
        assert_eq!(scram.answer(2, "pencil", server_last.as_bytes(), AuthError::Server).unwrap(), "");
        assert!(scram.is_proven());
    }

    #[test]
    fn the_examples_of_the_rfcs() {
        play(
            Hash::Sha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        );
        play(
            Hash::Sha256,
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        );
    }

    #[test]
    fn names_and_passwords_are_prepared_so_that_it_does_not_matter_how_they_were_typed() {
        let salted = |password| Hash::Sha256.salted(password, b"salt", NonZeroU32::MIN);
        // A letter and its accent, a space that does not break, a soft hyphen, a Roman numeral.
        for (typed, meant) in [("e\u{301}", "\u{e9}"), ("a\u{a0}b", "a b"), ("I\u{ad}X", "IX"), ("\u{2168}", "IX")] {
            assert_eq!(salted(typed), salted(meant));
            assert_eq!(prepared(typed), meant);
        }
        assert_ne!(salted("user"), salted("USER"));
        assert_eq!(prepared("\u{7}"), "\u{7}");
        assert_eq!(Scram::new(Hash::Sha256, "e\u{301}", "abc".to_owned()).first(), "n,,n=\u{e9},r=abc");
    }

    #[test]
    fn messages_that_are_none_are_refused() {
        let wrong = [
            "",
            "r=abc,s=QSXCR+Q6sek8bf92,i=4096",
            "r=xyz1,s=QSXCR+Q6sek8bf92,i=4096",
            "r=abc1,s=!,i=4096",
            "r=abc1,s=,i=4096",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=0",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=+4096",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=04096",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=99999999999999999999",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=",
            "r=abc1,s=QSXCR+Q6sek8bf92",
            // Another order, one of them twice, an extension that must be understood, and no attributes.
            "s=QSXCR+Q6sek8bf92,r=abc1,i=4096",
            "r=abc1,i=4096,s=QSXCR+Q6sek8bf92",
            "x=1,r=abc1,s=QSXCR+Q6sek8bf92,i=4096",
            "r=abc1,r=abc2,s=QSXCR+Q6sek8bf92,i=4096",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=4096,i=5000",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=4096,s=QSXCR+Q6sek8bf92",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=4096,x=1,x=2",
            "m=new,r=abc1,s=QSXCR+Q6sek8bf92,i=4096",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=4096,m=new",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=4096,",
            "r=abc1,s=QSXCR+Q6sek8bf92,i=4096,\u{e9}=1",
        ];
        let none = AuthError::Challenge(Mechanism::ScramSha256);
        for message in wrong {
            let mut scram = Scram::new(Hash::Sha256, "user", "abc".to_owned());
            assert_eq!(scram.answer(1, "x", message.as_bytes(), none.clone()), Err(none.clone()), "{message}");
        }
        let mut scram = Scram::new(Hash::Sha256, "a,b=c", "abc".to_owned());
        assert_eq!(scram.first(), "n,,n=a=2Cb=3Dc,r=abc");
        // Extensions that need not be understood.
        assert!(scram.answer(1, "x", b"r=abc1,s=QSXCR+Q6sek8bf92,i=4096,x=1,y=2", none.clone()).is_ok());
        for last in ["", "v=AAAA", "x=1", "v=AAAA,v=AAAA", "m=1,v=AAAA"] {
            assert_eq!(scram.answer(2, "x", last.as_bytes(), none.clone()), Err(AuthError::Server), "{last}");
        }
        for round in [1, 2] {
            let refused = scram.answer(round, "x", b"e=unknown-user,x=1", none.clone());
            assert_eq!(refused, Err(AuthError::Refused("unknown-user".to_owned())));
        }
    }

    #[test]
    fn too_few_rounds_protect_no_password_and_too_many_take_too_long() {
        let mut scram = Scram::new(Hash::Sha256, "user", "abc".to_owned());
        let mut asked = |rounds: u64, fewest| {
            scram.fewest_rounds = fewest;
            scram.answer(1, "x", format!("r=abc1,s=QSXCR+Q6sek8bf92,i={rounds}").as_bytes(), AuthError::Server)
        };
        assert_eq!(asked(1, FEWEST_ROUNDS), Err(AuthError::FewRounds(1)));
        assert_eq!(asked(4095, FEWEST_ROUNDS), Err(AuthError::FewRounds(4095)));
        assert!(asked(4096, FEWEST_ROUNDS).is_ok() && asked(1, 1).is_ok());
        for many in [2_000_001, u64::from(u32::MAX), u64::from(u32::MAX) + 4097, u64::MAX] {
            assert_eq!(asked(many, 1), Err(AuthError::Rounds(many)));
        }
    }
}
