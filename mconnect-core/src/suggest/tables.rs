//! What a line may begin with, and go on with: some of it by itself, the rest where the server advertised an extension.

pub(super) const VERBS: &[&str] =
    &["EHLO ", "HELO ", "MAIL FROM:<", "RCPT TO:<", "DATA", "RSET", "NOOP", "QUIT", "VRFY ", "HELP"];

pub(super) const OFFERED_VERBS: &[(&str, &[&str])] = &[
    ("CHUNKING", &["BDAT "]),
    ("STARTTLS", &["STARTTLS"]),
    ("ETRN", &["ETRN "]),
    ("EXPN", &["EXPN "]),
    ("XCLIENT", &["XCLIENT "]),
    ("XFORWARD", &["XFORWARD "]),
];

pub(super) const MAIL_PARAMETERS: &[(&str, &[&str])] = &[
    ("SIZE", &["SIZE="]),
    ("8BITMIME", &["BODY=7BIT", "BODY=8BITMIME"]),
    ("BINARYMIME", &["BODY=BINARYMIME"]),
    ("SMTPUTF8", &["SMTPUTF8"]),
    ("DSN", &["RET=FULL", "RET=HDRS", "ENVID="]),
    ("AUTH", &["AUTH=<>"]),
    ("REQUIRETLS", &["REQUIRETLS"]),
    ("DELIVERBY", &["BY="]),
    ("FUTURERELEASE", &["HOLDFOR=", "HOLDUNTIL="]),
    ("MT-PRIORITY", &["MT-PRIORITY="]),
];

pub(super) const RCPT_PARAMETERS: &[(&str, &[&str])] = &[
    ("DSN", &["NOTIFY=NEVER", "NOTIFY=SUCCESS", "NOTIFY=FAILURE", "NOTIFY=DELAY", "ORCPT=rfc822;"]),
    ("RRVS", &["RRVS="]),
];

/// The syntax of commands: what is typed, and what is only shown after it.
pub(super) const SYNTAX: &[(&str, &str)] = &[
    ("EHLO ", "NAME"),
    ("HELO ", "NAME"),
    ("LHLO ", "NAME"),
    ("MAIL FROM:<", "SENDER> [PARAMETERS]"),
    ("RCPT TO:<", "RECIPIENT> [PARAMETERS]"),
    ("BDAT ", "OCTETS [LAST]"),
    ("AUTH ", "MECHANISM [INITIAL-RESPONSE]"),
    ("VRFY ", "USER"),
    ("EXPN ", "LIST"),
    ("STARTTLS", ""),
    ("DATA", ""),
    ("QUIT", ""),
    ("RSET", ""),
    ("NOOP", ""),
];
