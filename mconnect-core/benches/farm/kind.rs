//! The kinds of servers, by the second label of their names and by the second octet of their addresses.

use std::net::Ipv4Addr;

/// What a server is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All is well: STARTTLS, and a certificate.
    Healthy,
    /// There is no STARTTLS.
    Clear,
    /// As healthy, and late with each reply.
    Slow,
    /// As clear, and late with each reply.
    SlowClear,
    /// The greeting is 554.
    Refusing,
    /// The greeting is 421, and the end.
    Busy,
    /// It takes the connection, and never greets.
    Hanging,
    /// The connection is reset at EHLO.
    Dropping,
    /// EHLO is answered, and the connection ends.
    Closing,
    /// STARTTLS is answered by 454.
    TlsRefused,
    /// Something in the clear comes behind the 220 to STARTTLS.
    TlsInjected,
    /// The handshake is answered by text.
    TlsGarbage,
    /// The handshake ends amid a record.
    TlsCut,
    /// The handshake is answered by an alert.
    TlsAlert,
    /// The handshake is never answered.
    TlsSilent,
    /// The handshake is answered by a reset.
    TlsReset,
    /// The certificate has expired.
    TlsExpired,
    /// The certificate is for another name.
    TlsOther,
    /// The certificate is signed by itself.
    TlsOwn,
    /// The domain takes no mail, and says so.
    NullMx,
    /// There is no such domain.
    Missing,
    /// The domain's name servers fail.
    Failing,
}

impl Kind {
    /// Returns the kind whose label this is.
    pub fn named(label: &str) -> Option<Self> {
        LABELS.iter().find(|(_, name)| *name == label).map(|(kind, _)| *kind)
    }

    /// Returns the kind of the server that is there.
    pub fn at(address: Ipv4Addr) -> Option<Self> {
        let [_, second, ..] = address.octets();
        LABELS.get(usize::from(second).checked_sub(1)?).map(|(kind, _)| *kind)
    }

    /// Returns the address of the server of this kind that has this number.
    pub fn address(self, number: u16) -> Ipv4Addr {
        let second = LABELS.iter().position(|(kind, _)| *kind == self).expect("each kind has a label") + 1;
        let [third, fourth] = number.to_be_bytes();
        Ipv4Addr::new(127, u8::try_from(second).expect("there are few kinds"), third, fourth)
    }

    pub fn is_slow(self) -> bool {
        matches!(self, Self::Slow | Self::SlowClear)
    }

    pub fn offers_tls(self) -> bool {
        !matches!(self, Self::Clear | Self::SlowClear)
    }
}

const LABELS: [(Kind, &str); 22] = [
    (Kind::Healthy, "healthy"),
    (Kind::Clear, "clear"),
    (Kind::Slow, "slow"),
    (Kind::SlowClear, "slow-clear"),
    (Kind::Refusing, "refusing"),
    (Kind::Busy, "busy"),
    (Kind::Hanging, "hanging"),
    (Kind::Dropping, "dropping"),
    (Kind::Closing, "closing"),
    (Kind::TlsRefused, "tls-refused"),
    (Kind::TlsInjected, "tls-injected"),
    (Kind::TlsGarbage, "tls-garbage"),
    (Kind::TlsCut, "tls-cut"),
    (Kind::TlsAlert, "tls-alert"),
    (Kind::TlsSilent, "tls-silent"),
    (Kind::TlsReset, "tls-reset"),
    (Kind::TlsExpired, "tls-expired"),
    (Kind::TlsOther, "tls-other"),
    (Kind::TlsOwn, "tls-own"),
    (Kind::NullMx, "null-mx"),
    (Kind::Missing, "missing"),
    (Kind::Failing, "failing"),
];
