//! The tool with pipes and files on its standard streams.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{PATIENCE, Peer, Scrap, assert_status, complaints, err, feed, out, read_once, run, talk, tool};
use mconnect_core::server::Server;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};

const HI: &str = "220 hi\r\n";
const OK: &str = "250 ok\r\n";
const BYE: &str = "221 bye\r\n";

fn serve(dialogue: &str) -> Server {
    Server::play(dialogue).unwrap()
}

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
fn the_end_of_the_input_half_closes_after_everything_was_sent_and_all_that_follows_is_shown() {
    let server = serve("S: 220 hi\nC: EHLO x\nS: 250 x\nC: NOOP\nC: *close*\nS: 250 ok\nS: 421 goodbye\nS: *close*");
    let output = talk(server.port(), &["--no-wait"], "EHLO x\nNOOP");
    assert_eq!(out(&output), "220 hi\r\n250 x\r\n250 ok\r\n421 goodbye\r\n");
    assert_status(&output, 0);
    server.join().unwrap();
    let server = serve("S: 220 hi\nC: *close*\nS: 421 goodbye\nS: *close*");
    let output = talk(server.port(), &[], "");
    assert_status(&output, 0);
    assert_eq!(out(&output), "220 hi\r\n421 goodbye\r\n");
    server.join().unwrap();
}

#[test]
fn quit_ends_it_even_if_the_server_never_closes() {
    let (done, told) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(HI.as_bytes()).unwrap();
        let read = read_once(&mut stream);
        stream.write_all(BYE.as_bytes()).unwrap();
        let _ = told.recv();
        vec![read]
    });
    let mut child = tool(&["-p", &peer.port.to_string(), "127.0.0.1"]).spawn().unwrap();
    // The input stays open all the while.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"quit\n").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(done);
    assert_status(&output, 0);
    assert_eq!(peer.received_text(), ["quit\\r\\n"]);
}

