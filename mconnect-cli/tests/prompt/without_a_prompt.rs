//! Lines typed where there is no prompt, at a terminal that can do nothing.

use std::fs;
use std::io::Write;
use std::sync::mpsc::channel;

use super::stays::{refuse, say_goodbye, sessions};
use crate::common::folder::Folder;
use crate::common::keys::{CTRL_C, CTRL_D};
use crate::common::told::Told;
use crate::common::{MCONNECT, Peer, Pty, read_once};

#[cfg(feature = "tls")]
use mconnect_core::server::Identity;
use mconnect_core::server::{Server, Setup};
use nix::sys::termios::LocalFlags;

#[test]
fn a_typed_session_goes_line_by_line_and_quit_ends_it() {
    let server = Server::start().unwrap();
    let mut pty = Pty::mconnect(server.port(), &[]);
    pty.expect("connection open");
    pty.expect("220 loopback");
    for (line, reply) in [
        ("EHLO client.example", "250 HELP"),
        ("MAIL FROM:<a@example.org>", "250 2.1.0"),
        ("RCPT TO:<b@example.org>", "250 2.1.5"),
        ("DATA", "354"),
        ("Subject: typed\r\rquit\r.", "250 2.0.0 message"),
    ] {
        pty.send(format!("{line}\r"));
        pty.expect(reply);
    }
    pty.send("QUIT\r");
    pty.expect("221");
    assert_eq!(pty.wait(), 0);
    assert_eq!(server.messages()[0].content, b"Subject: typed\r\n\r\nquit\r\n");
}

#[test]
fn another_protocol_is_named_at_its_first_line() {
    let (speak, told) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(b"SSH-2.0-OpenSSH_10.2\r\n").unwrap();
        told.recv().unwrap();
        Vec::new()
    });
    let mut pty = Pty::mconnect(peer.port, &[]);
    pty.expect("SSH-2.0-OpenSSH_10.2");
    pty.expect("mconnect: the server speaks SSH, not SMTP");
    speak.send(()).unwrap();
    pty.expect("closed> ");
    pty.send("QUIT\r");
    pty.wait();
    peer.received();
}

#[test]
fn the_server_is_heard_while_a_line_is_half_typed() {
    let (speak, told) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        told.recv().unwrap();
        stream.write_all(b"250 unasked\r\n").unwrap();
        let read = read_once(&mut stream);
        stream.write_all(b"421 closing\r\n").unwrap();
        vec![read]
    });
    let mut pty = Pty::mconnect(peer.port, &[]);
    pty.expect("220 hi");
    pty.send("NO");
    pty.expect("NO");
    speak.send(()).unwrap();
    pty.expect("250 unasked");
    pty.expect("nobody asked for a reply that came");
    pty.send("NOOP\r");
    pty.expect("421 closing");
    pty.expect("closed> ");
    pty.send("QUIT\r");
    assert_eq!(pty.wait(), 76);
    assert_eq!(peer.received_text(), ["NOOP\\r\\n"]);
}

#[test]
fn what_is_half_typed_when_the_server_closes_does_not_reach_the_shell() {
    let (speak, told) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        told.recv().unwrap();
        stream.write_all(b"421 idle\r\n").unwrap();
        Vec::new()
    });
    let mut pty = Pty::start("bash", &["--norc", "--noprofile", "--noediting", "-i"]);
    pty.send(format!("PS1='ready> '\r{MCONNECT} -p {} 127.0.0.1; echo status $?\r", peer.port));
    pty.expect("220 hi");
    pty.send("half typed");
    pty.expect("half typed");
    speak.send(()).unwrap();
    pty.expect("closed> ");
    pty.send(" and on\r");
    pty.expect("mconnect: the connection is closed: ~o opens the session again, QUIT leaves");
    pty.expect("closed> ");
    pty.send("~q\r");
    pty.expect("mconnect: ~q is no escape");
    pty.expect("closed> ");
    pty.send("quit\r");
    pty.expect("status 75");
    pty.expect("ready> ");
    pty.send("echo and on\r");
    pty.expect("\r\nand on\r\n");
    pty.send("exit\r");
    pty.wait();
    peer.received();
}

