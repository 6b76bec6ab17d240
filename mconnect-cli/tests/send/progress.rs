//! What takes long shows itself, and says at an interrupt what became of it.

use nix::sys::signal::Signal;

use crate::TO;
use crate::common::keys::CTRL_C;
use crate::common::slow::{SIZE, message, slow};
use crate::common::{MCONNECT, Pty, Scrap};

const BEFORE: &[&str] = &["220 hi\r\n", "250 hi\r\n", "250 a\r\n", "250 b\r\n"];

fn start(port: u16, file: &str) -> Pty {
    let port = port.to_string();
    Pty::start(MCONNECT, &[&TO[..], &["--message", file, "-p", &port, "127.0.0.1"]].concat())
}

#[test]
fn a_long_message_shows_how_far_it_is_and_what_went_out() {
    let file = Scrap::new("mail.eml", &message());
    let (peer, go) = slow(BEFORE);
    let mut pty = start(peer.port, file.path());
    // The system takes some of it by itself, and then one write blocks: the line is drawn all the same, and again.
    for _ in 0..3 {
        pty.expect("mail.eml: ");
        pty.expect(" MB of 16.8 MB, ");
        pty.expect(" s left");
    }
    go.send(()).unwrap();
    go.send(()).unwrap();
    pty.expect(&format!("{}: 16.8 MB sent in ", file.path()));
    pty.expect("b@x  delivered  250 taken");
    assert_eq!(pty.wait(), 0);
    assert_eq!(peer.received(), [(SIZE + 3).to_string().as_bytes()]);
}

#[test]
fn interrupted_it_says_how_much_went_out_and_whether_the_message_can_have_been_taken() {
    let file = Scrap::new("mail.eml", &message());
    for is_whole in [false, true] {
        let (peer, go) = slow(BEFORE);
        let mut pty = start(peer.port, file.path());
        pty.expect(" s left");
        if is_whole {
            go.send(()).unwrap();
            pty.expect("> a message of 16777216 octets, and the dot that ends it");
        }
        pty.send(CTRL_C);
        assert_eq!(pty.wait(), -(Signal::SIGINT as i32));
        pty.expect("mconnect: interrupted: ");
        pty.expect(if is_whole { "it may have been taken" } else { "it cannot have been taken" });
        drop(go);
        peer.received();
    }
}
