//! UNIX sockets.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use super::common::{Scrap, assert_status, err, out, run};

/// A server of LMTP that takes one client; it returns what that said.
struct Lmtp {
    path: PathBuf,
    _folder: tempfile::TempDir,
    server: JoinHandle<Vec<String>>,
}

impl Lmtp {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lmtp.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(b"220 hi\r\n").unwrap();
            let (mut said, mut is_body) = (Vec::new(), false);
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let line = line.unwrap();
                let reply = match (line.split(' ').next().unwrap(), is_body) {
                    (".", true) => {
                        is_body = false;
                        "250 saved"
                    }
                    (_, true) => continue,
                    ("DATA", _) => {
                        is_body = true;
                        "354 go"
                    }
                    ("QUIT", _) => "221 bye",
                    _ => "250 ok",
                };
                said.push(line);
                stream.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
                if reply.starts_with("221") {
                    break;
                }
            }
            said
        });
        Self { path, _folder: folder, server }
    }

    fn written(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    fn said(self) -> Vec<String> {
        self.server.join().unwrap()
    }
}

#[test]
fn scripts_raw_mode_dialogues_and_messages_go_over_a_unix_socket() {
    let dialogue = Scrap::new("dialogue", "S: 220\nC: LHLO me\nS: 250\nC: QUIT\nS: 221\n");
    for (options, input) in [
        (&[][..], "LHLO me\nQUIT\n"),
        (&["-r"], "LHLO me\r\nQUIT\r\n"),
        (&["--no-wait"], "LHLO me\nQUIT\n"),
        (&["-c", "LHLO me", "-c", "QUIT"], ""),
        (&["--play", dialogue.path()], ""),
        (&["--lmtp", "--to", "ann@example.test", "--helo", "me"], ""),
    ] {
        let server = Lmtp::start();
        let output = run(&[options, &[&server.written()]].concat(), input);
        assert_status(&output, 0);
        let told = err(&output);
        let (path, pid) = (server.path.display().to_string(), std::process::id());
        assert!(told.contains(&format!("connecting to {path}\n")), "{told}");
        #[cfg(target_os = "linux")]
        assert!(told.contains(&format!("connection open, to process {pid} (")), "{told}");
        let said = server.said();
        assert_eq!((said[0].as_str(), said.last().unwrap().as_str()), ("LHLO me", "QUIT"), "{options:?}");
    }
}

#[test]
fn a_path_from_the_root_is_a_socket_and_one_that_is_relative_is_after_unix() {
    let server = Lmtp::start();
    let output = run(&[server.path.to_str().unwrap()], "QUIT\n");
    assert_status(&output, 0);
    assert_eq!(out(&output), "220 hi\r\n221 bye\r\n");
    server.said();
}

#[test]
fn what_is_wrong_with_a_socket_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    drop(UnixListener::bind(path("left")).unwrap());
    for (name, told) in [
        ("missing", "there is no socket PATH: is the server running?"),
        ("left", "nobody listens at PATH: the server that made it has ended, or it is no socket: start the server"),
    ] {
        let output = run(&[&format!("unix:{}", path(name))], "QUIT\n");
        assert_status(&output, 69);
        let told = told.replace("PATH", &path(name));
        assert!(err(&output).contains(&format!("mconnect: cannot connect to {}: ", path(name))), "{}", err(&output));
        assert!(err(&output).contains(&told), "{}", err(&output));
    }
}

#[test]
fn a_socket_that_this_user_may_not_connect_to_is_told_as_that() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("private");
    let _listener = UnixListener::bind(&path).unwrap();
    for (path, mode) in [(folder.path(), 0o755), (&path, 0o600)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    // The tool itself may lie where nobody else reaches it.
    let tool = folder.path().join("mconnect");
    std::fs::copy(super::common::MCONNECT, &tool).unwrap();
    let output = std::process::Command::new("setpriv")
        .args(["--reuid", "65534", "--clear-groups"])
        .arg(&tool)
        .arg(&path)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_status(&output, 69);
    assert!(err(&output).contains("this user may not connect to "), "{}", err(&output));
}
