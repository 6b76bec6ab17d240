//! TLS and AUTH in dialogues.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use mconnect_core::dialogue::{Dialogue, Player, Recorder, Report, Values, Verdict};
use mconnect_core::server::{Authority, Identity, Server, Setup};
use mconnect_core::tls::Config;
use mconnect_core::{Connect, Session};

use crate::{examples, open};

/// Whom a client has to trust to talk to this server.
fn trust(server: &Server) -> Config {
    Config::new().name("localhost").authorities(server.certificate().unwrap().as_bytes()).unwrap()
}

/// Serves one dialogue and plays another against it, by a client that trusts the server.
#[track_caller]
fn both(served: &str, played: &str) {
    let server = Server::play(served).unwrap();
    let mut player = Player::new();
    if server.certificate().is_some() {
        player.tls(&trust(&server));
    }
    let played = player.play(open(&server), &played.parse().unwrap()).require();
    drop(played.unwrap_or_else(|failure| panic!("{failure}")));
    server.join().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_examples_of_all_rfcs_play_against_themselves() {
    let mut count = 0;
    for dialogue in examples() {
        let server = Server::play_with(&dialogue, &Values::default()).unwrap();
        for session in dialogue.sessions() {
            let mut player = Player::new();
            if server.certificate().is_some() {
                player.tls(&trust(&server));
            }
            player.play(open(&server), &session).require().unwrap();
        }
        server.join().unwrap();
        count += 1;
    }
    assert_eq!(count, 8);
}

#[test]
fn tls_starts_with_and_without_a_command_and_ends() {
    for start in ["C: *starttls*", "C: STARTTLS\nS: 220 go\nC: *tls*"] {
        let dialogue = format!("S: 220 hi\n{start}\nC: EHLO x\nS: 250 inside\nC: QUIT\nS: 221 bye\nS: *close*");
        both(&dialogue, &dialogue);
    }
    // Bytes behind STARTTLS in the same packet, for servers that should not take them for the first inside TLS.
    let dialogue = "S: 220 hi\nC: STARTTLS\nC: NOOP\nS: 220 go\nC: *tls*\nC: A\nS: 250 inside\nC: *close*";
    both(dialogue, dialogue);
    both("C: *tls*\nS: 220 inside", "C: *tls*\nS: 220 inside\nS: *close*");
    // Each side can end it; what follows at once is in the clear.
    let dialogue = "S: 220 hi\nC: *starttls*\nC: A\nS: 250 inside\nC: *end tls*\nC: B\nS: 250 outside\n\
        C: *starttls*\nC: D\nS: 250 inside\nS: *end tls*\nS: 250 outside\nC: E\nS: 250 outside\nC: *close*";
    both(dialogue, dialogue);
}

#[test]
fn each_end_of_tls_is_told_from_the_others_by_both_sides() {
    let ends = [
        ("*close*", "an orderly end"),
        ("*close without close_notify*", "the connection ended without TLS's close_notify"),
        ("*cut off inside tls*", "the connection was cut off inside a record of TLS"),
    ];
    for (done, told) in ends {
        for (expected, _) in ends {
            for side in ["C", "S"] {
                let dialogue = |end: &str| format!("C: *tls*\nS: 220 hi\n{side}: {end}");
                let (served, played) = if side == "C" { (expected, done) } else { (done, expected) };
                let server = Server::play(&dialogue(served)).unwrap();
                let mut player = Player::new();
                player.tls(&trust(&server));
                let played = player.play(open(&server), &dialogue(played).parse().unwrap());
                let failure = played.failure().map(ToString::to_string);
                drop(played);
                let deviation = server.join().err().map(|error| error.to_string());
                let (heard, did) = if side == "C" { (deviation, failure) } else { (failure, deviation) };
                assert_eq!(did, None, "{side} {done} {expected}");
                match heard {
                    None => assert_eq!(done, expected, "{side}"),
                    Some(heard) => {
                        assert_ne!(done, expected, "{side}: {heard}");
                        assert!(heard.contains(&format!("expected `{side}: {expected}`, got ")), "{heard}");
                        assert!(heard.contains(told), "{heard}");
                    }
                }
            }
        }
    }
    // In the clear there is nothing to leave out.
    for end in ["S: *close without close_notify*", "S: *cut off inside tls*"] {
        let server = Server::play(&format!("S: 220 hi\n{end}")).unwrap();
        drop(open(&server));
        assert!(server.join().unwrap_err().to_string().contains("TLS was not started"), "{end}");
    }
    let server = Server::play("S: 220 hi\nC: *close*").unwrap();
    let played = open(&server).play(&"S: 220\nC: *cut off inside tls*".parse().unwrap());
    assert!(played.failure().unwrap().got.contains("TLS was not started"), "{played:?}");
    server.join().unwrap();
}

#[test]
fn a_record_says_how_tls_ended() {
    for end in ["*close*", "*close without close_notify*", "*cut off inside tls*"] {
        let server = Server::play(&format!("C: *tls*\nS: 220 hi\nS: {end}")).unwrap();
        let recorder = Recorder::new();
        let session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open().unwrap();
        let (mut session, _) = session.upgrade(&trust(&server)).unwrap();
        session.read_reply().unwrap();
        assert_eq!(session.read_line().is_ok_and(|line| line.is_none()), end == "*close*");
        assert!(recorder.text().ends_with(&format!("S: 220\nS: {end}\n")), "{}", recorder.text());
        drop(session);
        server.join().unwrap();
    }
    let server = Server::play("C: *tls*\nS: 220 hi\nC: *close without close_notify*").unwrap();
    let text = {
        let recorder = Recorder::new();
        let session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open().unwrap();
        let (mut session, _) = session.upgrade(&trust(&server)).unwrap();
        session.read_reply().unwrap();
        session.closer().close();
        drop(session.read_line());
        recorder.text()
    };
    assert!(text.ends_with("C: *close without close_notify*\n"), "{text}");
    server.join().unwrap();
}

#[test]
fn what_was_said_inside_tls_is_not_lost_when_it_ends() {
    let server = Server::play("C: *tls*\nS: 220 a\nS: 250 b\nC: *end tls*").unwrap();
    let mut player = Player::new();
    let played = player.tls(&trust(&server)).play(open(&server), &"C: *tls*\nS: 220\nC: *end tls*".parse().unwrap());
    assert_eq!(played.failure().unwrap().got, "`250 b\\r\\n` inside TLS");
    drop(played);
    drop(server.join());
}

#[test]
fn what_is_sent_in_the_clear_before_a_handshake_is_never_taken_for_an_answer_in_it() {
    let server = Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nS: 250 injected\nC: *tls*").unwrap();
    let played = open(&server).play(&"S: 220\nC: STARTTLS\nS: 220\nC: *tls*".parse().unwrap());
    let failure = played.failure().unwrap();
    assert_eq!(failure.verdict, Verdict::Insecure);
    assert!(failure.got.contains("response injection"), "{failure}");
    drop(played);
    drop(server.join());

    let server = Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nC: *tls*").unwrap();
    let mut player = Player::new();
    let played = player.play(open(&server), &"S: 220\nC: STARTTLS\nC: NOOP\nS: 220".parse().unwrap());
    drop(played);
    let told = server.join().unwrap_err().to_string();
    assert!(
        told.starts_with("line 4 of the dialogue: expected `C: *tls*`, got `NOOP\\r\\n` before the handshake"),
        "{told}"
    );
}

#[test]
fn a_password_where_nothing_should_come_is_not_told() {
    for (step, told) in [
        ("C: *tls*", "got `AUTH PLAIN [hidden]\\r\\n[hidden]\\r\\n` before the handshake"),
        ("C: *silence 9 s*", "got `AUTH PLAIN [hidden]\\r\\n[hidden]\\r\\n`"),
        ("C: *close*", "got `AUTH PLAIN [hidden]\\r\\n`"),
        ("C> AUTH PLAIN AHRpbQBvdGhlcnM=\\r\\nNOO", "got `AUTH PLAIN [hidden]\\r\\n[hidden]`"),
    ] {
        let server = Server::play(&format!("S: 220 hi\nC: STARTTLS\nS: 220 go\n{step}")).unwrap();
        let sent = "S: 220\nC: STARTTLS\nC: AUTH PLAIN AHRpbQBwZW5jaWw=\nC: NOOP\nS: 220";
        drop(open(&server).play(&sent.parse().unwrap()));
        let error = server.join().unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("AHRpbQBwZW5j"), "{error}");
    }
    // What answers an AUTH is one as well, with and without the 334 before it.
    for (served, sent) in [
        ("C: STARTTLS\nS: 220 go\nC: *tls*", "C: STARTTLS\nC: AUTH LOGIN\nC: cGVuY2ls\nS: 220"),
        ("C: AUTH LOGIN\nS: 334 x\nC: *close*", "C: AUTH LOGIN\nS: 334\nC: cGVuY2ls"),
    ] {
        let server = Server::play(&format!("S: 220 hi\n{served}")).unwrap();
        drop(open(&server).play(&format!("S: 220\n{sent}").parse().unwrap()));
        let error = server.join().unwrap_err().to_string();
        assert!(error.contains("[hidden]") && !error.contains("cGVu"), "{error}");
    }
}

