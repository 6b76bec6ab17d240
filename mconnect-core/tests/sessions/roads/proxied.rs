//! The PROXY header, from both sides.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mconnect_core::server::{Server, Setup};
use mconnect_core::{Connect, ProxyHeader, ProxyVersion};

use super::patient;
use crate::common::driven::DRIVERS;

fn from(text: &str) -> ProxyHeader {
    ProxyHeader::new(text.parse().unwrap())
}

#[test]
fn a_server_is_told_whom_the_connection_is_from_before_its_greeting() {
    for driver in DRIVERS {
        for version in [ProxyVersion::V1, ProxyVersion::V2] {
            for header in [from("192.0.2.66:4711"), from("[2001:db8::1]:4711"), ProxyHeader::local()] {
                let server = Setup::new().haproxy().start().unwrap();
                let header = header.version(version);
                let connect = Connect::new("127.0.0.1", server.port()).timeouts(patient()).haproxy(header);
                let mut session = driver.open(&connect).unwrap();
                session.greeting().unwrap().require(220).unwrap();
                let said = server.sessions()[0].proxied.unwrap();
                assert_eq!((said.from, said.version), (header.from, version), "{driver:?}");
                // Of another family than the server's address, that is written in the wider one.
                let to = said.to.map(|to| (to.ip().to_canonical(), to.port()));
                assert_eq!(to, header.from.map(|_| (server.address().ip(), server.port())), "{driver:?}");
                session.quit().unwrap().require(221).unwrap();
            }
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn the_header_comes_before_tls() {
    use mconnect_core::server::Identity;
    use mconnect_core::tls::Config;

    let identity = Identity::self_signed(["127.0.0.1"]);
    for driver in DRIVERS {
        let server = Setup::new().haproxy().tls(&identity).tls_first().start().unwrap();
        let config = Config::new().authorities(identity.pem().as_bytes()).unwrap();
        let connect = Connect::new("127.0.0.1", server.port()).haproxy(from("192.0.2.66:1")).timeouts(patient());
        let (mut session, _) = driver.open(&connect).unwrap().upgrade(&config).unwrap();
        session.greeting().unwrap().require(220).unwrap();
        assert_eq!(server.sessions()[0].proxied.unwrap().from, "192.0.2.66:1".parse().ok());
    }
}

#[test]
fn a_header_that_is_none_is_cut_off_wherever_it_ends_and_no_octet_behind_one_is_lost() {
    let server = Setup::new().haproxy().start().unwrap();
    let good = from("192.0.2.66:4711").encode();
    let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
    for (octets, is_served) in [
        ([&good[..], b"NOOP\r\n"].concat(), true),
        (b"PROXY UNKNOWN\r\nNOOP\r\n".to_vec(), true),
        (long, false),
        (b"EHLO me\r\n".to_vec(), false),
        (good[..20].to_vec(), false),
        (b"PROXY TCP4 1.2.3.4".to_vec(), false),
        (b"".to_vec(), false),
    ] {
        for room in [1, usize::MAX] {
            let mut client = TcpStream::connect(server.address()).unwrap();
            client.set_nodelay(true).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            for part in octets.chunks(room.min(octets.len().max(1))) {
                // It may have cut us off already.
                let _ = client.write_all(part);
            }
            let _ = client.shutdown(std::net::Shutdown::Write);
            let mut said = Vec::new();
            let _ = client.read_to_end(&mut said);
            let said = String::from_utf8(said).unwrap();
            assert_eq!(said.lines().count(), if is_served { 2 } else { 0 }, "{}: {said}", octets.escape_ascii());
        }
    }
}

#[test]
fn a_dialogue_is_played_behind_a_header_and_a_client_without_one_deviates() {
    let dialogue = "S: 220 hi\nC: QUIT\nS: 221".parse().unwrap();
    let play = || Setup::new().haproxy().scale(0.1).play(&dialogue, &Default::default()).unwrap();
    let server = play();
    let mut session = Connect::new("127.0.0.1", server.port()).haproxy(ProxyHeader::local()).open().unwrap();
    session.greeting().unwrap();
    session.quit().unwrap();
    server.join().unwrap();
    let server = play();
    let mut session = Connect::new("127.0.0.1", server.port()).open().unwrap();
    session.send_line("QUIT").unwrap();
    let told = server.join().unwrap_err().to_string();
    assert!(
        told.contains("expected `a PROXY header`, got what is none: it does not begin with a PROXY header"),
        "{told}"
    );
}

#[test]
fn a_server_that_takes_no_header_answers_it_and_the_session_goes_on() {
    // It takes the header for a command, as any server does that is not set up for it.
    let server = Server::play("S: 220 hi\nC: PROXY UNKNOWN\nS: 500 what?\nC: QUIT\nS: 221").unwrap();
    let header = ProxyHeader::local().version(ProxyVersion::V1);
    let mut session = Connect::new("127.0.0.1", server.port()).haproxy(header).open().unwrap();
    session.greeting().unwrap();
    let reply = session.read_reply().unwrap();
    assert_eq!(reply.code().number(), 500);
    session.send_line("QUIT").unwrap();
    session.read_reply().unwrap().require(221).unwrap();
    server.join().unwrap();
}
