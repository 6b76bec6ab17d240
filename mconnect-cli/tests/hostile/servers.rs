//! Servers that mean harm, or are broken: against each the tool ends in time, with the documented status, in little memory,
//! with everything shown that the server said, and with words that a person understands.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::common::attack::{
    assert_outcome, attack, attack_until_gone, drip, end_of, flood, for_each, hear, reset, start, until_gone,
};
use crate::common::{PATIENCE, Peer, out};

const SCRIPT: &str = "EHLO x\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\nhi\n.\nQUIT\n";
const REPLIES: [&str; 7] = [
    "220 hi\r\n",
    "250-mx\r\n250 SIZE\r\n",
    "250 sender\r\n",
    "250 recipient\r\n",
    "354 go\r\n",
    "250 queued\r\n",
    "221 bye\r\n",
];
/// Serves a session up to so many octets of its replies, in step with the client.
fn serve(stream: &mut TcpStream, mut octets: usize) -> io::Result<()> {
    for reply in REPLIES {
        let part = &reply[..octets.min(reply.len())];
        stream.write_all(part.as_bytes())?;
        octets -= part.len();
        if part.len() < reply.len() {
            break;
        }
        let end: &[u8] = if reply.starts_with("354") { b"\r\n.\r\n" } else { b"\n" };
        let (mut heard, mut byte) = (Vec::new(), [0]);
        while !heard.ends_with(end) && stream.read(&mut byte)? > 0 {
            heard.push(byte[0]);
        }
    }
    Ok(())
}

/// Greets, and asks for the body of DATA, without reading more than its command.
fn grant_data(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"220 hi\r\n")?;
    stream.read_exact(&mut [0; 5])?;
    stream.write_all(b"354 go\r\n")
}

/// Where a session can stop: before each reply, and in the middle of each.
fn stages() -> Vec<usize> {
    let mut stages = Vec::new();
    let mut start = 0;
    for reply in REPLIES {
        stages.extend([start, start + reply.len() / 2]);
        start += reply.len();
    }
    stages
}

#[test]
fn silence_and_dripping_at_every_stage_meet_the_deadline() {
    for_each(&stages(), |octets| {
        for mode in [&[][..], &["--no-wait"]] {
            let octets = *octets;
            let name = format!("{octets} octets, then silence, {mode:?}");
            let output = attack(mode, SCRIPT, move |stream| serve(stream, octets).and_then(|()| until_gone(stream)));
            assert_outcome(&name, &output, 75, "timed out after 0.5 s");
            assert_eq!(out(&output), REPLIES.concat()[..octets], "{name}");

            let name = format!("{octets} octets, then dripping, {mode:?}");
            let output = attack(mode, SCRIPT, move |stream| serve(stream, octets).and_then(|()| drip(stream)));
            assert_outcome(&name, &output, 75, "timed out after 0.5 s");
            assert!(out(&output).starts_with(&REPLIES.concat()[..octets]), "{name}: {}", out(&output));
            assert!(out(&output).len() > octets, "{name}");
        }
    });
}

#[test]
fn a_session_cut_or_reset_at_every_octet_shows_every_octet() {
    let whole = REPLIES.concat();
    let cuts: Vec<(usize, bool)> = (0..=whole.len()).flat_map(|octets| [(octets, false), (octets, true)]).collect();
    for_each(&cuts, |(octets, is_reset)| {
        let (octets, is_reset) = (*octets, *is_reset);
        let output = attack(&[], SCRIPT, move |stream| {
            serve(stream, octets)?;
            if is_reset { reset(stream) } else { Ok(()) }
        });
        let name = format!("{octets} octets, reset: {is_reset}");
        let (status, told) = match (octets, is_reset) {
            (octets, _) if octets == whole.len() => (0, ""),
            (_, true) => (76, "127.0.0.1:"),
            (_, false) => (76, " closed the connection"),
        };
        assert_outcome(&name, &output, status, told);
        assert_eq!(out(&output), whole[..octets], "{name}");
    });
}

