//! Through proxies.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use mconnect_core::server::Server;

use super::common::{Scrap, assert_status, err, out, run};

/// A proxy of SOCKS for one client, which wants this password and leads to this port.
fn socks(password: &'static str, to: u16) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let mut client = listener.accept().unwrap().0;
        let mut heard = [0; 4];
        client.read_exact(&mut heard).unwrap();
        client.write_all(b"\x05\x02").unwrap();
        let mut login = vec![0; 3 + 3 + password.len()];
        client.read_exact(&mut login).unwrap();
        let is_right = login.ends_with(password.as_bytes());
        client.write_all(&[1, u8::from(!is_right)]).unwrap();
        let mut head = [0; 5];
        if !is_right || client.read_exact(&mut head).is_err() {
            return;
        }
        let mut rest = vec![0; usize::from(head[4]) + 2];
        client.read_exact(&mut rest).unwrap();
        client.write_all(b"\x05\0\0\x01\0\0\0\0\0\0").unwrap();
        let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let copy = |mut from: TcpStream, mut to: TcpStream| {
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            })
        };
        let there = copy(client.try_clone().unwrap(), server.try_clone().unwrap());
        copy(server, client).join().unwrap();
        there.join().unwrap();
    });
    (port, thread)
}

#[test]
fn scripts_raw_mode_dialogues_and_messages_go_through_a_proxy_and_its_password_nowhere() {
    let dialogue = Scrap::new("dialogue", "S: 220\nC: EHLO me\nS: 250\nC: QUIT\nS: 221\n");
    let (password, record) = (Scrap::new("password", "sesame\n"), Scrap::new("record", ""));
    for (options, input) in [
        (&["--trace"][..], "EHLO me\nQUIT\n"),
        (&["--trace=hex", "-r"], "EHLO me\r\nQUIT\r\n"),
        (&["--json", "--record", record.path()], "EHLO me\nQUIT\n"),
        (&["--trace", "--play", dialogue.path()], ""),
        (&["--to", "a@example.org", "--trace"], ""),
    ] {
        for (login, more) in [("joe:sesame", &[][..]), ("joe", &["--via-password-file", password.path()])] {
            let server = Server::start().unwrap();
            let (port, proxy) = socks("sesame", server.port());
            let url = format!("socks5h://{login}@127.0.0.1:{port}");
            let output = run(&[options, &["--via", &url, "mx.example.org"], more].concat(), input);
            assert_status(&output, 0);
            let record = std::fs::read_to_string(record.path()).unwrap();
            let told = format!("{}{}{record}", out(&output), err(&output));
            for secret in ["sesame", "joe", "73 65 73 61"] {
                assert!(!told.contains(secret), "{options:?} tells {secret}: {told}");
            }
            let shown = format!("connecting to mx.example.org (via socks5h://127.0.0.1:{port})\n");
            assert!(err(&output).contains(&shown), "{}", err(&output));
            proxy.join().unwrap();
        }
    }
}

#[test]
fn what_a_proxy_refuses_is_told_in_words_with_what_to_do_and_without_its_login() {
    let (port, proxy) = socks("other", 0);
    let url = format!("socks5h://joe:sesam@127.0.0.1:{port}");
    let output = run(&["--via", &url, "mx.example.org"], "QUIT\n");
    assert_status(&output, 69);
    let told = err(&output);
    let expected = format!(
        "mconnect: cannot connect to mx.example.org (via socks5h://127.0.0.1:{port}), port 25: the proxy refuses the \
         user or the password"
    );
    assert!(told.contains(&expected) && told.contains("the proxy wants a user and a password, or others: "), "{told}");
    assert!(!told.contains("sesam") && !told.contains("joe:s"), "{told}");
    proxy.join().unwrap();
}
