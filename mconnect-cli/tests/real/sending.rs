//! A message in one command, and what the servers have stored of it.
//!
//! What they offer is used: PIPELINING (Postfix, Dovecot's LMTP server), CHUNKING (Postfix, Exim, Dovecot), SIZE, 8BITMIME
//! and DSN (all but Dovecot, which has 8BITMIME alone), SMTPUTF8 (Postfix, Exim). No server of Debian's offers BINARYMIME or
//! REQUIRETLS: those are tried with the loopback server alone. Every test prints what was offered.

use std::fs;

use crate::common::real::{DOVECOT, EXIM, OPENSMTPD, POSTFIX, RealServer, Talk, Topic, message, talk};

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn postfix_takes_every_message() {
    POSTFIX.serves(TOPICS);
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn exim_takes_every_message() {
    EXIM.serves(TOPICS);
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn opensmtpd_takes_every_message() {
    OPENSMTPD.serves(TOPICS);
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn dovecot_answers_each_recipient_by_lmtp() {
    let server = RealServer::start(DOVECOT);
    let socket = server.dir.join("root/run/dovecot/lmtp");
    let (root, socket, file) = (server.root(), socket.to_str().unwrap(), server.dir.join("lmtp.eml"));
    let proven = ["--tls-name", "localhost", "--cafile", &root];
    for (size, way) in [500, 1_000_000].into_iter().flat_map(|size| [&[][..], &["--bdat=999"]].map(|way| (size, way))) {
        let content = odd_message(size);
        fs::write(&file, &content).unwrap();
        for (host, security) in ["127.0.0.2", socket]
            .into_iter()
            .flat_map(|host| [&["--no-upgrade"][..], &proven].map(|security| (host, security)))
        {
            let lmtp = |to: &[&str]| {
                let to: Vec<&str> = to.iter().flat_map(|to| ["--to", to]).collect();
                let message = ["--lmtp", "--from", "me@example.com", "--message", file.to_str().unwrap()];
                talk(server.port, host, &[&message, &to[..], security, way].concat(), "")
            };
            for stage in ["ehlo", "rcpt", "data"] {
                let until = ["--lmtp", "--to", "one@example.com", "--until", stage];
                must_end_with(&talk(server.port, host, &[&until[..], security].concat(), ""), 0);
            }
            let all = lmtp(&["one@example.com", "two@example.com"]);
            must_end_with(&all, 0);
            assert_eq!(all.out.matches("\n250 2.0.0 <").count(), 2, "each has a reply: {all:?}");
            server.must_store(2, &content);
            let full = lmtp(&["one@example.com", "full@example.com"]);
            must_end_with(&full, 75);
            full.must_tell("mconnect: 1 of 2 recipients was put off, first: 451 4.2.0 <full@example.com>");
            server.must_store(1, &content);
            let unknown = lmtp(&["full@example.com", "refused@example.com", "two@example.com"]);
            must_end_with(&unknown, 69);
            unknown.must_tell(
                "mconnect: 2 of 3 recipients were refused or put off, first: 550 5.1.1 <refused@example.com>",
            );
            server.must_store(1, &content);
        }
    }
}

const TOPICS: &[Topic] = &[
    ("what is offered", |server| println!("{}", send(server, &["--until", "ehlo"]).out)),
    ("octets arrive as they are in a file, by DATA and in chunks", octets),
    ("the message that is made arrives", made),
    ("recipients that are refused or put off leave the others the message", refused),
    ("a message larger than the server takes is not sent, and one that was not measured is refused", too_large),
    ("an address beyond ASCII is taken where that is offered, and otherwise not sent", utf8),
    ("parameters are taken where their extension is offered", parameters),
    ("TLS is started where it is offered, and the server proven", secured),
    ("many messages go in one session", many),
    ("no stage delivers anything", stages),
];

/// Runs the tool, in the clear.
fn send(server: &RealServer, options: &[&str]) -> Talk {
    let common = ["--no-upgrade", "--from", "me@example.com", "--to", "one@example.com"];
    server.talk("127.0.0.1", &[&common, options].concat(), "")
}

#[track_caller]
fn must_end_with(talk: &Talk, status: i32) {
    assert_eq!(talk.status, Some(status), "{talk:?}");
}

fn offers(server: &RealServer, extension: &str) -> bool {
    let talk = send(server, &["--until", "ehlo"]);
    must_end_with(&talk, 0);
    talk.out.lines().any(|line| line[4..].split(' ').next() == Some(extension))
}

/// A message with all that can go wrong in one, but for what servers change: lone CR and LF, and NUL.
fn odd_message(size: usize) -> Vec<u8> {
    let octets: Vec<u8> = (1..=255).filter(|octet| !b"\r\n".contains(octet)).collect();
    let lines = [b".".as_slice(), b"", b"..", b"QUIT", &octets.repeat(3), b".QUIT", b"gr\xc3\xbc\xc3\x9fe", b". ."];
    let mut content = message("").into_bytes();
    for line in lines.iter().cycle() {
        content.extend_from_slice(line);
        content.push(b'\n');
        if content.len() > size {
            break;
        }
    }
    content
}

fn octets(server: &RealServer) {
    let file = server.dir.join("octets.eml");
    let chunks: &[&[&str]] = if server.kind.has_chunking { &[&[], &["--bdat"], &["--bdat=999"]] } else { &[&[]] };
    for size in [500, 65_536, 1_000_000] {
        let content = odd_message(size);
        fs::write(&file, &content).unwrap();
        for chunk in chunks {
            let args = [&["--message", file.to_str().unwrap(), "--to", "two@example.com"], *chunk].concat();
            must_end_with(&send(server, &args), 0);
            server.must_store(2, &content);
        }
        let piped = [&["--from", "<>", "--to", "one@example.com", "--message", "-", "--no-upgrade"][..]].concat();
        must_end_with(&server.talk("::1", &piped, &content), 0);
        server.must_store(1, &content);
    }
}

fn made(server: &RealServer) {
    let head = message("");
    let headers: Vec<&str> = head.lines().filter(|line| !line.is_empty()).flat_map(|line| ["--header", line]).collect();
    let others = ["--header", "From: me@example.com", "--header", "To: you@example.com", "--header", "Subject: made"];
    let talk = send(server, &[&headers[..], &others, &["--body", ".\nbody"]].concat());
    must_end_with(&talk, 0);
    let content = format!(
        "{}From: me@example.com\nTo: you@example.com\nSubject: made\n\n.\nbody\n",
        head.trim_end_matches('\n').to_owned() + "\n"
    );
    server.must_store(1, content);
}

fn refused(server: &RealServer) {
    let file = server.dir.join("refused.eml");
    let content = message("for those that are left\n");
    fs::write(&file, &content).unwrap();
    for chunk in [&[][..], &["--bdat"]].into_iter().take(if server.kind.has_chunking { 2 } else { 1 }) {
        let source = [&["--message", file.to_str().unwrap()], chunk].concat();
        let talk = send(server, &[&source[..], &["--to", "refused@example.com", "--to", "two@example.com"]].concat());
        must_end_with(&talk, 69);
        assert!(talk.err.contains("mconnect: 1 of 3 recipients was refused, first: 550"), "{talk:?}");
        server.must_store(2, &content);
        let talk = send(server, &[&source[..], &["--to", "deferred@example.com"]].concat());
        must_end_with(&talk, 75);
        assert!(talk.err.contains("mconnect: 1 of 2 recipients was put off, first: 45"), "{talk:?}");
        server.must_store(1, &content);
    }
    let nobody = server.talk("127.0.0.1", &["--no-upgrade", "--from", "<>", "--to", "refused@example.com"], "");
    must_end_with(&nobody, 69);
    assert!(nobody.err.contains("mconnect: refused@example.com was refused: 550"), "{nobody:?}");
    server.must_have_stored_nothing();
}

fn too_large(server: &RealServer) {
    // OpenSMTPD does not look at what is declared.
    if server.kind.name != "opensmtpd" {
        let talk = send(server, &["--mail-param", "SIZE=900000000"]);
        must_end_with(&talk, 69);
        assert!(talk.err.contains("552"), "{talk:?}");
    }
    let file = server.dir.join("large.eml");
    fs::write(&file, message("")).unwrap();
    // Nothing of it is on the disk.
    fs::File::options().write(true).open(&file).unwrap().set_len(220 << 20).unwrap();
    let talk = send(server, &["--message", file.to_str().unwrap()]);
    must_end_with(&talk, 69);
    assert!(talk.err.contains("octets, and the server takes"), "{talk:?}");
    // A pipe is not measured.
    let content = message(&format!("{}\n", "x".repeat(99)).repeat(2_200_000));
    let ways: &[&[&str]] = if server.kind.has_chunking { &[&[], &["--bdat=1000000"]] } else { &[&[]] };
    for way in ways {
        let common = ["--no-upgrade", "--from", "<>", "--to", "one@example.com", "--message", "-"];
        let talk = server.talk("127.0.0.1", &[&common, *way].concat(), &content);
        must_end_with(&talk, 69);
        assert!(!talk.err.contains("SIZE=") && talk.out.contains("\n55"), "{talk:?}");
        assert!(talk.err.contains("mconnect: the message is larger than the server takes"), "{talk:?}");
    }
    server.must_have_stored_nothing();
}

fn utf8(server: &RealServer) {
    let file = server.dir.join("utf8.eml");
    let content = message("").trim_end().to_owned() + "\nSubject: gr\u{fc}\u{df}e\n\n\u{20ac}\n";
    fs::write(&file, &content).unwrap();
    let talk = send(server, &["--to", "j\u{f6}rg@example.com", "--message", file.to_str().unwrap()]);
    assert_eq!(offers(server, "SMTPUTF8"), server.kind.name != "opensmtpd");
    if offers(server, "SMTPUTF8") {
        must_end_with(&talk, 0);
        server.must_store(2, &content);
    } else {
        must_end_with(&talk, 69);
        assert!(talk.err.contains("needs SMTPUTF8, which the server has not offered"), "{talk:?}");
        server.must_have_stored_nothing();
    }
}

fn parameters(server: &RealServer) {
    let file = server.dir.join("parameters.eml");
    let content = message("with parameters\n");
    fs::write(&file, &content).unwrap();
    let dsn = ["--mail-param", "RET=HDRS", "--mail-param", "ENVID=a b+c", "--rcpt-param", "NOTIFY=NEVER"];
    let talk = send(server, &[&dsn[..], &["--message", file.to_str().unwrap()]].concat());
    assert!(offers(server, "DSN"), "{talk:?}");
    must_end_with(&talk, 0);
    server.must_store(1, &content);
    let is_postfix = server.kind.name == "postfix";
    // The others notify in words that are not those of the parameters.
    let notify = if is_postfix { "NOTIFY=SUCCESS" } else { "NOTIFY=NEVER" };
    let original = ["--rcpt-param", "ORCPT=rfc822;first+last@example.net", "--rcpt-param", notify];
    let returned = ["--mail-param", "ENVID=a b+c", "--mail-param", "RET=HDRS", "--message", file.to_str().unwrap()];
    let talk = send(server, &[&original[..], &returned].concat());
    must_end_with(&talk, 0);
    talk.must_tell(&format!("> RCPT TO:<one@example.com> ORCPT=rfc822;first+2Blast@example.net {notify}\n"));
    if is_postfix {
        server.must_notify(&["Original-Envelope-Id: a b+c\n", "Original-Recipient: rfc822;first+last@example.net\n"]);
        must_end_with(&send(server, &["--rcpt-param", "NOTIFY=SOMETIMES", "--until", "rcpt"]), 69);
    }
    server.must_store(1, &content);
}

#[cfg(not(feature = "tls"))]
fn secured(_: &RealServer) {}

#[cfg(feature = "tls")]
fn secured(server: &RealServer) {
    let file = server.dir.join("secured.eml");
    let content = message("inside TLS\n");
    fs::write(&file, &content).unwrap();
    let (root, password, file) = (server.root(), server.password("pencil\n"), file.to_str().unwrap());
    let common = ["--from", "me@example.com", "--to", "one@example.com", "--message", file];
    let unproven = server.talk("localhost", &common, "");
    must_end_with(&unproven, 76);
    for more in [&[][..], &["--starttls"], &["--auth", "user", "--password-file", &password]] {
        let talk = server.talk("localhost", &[&common[..], &["--cafile", root.as_str()], more].concat(), "");
        must_end_with(&talk, 0);
        assert!(talk.err.contains("> STARTTLS\nTLS 1."), "{talk:?}");
        server.must_store(1, &content);
    }
    for (stage, last) in [("starttls", "> EHLO "), ("auth", "> AUTH "), ("rcpt", "> RSET"), ("data", "> DATA")] {
        let options = ["--cafile", &root, "--auth", "user", "--password-file", &password, "--until", stage];
        let talk = server.talk("localhost", &[&common[..], &options].concat(), "");
        must_end_with(&talk, 0);
        let commands: Vec<&str> = talk.err.lines().filter(|line| line.starts_with("> ") && *line != "> QUIT").collect();
        assert!(commands.last().unwrap().starts_with(last), "{talk:?}");
    }
    server.must_have_stored_nothing();
}

fn many(server: &RealServer) {
    let file = server.dir.join("many.eml");
    let content = message("again\n");
    fs::write(&file, &content).unwrap();
    let talk = send(server, &["--repeat", "5", "--message", file.to_str().unwrap()]);
    must_end_with(&talk, 0);
    assert!(talk.err.contains("\nsent 5 times in "), "{talk:?}");
    server.must_store(5, &content);
}

fn stages(server: &RealServer) {
    for stage in ["connect", "greeting", "ehlo", "mail", "rcpt", "data"] {
        let talk = send(server, &["--until", stage]);
        must_end_with(&talk, 0);
        assert_eq!(talk.out.contains("\n354 "), stage == "data", "{talk:?}");
    }
    must_end_with(&send(server, &["--until", "rcpt", "--to", "refused@example.com"]), 69);
    server.must_have_stored_nothing();
}
