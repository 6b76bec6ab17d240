//! What the tool says where Postfix and Exim refuse; `servers/` has what starts them.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;

use crate::common::real::{EHLO, EXIM, POSTFIX, RealServer, Talk};

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn postfix_is_explained_where_it_refuses() {
    let server = RealServer::start(POSTFIX);
    for_both(&server);
    let mail = format!("{EHLO}MAIL FROM:<a@example.com>\nQUIT\n");
    let wants_tls = server.talk("127.0.0.2", &[], &mail);
    must_say(&wants_tls, "530 5.7.0", "the server wants TLS first: --starttls starts it, or the command STARTTLS");
    must_say_nothing(&server.talk("127.0.0.2", &[], "EHLO me.example\nQUIT\n"));
    let _first = hold(&server, "127.0.0.3");
    must_say(&server.talk("127.0.0.3", &[], &mail), "421 4.7.0", TOO_MANY);
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn exim_is_explained_where_it_refuses() {
    let server = RealServer::start(EXIM);
    for_both(&server);
    fs::write(server.dir.join("limited"), "").unwrap();
    let _first = hold(&server, "127.0.0.1");
    must_say(&server.talk("127.0.0.1", &[], "QUIT\n"), "421 ", TOO_MANY);
    #[cfg(feature = "tls")]
    must_say(
        &crate::common::real::talk(server.tls_port, "127.0.0.1", &["--tls", "-k"], "QUIT\n"),
        "",
        "the server refuses the session before TLS begins: 421 Too many concurrent SMTP connections",
    );
}

/// What both refuse, each in its words, and a healthy session, of which nothing is said.
fn for_both(server: &RealServer) {
    let to = |recipient: &str| format!("{EHLO}MAIL FROM:<a@example.com>\nRCPT TO:<{recipient}>\nRSET\nQUIT\n");
    for (recipient, reply, sentence) in [
        ("refused@example.com", "550", "the recipient does not exist there"),
        ("deferred@example.com", "45", "the server puts off mail from strangers at first (greylisting): try again in"),
        (
            "b@elsewhere.example",
            "55",
            "the server takes no mail for this recipient's domain from here: a login may allow it",
        ),
    ] {
        must_say(&server.talk("127.0.0.1", &[], to(recipient)), reply, sentence);
    }
    let large = format!("{EHLO}MAIL FROM:<a@example.com> SIZE=900000000\nQUIT\n");
    must_say(&server.talk("127.0.0.1", &[], large), "552", "the message is larger than the server takes: ");
    let data = format!("{EHLO}DATA\nQUIT\n");
    must_say(&server.talk("127.0.0.1", &[], data), "503", "MAIL has to be granted before DATA");
    must_say_nothing(&server.talk("127.0.0.1", &[], to("one@example.com")));
    #[cfg(feature = "tls")]
    inside_tls(server);
}

#[cfg(feature = "tls")]
fn inside_tls(server: &RealServer) {
    let password = server.password("wrong");
    let root = server.root();
    let login = ["--starttls", "--cafile", &root, "--auth", "user:PLAIN", "--password-file", &password];
    must_say(&server.talk("127.0.0.1", &login, "QUIT\n"), "535", "user or password are wrong");
    let untrusted = server.talk("127.0.0.1", &["--starttls"], "QUIT\n");
    must_say(&untrusted, "220", "the certificate is from an authority that is not trusted here: ");
    let password = server.password("pencil");
    let login = ["--starttls", "--cafile", &root, "--auth", "user:PLAIN", "--password-file", &password];
    must_say_nothing(&server.talk("127.0.0.1", &login, "QUIT\n"));
    // On this port, Postfix is set up to have TLS 1.2 alone, and Exim 1.3.
    if server.kind.name == POSTFIX.name {
        let newer = ["--tls", "-k", "--tls-min", "1.3"];
        let talk = crate::common::real::talk(server.tls_port, "127.0.0.1", &newer, "QUIT\n");
        must_say(&talk, "", "the server speaks only TLS before 1.3: ");
    }
    let plain = crate::common::real::talk(server.tls_port, "127.0.0.1", &["--timeout", "2"], "QUIT\n");
    must_say(
        &plain,
        "",
        "no greeting came in 2.0 s: the server may be busy, or wait for the client to speak: in TLS (--tls begins with it)",
    );
    let inside = crate::common::real::talk(server.port, "127.0.0.1", &["--tls", "-k"], "QUIT\n");
    must_say(&inside, "", "the server begins in plain text, not with TLS: ");
}

/// Holds a connection that has been greeted.
fn hold(server: &RealServer, host: &str) -> TcpStream {
    let mut stream = TcpStream::connect((host, server.port)).unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    stream
}

/// Says that the server replied so, and that the last line that is told is this sentence, however sure it is.
#[track_caller]
fn must_say(talk: &Talk, reply: &str, sentence: &str) {
    let last = talk.err.lines().last().unwrap_or_default();
    let told = last.trim_start_matches("mconnect: ").trim_start_matches("probably ").trim_start_matches("perhaps ");
    assert!(talk.out.lines().any(|line| line.starts_with(reply)) || reply.is_empty(), "{talk:?}");
    assert!(told.starts_with(sentence), "{sentence}: {talk:?}");
    println!("{last}");
}

#[track_caller]
fn must_say_nothing(talk: &Talk) {
    assert!(talk.status == Some(0) && !talk.err.contains("mconnect: "), "{talk:?}");
}

const TOO_MANY: &str =
    "the server has too many connections, from here or in all: try again later, with fewer at a time";
