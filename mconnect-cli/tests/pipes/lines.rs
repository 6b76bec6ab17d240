//! Lines through pipes: each in its turn, and what comes of it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener};
use std::process::Stdio;
use std::thread;

use super::{BYE, HI, OK, serve};
use crate::common::{Peer, Scrap, assert_status, complaints, err, feed, out, read_once, run, talk, tool};

#[test]
fn the_words_of_the_original_tell_how_the_connection_comes_about() {
    let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye");
    let port = server.port().to_string();
    let output = run(&["-p", &port, "localhost"], "QUIT\n");
    assert_status(&output, 0);
    assert_eq!(out(&output), "220 hi\r\n221 bye\r\n");
    // The name may have an IPv6 address, too, where nobody listens.
    let told = err(&output);
    assert!(told.starts_with("connecting to host localhost ("), "{told}");
    let end = format!("connecting to host localhost (127.0.0.1), port {port}\nconnection open\n");
    assert!(told.ends_with(&end), "{told}");
    server.join().unwrap();
}

#[test]
fn quiet_says_nothing_but_errors() {
    let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye");
    let output = talk(server.port(), &["--quiet"], "QUIT\n");
    assert_status(&output, 0);
    assert_eq!(err(&output), "");
    let output = run(&["--quiet", "-p", "1", "127.0.0.1"], "");
    assert_status(&output, 69);
    assert!(complaints(&output).starts_with("mconnect: cannot connect to 127.0.0.1, port 1: Connection refused"));
}

#[test]
fn each_line_waits_for_the_whole_reply_to_the_one_before() {
    let peer = Peer::start(|mut stream| {
        let mut reads = Vec::new();
        for words in
            [&["220-h", "i\r\n2", "20 hi\r\n"][..], &["250-a\r\n", "250-b", "\r\n250 ", "c\r\n"], &["25", "0 ok\r\n"]]
        {
            for word in words {
                // Were the next line here already, this would find it.
                stream.set_nonblocking(true).unwrap();
                assert!(stream.peek(&mut [0]).is_err());
                stream.set_nonblocking(false).unwrap();
                stream.write_all(word.as_bytes()).unwrap();
            }
            reads.push(read_once(&mut stream));
        }
        stream.write_all(BYE.as_bytes()).unwrap();
        reads
    });
    let output = talk(peer.port, &[], "EHLO x\nMAIL FROM:<>\nQUIT\n");
    assert_status(&output, 0);
    assert_eq!(peer.received_text(), ["EHLO x\\r\\n", "MAIL FROM:<>\\r\\n", "QUIT\\r\\n"]);
}

#[test]
fn without_waiting_everything_goes_at_once() {
    let script = "EHLO x\nMAIL FROM:<>\nQUIT\n";
    let peer = Peer::start(move |mut stream| {
        let mut all = vec![0; script.len() + 3];
        stream.read_exact(&mut all).unwrap();
        stream.write_all(b"220 hi\r\n250 x\r\n250 ok\r\n221 bye\r\n").unwrap();
        vec![all]
    });
    let output = talk(peer.port, &["--no-wait"], script);
    assert_status(&output, 0);
    assert_eq!(peer.received_text(), ["EHLO x\\r\\nMAIL FROM:<>\\r\\nQUIT\\r\\n"]);
}

#[test]
fn every_byte_arrives_with_one_cr_before_each_lf() {
    let peer = Peer::answers(HI, &[OK, OK, OK, OK, BYE]);
    let output = talk(peer.port, &[], b"NOOP \xff\x00\x1b\nNOOP b\r\nNOOP c\rd\r\r\n\xc3\xa4 \nQUIT");
    assert_status(&output, 0);
    assert_eq!(
        peer.received_text(),
        ["NOOP \\xff\\x00\\x1b\\r\\n", "NOOP b\\r\\n", "NOOP c\\rd\\r\\r\\n", "\\xc3\\xa4 \\r\\n", "QUIT\\r\\n"]
    );
}

#[test]
fn what_the_server_says_is_printed_as_bytes() {
    let said = b"220-\x1b[31m\x00\xff\n220-\r\r\n220 a\tb\n221 x\r\nlast words without an end";
    let peer = Peer::start(|mut stream| {
        let (greeting, last) = said.split_at(27);
        stream.write_all(greeting).unwrap();
        let read = read_once(&mut stream);
        stream.write_all(last).unwrap();
        vec![read]
    });
    let output = talk(peer.port, &[], "QUIT\n");
    assert_status(&output, 0);
    assert_eq!(output.stdout.escape_ascii().to_string(), said.escape_ascii().to_string());
}

