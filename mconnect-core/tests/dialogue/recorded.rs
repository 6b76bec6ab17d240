//! Sessions written down, and played again.

use mconnect_core::Connect;
use mconnect_core::dialogue::{Dialogue, Player, Recorder};
use mconnect_core::server::Server;

use crate::open;

#[test]
fn what_is_recorded_plays_and_one_changed_code_does_not() {
    let server = Server::start().unwrap();
    let recorder = Recorder::new();
    let mut session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open().unwrap();
    session.read_reply().unwrap();
    session.command("EHLO x").unwrap();
    session.pipeline(["MAIL FROM:<>", "RCPT TO:<refused@x>", "RCPT TO:<a@x>"]).unwrap();
    session.message("Subject: a\n\n\u{e9}\n.b\n".as_bytes()).unwrap().require(250).unwrap();
    session.command("AUTH PLAIN hush").unwrap();
    session.send(b"BDAT 2 LAST\r\n\0x").unwrap();
    session.read_reply().unwrap();
    session.quit().unwrap();
    let text = recorder.text();
    assert!(!text.contains("hush") && text.contains("C: AUTH PLAIN ${secret1}\n"), "{text}");
    assert!(text.contains("# 550 5.1.1 no such mailbox here\nS: 550\n"), "{text}");

    let play = |text: &str| {
        let mut player = Player::new();
        player.set("secret1", "hush");
        player.play(open(&server), &Dialogue::parse(text).unwrap()).require().map(drop)
    };
    play(&text).unwrap();
    let changed = text.replace("S: 550", "S: 551");
    let line = changed.lines().position(|line| line == "S: 551").unwrap() + 1;
    let told = play(&changed).unwrap_err().to_string();
    assert!(
        told.starts_with(&format!("line {line}: expected `S: 551`, got `550 5.1.1 no such mailbox here`, after")),
        "{told}"
    );
}