#[test]
fn whoever_keeps_the_input_open_is_not_kept_waiting_after_quit() {
    let least = (0..10).map(|_| {
        let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye");
        let mut child = tool(&["-p", &server.port().to_string(), "127.0.0.1"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let start = Instant::now();
        stdin.write_all(b"QUIT\n").unwrap();
        assert_status(&child.wait_with_output().unwrap(), 0);
        start.elapsed()
    });
    // It was a tenth of a second, every time.
    assert!(least.min().unwrap() < Duration::from_millis(100));
}

#[test]
fn after_quit_nothing_is_sent_and_what_was_not_is_told() {
    let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye\nC: *close*");
    let output = talk(server.port(), &[], "QUIT\n\n \nNOOP\nNOOP");
    assert_status(&output, 0);
    assert_eq!(complaints(&output), "mconnect: not sent: 2 lines of the input (9 octets): QUIT had ended the session");
    server.join().unwrap();
    let output = talk(serve("S: 220 hi\nC: QUIT\nS: 221 bye").port(), &[], "QUIT\n\n\n");
    assert_eq!(complaints(&output), "");
}

#[test]
fn quit_and_dots_in_a_body_are_text_until_the_lone_dot() {
    let server = Server::start().unwrap();
    let script = "EHLO x\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\nquit\n..two\n . \n.\nQUIT\n";
    let output = talk(server.port(), &[], script);
    assert_status(&output, 0);
    assert_eq!(server.messages()[0].content, b"quit\r\n.two\r\n . \r\n");
}

#[test]
fn a_large_body_streams_and_arrives_whole_from_lf_or_crlf() {
    let server = Server::start().unwrap();
    for line_end in ["\n", "\r\n"] {
        let body: String = (0..400_000).map(|number| format!("line {number} of a long message{line_end}")).collect();
        let script = format!("EHLO x{line_end}MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n{body}.{line_end}QUIT");
        let output = talk(server.port(), &[], script);
        assert_status(&output, 0);
        let message = server.wait_for_message(PATIENCE).unwrap();
        assert!(message.content == body.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes());
    }
}

#[test]
fn what_is_read_ahead_is_sent_as_the_phase_of_its_turn_asks() {
    let server = Server::start().unwrap();
    let (mut script, mut contents) = (b"EHLO x\n".to_vec(), Vec::new());
    // Bodies and chunks that end anywhere in what is read at once, and commands between them.
    for size in [200_000, 1_000_003, 70_001] {
        let body: String = (0..size / 20).map(|number| format!("..{number:09} line\r\nx\n")).collect();
        let octets = format!("{body}no line end").into_bytes();
        script.extend_from_slice(b"MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n");
        script.extend_from_slice(body.as_bytes());
        script.extend_from_slice(b".\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\n");
        script.extend_from_slice(format!("BDAT {} LAST\n", octets.len()).as_bytes());
        script.extend_from_slice(&octets);
        script.extend_from_slice("NOOP\n".repeat(20).as_bytes());
        contents.push(body.replace("..", ".").replace("x\n", "x\r\n").into_bytes());
        contents.push(octets);
    }
    script.extend_from_slice(b"QUIT\n");
    // A file is read ahead, a pipe is not.
    let file = File::open(Scrap::new("read-ahead", &script).path()).unwrap();
    let child = tool(&["-p", &server.port().to_string(), "127.0.0.1"]).stdin(file).spawn().unwrap();
    assert_status(&child.wait_with_output().unwrap(), 0);
    let received: Vec<Vec<u8>> = server.messages().into_iter().map(|message| message.content).collect();
    assert!(received == contents);
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
fn chunks_pass_octet_by_octet_and_line_mode_resumes_after_them() {
    let server = Server::start().unwrap();
    let script = b"EHLO x\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\nBDAT 9\nQUIT\n.\n\r\xffBDAT 3 LAST\nabcNOOP\nQUIT\n";
    let output = talk(server.port(), &[], script);
    assert_status(&output, 0);
    assert_eq!(server.messages()[0].content, b"QUIT\n.\n\r\xffabc");
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
fn a_refused_data_has_no_body_and_the_script_goes_on() {
    for (reply, status, why) in [
        ("503 no recipients", 69, "MAIL has to be granted before DATA"),
        ("451 later", 75, "451: the server failed while processing; try again later"),
    ] {
        let server = serve(&format!("S: 220 hi\nC: DATA\nS: {reply}\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye"));
        let output = talk(server.port(), &[], "DATA\nhello\nQUIT\n.\nNOOP\nQUIT\n");
        assert_status(&output, status);
        assert_eq!(
            complaints(&output),
            format!(
                "mconnect: DATA was refused: 13 octets of input, up to the lone dot, were not sent\nmconnect: {why}"
            )
        );
        server.join().unwrap();
    }
}

#[test]
fn a_refused_data_has_no_body_even_if_the_server_says_more() {
    let server = serve("S: 220 hi\nC: DATA\nS> 554 no\\r\\n554 really\\r\\n\nC: *close*");
    let output = talk(server.port(), &[], "DATA\nRSET\n.\nQUIT\n");
    assert_status(&output, 69);
    assert!(complaints(&output).contains("nobody asked for a reply that came"), "{}", err(&output));
    server.join().unwrap();
    // A body without a last line end leaves nothing behind.
    let server = serve("S: 220 hi\nC: DATA\nS: 554 no\nC: *close*\nS: *close*");
    assert_status(&talk(server.port(), &[], "DATA\nno line end"), 69);
    server.join().unwrap();
}

#[test]
fn endless_input_after_the_end_of_the_session_is_not_read_for_ever() {
    let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye");
    let port = server.port().to_string();
    let mut script = Command::new("sh").args(["-c", "echo QUIT; exec yes ''"]).stdout(Stdio::piped()).spawn().unwrap();
    let child = tool(&["-p", &port, "127.0.0.1"]).stdin(Stdio::from(script.stdout.take().unwrap())).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 0);
    script.kill().unwrap();
    script.wait().unwrap();
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
fn a_refused_data_without_a_lone_dot_after_it_takes_the_rest_of_the_input() {
    let server = serve("S: 220 hi\nC: DATA\nS: 503 no recipients\nC: *close*\nS: *close*");
    let output = talk(server.port(), &[], "DATA\nQUIT\n");
    assert_status(&output, 69);
    let told = "mconnect: DATA was refused: 5 octets of input, which has no lone dot, were not sent\n\
         mconnect: MAIL has to be granted before DATA";
    assert_eq!(complaints(&output), told);
    server.join().unwrap();
}

#[test]
fn a_server_that_stays_silent_after_the_end_of_the_input_is_told() {
    let (done, told) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(HI.as_bytes()).unwrap();
        let _ = told.recv();
        Vec::new()
    });
    let port = peer.port;
    let output = talk(port, &["--timeout", "0.2"], "");
    drop(done);
    assert_status(&output, 75);
    let told =
        format!("mconnect: 127.0.0.1:{port} said nothing for 0.2 s after the end of the input, and did not close");
    assert!(complaints(&output).starts_with(&told), "{}", err(&output));
    peer.received();
}

#[test]
fn an_end_inside_a_message_adds_no_dot() {
    let server = serve("S: 220 hi\nC: DATA\nS: 354 go\nC: half a\nC: message\nC: *close*\nS: *close*");
    let output = talk(server.port(), &[], "DATA\nhalf a\nmessage");
    assert_status(&output, 65);
    assert_eq!(
        complaints(&output),
        "mconnect: the input ended inside a message: without a lone dot it is not delivered"
    );
    server.join().unwrap();
    let server = serve("S: 220 hi\nC: BDAT 9 LAST\nC> half\nC: *close*\nS: *close*");
    let output = talk(server.port(), &[], "BDAT 9 LAST\nhalf");
    assert_status(&output, 65);
    assert_eq!(complaints(&output), "mconnect: the input ended inside a chunk: 5 octets of it are missing");
    server.join().unwrap();
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
fn a_server_that_closes_early_is_told_with_what_was_not_sent() {
    let server = serve("S: 220 hi\nC: NOOP\nS: 421 closing\nS: *close*");
    let port = server.port();
    let output = talk(port, &[], "NOOP\nMAIL FROM:<>\nQUIT\n");
    assert_status(&output, 75);
    assert_eq!(out(&output), "220 hi\r\n421 closing\r\n");
    let told = format!(
        "mconnect: 127.0.0.1:{port} closed the connection\nmconnect: not sent: 2 lines of the input (18 octets): the server was closing\n\
         mconnect: 421: the server cannot go on now, and closes the connection; try again later"
    );
    assert_eq!(complaints(&output), told);
}

#[test]
fn a_reset_loses_nothing_of_what_was_said_before() {
    let server = serve("S: 220 hi\nC: NOOP\nS: 250-last\nS> words\nS: *pause 50 ms*\nS: *reset*");
    let port = server.port();
    let output = talk(port, &[], "NOOP\nQUIT\n");
    assert_status(&output, 76);
    assert_eq!(out(&output), "220 hi\r\n250-last\r\nwords");
    let told = format!("mconnect: no reply to NOOP from 127.0.0.1:{port} (command phase): Connection reset by peer");
    assert!(complaints(&output).starts_with(&told), "{}", err(&output));
}

#[test]
fn a_reply_that_does_not_come_in_time_is_told_and_what_was_said_is_shown() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        let read = read_once(&mut stream);
        stream.write_all(b"250-unfini").unwrap();
        vec![read, read_once(&mut stream)]
    });
    let port = peer.port;
    let output = talk(port, &["--timeout", "0.3"], "NOOP\nQUIT\n");
    assert_status(&output, 75);
    assert_eq!(out(&output), "220 hi\r\n250-unfini");
    let told = format!("mconnect: no reply to NOOP from 127.0.0.1:{port} (command phase): timed out after 0.3 s");
    assert!(complaints(&output).starts_with(&told), "{}", err(&output));
    peer.received();
}