#[test]
fn a_line_of_any_length_is_sent_whole() {
    let long = "x".repeat(3 << 20);
    let expected = long.len() + 2;
    let peer = Peer::start(move |mut stream| {
        stream.write_all(HI.as_bytes()).unwrap();
        let mut line = vec![0; expected];
        stream.read_exact(&mut line).unwrap();
        assert!(line.starts_with(b"xxx") && line.ends_with(b"xxx\r\n"));
        stream.write_all(b"500 too long\r\n").unwrap();
        vec![read_once(&mut stream)]
    });
    let output = talk(peer.port, &[], format!("{long}\n"));
    assert_status(&output, 0);
    assert_eq!(out(&output), "220 hi\r\n500 too long\r\n");
    assert_eq!(peer.received_text(), [""]);
}

#[test]
fn answers_in_auth_follow_their_challenge() {
    let server = serve(
        "S: 220 hi\nC: AUTH LOGIN\nS: 334 VXNlcjo=\nC: bGFi\nS: 334 UGFzczo=\nC: c2VjcmV0\nS: 235 ok\nC: QUIT\nS: 221 bye",
    );
    let output = talk(server.port(), &[], "AUTH LOGIN\nbGFi\nc2VjcmV0\nQUIT\n");
    assert_status(&output, 0);
    server.join().unwrap();
}

#[test]
fn without_waiting_large_replies_block_nothing() {
    let peer = Peer::start(|stream| {
        let mut lines = std::io::BufReader::with_capacity(4096, stream.try_clone().unwrap());
        let mut stream = stream;
        stream.write_all(HI.as_bytes()).unwrap();
        let (mut line, mut count) = (String::new(), 0u32);
        while std::io::BufRead::read_line(&mut lines, &mut line).unwrap() > 0 {
            let reply = format!("250 {}\r\n", "x".repeat(500));
            stream.write_all(reply.as_bytes()).unwrap();
            line.clear();
            count += 1;
        }
        vec![count.to_string().into_bytes()]
    });
    let output = talk(peer.port, &["--no-wait", "--timeout", "10"], "x\n".repeat(40_000));
    assert_status(&output, 0);
    assert_eq!(output.stdout.len(), HI.len() + 40_000 * 506);
    assert_eq!(peer.received_text(), ["40000"]);
}

#[test]
fn an_empty_line_is_sent_and_its_reply_waited_for() {
    let peer = Peer::answers(HI, &["500 what\r\n", BYE]);
    let output = talk(peer.port, &[], "\nQUIT\n");
    assert_status(&output, 0);
    assert_eq!(peer.received_text(), ["\\r\\n", "QUIT\\r\\n"]);
}

#[test]
fn the_first_failure_sets_the_status() {
    let cases: &[(&str, &str, i32)] = &[
        ("S: 554 go away\nC: QUIT\nS: 221 bye", "QUIT\n", 69),
        ("S: 450 later\nC: QUIT\nS: 221 bye", "QUIT\n", 75),
        ("S: 220 hi\nC: DATA\nS: 354 go\nC: *body*\nS: 554 spam\nC: QUIT\nS: 221 bye", "DATA\nx\n.\nQUIT\n", 69),
        ("S: 220 hi\nC: BDAT 1 LAST\nC> x\nS: 451 later\nC: QUIT\nS: 221 bye", "BDAT 1 LAST\nxQUIT\n", 75),
        ("S: 220 hi\nC: NOOP\nS: 550 no\nC: QUIT\nS: 221 bye", "NOOP\nQUIT\n", 0),
        ("S: 554 go away\nC: QUIT\nS: 421 and now\nS: *close*", "NOOP\n", 69),
        ("S: 220 hi\nC: NOOP\nS: 421 closing\nS: *close*", "NOOP\n", 75),
        ("S: 220 hi\nC: NOOP\nS: 421 closing\nS: *close*", "NOOP", 75),
        ("S: 220 hi\nC: NOOP\nS> 250 ok\\r\\n\nS: *close*", "NOOP\n", 0),
        ("S: 220 hi\nC: QUIT\nS: 250 bye then", "QUIT\n", 76),
        ("S: 220 hi\nC: QUIT\nS: 502 what?", "QUIT\n", 69),
        ("S: 220 hi\nC: NOOP\nS: 421 closing\nS: *close*", "NOOP\nQUIT\n", 75),
        ("S: 220 hi\nS: *close*", "NOOP\nQUIT\n", 76),
        ("S: 220 hi\nC: NOOP\nS> 250-half\nS: *close*", "NOOP\n", 76),
        ("S: *close*", "", 76),
    ];
    for (dialogue, script, status) in cases {
        let server = serve(dialogue);
        let output = talk(server.port(), &[], script);
        assert_eq!(output.status.code(), Some(*status), "{dialogue}\n{}{}", out(&output), err(&output));
        let _ = server.join();
    }
}

