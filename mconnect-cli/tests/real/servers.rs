//! The tool, and the library under it, with Postfix, Exim and OpenSMTPD; `servers/` has what starts them.

use std::fs;

use crate::common::real::{
    EHLO, EXIM, OPENSMTPD, POSTFIX, RealServer, Talk, Topic, delivery, envelope, message, quit_raw,
};
use crate::common::{MCONNECT, PATIENCE};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Timeouts};

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn postfix_serves_every_session() {
    POSTFIX.serves(TOPICS);
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn exim_serves_every_session() {
    EXIM.serves(TOPICS);
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn opensmtpd_serves_every_session() {
    OPENSMTPD.serves(TOPICS);
}

#[test]
#[ignore = "needs root, for a hosts file of its own: .ci/run runs it"]
fn an_address_that_refuses_is_followed_by_the_next_one() {
    let server = Server::start().unwrap();
    let hosts = concat!(env!("CARGO_TARGET_TMPDIR"), "/hosts");
    fs::write(hosts, "::1 two-homes.test\n127.0.0.1 two-homes.test\n").unwrap();
    let run = "mount --bind \"$0\" /etc/hosts; exec \"$@\"";
    let port = server.port().to_string();
    let command = ["unshare", "--mount", "sh", "-euc", run, hosts, MCONNECT, "-p", &port, "two-homes.test"];
    let talk = Talk::of(&command, b"QUIT\n");
    talk.must_be(0, &["220", "221"]);
    let told = format!(
        "connecting to host two-homes.test (::1), port {port}\n\
         connect failed (Connection refused), next address ...\n\
         connecting to host two-homes.test (127.0.0.1), port {port}\n\
         connection open\n"
    );
    assert_eq!(talk.err, told, "{talk:?}");
}

const TOPICS: &[Topic] = &[
    ("a classic session over both families", classic),
    ("10 MB for three recipients arrive as they were piped", bulk_by_the_tool),
    ("10 MB for three recipients arrive as the library was given them", bulk_by_the_library),
    ("a refused recipient is one reply among others", refused_recipient),
    ("a piped script is in step", in_step),
    ("a script that is not in step is protested against", out_of_step),
    ("the last command needs no line end, and no QUIT", end_of_input),
    ("half a message is not delivered", end_of_input_in_a_message),
    ("chunks arrive as they were piped, where they are taken", chunks),
    ("raw mode sends what is piped", raw),
    ("a recorded session plays again, and not with one code changed", recorded),
];

fn classic(server: &RealServer) {
    for host in ["127.0.0.1", "::1"] {
        let script = format!("{EHLO}NOOP\n{}QUIT\n", delivery(&["one"], &message("classic\n")));
        let talk = server.talk(host, &[], script);
        talk.must_be(0, &["220", "250", "250", "250", "250", "354", "250", "221"]);
        server.must_store(1, message("classic\n"));
    }
}

fn bulk_by_the_tool(server: &RealServer) {
    let content = bulk();
    let before = format!("{EHLO}{}DATA\n", envelope(&["one", "two", "three"]));
    let script = [before.as_bytes(), &stuffed(&content), b".\nQUIT\n"].concat();
    let talk = server.talk("127.0.0.1", &[], script);
    talk.must_be(0, &["220", "250", "250", "250", "250", "250", "354", "250", "221"]);
    server.must_store(3, &content);
}

fn bulk_by_the_library(server: &RealServer) {
    let content = bulk();
    let timeouts = Timeouts::default().replies(PATIENCE);
    let mut session = Connect::new("::1", server.port).timeouts(timeouts).open().unwrap();
    session.read_reply().unwrap().require(220).unwrap();
    for line in EHLO.lines().chain(envelope(&["one", "two", "three"]).lines()) {
        session.command(line).unwrap().require(250).unwrap();
    }
    session.message(content.as_slice()).unwrap().require(250).unwrap();
    session.quit().unwrap().require(221).unwrap();
    server.must_store(3, &content);
}

fn refused_recipient(server: &RealServer) {
    let script = format!("{EHLO}{}QUIT\n", delivery(&["refused", "one"], &message("for one\n")));
    let talk = server.talk("127.0.0.1", &[], script);
    talk.must_be(0, &["220", "250", "250", "550", "250", "354", "250", "221"]);
    server.must_store(1, message("for one\n"));
}

fn in_step(server: &RealServer) {
    let talk = server.talk("127.0.0.1", &[], three_deliveries());
    let mut codes = vec!["220", "250"];
    codes.extend(["250", "250", "354", "250"].repeat(3));
    codes.push("221");
    talk.must_be(0, &codes);
    server.must_store(3, message("one of three\n"));
}

fn out_of_step(server: &RealServer) {
    let talk = server.talk("127.0.0.1", &["--no-wait"], three_deliveries());
    assert!(talk.out.contains(server.kind.protest) && talk.status != Some(0), "{talk:?}");
    server.must_have_stored_nothing();
}

fn end_of_input(server: &RealServer) {
    let talk = server.talk("127.0.0.1", &[], format!("{EHLO}NOOP"));
    assert_eq!(talk.status, Some(0), "{talk:?}");
    assert_eq!(talk.codes_but_for_a_farewell(), ["220", "250", "250"], "{talk:?}");
}

fn end_of_input_in_a_message(server: &RealServer) {
    let half = delivery(&["one"], &message("half a line")).replace("half a line\n.\n", "half a line");
    let talk = server.talk("127.0.0.1", &[], format!("{EHLO}{half}"));
    assert_eq!(talk.status, Some(65), "{talk:?}");
    assert_eq!(talk.codes_but_for_a_farewell(), ["220", "250", "250", "250", "354"], "{talk:?}");
    assert!(talk.err.contains("the input ended inside a message"), "{talk:?}");
    server.must_have_stored_nothing();
}

fn chunks(server: &RealServer) {
    let talk = server.talk("127.0.0.1", &[], format!("{EHLO}QUIT\n"));
    assert_eq!(talk.out.contains("CHUNKING"), server.kind.has_chunking, "{talk:?}");
    if !server.kind.has_chunking {
        return;
    }
    let content = message(&"QUIT\n.\n.. and .\n\n".repeat(5000));
    let sent = content.replace('\n', "\r\n");
    let (first, last) = sent.split_at(sent.len() / 2);
    let (begun, ended) = (first.len(), last.len());
    let to = envelope(&["one", "two"]);
    let script = format!("{EHLO}{to}BDAT {begun}\n{first}BDAT {ended} LAST\n{last}QUIT\n");
    let talk = server.talk("127.0.0.1", &[], script);
    talk.must_be(0, &["220", "250", "250", "250", "250", "250", "250", "221"]);
    server.must_store(2, &content);
}

fn recorded(server: &RealServer) {
    let [file, changed] = ["talk.txt", "changed.txt"].map(|name| server.dir.join(name).to_str().unwrap().to_owned());
    let refused = "RCPT TO:<refused@example.com>\n";
    let script =
        format!("{EHLO}{}RSET\n{}QUIT\n", envelope(&["one"]) + refused, delivery(&["one"], &message("kept\n")));
    let talk = server.talk("127.0.0.1", &["--record", &file], script);
    talk.must_be(0, &["220", "250", "250", "250", "550", "250", "250", "250", "354", "250", "221"]);
    for _ in 0..2 {
        let talk = server.talk("127.0.0.1", &["--quiet", "--play", &file], "");
        assert_eq!((talk.status, talk.out.as_str(), talk.err.as_str()), (Some(0), "", ""));
    }
    server.must_store(3, message("kept\n"));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&changed, text.replace("S: 550", "S: 551")).unwrap();
    let line = text.lines().position(|line| line == "S: 550").unwrap() + 1;
    let talk = server.talk("127.0.0.1", &["--quiet", "--play", &changed], "");
    assert_eq!(talk.status, Some(1), "{talk:?}");
    let told = format!("mconnect: {changed}:{line}: expected `S: 551`, got `550");
    assert!(talk.err.starts_with(&told), "{talk:?}");
}

fn raw(server: &RealServer) {
    quit_raw(server.port, "::1", &[], 0);
}

fn three_deliveries() -> String {
    format!("{EHLO}{}QUIT\n", delivery(&["one"], &message("one of three\n")).repeat(3))
}

/// Gives a message of 10 MB with all that can go wrong in one, but for what servers change: lone CR and LF, and NUL.
fn bulk() -> Vec<u8> {
    let octets: Vec<u8> = (1..=255).filter(|octet| !b"\r\n".contains(octet)).collect();
    let lines = [b".".as_slice(), b"", b"..", b"QUIT", &octets.repeat(100), b".QUIT", b"plain text", &octets, b". ."];
    let mut content = message("").into_bytes();
    for line in lines.iter().cycle() {
        content.extend_from_slice(line);
        content.push(b'\n');
        if content.len() > 10_000_000 {
            return content;
        }
    }
    unreachable!("a cycle has no end")
}

/// Puts a dot before each dot that begins a line.
fn stuffed(content: &[u8]) -> Vec<u8> {
    let lines = content.split_inclusive(|octet| *octet == b'\n');
    lines.flat_map(|line| [if line.starts_with(b".") { b"." } else { b"".as_slice() }, line].concat()).collect()
}
