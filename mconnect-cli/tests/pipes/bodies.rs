//! Messages and chunks through pipes: what is in them is no command, and what is refused is not sent.

use std::fs::File;
use std::io::{Read, Write};

use super::serve;
use crate::common::{PATIENCE, Peer, Scrap, assert_status, complaints, err, out, talk, tool};
use mconnect_core::server::Server;

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
fn chunks_pass_octet_by_octet_and_line_mode_resumes_after_them() {
    let server = Server::start().unwrap();
    let script = b"EHLO x\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\nBDAT 9\nQUIT\n.\n\r\xffBDAT 3 LAST\nabcNOOP\nQUIT\n";
    let output = talk(server.port(), &[], script);
    assert_status(&output, 0);
    assert_eq!(server.messages()[0].content, b"QUIT\n.\n\r\xffabc");
}

#[test]
fn a_refused_data_has_no_body_and_the_script_goes_on() {
    for (reply, status, why) in
        [("503 no recipients", 69, "MAIL has to be granted before DATA"), ("451 later", 75, crate::commands::PUT_OFF)]
    {
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