#[test]
fn what_the_server_says_comes_at_once_though_the_input_is_silent() {
    let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye");
    let mut child = tool(&["-p", &server.port().to_string(), "127.0.0.1"]).spawn().unwrap();
    let mut said = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"220 hi\r\n");
    child.stdin.take().unwrap().write_all(b"QUIT\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    server.join().unwrap();
}

#[test]
fn input_and_output_that_fail_are_told() {
    let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut child = tool(&["-p", &server.port().to_string(), "127.0.0.1"]).stdout(Stdio::from(full)).spawn().unwrap();
    feed(&mut child, b"QUIT\n".to_vec());
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 74);
    assert_eq!(complaints(&output), "mconnect: cannot write to standard output: No space left on device");
    server.join().unwrap();

    let server = serve("S: 220 hi\nC: *close*");
    let folder = File::open("/").unwrap();
    let child = tool(&["-p", &server.port().to_string(), "127.0.0.1"]).stdin(Stdio::from(folder)).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 74);
    assert_eq!(complaints(&output), "mconnect: cannot read standard input: Is a directory");
    server.join().unwrap();
}

#[test]
fn what_cannot_be_reached_or_understood_is_told_with_a_status() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&["no host name"], 68, "mconnect: cannot resolve no host name: "),
        (
            &["-p", "1", "127.0.0.1"],
            69,
            "mconnect: cannot connect to 127.0.0.1, port 1: Connection refused\nmconnect: ",
        ),
        (
            &["-6", "-p", "1", "127.0.0.1"],
            69,
            "mconnect: cannot connect to 127.0.0.1, port 1: it has no IPv6 address\nmconnect: 127.0.0.1 has no",
        ),
        (&["--source", "192.0.2.1", "127.0.0.1"], 69, "mconnect: cannot connect to 127.0.0.1, port 25: Cannot assign"),
        (&["--nonsense"], 64, "mconnect: invalid option '--nonsense'"),
        (&["-p", "no-such-service"], 64, "mconnect: \"no-such-service\" is not a port"),
        (&[""], 64, "mconnect: \"\" is not a host name"),
    ];
    for (args, status, told) in cases {
        let output = run(args, "");
        assert_eq!(output.status.code(), Some(*status), "{args:?}: {}", err(&output));
        assert!(complaints(&output).starts_with(told), "{args:?}: {}", err(&output));
    }
}

#[test]
fn help_and_version_are_results_and_a_mistyped_option_is_not() {
    for (args, text) in [("-h", "usage: mconnect [-p PORT] [-r]"), ("--help", "examples:"), ("-V", "mconnect 0.")] {
        let output = run(&[args], "");
        assert_status(&output, 0);
        assert!(out(&output).contains(text) && err(&output).is_empty());
    }
    let output = run(&["--strattls", "127.0.0.1"], "");
    assert_status(&output, 64);
    assert_eq!(
        complaints(&output),
        "mconnect: invalid option '--strattls': is --starttls meant?; mconnect --help lists the options"
    );
}

#[test]
fn help_on_smtp_needs_no_connection() {
    let output = run(&["--help-smtp", "rcpt"], "");
    assert_status(&output, 0);
    assert!(out(&output).starts_with("RCPT TO:<"), "{}", out(&output));
    assert_eq!(out(&run(&["--help-smtp", "421"], "")).split('\t').next(), Some("421"));
    let output = run(&["--help-smtp", "nonsense"], "");
    assert_status(&output, 66);
    assert_eq!(complaints(&output), "mconnect: no help on \"nonsense\"");

    let file = Scrap::new("help", "#vers\t2\nsmtp\tof this site\nrcpt\tASK ME FIRST\n");
    let output = run(&["--helpfile", file.path(), "--help-smtp", "RCPT"], "");
    assert_eq!(out(&output), "ASK ME FIRST\n");
}

#[test]
fn ipv6_literals_come_with_or_without_brackets() {
    for host in ["::1", "[::1]"] {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(HI.as_bytes()).unwrap();
            read_once(&mut stream)
        });
        let output = run(&["-p", &port.to_string(), host], "");
        assert_status(&output, 0);
        assert_eq!(err(&output), format!("connecting to host ::1 (::1), port {port}\nconnection open\n"));
        server.join().unwrap();
    }
}

#[test]
fn the_demo_needs_no_mail_server() {
    let script = "EHLO x\nMAIL FROM:<a@x>\nRCPT TO:<refused@x>\nRCPT TO:<b@x>\nDATA\nhi\n.\nHELP\nQUIT\n";
    let output = run(&["--demo"], script);
    assert_status(&output, 0);
    let codes: Vec<String> =
        out(&output).lines().filter(|line| line.get(3..4) == Some(" ")).map(|line| line[..3].to_owned()).collect();
    assert_eq!(codes, ["220", "250", "250", "550", "250", "354", "250", "214", "221"]);
}