#[test]
fn a_server_that_is_not_proven_is_a_failure_of_its_own() {
    let dialogue = "S: 220 hi\nC: *starttls*\nC: QUIT\nS: 221 bye";
    let authority = Authority::new("somebody else");
    let server = Server::play(dialogue).unwrap();
    let mut player = Player::new();
    player.tls(&Config::new().name("localhost").authorities(authority.pem().as_bytes()).unwrap());
    let played = player.play(open(&server), &dialogue.parse().unwrap());
    let failure = played.failure().unwrap();
    assert_eq!((failure.step.line, failure.verdict), (2, Verdict::Insecure));
    assert!(failure.got.starts_with("cannot trust 127.0.0.1:"), "{failure}");
    drop(played);
    drop(server.join());

    // A certificate of one's own, and a client that goes on whatever is wrong.
    let identity = Identity::self_signed(["mx.example.org"]);
    let server = Setup::new().tls(&identity).play(&dialogue.parse().unwrap(), &Values::default()).unwrap();
    assert_eq!(server.certificate(), Some(identity.pem().as_str()));
    let mut told = String::new();
    let mut player = Player::new();
    player.tls(&Config::new().insecure()).watch(|report| {
        if let Report::TlsStarted(info) = report {
            told = info.to_owned();
        }
    });
    player.play(open(&server), &dialogue.parse().unwrap()).require().unwrap();
    drop(player);
    server.join().unwrap();
    assert!(told.starts_with("TLS 1.3, ") && told.contains("NOT verified: "), "{told}");
}