#[test]
fn a_server_that_never_reads_is_given_up() {
    let (done, told) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        stream.write_all(b"354 go\r\n").unwrap();
        // What the tool sends stays unread until it has gone.
        let _ = told.recv();
        Vec::new()
    });
    let script = [b"DATA\n".to_vec(), b"x".repeat(64 << 20)].concat();
    let output = talk(peer.port, &["--timeout", "0.5"], script);
    drop(done);
    assert_status(&output, 75);
    assert!(complaints(&output).contains("cannot write to 127.0.0.1:"), "{}", err(&output));
    peer.received();
}

#[test]
fn a_421_while_a_body_streams_stops_it() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        stream.write_all(b"354 go\r\n").unwrap();
        let mut some = vec![0; 1 << 20];
        stream.read_exact(&mut some).unwrap();
        stream.write_all(b"421 enough\r\n").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        vec![rest]
    });
    let script = [b"DATA\n".to_vec(), b"x".repeat(256 << 20), b"\n.\nQUIT\n".to_vec()].concat();
    let output = talk(peer.port, &[], script);
    assert_status(&output, 75);
    assert_eq!(out(&output), "220 hi\r\n354 go\r\n421 enough\r\n");
    assert!(complaints(&output).contains("mconnect: not sent: "), "{}", err(&output));
    let received = peer.received();
    assert!(received[0].len() < 250 << 20 && !received[0].ends_with(b"\r\n.\r\n"));
}

