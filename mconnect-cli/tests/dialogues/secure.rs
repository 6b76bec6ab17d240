//! Dialogues with TLS and AUTH, played and served by the tool.

use crate::common::folder::{Folder, serve};
use crate::common::{assert_status, complaints, err, out, run, talk, tool};
use mconnect_core::server::{Identity, Server, Setup};

fn secured() -> (Identity, Server) {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let server = Setup::new().tls(&identity).auth([("tim", "pencil")]).start().unwrap();
    (identity, server)
}

const SECURE: &str = "S: 220\nC: *starttls*\nC: EHLO x\nS: 250-AUTH\nS: 250\n\
    C: *authenticate SCRAM-SHA-256 tim ${password:-pencil}*\nC: QUIT\nS: 221\nS: *close*\n";

#[test]
fn a_dialogue_is_played_inside_tls_by_the_options_that_say_whom_to_trust() {
    let (folder, (identity, server)) = (Folder::new(), secured());
    let (file, ca) = (folder.write("a.txt", SECURE), folder.write("ca.pem", &identity.pem()));
    let pin = identity.key_fingerprint().to_string();
    for options in [["--cafile", ca.as_str()].as_slice(), &["--pin", &pin], &["-k"]] {
        let output = talk(server.port(), &[options, &["--play", &file]].concat(), "");
        assert_status(&output, 0);
        assert!(err(&output).contains("TLS 1.3, "), "{}", err(&output));
        assert!(out(&output).contains("C: AUTH SCRAM-SHA-256 [hidden]\nS: 334 "), "{}", out(&output));
    }
    let output = talk(server.port(), &["--quiet", "--play", &file], "");
    assert_status(&output, 76);
    let told = complaints(&output);
    assert!(
        told.starts_with(&format!("mconnect: {file}:2: expected `C: *starttls*`, got cannot trust 127.0.0.1:")),
        "{told}"
    );
    let output = talk(server.port(), &["-k", "--quiet", "--play", &file, "--set", "password=pen"], "");
    assert_status(&output, 77);
    let told = err(&output);
    assert!(told.contains(", got `535 5.7.8 wrong user or password`, after "), "{told}");
    assert!(!told.contains(" pen"), "{told}");
}

#[test]
fn tls_from_the_first_byte_is_a_step_or_an_option() {
    let (folder, identity) = (Folder::new(), Identity::self_signed(["127.0.0.1"]));
    let server = Setup::new().tls(&identity).tls_first().start().unwrap();
    let ca = folder.write("ca.pem", &identity.pem());
    for (text, options) in [("C: *tls*\nS: 220\nC: QUIT\nS: 221", &[][..]), ("S: 220\nC: QUIT\nS: 221", &["--tls"])] {
        let file = folder.write("a.txt", text);
        let output = talk(server.port(), &[options, &["--cafile", &ca, "--play", &file]].concat(), "");
        assert_status(&output, 0);
    }
    let file = folder.write("a.txt", "S: 220\nC: QUIT\nS: 221");
    assert_status(&talk(server.port(), &["--tls", "--play", &file], ""), 76);
    assert_status(&run(&["--starttls", "--play", &file, "127.0.0.1"], ""), 64);
}

#[test]
fn what_tls_from_the_first_byte_came_to_is_told_before_a_dialogue_as_before_other_sessions() {
    let (folder, identity) = (Folder::new(), Identity::self_signed(["127.0.0.1"]));
    let server = Setup::new().tls(&identity).tls_first().start().unwrap();
    let (file, chain) = (folder.write("a.txt", "S: 220\nC: QUIT\nS: 221"), folder.file("chain.pem"));
    let options = ["--tls", "--tls-verbose", "--save-chain", &chain, "--play", &file];
    let output = talk(server.port(), &options, "");
    assert_status(&output, 76);
    let told = err(&output);
    assert!(told.contains("\ncertificate 0: ") && told.contains("; -k goes on in spite of it\n"), "{told}");
    assert_eq!(std::fs::read_to_string(&chain).unwrap(), identity.pem());
    let output = talk(server.port(), &[&["-k"][..], &options].concat(), "");
    assert_status(&output, 0);
    assert!(err(&output).contains("\ncertificate 0: "), "{}", err(&output));
}

#[test]
fn a_server_shows_a_certificate_that_it_makes_and_tells_or_one_that_is_given() {
    let folder = Folder::new();
    let file = folder.write("a.txt", &SECURE.replace("S: 250-AUTH", "S: 250-x"));
    let chain = folder.file("chain.pem");
    let (child, port, _out) = serve(&["--serve", &file, "--once", "--save-chain", &chain]);
    let played = folder.write("b.txt", &SECURE.replace("S: 250-AUTH\n", ""));
    let output = run(&["--play", &played, "-p", &port, "--cafile", &chain, "--tls-name", "localhost", "127.0.0.1"], "");
    assert_status(&output, 0);
    assert_status(&child.wait_with_output().unwrap(), 0);

    let identity = Identity::self_signed(["127.0.0.1"]);
    let (cert, key) = (folder.write("cert.pem", &identity.pem()), folder.write("key.pem", &identity.key_pem()));
    let (child, port, _out) = serve(&["--serve", &file, "--once", "--cert", &cert, "--key", &key]);
    let output = run(&["--play", &played, "-p", &port, "--cafile", &cert, "127.0.0.1"], "");
    assert_status(&output, 0);
    assert_status(&child.wait_with_output().unwrap(), 0);
    assert_status(&run(&["--serve", &file, "--cert", &cert], ""), 64);
}

#[test]
fn a_client_that_does_not_prove_itself_deviates() {
    let folder = Folder::new();
    let file = folder.write("a.txt", "S: 220 x\nC: *authenticate PLAIN tim pencil*");
    let (child, port, _out) = serve(&["--serve", &file, "--once"]);
    let wrong = folder.write("b.txt", "S: 220\nC: *authenticate PLAIN tim pen*");
    assert_status(&run(&["--quiet", "--play", &wrong, "-p", &port, "127.0.0.1"], ""), 77);
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 1);
    assert!(
        err(&output).contains("got an exchange that ended with `535 5.7.8 wrong user or password`"),
        "{}",
        err(&output)
    );
}

#[test]
fn a_recorded_session_with_tls_and_a_challenge_plays_again() {
    let (folder, (identity, server)) = (Folder::new(), secured());
    let (ca, file) = (folder.write("ca.pem", &identity.pem()), folder.file("talk.txt"));
    let port = server.port().to_string();
    let args =
        ["--cafile", &ca, "--starttls", "--auth", "tim:SCRAM-SHA-256", "--record", &file, "-p", &port, "127.0.0.1"];
    let mut child = tool(&args).env("MCONNECT_PASSWORD", "pencil").spawn().unwrap();
    crate::common::feed(&mut child, b"NOOP\nQUIT\n".to_vec());
    assert_status(&child.wait_with_output().unwrap(), 0);
    let text = folder.read("talk.txt");
    assert!(
        text.contains("C: *tls*\n") && text.contains("C: *authenticate SCRAM-SHA-256 ${user1} ${password1}*\n"),
        "{text}"
    );
    let values = ["--set", "user1=tim", "--set", "password1=pencil"];
    assert_status(&talk(server.port(), &[&values[..], &["--cafile", &ca, "--play", &file]].concat(), ""), 0);
}