#[test]
fn a_handshake_has_a_deadline_on_both_sides() {
    let server = Server::play("S: 220 hi\n*within 20 ms*\nC: *tls*").unwrap();
    let mut session = open(&server);
    session.read_reply().unwrap();
    let told = server.join().unwrap_err().to_string();
    assert!(told.contains("expected `C: *tls*`, got nothing in 20ms"), "{told}");

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mute = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.write_all(b"220 hi\r\n").unwrap();
        drop(client.read_to_end(&mut Vec::new()));
    });
    let session = Connect::new("127.0.0.1", port).open().unwrap();
    let played = session.play(&"S: 220\n*within 20 ms*\nC: *tls*".parse().unwrap());
    let failure = played.failure().unwrap();
    assert_eq!((failure.verdict, failure.got.as_str()), (Verdict::TooLate, "nothing in 20ms"));
    drop(played);
    mute.join().unwrap();
}

#[test]
fn every_mechanism_is_played_from_both_sides() {
    for mechanism in
        ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER", "EXTERNAL"]
    {
        let dialogue = format!(
            "S: 220 hi\n*secret word*\nC: *authenticate {mechanism} us=er ${{word:-pen,cil}}*\nC: QUIT\nS: 221 bye"
        );
        both(&dialogue, &dialogue);
    }
}

