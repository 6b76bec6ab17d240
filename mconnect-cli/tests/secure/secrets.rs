//! Passwords: in no output of the tool, however AUTH is spelled and whatever the server says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::common::folder::{Folder, serve};
use crate::common::{PATIENCE, Peer, assert_status, err, out, talk};

/// In base64, as it is sent.
const SECRET: &str = "AHVzZXIAczNjcjN0LXBhc3M=";
const SPELLINGS: [&str; 13] = [
    "AUTH PLAIN ",
    "AUTH  PLAIN ",
    "AUTH\tPLAIN ",
    "auth plain\t",
    " AUTH PLAIN ",
    "\t AUTH PLAIN  ",
    "AUTH\x0cPLAIN ",
    "\x0cAUTH PLAIN\x0c",
    "AUTH\x0bPLAIN ",
    "AUTH\0PLAIN ",
    "\0AUTH PLAIN\0",
    "AUTH=PLAIN ",
    "AUTH PLAIN=",
];

/// Greets, and says this to each line that begins so, in any case and behind any blanks; to others 250. Returns what came.
fn answering(replies: &'static [(&str, &str)]) -> Peer {
    Peer::start(move |mut stream| {
        let mut came = Vec::new();
        let reader = BufReader::new(stream.try_clone().unwrap());
        let _ = stream.write_all(b"220 ready\r\n");
        for line in reader.split(b'\n').map_while(Result::ok) {
            let word: String = line.iter().map(|byte| char::from(*byte)).collect();
            let word = word.trim_start_matches(|c: char| c <= ' ');
            let reply = replies
                .iter()
                .find(|(start, _)| word.get(..start.len()).is_some_and(|w| w.eq_ignore_ascii_case(start)));
            came.push(line.clone());
            if stream.write_all(format!("{}\r\n", reply.map_or("250 ok", |(_, reply)| reply)).as_bytes()).is_err() {
                break;
            }
        }
        came
    })
}

#[track_caller]
fn assert_hidden(what: &str, outputs: &[&str]) {
    for output in outputs {
        assert!(!output.contains(&SECRET[..12]) && !output.contains(&SECRET[12..]), "{what}: {output}");
    }
}

fn was_sent(peer: Peer) -> bool {
    peer.received().concat().windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
}

#[test]
fn a_script_tells_no_password_however_auth_is_spelled() {
    let folder = Folder::new();
    let record = folder.file("record.txt");
    for spelling in SPELLINGS {
        for options in [&[][..], &["--no-wait"], &["--json"], &["--json", "--no-wait"]] {
            for replies in
                [&[("AUTH", "535 no")][..], &[("AUTH", "250 what?")], &[("EHLO", "354 go"), ("AUTH", "235 in")]]
            {
                let peer = answering(replies);
                let args = [options, &["--trace", "--record", &record]].concat();
                let output = talk(peer.port, &args, format!("EHLO me\n{spelling}{SECRET}\nQUIT\n"));
                assert_hidden(&format!("{spelling:?}"), &[&out(&output), &err(&output), &folder.read("record.txt")]);
                let is_due = options.contains(&"--no-wait") || replies[0].0 != "EHLO";
                assert!(!is_due || was_sent(peer), "{spelling:?}");
            }
        }
    }
}

#[test]
fn an_answer_is_told_nowhere_whatever_the_server_said_before_it() {
    let folder = Folder::new();
    let record = folder.file("record.txt");
    let script = format!("EHLO me\nAUTH LOGIN\ndXNlcg==\n{SECRET}\nQUIT\n");
    for replies in [
        &[("AUTH", "334 VXNlcm5hbWU6"), ("dXNlcg==", "334 UGFzc3dvcmQ6"), ("AHVz", "235 in")][..],
        &[("AUTH", "504 no"), ("dXNlcg==", "500 ?"), ("AHVz", "500 ?")],
        &[("AUTH", "334 x"), ("dXNlcg==", "535 no"), ("AHVz", "500 ?")],
        &[("AUTH", "250 ok")],
        &[("AUTH", "235 in")],
        &[("EHLO", "354 go")],
    ] {
        for options in [&[][..], &["--no-wait"], &["--json", "--no-wait"]] {
            let peer = answering(replies);
            let output = talk(peer.port, &[options, &["--trace", "--record", &record]].concat(), &script);
            assert_hidden(&format!("{replies:?}"), &[&out(&output), &err(&output), &folder.read("record.txt")]);
            drop(peer.received());
        }
    }
}

#[test]
fn a_dialogue_that_is_played_tells_no_password() {
    let folder = Folder::new();
    let (junit, record) = (folder.file("j.xml"), folder.file("r.txt"));
    for spelling in SPELLINGS {
        let line: String =
            spelling.chars().map(|c| if c < ' ' { format!("\\x{:02x}", c as u8) } else { c.to_string() }).collect();
        let step = format!("C> {line}{SECRET}\\r\\n");
        // The second goes out together with what cannot be sent, and the third answers nothing any more.
        for steps in [
            format!("{step}\nS: 235"),
            format!("C: NOOP\n{step}\nC: ${{no_such_name}}\nS: 250"),
            format!("C: AUTH LOGIN\nS: 504\nC: {SECRET}\nS: 235"),
        ] {
            let file = folder.write("a.txt", &format!("S: 220\nC: EHLO me\nS: 250\n{steps}\nC: QUIT\nS: 221\n"));
            for options in
                [&["--tap", "--junit", &junit, "--record", &record][..], &["--trace"], &["--json"], &["--keep-going"]]
            {
                let peer = answering(&[("AUTH LOGIN", "504 no"), ("AUTH", "535 no")]);
                let output = talk(peer.port, &[options, &["--play", &file]].concat(), "");
                assert!(!output.status.success(), "{}", out(&output));
                let files = if options[0] == "--tap" {
                    [folder.read("j.xml"), folder.read("r.txt")]
                } else {
                    [const { String::new() }; 2]
                };
                assert_hidden(&format!("{step} {options:?}"), &[&out(&output), &err(&output), &files[0], &files[1]]);
                drop(peer.received());
            }
        }
    }
}

#[test]
fn a_dialogue_that_is_served_tells_no_password() {
    let folder = Folder::new();
    for spelling in SPELLINGS {
        for (steps, sent) in [
            ("C: NOOP\nS: 250 ok\n".to_owned(), format!("{spelling}{SECRET}\r\n")),
            (format!("C: AUTH PLAIN {SECRET}x\nS: 250 ok\n"), format!("{spelling}{SECRET}\r\n")),
            ("C: AUTH LOGIN\nS: 504 no\nC: NOOP\n".to_owned(), format!("AUTH LOGIN\r\n{SECRET}\r\n")),
            ("C: *close*\n".to_owned(), format!("{spelling}{SECRET}\r\n")),
            ("C: *authenticate LOGIN a b*\n".to_owned(), format!("{spelling}{SECRET}\r\n")),
        ] {
            let file = folder.write("served.txt", &format!("S: 220 hi\nC: EHLO me\nS: 250 ok\n{steps}"));
            let (child, port, _out) = serve(&["--serve", &file, "--once"]);
            let mut client = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.write_all(format!("EHLO me\r\n{sent}").as_bytes()).unwrap();
            let _ = client.read_to_end(&mut Vec::new());
            let output = child.wait_with_output().unwrap();
            assert_status(&output, 1);
            assert!(err(&output).contains("[hidden]"), "{}", err(&output));
            assert_hidden(&sent, &[&err(&output)]);
        }
    }
}
