//! What others send has its bounds in memory: the tool runs in little of it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::common::MCONNECT;
use crate::common::attack::{LIMITED, assert_outcome, attack, end_of, hear, until_gone};
use crate::common::folder::Folder;

/// The tests here compute, and each has to end in time: they go one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn replies_to_ehlo_of_sixty_mebioctets_are_shown_and_not_kept() {
    let _alone = alone();
    let line = [b"250-", &[b'x'; 60_000][..], b"\r\n"].concat();
    let output = attack(&["--timeout", "60"], "EHLO x\nEHLO x\nQUIT\n", move |stream| {
        stream.write_all(b"220 hi\r\n")?;
        for _ in 0..2 {
            hear(stream)?;
            for _ in 0..999 {
                stream.write_all(&line)?;
            }
            stream.write_all(b"250 SIZE\r\n")?;
        }
        hear(stream)?;
        stream.write_all(b"221 bye\r\n")
    });
    assert_outcome("long replies", &output, 0, "");
    assert_eq!(output.stdout.len(), 2 * (999 * 60_006 + 10) + 8 + 9);
}

#[test]
fn a_long_record_is_in_its_file_and_not_in_memory() {
    let _alone = alone();
    let folder = Folder::new();
    let file = folder.file("a.txt");
    let line = format!("250-{}\r\n", "x".repeat(96));
    let output = attack(&["--timeout", "60", "--quiet", "--record", &file], "HELP\nQUIT\n", move |stream| {
        stream.write_all(b"220 hi\r\n")?;
        hear(stream)?;
        stream.write_all(line.repeat(400_000).as_bytes())?;
        stream.write_all(b"250 end\r\n")?;
        hear(stream)?;
        stream.write_all(b"221 bye\r\n")
    });
    assert_outcome("long record", &output, 0, "");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("# 250-xxx").count(), 400_000);
    assert!(text.ends_with("S: 250\nC: QUIT\n# 221 bye\nS: 221\nS: *close*\n"));
}

#[test]
fn what_a_dialogue_expects_is_compared_as_it_comes() {
    let _alone = alone();
    let folder = Folder::new();
    let sparse = folder.file("sparse");
    File::create(&sparse).unwrap().set_len(40_000_000).unwrap();
    let octets = folder.write("octets.txt", &format!("S: 220\nS: *octets 40000000*\nS: *file {sparse}*\nC: *close*\n"));
    let output = attack(&["--timeout", "60", "--quiet", "--play", &octets], "", |stream| {
        stream.write_all(b"220 hi\r\n")?;
        let line = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 01234567\r\n";
        let block = line.repeat(10_000);
        (0..62).try_for_each(|_| stream.write_all(&block))?;
        stream.write_all(&block[..40_000_000 - 62 * block.len()])?;
        (0..40).try_for_each(|_| stream.write_all(&[0; 1_000_000]))?;
        until_gone(stream)
    });
    assert_outcome("octets", &output, 0, "");
}

#[test]
fn what_a_server_expects_is_compared_as_it_comes() {
    let _alone = alone();
    let folder = Folder::new();
    let sparse = folder.file("sparse");
    File::create(&sparse).unwrap().set_len(100_000_000).unwrap();
    let served = folder.write("served.txt", &format!("S: 220 hi\nC: *file {sparse}*\nC: QUIT\nS: 221 bye\n"));
    let mut child = Command::new("sh")
        .args(["-c", LIMITED, "sh", MCONNECT, "--serve", &served, "--once", "-p", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut line, mut stdout) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
    stdout.read_line(&mut line).unwrap();
    let mut stream = TcpStream::connect(line.trim_end().strip_prefix("listening on ").unwrap()).unwrap();
    for _ in 0..100 {
        stream.write_all(&[0; 1_000_000]).unwrap();
    }
    stream.write_all(b"QUIT\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert_eq!(said, "220 hi\r\n221 bye\r\n");
    assert_outcome("served", &end_of(child), 0, "");
}
