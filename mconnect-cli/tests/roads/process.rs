//! A process as the server.

use std::time::{Duration, Instant};

use super::common::{MCONNECT, Pty, Scrap, assert_status, err, out, run};

/// A server in sh, which says on its standard error what it takes.
const SERVER: &str = r#"echo 220 hi; while read line; do echo "took $line" >&2
case $line in QUIT*) echo 221 bye; exit 0;; *) echo 250 ok;; esac; done; exit 9"#;

#[test]
fn scripts_raw_mode_and_dialogues_go_to_a_process_whose_standard_error_is_marked() {
    let dialogue = Scrap::new("dialogue", "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 221\n");
    for (options, input) in [
        (&[][..], "NOOP\nQUIT\n"),
        (&["-r"], "NOOP\r\nQUIT\r\n"),
        (&["--no-wait"], "NOOP\nQUIT\n"),
        (&["--play", dialogue.path()], ""),
        (&["--until", "ehlo", "--to", "a@example.org"], ""),
    ] {
        let output = run(&[options, &["--pipe", SERVER]].concat(), input);
        assert_status(&output, 0);
        let told = err(&output);
        assert!(told.contains("process: took QUIT\n"), "{options:?}: {told}");
        assert!(told.contains("the process ended, exit status: 0\n"), "{options:?}: {told}");
    }
}

#[test]
fn how_a_process_fails_is_told_and_why() {
    for (command, status, told) in [
        ("no-such-command-xyz", 76, &["process: sh: ", "sh finds no such command: is it spelt right"][..]),
        ("echo 554 no; exit 3", 69, &["the process ended, exit status: 3"]),
        (
            "echo oops >&2; exit 2",
            76,
            &["process: oops\n", "the process echo oops >&2; exit 2 ended by itself, exit status: 2"],
        ),
        ("echo 220 hi; kill -9 $$", 76, &["the process ended, signal: 9 (SIGKILL)"]),
    ] {
        let output = run(&["--pipe", command], "QUIT\n");
        assert_status(&output, status);
        for told in told {
            assert!(err(&output).contains(told), "{command}: {}", err(&output));
        }
    }
    let quiet = run(&["--quiet", "--pipe", SERVER], "QUIT\n");
    assert_eq!((out(&quiet).as_str(), err(&quiet).as_str()), ("220 hi\n221 bye\n", "process: took QUIT\n"));
}

#[test]
fn a_process_that_ignores_its_end_is_killed_after_a_grace_and_what_it_floods_is_no_hindrance() {
    let start = Instant::now();
    let command = "yes error | head -c 2000000 >&2; echo 220 hi; read q; echo 221 bye; trap '' HUP TERM; exec 0<&- 1>&-; exec sleep 60";
    let output = run(&["--pipe", command], "QUIT\n");
    assert_status(&output, 0);
    assert!(err(&output).ends_with("the process ended, signal: 9 (SIGKILL)\n"));
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(err(&output).matches("process: error\n").count(), 2_000_000 / 6);
}

#[test]
fn json_tells_what_the_process_said_and_how_it_ended() {
    let output = run(&["--json", "--pipe", SERVER], "QUIT\n");
    assert_status(&output, 0);
    for told in [r#""event":"process_said","text":"took QUIT"#, r#""event":"process_ended","status":0"#] {
        assert!(out(&output).contains(told), "{}", out(&output));
    }
}

#[test]
fn at_the_prompt_what_the_process_says_comes_between_the_lines() {
    let mut pty = Pty::start(MCONNECT, &["--pipe", SERVER]);
    pty.expect("hi");
    pty.send("NOOP\r");
    pty.expect("250 ok");
    pty.send("QUIT\r");
    pty.expect("process: took QUIT");
    pty.expect("the process ended, exit status: 0");
}