#[test]
fn an_exchange_that_is_bound_to_tls_is_played_from_both_sides_and_needs_tls() {
    for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"] {
        let dialogue = format!("C: *tls*\nS: 220 hi\nC: *authenticate {mechanism} user pencil*\nC: QUIT\nS: 221 bye");
        both(&dialogue, &dialogue);
        let dialogue = format!("S: 220 hi\nC: *authenticate {mechanism} user pencil*");
        let server = Server::play(&dialogue).unwrap();
        let played = open(&server).play(&dialogue.parse().unwrap());
        let failure = played.failure().unwrap();
        assert_eq!(failure.verdict, Verdict::Impossible);
        assert_eq!(failure.got, format!("there is nothing here to bind {mechanism} to"));
        drop(played);
        server.join().unwrap_err();
    }
}

#[test]
fn a_refused_exchange_is_a_failure_of_its_own_on_both_sides_and_shows_no_password() {
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let server = Server::play(&format!("S: 220 hi\nC: *authenticate {mechanism} tim right*")).unwrap();
        let mut player = Player::new();
        player.set_secret("word", "wrong-word");
        let dialogue = format!("S: 220\nC: *authenticate {mechanism} tim ${{word}}*\nC: never");
        let played = player.play(open(&server), &dialogue.parse().unwrap());
        let failure = played.failure().unwrap();
        assert_eq!((failure.verdict, failure.got.as_str()), (Verdict::Refused, "`535 5.7.8 wrong user or password`"));
        let told = failure.to_string();
        assert!(told.contains(&format!("C: AUTH {mechanism}")) && told.contains("[hidden]"), "{told}");
        assert!(!told.contains("wrong-word") && !told.contains("d3Jvbmctd29yZA"), "{told}");
        drop(played);
        let told = server.join().unwrap_err().to_string();
        assert!(told.contains("got an exchange that ended with `535 5.7.8 wrong user or password`"), "{told}");
        assert!(!told.contains("wrong-word") && !told.contains("d3Jvbmctd29yZA"), "{told}");
    }
}

#[test]
fn a_server_that_grants_without_proof_and_one_that_asks_nonsense_are_refused() {
    for (served, told) in [
        ("S: 235 welcome", "`235 welcome`: the server has not proven that it knows the password, too"),
        ("S: 334 %%%\nC: *\nS: 501 cancelled", "`334 %%%`: the server's challenge is none of SCRAM-SHA-256"),
    ] {
        let server = Server::play(&format!("S: 220 hi\nC: AUTH SCRAM-SHA-256 ${{first}}\n{served}")).unwrap();
        let played = open(&server).play(&"S: 220\nC: *authenticate SCRAM-SHA-256 tim pencil*".parse().unwrap());
        let failure = played.failure().unwrap();
        assert_eq!((failure.verdict, failure.got.as_str()), (Verdict::Refused, told));
        drop(played);
        server.join().unwrap();
    }
}

#[test]
fn what_cannot_be_done_says_why() {
    let server = Server::play("S: 220 hi").unwrap();
    let played = open(&server).play(&"S: 220\nC: *authenticate GSSAPI a b*".parse().unwrap());
    let failure = played.failure().unwrap();
    assert_eq!(failure.verdict, Verdict::Impossible);
    assert!(failure.got.starts_with("no such mechanism here: SCRAM-SHA-256-PLUS, "), "{failure}");
    drop(played);
    server.join().unwrap();

    let server = Server::play("S: 220 hi").unwrap();
    let played = open(&server).play(&"S: 220\nC: *end tls*".parse().unwrap());
    assert!(played.failure().unwrap().got.contains("TLS was not started"), "{played:?}");
    drop(played);
    server.join().unwrap();
}

fn record(server: &Server, act: impl FnOnce(Session) -> Session) -> String {
    let recorder = Recorder::new();
    let mut session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open().unwrap();
    session.read_reply().unwrap();
    act(session).quit().unwrap();
    recorder.text()
}