#[test]
fn the_tool_ends_when_the_server_closes_though_its_input_is_still_open() {
    let server = serve("S: 220 hi\nS: 421 idle\nS: *close*");
    let mut child = tool(&["-p", &server.port().to_string(), "127.0.0.1"]).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 75);
    assert_eq!(out(&output), "220 hi\r\n421 idle\r\n");
    drop(stdin);
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
fn a_reader_that_goes_away_ends_it_where_nothing_remains_to_be_sent() {
    let peer = Peer::start(|mut stream| {
        let mut sent = Vec::new();
        stream.write_all(HI.as_bytes()).unwrap();
        stream.read_to_end(&mut sent).unwrap();
        while stream.write_all(b"250 still here\r\n").is_ok() {}
        vec![sent]
    });
    let mut child = tool(&["-p", &peer.port.to_string(), "127.0.0.1"]).spawn().unwrap();
    drop((child.stdin.take(), child.stdout.take()));
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGPIPE as i32));
    peer.received();
}

#[test]
fn the_deadline_of_replies_bounds_connecting_unless_that_has_its_own() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // Its queue is full then, and the system lets the next ones wait.
    let _queued: Vec<TcpStream> =
        (0..8).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()).collect();
    for options in [&["--timeout", "0.3"][..], &["--timeout", "60", "--connect-timeout", "0.3"]] {
        let start = Instant::now();
        let output = talk(address.port(), options, "");
        assert_status(&output, 69);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(complaints(&output).contains(": timed out"), "{}", err(&output));
    }
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
fn raw_mode_passes_every_byte_both_ways_and_half_closes() {
    let every: Vec<u8> = (0..=255u8).chain([b'\n', b'\r', b'\n', b'.']).collect();
    let count = every.len();
    let peer = Peer::start(move |mut stream| {
        let mut sent = vec![0; count];
        stream.read_exact(&mut sent).unwrap();
        stream.write_all(&sent).unwrap();
        assert_eq!(read_once(&mut stream), b"");
        stream.write_all(b"\0after the end").unwrap();
        vec![sent]
    });
    let output = talk(peer.port, &["-r"], &every);
    assert_status(&output, 0);
    assert!(output.stdout == [every.as_slice(), b"\0after the end"].concat());
    assert_eq!(peer.received(), [every]);
}

#[test]
fn raw_mode_tells_what_the_server_did_not_take() {
    let peer = Peer::start(|mut stream| {
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream.write_all(b"552 enough\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // Nothing more is read until the tool has gone.
        Vec::new()
    });
    let port = peer.port;
    let output = talk(port, &["-r"], vec![b'x'; 64 << 20]);
    assert_status(&output, 76);
    assert_eq!(out(&output), "552 enough\r\n");
    peer.received();
}

#[test]
fn a_reset_in_raw_mode_is_told_after_everything_that_came_before_it() {
    let server = serve("S> 220 hi\nS: *pause 50 ms*\nS: *reset*");
    let port = server.port();
    let mut child = tool(&["-r", "-p", &port.to_string(), "127.0.0.1"]).spawn().unwrap();
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_status(&output, 76);
    assert_eq!(out(&output), "220 hi");
    let told = format!("mconnect: cannot read from 127.0.0.1:{port} (raw phase): Connection reset by peer");
    assert_eq!(complaints(&output), told);
}

#[test]
fn raw_mode_does_not_deadlock_when_both_directions_are_full() {
    let peer = Peer::start(|stream| {
        let (mut reader, mut writer) = (stream.try_clone().unwrap(), stream);
        std::io::copy(&mut reader, &mut writer).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
        Vec::new()
    });
    let input: Vec<u8> = (0..48u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let output = talk(peer.port, &["-r"], &input);
    assert_status(&output, 0);
    assert!(output.stdout == input);
    peer.received();
}

#[test]
fn signals_end_it_at_once_and_as_signals() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let peer = Peer::start(|mut stream| {
            stream.write_all(HI.as_bytes()).unwrap();
            vec![read_once(&mut stream)]
        });
        // Whoever runs the tests may have had signals ignored.
        let mut command = Command::new("env");
        command.args(["--default-signal", crate::common::MCONNECT, "-p", &peer.port.to_string(), "127.0.0.1"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = [0; 8];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        let start = Instant::now();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal as i32));
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(peer.received_text(), [""]);
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
