//! Files that the tool writes: whole, and never through somebody else's link.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::process::Command;
use std::thread;

use crate::common::folder::Folder;
use crate::common::{assert_status, talk, tool};
use mconnect_core::server::{Identity, Server, Setup};

const OLD: &str = "what was there before, which is a good deal longer than a port\n";

/// The options that have a file written, and a beginning of what each writes.
const WRITERS: [(&str, &str); 5] = [
    ("--record", "# 220 "),
    ("--junit", "<?xml"),
    ("--save-chain", "-----BEGIN CERTIFICATE-----"),
    ("--port-file", ""),
    ("--save-chain --serve", "-----BEGIN CERTIFICATE-----"),
];

/// Has the file written, and gives what the tool said on standard error if it failed.
fn written(folder: &Folder, server: &Server, option: &str, file: &str) -> Option<String> {
    let dialogue = folder.write("played.txt", "S: 220\nC: QUIT\nS: 221\n");
    if option == "--port-file" || option == "--save-chain --serve" {
        let option = option.split(' ').next().unwrap();
        let (address, option) = (["-p", "0", "--serve", &dialogue, "--once"], [option, file]);
        let mut child = tool(&[&option[..], &address].concat()).spawn().unwrap();
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        return line.is_empty().then(|| crate::common::err(&output));
    }
    let option = match option {
        "--save-chain" => vec!["--starttls", "-k", option, file],
        "--junit" => vec!["--play", &dialogue, option, file],
        _ => vec![option, file],
    };
    let output = talk(server.port(), &option, "QUIT\n");
    (!output.status.success()).then(|| crate::common::err(&output))
}

fn server() -> Server {
    Setup::new().tls(&Identity::self_signed(["localhost"])).start().unwrap()
}

#[test]
fn every_file_appears_whole_with_the_rights_of_the_one_before() {
    let (folder, server) = (Folder::new(), server());
    for (number, (option, beginning)) in WRITERS.iter().enumerate() {
        let file = folder.write(&format!("file{number}"), OLD);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
        let before = File::open(&file).unwrap();
        assert_eq!(written(&folder, &server, option, &file), None, "{option}");
        // Whoever opened it still reads what it was.
        assert_eq!(io::read_to_string(before).unwrap(), OLD, "{option}");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(beginning) && !text.is_empty() && !text.contains("before"), "{option}: {text}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o604, "{option}");
        let new = folder.file(&format!("new{number}"));
        assert_eq!(written(&folder, &server, option, &new), None, "{option}");
        assert!(fs::read_to_string(&new).unwrap().starts_with(beginning), "{option}");
    }
    let names = fs::read_dir(folder.file("")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with('.')));
}

#[test]
fn links_of_ones_own_are_followed_and_those_of_others_are_not() {
    let (folder, server) = (Folder::new(), server());
    for (number, (option, _)) in WRITERS.iter().enumerate() {
        let (file, link) = (folder.write(&format!("file{number}"), OLD), folder.file(&format!("link{number}")));
        let second = folder.file(&format!("second{number}"));
        // One relative, and one to the link.
        symlink(format!("file{number}"), &link).unwrap();
        symlink(&link, &second).unwrap();
        assert_eq!(written(&folder, &server, option, &second), None, "{option}");
        assert!(
            fs::symlink_metadata(&link).unwrap().is_symlink() && fs::symlink_metadata(&second).unwrap().is_symlink()
        );
        assert_ne!(fs::read_to_string(&file).unwrap(), OLD, "{option}");

        // What another name leads to stays as it is under that name.
        let (kept, name) = (folder.write(&format!("kept{number}"), OLD), folder.file(&format!("name{number}")));
        fs::hard_link(&kept, &name).unwrap();
        assert_eq!(written(&folder, &server, option, &name), None, "{option}");
        assert_eq!(fs::read_to_string(&kept).unwrap(), OLD, "{option}");
        assert_ne!(fs::read_to_string(&name).unwrap(), OLD, "{option}");

        // Only root can make a link of somebody else's.
        let planted = folder.file(&format!("planted{number}"));
        symlink(&kept, &planted).unwrap();
        match lchown(&planted, Some(65534), Some(65534)) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => continue,
            result => result.unwrap(),
        }
        assert_eq!(written(&folder, &server, option, &planted), None, "{option}");
        assert_eq!(fs::read_to_string(&kept).unwrap(), OLD, "{option}");
        assert!(fs::symlink_metadata(&planted).unwrap().is_file(), "{option}");
    }
    let round = folder.file("round");
    symlink(&round, &round).unwrap();
    let told = written(&folder, &server, "--record", &round).unwrap();
    assert!(told.contains(": Too many levels of symbolic links"), "{told}");
}

#[test]
fn what_is_no_regular_file_is_written_as_it_is() {
    let (folder, server) = (Folder::new(), server());
    for (number, (option, beginning)) in WRITERS.iter().enumerate() {
        let pipe = folder.file(&format!("pipe{number}"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        assert_eq!(written(&folder, &server, option, &pipe), None, "{option}");
        let text = reader.join().unwrap();
        assert!(text.starts_with(beginning) && !text.is_empty(), "{option}: {text}");
        assert_eq!(written(&folder, &server, option, "/dev/null"), None, "{option}");
    }
    // Standard output, which is a regular file here, gets it after what it has.
    let file = folder.file("out");
    let (dialogue, port) = (folder.write("played.txt", "S: 220\nC: QUIT\nS: 221\n"), server.port().to_string());
    let args = ["--tap", "--play", &dialogue, "--junit", "/dev/stdout", "-p", &port, "127.0.0.1"];
    let output = tool(&args).stdout(File::create(&file).unwrap()).output().unwrap();
    assert_status(&output, 0);
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("TAP version 13\n") && text.contains("\n<?xml") && text.ends_with("</testsuite>\n"),
        "{text}"
    );
    assert!(fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
}

#[test]
fn a_long_record_grows_and_plays_again() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.file("a.txt");
    let script =
        ["AUTH PLAIN aHVzaAo=\n", &"NOOP\n".repeat(1500), "AUTH PLAIN aHVzaAo=\n", &"NOOP\n".repeat(1500)].concat();
    let output = talk(server.port(), &["--quiet", "--record", &file], script + "QUIT\n");
    assert_status(&output, 0);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("C: NOOP\n# 250 2.0.0 nothing done\nS: 250\n").count(), 3000);
    assert!(text.ends_with("C: QUIT\n# 221 2.0.0 goodbye\nS: 221\nS: *close*\n") && !text.contains("aHV"));
    // Each secret is named before it is used.
    for name in ["secret1", "secret2"] {
        let (named, used) = (text.find(&format!("*secret {name}*\n")), text.find(&format!("${{{name}}}")));
        assert!(named.is_some() && named < used && text.matches(&format!("*secret {name}*\n")).count() == 1, "{name}");
    }
    let values = ["--set", "secret1=x", "--set", "secret2=x"];
    let output = talk(server.port(), &[&["--quiet", "--play", &file][..], &values].concat(), "");
    assert_status(&output, 0);
    // Several long sessions are as many.
    let again = folder.file("b.txt");
    let args = [&["--quiet", "--repeat", "3", "--record", &again, "--play", &file][..], &values].concat();
    assert_status(&talk(server.port(), &args, ""), 0);
    let texts = fs::read_to_string(&again).unwrap();
    assert_eq!((texts.matches("*next session*\n").count(), texts.matches("C: NOOP\n").count()), (2, 9_000));
}