#[test]
fn what_is_typed_behind_quit_does_not_reach_the_shell() {
    let told = Told::start();
    let mut pty = Pty::start("bash", &["--norc", "--noprofile", "--noediting", "-i"]);
    pty.send(format!("PS1='ready> '\r{MCONNECT} -p {} 127.0.0.1; echo status $?\r", told.peer.port));
    told.say("220 hi\r\n");
    pty.expect("220 hi");
    pty.send("QUIT\recho out''side\r");
    told.expect("QUIT\r\n");
    pty.expect("echo out''side");
    told.say("221 bye\r\n");
    pty.expect("221 bye");
    told.received();
    pty.expect("status 0");
    pty.send("exit\r");
    pty.wait();
    assert!(!pty.screen().contains("outside"), "{}", pty.screen());
}

#[test]
fn typed_lines_count_with_their_crlf_in_a_chunk() {
    let server = Server::play("S: 220 hi\nC: BDAT 4 LAST\nC> ab\\r\\n\nS: 250 ok\nC: QUIT\nS: 221 bye").unwrap();
    let mut pty = Pty::mconnect(server.port(), &[]);
    pty.expect("220 hi");
    pty.send("BDAT 4 LAST\rab\r");
    pty.expect("250 ok");
    pty.send("QUIT\r");
    assert_eq!(pty.wait(), 0, "{}", pty.screen());
    server.join().unwrap();
}

#[test]
fn data_that_is_refused_is_no_unfinished_message() {
    let server = Server::play("S: 220 hi\nC: DATA\nS: 503 no recipients\nC: *close*\nS: *close*").unwrap();
    let mut pty = Pty::mconnect(server.port(), &[]);
    pty.expect("220 hi");
    pty.send("DATA\r");
    pty.expect("503");
    pty.send(CTRL_D);
    assert_eq!(pty.wait(), 0, "{}", pty.screen());
    server.join().unwrap();
}

#[test]
fn what_could_steer_the_terminal_is_made_visible() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 \x1b[2J\x07 \xc2\x9b \x9b \xe2\x80\xae \xc3\xa4\tb\r\n221 a\rb\r\n").unwrap();
        vec![read_once(&mut stream)]
    });
    let mut pty = Pty::mconnect(peer.port, &[]);
    pty.expect("220 \\x1b[2J\\x07 \\u{9b} \\x9b \\u{202e} ä\tb\r\n221 a\\rb\r\n");
    pty.send(CTRL_D);
    pty.wait();
    assert!(!pty.screen().contains('\x1b'));
}

#[test]
fn a_line_that_the_terminal_cuts_is_told() {
    let told = Told::start();
    told.say("220 hi\r\n");
    let mut pty = Pty::mconnect(told.peer.port, &[]);
    pty.expect("220 hi");
    pty.send([b"x".repeat(5000).as_slice(), b"\r"].concat());
    pty.expect("this terminal cuts a line at 4095 octets");
    told.expect(&format!("{}\r\n", "x".repeat(4095)));
    pty.send(CTRL_C);
    pty.wait();
    told.received();
}

#[test]
fn an_answer_to_a_334_is_typed_unseen_and_the_rest_is_not() {
    let transcript = "S: 220 hi\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: dXNlcg==\nS: 334 UGFzc3dvcmQ6\nC: cGVuY2ls\n\
                      S: 535 no\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: never";
    let server = Server::play(transcript).unwrap();
    let mut pty = Pty::mconnect(server.port(), &[]);
    pty.expect("220 hi");
    pty.send("AUTH LOGIN\n");
    pty.expect("334 VXNlcm5hbWU6");
    pty.send("dXNlcg==\n");
    pty.expect("334 UGFzc3dvcmQ6");
    pty.send("cGVuY2ls\n");
    pty.expect("535 no");
    assert_eq!(pty.settings(), pty.before);
    pty.send("AUTH LOGIN\n");
    pty.expect("AUTH LOGIN\r\n");
    pty.expect("334 ");
    pty.send(format!("never sen{CTRL_C}"));
    assert_eq!(pty.wait(), -2);
    assert_eq!(pty.settings(), pty.before);
    let screen = pty.screen();
    assert!(["dXNlcg", "cGVuY2ls", "never"].iter().all(|answer| !screen.contains(answer)), "{screen}");
    drop(server.join());
}

#[test]
fn without_a_prompt_the_tool_stays_too_and_opens_the_session_again() {
    let (port, thread) = sessions(vec![refuse, say_goodbye]);
    let mut pty = Pty::mconnect(port, &[]);
    pty.expect("a line that begins with a tilde is an escape: ~? lists them");
    pty.expect("closed> ");
    pty.send("rm -rf x\r");
    pty.expect("mconnect: the connection is closed: ~o opens the session again, QUIT leaves");
    pty.expect("closed> ");
    pty.send("~s\r");
    pty.expect("received  10 octets");
    pty.expect("ended     the server closed after 421");
    pty.expect("closed> ");
    pty.send("~e\r");
    pty.expect("nothing is advertised: EHLO asks for it");
    pty.expect("closed> ");
    pty.send("~o\r");
    pty.expect("220 again");
    pty.send("~s\r");
    pty.expect("received  11 octets");
    pty.expect("before    the server closed after 421");
    pty.send("QUIT\r");
    assert_eq!(pty.wait(), 75, "the first that happened counts");
    thread.join().unwrap();
}

