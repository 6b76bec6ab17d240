//! The options on TLS and AUTH.

use std::path::PathBuf;

use super::Host;

/// How a session is to be secured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    pub start: Start,
    pub is_plain: bool,
    /// STARTTLS is a command as any other.
    pub is_left_plain: bool,
    pub helo: Option<String>,
    pub is_insecure: bool,
    pub name: Option<Host>,
    pub authorities: Option<PathBuf>,
    pub pin: Option<String>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub is_13_only: bool,
    pub is_verbose: bool,
    pub save_chain: Option<PathBuf>,
    pub auth: Option<Auth>,
    pub password_file: Option<PathBuf>,
    pub password_command: Option<String>,
    pub allows_plaintext_auth: bool,
}

/// When TLS starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// When STARTTLS is sent, if it is.
    #[default]
    ByHand,
    /// By STARTTLS, before the session is handed over.
    Upgrade,
    /// With the first byte.
    First,
}

/// Who to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    pub user: String,
    pub mechanism: Option<String>,
}

impl Security {
    pub fn set_flag(&mut self, name: &str) {
        match name {
            "starttls" => self.start = Start::Upgrade,
            "tls" => self.start = Start::First,
            "no-tls" => self.is_plain = true,
            "no-upgrade" => self.is_left_plain = true,
            "insecure" => self.is_insecure = true,
            "tls-verbose" => self.is_verbose = true,
            _ => self.allows_plaintext_auth = true,
        }
    }

    /// # Errors
    /// A sentence that says what is wrong.
    pub fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "helo" | "tls-name" | "auth" if value.is_empty() => return Err(format!("--{name} is empty")),
            "helo" => self.helo = Some(line(value)?),
            "tls-name" => {
                let named = Host::from_name(&value);
                self.name = Some(named.map_err(|why| format!("{value:?} is not the name of a host: {why}"))?);
            }
            "cafile" => self.authorities = Some(value.into()),
            "pin" if is_fingerprint(&value) => self.pin = Some(value),
            "pin" => {
                let form = "64 hexadecimal digits, with or without colons";
                return Err(format!("{value:?} is no SHA-256 fingerprint: {form}"));
            }
            "cert" => self.certificate = Some(value.into()),
            "key" => self.key = Some(value.into()),
            "tls-min" => match value.as_str() {
                "1.2" => self.is_13_only = false,
                "1.3" => self.is_13_only = true,
                _ => return Err(format!("{value:?} is no version of TLS that is spoken here: 1.2 or 1.3")),
            },
            "save-chain" => self.save_chain = Some(value.into()),
            "auth" => {
                let (user, mechanism) = match value.rsplit_once(':') {
                    Some((user, mechanism)) if !mechanism.contains('@') => (user, Some(mechanism.to_owned())),
                    _ => (value.as_str(), None),
                };
                self.auth = Some(Auth { user: user.to_owned(), mechanism });
            }
            "password-file" => self.password_file = Some(value.into()),
            _ => self.password_command = Some(value),
        }
        Ok(())
    }

    /// Says what the options mean together.
    ///
    /// # Errors
    /// A sentence that says why they cannot be together.
    pub fn settle(&mut self, port: u16) -> Result<(), String> {
        match (self.start, self.is_plain) {
            (Start::First, true) => return Err("--tls and --no-tls are opposites".to_owned()),
            (Start::ByHand, false) if port == SUBMISSIONS => self.start = Start::First,
            _ => {}
        }
        match (self.start, self.is_left_plain) {
            (Start::Upgrade, true) => Err("--starttls and --no-upgrade are opposites".to_owned()),
            _ => Ok(()),
        }
    }
}

pub fn is_flag(name: &str) -> bool {
    FLAGS.contains(&name)
}

pub fn takes_value(name: &str) -> bool {
    VALUES.contains(&name)
}

/// A name that goes into a command must not bring another.
fn is_fingerprint(text: &str) -> bool {
    text.bytes().all(|byte| byte == b':' || byte.is_ascii_hexdigit())
        && text.bytes().filter(u8::is_ascii_hexdigit).count() == 64
}

fn line(value: String) -> Result<String, String> {
    match value.contains(['\r', '\n']) {
        true => Err(format!("{value:?} is more than one line")),
        false => Ok(value),
    }
}

const FLAGS: &[&str] = &["starttls", "tls", "no-tls", "no-upgrade", "insecure", "tls-verbose", "allow-plaintext-auth"];
const VALUES: &[&str] = &[
    "helo",
    "tls-name",
    "cafile",
    "pin",
    "cert",
    "key",
    "tls-min",
    "save-chain",
    "auth",
    "password-file",
    "password-command",
];
/// The port of submission over TLS ([RFC 8314](https://www.rfc-editor.org/rfc/rfc8314)).
const SUBMISSIONS: u16 = 465;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_first_on_the_port_that_is_for_it_unless_told_otherwise() {
        for (flags, port, start) in [
            (&[][..], 25, Ok(Start::ByHand)),
            (&[], 465, Ok(Start::First)),
            (&["no-tls"], 465, Ok(Start::ByHand)),
            (&["starttls"], 465, Ok(Start::Upgrade)),
            (&["tls"], 25, Ok(Start::First)),
            (&["tls", "no-tls"], 25, Err(())),
            (&["starttls", "no-upgrade"], 25, Err(())),
        ] {
            let mut security = Security::default();
            flags.iter().for_each(|flag| security.set_flag(flag));
            assert_eq!(security.settle(port).map(|()| security.start).map_err(drop), start, "{flags:?} {port}");
        }
    }

    #[test]
    fn a_pin_is_a_fingerprint_and_nothing_else() {
        let (digits, pairs) = ("0123456789abcdef".repeat(4), vec!["aB"; 32]);
        for good in [digits.clone(), pairs.join(":")] {
            let mut security = Security::default();
            security.set("pin", good.clone()).unwrap();
            assert_eq!(security.pin, Some(good));
        }
        for wrong in
            [pairs.join(" "), pairs.join("-"), format!("{digits} "), format!("{digits}0"), digits[1..].to_owned()]
        {
            assert!(Security::default().set("pin", wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mechanism_follows_the_last_colon() {
        for (value, user, mechanism) in [
            ("user", "user", None),
            ("user@example.org", "user@example.org", None),
            ("user:cram-md5", "user", Some("cram-md5")),
            ("a:b@example.org:plain", "a:b@example.org", Some("plain")),
            ("a:b@example.org", "a:b@example.org", None),
        ] {
            let mut security = Security::default();
            security.set("auth", value.to_owned()).unwrap();
            let auth = security.auth.unwrap();
            assert_eq!((auth.user.as_str(), auth.mechanism.as_deref()), (user, mechanism));
        }
    }
}
