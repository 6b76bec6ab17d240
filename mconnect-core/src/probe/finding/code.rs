//! What can be found, each with the word that stays, and what to do about it.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $code:ident $word:literal $advice:literal,)*) => {
        /// What was found, for programs to tell apart. Each has a word, which stays.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FindingCode {
            $($(#[doc = $doc])* $code,)*
        }

        impl FindingCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// Returns its word: `starttls_missing`.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$code => $word,)*
                }
            }

            /// Returns what to do about it.
            #[must_use]
            pub fn advice(self) -> &'static str {
                match self {
                    $(Self::$code => $advice,)*
                }
            }
        }
    };
}

codes! {
    /// The name does not exist.
    NoSuchDomain "no_such_domain" "look whether it is written as it should be, and registered",
    /// There is neither an MX nor an address.
    NoExchanger "no_exchanger"
        "publish an MX record, or a null MX (RFC 7505) if the domain is to take no mail",
    /// The domain takes no mail, and says so.
    NullMx "null_mx" "nothing, if the domain is to take no mail",
    /// A null MX stands beside other records, where it means nothing.
    NullMxWithOthers "null_mx_with_others" "publish the null MX alone, or not at all (RFC 7505, section 3)",
    /// There is no MX, and the domain's own address is used.
    ImplicitMx "implicit_mx" "publish an MX record: some senders take a domain without one for a mistake",
    /// A name could not be looked up.
    LookupFailed "lookup_failed" "look whether the domain's name servers answer, all of them, and over TCP as well",
    /// Signatures in the DNS are wrong.
    Bogus "bogus" "mend the zone's signatures, or the DS record above it: until then, resolvers that validate see nothing",
    /// An exchanger has no address.
    ExchangerWithoutAddress "exchanger_without_address" "give the name an address, or take it out of the MX records",
    /// An exchanger is an alias.
    ExchangerIsAlias "exchanger_is_alias"
        "name what the alias leads to in the MX record (RFC 2181, section 10.3; RFC 5321, section 5.1)",
    /// An exchanger has an address that is reached from nowhere else.
    AddressNotGlobal "address_not_global"
        "publish addresses alone that are reached from everywhere; here, --allow-private contacts them",
    /// There is more than is asked for.
    LeftOut "left_out" "few exchangers with few addresses are easier to keep alike",
    /// The resolver proves nothing.
    ResolverNotTrusted "resolver_not_trusted"
        "run a validating resolver on this machine, or trust one (--trust-resolver) if nobody can stand in between",
    /// An address does not answer.
    Unreachable "unreachable"
        "look whether the server runs, and whether something in between drops connections; if no server anywhere \
         answers, port 25 may be blocked here",
    /// IPv6 is published and dead.
    Ipv6Dead "ipv6_dead" "have the server listen at its IPv6 address and let connections in, or take the AAAA record out",
    /// This machine has no IPv6, and so does not know.
    NoIpv6Here "no_ipv6_here" "run this where there is IPv6, to know",
    /// A session broke off.
    SessionFailed "session_failed" "look into the server's log at that time",
    /// The server refuses to talk.
    Refused "refused" "read what it says; it may be about the address from which this was run",
    /// The name in the greeting is none.
    GreetingName "greeting_name"
        "have the server greet by its full host name, which has an address (RFC 5321, section 4.2)",
    /// Passwords are asked for in the clear.
    AuthWithoutTls "auth_without_tls" "offer AUTH inside TLS alone, and not at all where other servers deliver mail",
    /// A recipient would be refused.
    RecipientRefused "recipient_refused" "read what it says; it may be about the address from which this was run",
    /// STARTTLS is not offered.
    StartTlsMissing "starttls_missing" "offer STARTTLS at every address of every exchanger",
    /// STARTTLS is offered, and refused.
    StartTlsRefused "starttls_refused" "look whether the server can read its certificate and key",
    /// The handshake fails.
    TlsFailed "tls_failed" "look which versions, ciphers and keys the server has, and into its log",
    /// A certificate has expired, or is not valid yet.
    CertificateExpired "certificate_expired" "renew the certificate, and have the server load it",
    /// A certificate is going to expire.
    CertificateExpiring "certificate_expiring" "renew the certificate, and have the server load it",
    /// A certificate is for other names.
    CertificateName "certificate_name" "get a certificate that holds the exchanger's name as the MX record has it",
    /// A certificate leads to no authority that is trusted.
    CertificateUntrusted "certificate_untrusted"
        "get a certificate of a public authority, and have the server send the ones between as well",
    /// The server is none that its TLSA records name.
    DaneMismatch "dane_mismatch"
        "publish the TLSA records of a new certificate before the server shows it, and the old ones until it does not",
    /// There are TLSA records, and no TLS.
    DaneWithoutTls "dane_without_tls" "have the server offer STARTTLS again, or take the TLSA records out",
    /// TLSA records are of no use.
    DaneUnusable "dane_unusable" "publish records with usage 3 or 2 (RFC 7672, section 3.1): `3 1 1` is the usual one",
    /// TLSA records cannot count, since the MX records are not signed.
    DaneNotSigned "dane_not_signed" "sign the domain's zone: whoever changes the MX records leads mail past the TLSA records",
    /// Nothing keeps mail from being sent in the clear.
    Unprotected "unprotected" "publish TLSA records (DANE), where the zone is signed, or an MTA-STS policy",
    /// The addresses of one host greet by different names.
    GreetingsDiffer "greetings_differ" "nothing, if they are several machines and meant to be",
    /// The addresses of one host offer different extensions.
    ExtensionsDiffer "extensions_differ" "configure the machines behind one name alike",
    /// The addresses of one host show different certificates.
    CertificatesDiffer "certificates_differ" "nothing, if each is renewed and, with DANE, published",
    /// The exchangers offer different extensions.
    ExchangersDiffer "exchangers_differ" "configure the exchangers alike: a message that one takes, another bounces",
    /// The record that announces a policy is none.
    StsRecord "sts_record" "publish one TXT record at _mta-sts: `v=STSv1; id=20260101;` (RFC 8461, section 3.1)",
    /// A policy is announced, and is not there.
    StsPolicyMissing "sts_policy_missing"
        "have https://mta-sts.DOMAIN/.well-known/mta-sts.txt answer with the policy itself, and a valid certificate",
    /// The policy is of another kind of text.
    StsContentType "sts_content_type" "serve the policy as text/plain (RFC 8461, section 3.2)",
    /// An exchanger is not in the policy.
    StsNotInPolicy "sts_not_in_policy" "add the exchanger to the policy, and give the record another id",
    /// The policy is only being tried.
    StsTesting "sts_testing" "have it enforced once reports show that nothing fails",
    /// There is no policy any more.
    StsNone "sts_none" "take the record out, once all that remember the old policy have forgotten it",
    /// The policy is remembered for a short time only.
    StsMaxAge "sts_max_age" "let it be remembered for weeks: that is what protects (RFC 8461, section 3.2)",
    /// The record that says where reports go is none.
    ReportingRecord "reporting_record"
        "publish one TXT record at _smtp._tls: `v=TLSRPTv1; rua=mailto:reports@example.org` (RFC 8460, section 3)",
}

/// Writes its word.
impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