/// A name, the words, the exit status, and what the tool says.
type Session = (&'static str, [&'static [u8]; 3], i32, &'static str);
/// A name, options, what is said over and over, the exit status, and what the tool says.
type Flood = (&'static str, &'static [&'static str], &'static [u8], i32, &'static str);

/// Whole sessions with something odd in them: what the server says to the greeting, to NOOP and to QUIT.
#[test]
fn odd_words_are_shown_as_they_are_and_only_those_out_of_step_end_the_session() {
    let table: &[Session] = &[
        ("NULs", [b"220 \0hi\0\r\n", b"250\0x\r\n250 \0\r\n", b"221 \0\r\n"], 0, ""),
        ("escape sequences", [b"220 \x1b[2J\x1b]0;x\x07\r\n", b"250 \x1bc\x0e\r\n", b"221 \x1b[?1049h\r\n"], 0, ""),
        (
            "what is not UTF-8",
            [b"220 \xff\xfe\xc0\x80\r\n", b"250-\xed\xa0\x80\r\n250 \xf8\r\n", b"221 \xe2\x82\r\n"],
            0,
            "",
        ),
        ("C1", [b"220 \x9b31m\x90\x9d\r\n", b"250 \xc2\x9b31m\r\n", b"221 \x85\r\n"], 0, ""),
        ("garbage first", [b"\0\xff\r\n\r\nSSH-2.0-x\r\n220 hi\r\n", b"250 a\r\n", b"221 b\r\n"], 0, ""),
        ("two greetings", [b"220 a\r\n220 b\r\n", b"", b""], 76, "220 b; not sent: 2 lines of the input (10 octets)"),
        (
            "replies to nothing",
            [b"220 a\r\n", b"250 b\r\n250 c\r\n550 d\r\n500-e\r\n500 f\r\n", b""],
            76,
            "nobody asked for a reply that came, which ends the session: 250 c; not sent: 1 line of the input (5 octets)",
        ),
        ("a 354 to nothing", [b"220 a\r\n", b"250 b\r\n354 c\r\n", b""], 76, "which ends the session: 354 c"),
        (
            "a 354 to NOOP",
            [b"220 a\r\n", b"354 b\r\n", b""],
            76,
            "the reply to a command shows that client and server are out of step",
        ),
        ("LF alone", [b"220-a\n220 b\n", b"250 c\n", b"221 d\n"], 0, ""),
        ("CRs", [b"220 a\r\r\r\n", b"250 \rb\r\n", b"221 c\r\r\n"], 0, ""),
        ("codes differ", [b"220-a\r\n421-b\r\n220 c\r\n", b"250-d\r\n550 e\r\n", b"221 f\r\n"], 0, ""),
        ("no separator", [b"220ESMTP\r\n", b"250OK\r\n", b"221bye\r\n"], 0, ""),
        ("421 first", [b"421 busy\r\n", b"", b""], 75, "not sent: 2 lines of the input (10 octets)"),
        (
            "421 among others",
            [b"220 a\r\n", b"250 b\r\n421 c\r\n", b""],
            75,
            "not sent: 1 line of the input (5 octets)",
        ),
        (
            "a binary protocol",
            [b"\x16\x03\x01\x02\0\x01\0\x01", b"", b""],
            75,
            "the server expects TLS from the first byte: --tls",
        ),
    ];
    for_each(table, |(name, words, status, told)| {
        let words = *words;
        let output = attack(&[], "NOOP\nQUIT\n", move |stream| {
            for word in words {
                stream.write_all(word)?;
                hear(stream)?;
            }
            Ok(())
        });
        assert_outcome(name, &output, *status, told);
        assert_eq!(output.stdout.escape_ascii().to_string(), words.concat().escape_ascii().to_string(), "{name}");
    });
}

#[test]
fn what_never_ends_meets_the_deadline_or_the_grace_in_little_memory() {
    let table: &[Flood] = &[
        ("a line", &[], b"250-x", 75, "timed out after 0.5 s"),
        ("a line, blind", &["--no-wait"], b"250-x", 75, "timed out after 0.5 s"),
        ("a reply", &[], b"250-x\r\n", 75, "timed out after 0.5 s"),
        ("a reply, blind", &["--no-wait"], b"250-x\r\n", 75, "timed out after 0.5 s"),
        ("empty lines", &[], b"\r\n", 75, "timed out after 0.5 s"),
        ("NULs", &[], b"\0", 75, "timed out after 0.5 s"),
        ("replies", &[], b"250 x\r\n", 76, "out of step"),
        ("replies, blind", &["--no-wait"], b"250 x\r\n", 76, "out of step"),
        ("refusals", &[], b"550 x\r\n", 76, "out of step"),
        ("goodbyes", &[], b"421 x\r\n", 75, "not sent: "),
    ];
    for (name, options, words, status, told) in table {
        let words = *words;
        let output = attack(options, SCRIPT, move |stream| {
            stream.write_all(b"220 hi\r\n")?;
            flood(stream, words)
        });
        assert_outcome(name, &output, *status, told);
        let shown = [b"220 hi\r\n", words.repeat(1000).as_slice()].concat();
        assert!(output.stdout.starts_with(&shown), "{name}");
    }
}

#[test]
fn a_line_of_ten_mebioctets_passes_in_every_mode() {
    let line = [b"220 ".as_slice(), &b"x".repeat(10 << 20), b"\r\n"].concat();
    for mode in [&[][..], &["--no-wait"], &["-r"]] {
        let words = [line.clone(), b"221 bye\r\n".to_vec()];
        let output = attack(&[&["--timeout", "20"][..], mode].concat(), "QUIT\n", move |stream| {
            stream.write_all(&words[0])?;
            hear(stream)?;
            stream.write_all(&words[1])
        });
        assert_outcome("10 MiB", &output, 0, "");
        assert!(output.stdout == [line.as_slice(), b"221 bye\r\n"].concat(), "{mode:?}");
    }
}

#[test]
fn a_server_that_never_reads_is_given_up_in_every_mode_and_what_it_says_is_shown() {
    let script = [b"DATA\n".to_vec(), b"x\n".repeat(16 << 20)].concat();
    for mode in [&[][..], &["--no-wait"], &["-r"]] {
        let output = attack_until_gone(mode, script.clone(), move |stream, gone| {
            grant_data(stream)?;
            let _ = gone.recv();
            Ok(())
        });
        assert_outcome("it never reads", &output, 75, "cannot write to 127.0.0.1:");
        assert_eq!(out(&output), "220 hi\r\n354 go\r\n");

        let output = attack(mode, script.clone(), move |stream| {
            grant_data(stream)?;
            flood(stream, b"250-never read, always written\r\n")
        });
        assert_outcome("it never reads, and never stops writing", &output, 75, "cannot write to 127.0.0.1:");
        assert!(out(&output).starts_with("220 hi\r\n354 go\r\n250-never read, always written\r\n"), "{mode:?}");
    }
}

/// Whoever reads what raw mode shows may take longer than the server may be silent.
#[test]
fn a_slow_reader_of_raw_mode_is_not_taken_for_a_silent_server() {
    let (full, is_full) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.set_write_timeout(Some(Duration::from_millis(1200))).unwrap();
        let block = [b'x'; 65536];
        let mut sent = 0;
        // When nothing goes out for longer than the deadline, the tool has been waiting for its reader that long.
        let held = loop {
            match stream.write(&block) {
                Ok(count) => sent += count,
                Err(_) => break sent,
            }
        };
        full.send(()).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(b"the end");
        vec![held.to_string().into_bytes()]
    });
    let mut child = start(peer.port, &["-r"]);
    drop(child.stdin.take());
    is_full.recv().unwrap();
    let output = end_of(child);
    assert_outcome("a slow reader", &output, 0, "");
    let held: usize = peer.received_text()[0].parse().unwrap();
    assert!(output.stdout.len() == held + 7 && output.stdout.ends_with(b"xthe end"));
}
