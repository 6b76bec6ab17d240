//! The trace, and the secrets that neither it nor anything else tells.

use crate::common::folder::Folder;
use crate::common::{assert_status, err, out, run, talk};
use mconnect_core::server::Server;

#[test]
fn a_trace_tells_every_byte_but_passwords() {
    let server = Server::start().unwrap();
    let output = talk(server.port(), &["--quiet", "--trace"], "AUTH PLAIN hush\nQUIT\n");
    assert_status(&output, 0);
    let told = err(&output);
    let told: Vec<&str> = told.lines().filter_map(|line| Some(line.trim_start().split_once(' ')?.1)).collect();
    assert!(told.contains(&"< 220 loopback.mconnect.test ESMTP mconnect loopback server\\r\\n"), "{told:?}");
    assert!(told.contains(&"> AUTH PLAIN ") && told.contains(&"> [hidden, 6 octets]"), "{told:?}");
    assert!(told.contains(&"> QUIT\\r\\n") && told.contains(&"= end"), "{told:?}");
    let times: Vec<f64> = err(&output).lines().map(|line| line[..9].trim().parse().unwrap()).collect();
    assert!(times.is_sorted() && times[0] == 0.0, "{times:?}");
    let output = talk(server.port(), &["--quiet", "--trace=hex"], "AUTH PLAIN hush\nQUIT\n");
    assert!(!err(&output).contains("68 75 73 68") && err(&output).contains("[hidden, 6 octets]"), "{}", err(&output));
    let row = "32 32 30 20 6c 6f 6f 70 62 61 63 6b 2e 6d 63 6f";
    assert!(err(&output).contains(&format!("< {row}  220 loopback.mco")), "{}", err(&output));
    assert!(err(&output).contains(&format!("> {:<48} QUIT..", "51 55 49 54 0d 0a")), "{}", err(&output));
}

#[test]
fn a_trace_tells_names_tls_and_raw_bytes_too() {
    let server = Server::start().unwrap();
    let port = server.port().to_string();
    let told = err(&run(&["--quiet", "--trace", "-4", "-p", &port, "localhost"], "QUIT\n"));
    assert!(told.contains("= resolving localhost\n") && told.contains("= resolved to 127.0.0.1"), "{told}");
    let told = err(&run(&["--quiet", "--trace", "-r", "-p", &port, "127.0.0.1"], "QUIT\r\n"));
    assert!(told.contains("> QUIT\\r\\n\n") && told.contains("< 221 2.0.0 goodbye\\r\\n\n"), "{told}");
    #[cfg(feature = "tls")]
    {
        let told = err(&run(&["--demo", "--quiet", "--trace", "--starttls", "-c", "QUIT"], ""));
        assert!(told.contains("= TLS started\n") && told.contains("= TLS 1.3, TLS_"), "{told}");
        assert!(told.contains("; verified\n") && told.contains("> QUIT\\r\\n"), "{told}");
    }
}

#[test]
fn a_secret_of_a_dialogue_is_nowhere() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let (record, xml) = (folder.file("record.txt"), folder.file("out.xml"));
    let dialogue = "*secret word*\nS: 220\nC: XLOGIN ${word}, and more\nS: 500\nC: NOOP\nS: 555\nC: QUIT\nS: 221\n";
    let options = ["--trace", "--record", &record, "--junit", &xml, "--set", "word=hush", "--keep-going"];
    for form in ["--timestamps", "--json", "--tap"] {
        let output = talk(server.port(), &[&options[..], &[form, "--play", "-"]].concat(), dialogue);
        assert_status(&output, 1);
        let told = [out(&output), err(&output), folder.read("record.txt"), folder.read("out.xml")].concat();
        assert!(!told.contains("hush") && told.contains("[hidden]"), "{told}");
        assert!(told.contains("> [hidden, 16 octets]") && told.contains("C: XLOGIN ${secret1}\n"), "{told}");
    }
}

#[test]
fn a_secret_that_the_server_repeats_is_not_told_either() {
    let folder = Folder::new();
    let record = folder.file("record.txt");
    let theirs = "S: 220 hi\nC: XLOGIN hush\nS: 550-no hush here\nS: 550 5.7.1 <hush>\nC: QUIT\nS: 221 bye";
    let ours = "*secret word*\nS: 220\nC: XLOGIN ${word}\nS: 550\nC: QUIT\nS: 221\n";
    for form in ["--timestamps", "--json"] {
        let server = Server::play(theirs).unwrap();
        let options = ["--trace", "--record", &record, "--set", "word=hush", form, "--play", "-"];
        let output = talk(server.port(), &options, ours);
        assert_status(&output, 0);
        let told = [out(&output), err(&output), folder.read("record.txt")].concat();
        assert!(!told.contains("hush"), "{told}");
        assert!(told.contains("< 550 5.7.1 <****>\\r\\n") && told.contains("# 550-no **** here\n"), "{told}");
        server.join().unwrap();
    }
}