#[test]
fn without_a_prompt_an_answer_that_was_being_typed_is_dropped_unseen() {
    let told = Told::start();
    let mut pty = Pty::mconnect(told.peer.port, &["--quiet"]);
    told.say("220 hi\r\n");
    pty.expect("220 hi");
    pty.send("AUTH LOGIN\r");
    told.expect("AUTH LOGIN\r\n");
    told.say("334 UGFzc3dvcmQ6\r\n");
    pty.expect("334 ");
    pty.send("cGFz");
    told.say("421 too late\r\n");
    told.received();
    pty.expect("closed> ");
    pty.send("c2VjcmV0\r");
    pty.expect("closed> ");
    pty.send("~.\r");
    assert_eq!(pty.wait(), 75);
    assert_eq!(pty.settings(), pty.before);
    assert!(!pty.screen().contains("c2VjcmV0") && !pty.screen().contains("cGFz"), "{}", pty.screen());
}

#[test]
fn without_a_prompt_the_escapes_work() {
    let folder = Folder::new();
    let file = folder.write("mail.eml", "Subject: x\n\n.dot\n");
    let script = folder.write("script", "noop\nHELP");
    let server = Server::start().unwrap();
    let mut pty = Pty::mconnect(server.port(), &["--quiet"]);
    pty.expect("220 ");
    for (line, shown) in [
        ("~?", "~.          close at once"),
        ("~h RCPT", "RCPT TO:<recipient>"),
        ("~e", "nothing is advertised: EHLO asks for it"),
        ("EHLO x", "250 HELP"),
        ("~e", "HELP"),
        ("~s", "phase     command"),
        ("~q", "mconnect: ~q is no escape: ~? lists them, ~~ sends a tilde"),
        ("~~x", "500 "),
        ("~x NOOP\\r\\n", "250 "),
        (&format!("~r {file}"), "does not begin with an SMTP command: send its lines as commands? [y/N] "),
        ("n", "mconnect: nothing was sent"),
        (&format!("~r {script}"), "250 "),
        ("~s", "phase     command"),
        ("MAIL FROM:<a@b.example>", "250 2.1.0"),
        ("RCPT TO:<c@d.example>", "250 2.1.5"),
        ("DATA", "354 "),
        ("~z is text", "z is text"),
        (&format!("~r {file}"), "250 2.0.0"),
    ] {
        pty.send(format!("{line}\r"));
        pty.expect(&line[..1]);
        pty.expect(shown);
    }
    pty.send("~.\r");
    assert_eq!(pty.wait(), 0);
    assert_eq!(server.messages()[0].content, b"~z is text\r\nSubject: x\r\n\r\n.dot\r\n");
}

#[cfg(feature = "tls")]
#[test]
fn without_a_prompt_escapes_authenticate_encode_send_a_chunk_and_write_the_session_down() {
    let folder = Folder::new();
    let (file, record) = (folder.write("mail.eml", "Subject: x\r\n"), folder.file("record"));
    let server = Setup::new().auth([("tim", "pencil")]).start().unwrap();
    let mut pty = Pty::mconnect(server.port(), &["--quiet"]);
    pty.expect("220 ");
    for (line, shown) in [
        ("~a PLAIN tim now", "mconnect: ~a takes a mechanism and a user; the password is asked for"),
        ("EHLO x", "SCRAM-SHA-256"),
        ("~64 \\0tim\\0x", "AHRpbQB4"),
        ("~a CRAM-MD5", "user: "),
        ("tim", "password of tim: "),
        ("crayon", "mconnect: authentication as tim by CRAM-MD5 was refused"),
        ("~a PLAIN tim", "password of tim: "),
        ("*", "mconnect: nothing was sent"),
        ("~a tim", "password of tim: "),
        ("pencil", "235 "),
        (&format!("~w {record}"), "from its beginning: ~w stops that"),
        ("MAIL FROM:<a@b.example>", "250 2.1.0"),
        ("RCPT TO:<c@d.example>", "250 2.1.5"),
        (&format!("~b {file}"), "250 2.0.0"),
        ("~w", "written: "),
    ] {
        pty.send(format!("{line}\r"));
        pty.expect(shown);
    }
    pty.send("QUIT\r");
    assert_eq!(pty.wait(), 0, "{}", pty.screen());
    assert_eq!(pty.settings(), pty.before);
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains("\nC: *authenticate SCRAM-SHA-256 ${user1} ${password1}*\n"), "{text}");
    assert!(text.contains("BDAT 12 LAST") && !text.contains("QUIT"), "{text}");
    for secret in ["pencil", "crayon"] {
        assert!(!pty.screen().contains(secret) && !text.contains(secret), "{}{text}", pty.screen());
    }
    assert_eq!(server.messages()[0].content, b"Subject: x\r\n");
}

