//! SCRAM ([RFC 5802](https://www.rfc-editor.org/rfc/rfc5802), [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677)), without
//! channel binding.

use std::borrow::Cow;
use std::num::NonZeroU32;

use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use super::{AuthError, decode, encode};

/// The client's side.
pub(super) struct Scram {
    hash: Hash,
    nonce: String,
    /// The first message, without its header.
    bare: String,
    /// What the server has to say in the end.
    expected: Option<Vec<u8>>,
    is_proven: bool,
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
        Self { hash, nonce, bare, expected: None, is_proven: false }
    }

    pub fn first(&self) -> String {
        format!("{HEADER}{}", self.bare)
    }

    pub fn answer(
        &mut self,
        round: usize,
        password: &str,
        challenge: &[u8],
        unexpected: AuthError,
    ) -> Result<String, AuthError> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| unexpected.clone())?;
        match (round, &self.expected) {
            (1, _) => self.second(password, challenge).ok_or(unexpected)?,
            (2, Some(expected)) => match field(challenge, 'e') {
                Some(reason) => Err(AuthError::Refused(reason.to_owned())),
                None => {
                    let proof = field(challenge, 'v').and_then(|proof| decode(proof.as_bytes()));
                    // Nothing secret depends on how long this takes: the server has sent it.
                    self.is_proven = proof.as_ref() == Some(expected);
                    if self.is_proven { Ok(String::new()) } else { Err(AuthError::Server) }
                }
            },
            _ => Err(unexpected),
        }
    }

    pub fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// Answers the server's first message; nothing if it is none.
    fn second(&mut self, password: &str, challenge: &str) -> Option<Result<String, AuthError>> {
        // What begins with another field is an extension that has to be understood.
        let nonce = challenge.starts_with("r=").then(|| field(challenge, 'r'))??;
        let salt = decode(field(challenge, 's')?.as_bytes())?;
        let rounds = field(challenge, 'i')?.parse::<NonZeroU32>().ok()?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return None;
        }
        if rounds.get() > MOST_ROUNDS {
            return Some(Err(AuthError::Rounds(rounds.get())));
        }
        let without_proof = format!("c={},r={nonce}", encode(HEADER.as_bytes()));
        let message = format!("{},{challenge},{without_proof}", self.bare);
        let salted = self.hash.salted(password, &salt, rounds);
        self.expected = Some(self.hash.server_signature(&salted, &message));
        Some(Ok(format!("{without_proof},p={}", encode(&self.hash.proof(&salted, &message)))))
    }
}

impl Hash {
    /// Gives the salted password.
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

    /// Gives what the client proves itself with.
    pub fn proof(self, salted: &[u8], message: &str) -> Vec<u8> {
        let client = self.hmac(salted, b"Client Key");
        let stored = match self {
            Self::Sha1 => digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &client),
            Self::Sha256 => digest::digest(&digest::SHA256, &client),
        };
        let signature = self.hmac(stored.as_ref(), message.as_bytes());
        client.iter().zip(signature).map(|(key, signature)| key ^ signature).collect()
    }

    /// Gives what the server proves itself with.
    pub fn server_signature(self, salted: &[u8], message: &str) -> Vec<u8> {
        self.hmac(&self.hmac(salted, b"Server Key"), message.as_bytes())
    }

    fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
    }
}

/// Gives a name or a password as SASLprep makes it ([RFC 4013](https://www.rfc-editor.org/rfc/rfc4013)), so that it is the
/// same however it was typed. What must not be in one stays as it is: it is the server's to refuse that.
fn prepared(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}

/// Gives a field of a message: `r=...`.
pub(crate) fn field(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// Makes a name fit for a message.
pub(super) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// Gives letters and digits that nobody can guess.
pub(crate) fn nonce() -> String {
    let mut bytes = [0; 18];
    SystemRandom::new().fill(&mut bytes).expect("the system has random numbers");
    encode(&bytes)
}

/// No channel binding, and no other identity.
const HEADER: &str = "n,,";
/// About a second of work.
const MOST_ROUNDS: u32 = 2_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays the examples of the RFCs.
    fn play(hash: Hash, nonce: &str, server_first: &str, proof: &str, server_last: &str) {
        let mut scram = Scram::new(hash, "user", nonce.to_owned());
        assert_eq!(scram.first(), format!("n,,n=user,r={nonce}"));
        let server_nonce = field(server_first, 'r').unwrap();
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
            "r=abc1,s=QSXCR+Q6sek8bf92,i=0",
            "r=abc1,s=QSXCR+Q6sek8bf92",
            "m=new,r=abc1,s=QSXCR+Q6sek8bf92,i=4096",
        ];
        for message in wrong {
            let mut scram = Scram::new(Hash::Sha256, "user", "abc".to_owned());
            assert!(scram.answer(1, "x", message.as_bytes(), AuthError::Server).is_err(), "{message}");
        }
        let mut scram = Scram::new(Hash::Sha256, "a,b=c", "abc".to_owned());
        assert_eq!(scram.first(), "n,,n=a=2Cb=3Dc,r=abc");
        let many = b"r=abc1,s=QSXCR+Q6sek8bf92,i=4294967295";
        assert_eq!(scram.answer(1, "x", many, AuthError::Server), Err(AuthError::Rounds(u32::MAX)));
    }
}