#[test]
fn a_record_with_tls_and_a_challenge_plays_again() {
    use mconnect_core::auth::{Credentials, Exchange, Mechanism, encode};

    let identity = Identity::self_signed(["localhost"]);
    let server = Setup::new().tls(&identity).auth([("tim", "pencil")]).start().unwrap();
    for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::CramMd5] {
        let text = record(&server, |mut session| {
            session.command("EHLO x").unwrap();
            session.command("STARTTLS").unwrap().require(220).unwrap();
            let (mut session, _) = session.upgrade(&trust(&server)).unwrap();
            session.command("EHLO x").unwrap();
            let refused = session.authenticate(Exchange::new(mechanism, &Credentials::new("tim", "pen")));
            assert_eq!(refused.unwrap().code(), 535);
            let granted = session.authenticate(Exchange::new(mechanism, &Credentials::new("tim", "pencil")));
            granted.unwrap().require(235).unwrap();
            session
        });
        assert!(text.contains("S: 220\nC: *tls*\nC: EHLO x\n"), "{text}");
        assert!(
            text.contains(&format!("C: *authenticate {mechanism} ${{user1}} ${{password1}}*\nC: QUIT\n")),
            "{text}"
        );
        let mut player = Player::new();
        player.tls(&trust(&server)).set("user1", "tim").set("password1", "pencil");
        // An exchange that was refused is written line by line; what is said in it is nonsense here.
        let nonsense = ["n,,n=tim,r=x", "c=biws,r=y,p=AAAA"].map(|text| encode(text.as_bytes()));
        player.set("secret1", nonsense[0].as_str()).set("secret2", nonsense[1].as_str());
        player
            .play(open(&server), &Dialogue::parse(&text).unwrap())
            .require()
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

#[test]
fn the_end_of_a_handshake_a_farewell_and_what_follows_may_come_together() {
    let dialogue = "S: 220 hi\nC: *starttls*\nC: *end tls*\nC: QUIT\nS: 221 bye";
    let server = Server::play(dialogue).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (port, target) = (listener.local_addr().unwrap().port(), server.address());
    let hand = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(target).unwrap();
        let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let back = thread::spawn(move || {
            drop(io::copy(&mut from_server, &mut to_client));
            drop(to_client.shutdown(Shutdown::Write));
        });
        let (mut held, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            held.extend_from_slice(&buffer[..count]);
            // The second flight begins with change_cipher_spec.
            if held[0] != 20 || held.ends_with(b"QUIT\r\n") {
                server.write_all(&held).unwrap();
                held.clear();
            }
        }
        drop(server.shutdown(Shutdown::Write));
        back.join().unwrap();
    });
    let mut player = Player::new();
    player.tls(&trust(&server));
    let session = Connect::new("127.0.0.1", port).open().unwrap();
    drop(player.play(session, &dialogue.parse().unwrap()).require().unwrap());
    server.join().unwrap();
    hand.join().unwrap();
}

#[test]
fn a_farewell_of_tls_and_what_follows_it_may_come_in_any_pieces() {
    // What a server sends inside TLS, then in the clear, passes through a hand that cuts it.
    let dialogue = "S: 220 hi\nC: *starttls*\nC: A\nS: 250 inside\nS: *end tls*\nS: 250 outside\nC: B\nS: 250 bye";
    for size in [1, 3, 7, 64] {
        let server = Server::play(dialogue).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = server.address();
        let hand = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut server = TcpStream::connect(target).unwrap();
            client.set_nodelay(true).unwrap();
            let (mut back, mut forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let other = thread::spawn(move || io::copy(&mut forth, &mut back).map(drop));
            let mut buffer = vec![0; size];
            loop {
                let count = server.read(&mut buffer).unwrap();
                if count == 0 || client.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            drop(client.shutdown(Shutdown::Both));
            drop(other.join());
        });
        let mut player = Player::new();
        player.tls(&trust(&server));
        let session = Connect::new("127.0.0.1", port).open().unwrap();
        player.play(session, &dialogue.parse().unwrap()).require().unwrap_or_else(|error| panic!("{size}: {error}"));
        server.join_within(Duration::from_secs(10)).unwrap();
        hand.join().unwrap();
    }
}