#[cfg(feature = "tls")]
#[test]
fn without_a_prompt_a_password_goes_to_a_server_that_is_not_proven_only_once_confirmed() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let server = Setup::new().tls(&identity).auth([("user", "pencil")]).start().unwrap();
    let mut pty = Pty::mconnect(server.port(), &["--quiet"]);
    pty.expect("220 ");
    pty.send("STARTTLS\r");
    pty.expect("self-signed");
    for answer in ["", "n", "*", "what?"] {
        pty.send("~a PLAIN user\r");
        pty.expect("mconnect: the server is not proven: the certificate is self-signed");
        pty.expect("authenticate all the same? [y/N] ");
        pty.send(format!("{answer}\r"));
        pty.expect("mconnect: nothing was sent");
    }
    for (answer, secret, said) in [("y", "*", "nothing was sent"), ("Yes", "pencil", "235 2.7.0 welcome")] {
        pty.send("~a PLAIN user\r");
        pty.expect("authenticate all the same? [y/N] ");
        pty.send(format!("{answer}\r"));
        pty.expect("password of user: ");
        pty.send(format!("{secret}\r"));
        pty.expect(said);
    }
    pty.send("QUIT\r");
    assert_eq!(pty.wait(), 0);
    assert!(!pty.screen().contains("pencil"), "{}", pty.screen());
}

#[test]
fn without_a_prompt_what_leaves_has_the_status_of_the_first_failure() {
    for keys in ["QUIT\r", "~.\r", "half a line\x03", CTRL_C, CTRL_D] {
        let (port, thread) = sessions(vec![refuse]);
        let mut pty = Pty::mconnect(port, &["--quiet"]);
        pty.expect("closed> ");
        pty.send(keys);
        assert_eq!(pty.wait(), 75, "{keys:?}");
        assert_eq!(pty.settings(), pty.before);
        thread.join().unwrap();
    }
}

#[test]
fn without_a_prompt_a_late_reply_is_told_beside_open_input_and_a_deadline_holds() {
    let told = Told::start();
    let mut pty = Pty::mconnect(told.peer.port, &["--quiet", "--timeout", "5"]);
    told.say("220 hi\r\n");
    pty.expect("220 hi");
    pty.send("RSET\r");
    told.expect("RSET\r\n");
    pty.expect("waiting for the reply to RSET, 2 s");
    // What is typed meanwhile goes out.
    pty.send("NOOP\r");
    told.expect("RSET\r\nNOOP\r\n");
    pty.expect("waiting for the reply to RSET, 4 s");
    pty.expect("timed out after 5 s");
    pty.expect("closed> ");
    pty.send("QUIT\r");
    assert_eq!(pty.wait(), 75);
    told.received();
}

#[test]
fn what_is_typed_ahead_of_tls_is_unseen_and_goes_with_it() {
    for reply in ["454 no", "250 what?", "334 no"] {
        let told = Told::start();
        let mut pty = Pty::mconnect(told.peer.port, &[]);
        told.say("220 hi\r\n");
        pty.expect("220 hi");
        pty.send("STARTTLS\n");
        told.expect("STARTTLS\r\n");
        pty.expect_settings(|settings| !settings.local_flags.contains(LocalFlags::ECHO));
        pty.send("AUTH PLAIN c2VjcmV0\n");
        told.say(&format!("{reply}\r\n"));
        pty.expect("what was typed ahead was dropped");
        pty.send(CTRL_C);
        assert_eq!(pty.wait(), -2);
        assert_eq!(pty.settings(), pty.before);
        assert!(!pty.screen().contains("c2VjcmV0"), "{}", pty.screen());
        assert_eq!(told.received(), "STARTTLS\r\n", "{reply}");
    }
}
