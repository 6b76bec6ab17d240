//! The client's side: whatever a server says, a session ends in values or errors, and no byte of it is lost.

use std::io::{self, Cursor, Read as _};
use std::sync::{Arc, Mutex};

use mconnect_core::protocol::Limits;
use mconnect_core::{Connect, Error, Event, Pair, Session, observer_fn};

use crate::is_fit_to_show;

/// The first octet chooses what the client does, the others are what the server says.
pub fn holds(data: &[u8]) {
    let Some((choice, stream)) = data.split_first() else { return };
    let seen = Arc::<Mutex<Vec<u8>>>::default();
    let kept = Arc::clone(&seen);
    let limits = Limits::default().line(64).lines(8).reply(256);
    let limits = if choice & 1 == 0 { limits } else { Limits::default() };
    let connect = Connect::new("server", 25).limits(limits).observer(observer_fn(move |_, event| {
        if let Event::Received(line) = event {
            kept.lock().expect("nobody panics with it").extend_from_slice(line.raw());
        }
    }));
    let mut session = connect.over(Pair::new(Cursor::new(stream.to_vec()), io::sink()));
    let result = talk(&mut session, choice >> 1);
    if let Err(error) = &result {
        assert!(is_fit_to_show(&error.to_string()), "{error}");
    }
    while let Ok(Some(_)) = session.read_line() {}
    let mut bytes = seen.lock().expect("nobody panics with it").clone();
    session.into_raw().0.read_to_end(&mut bytes).expect("memory can be read");
    assert_eq!(bytes, stream);
}

fn talk(session: &mut Session, choice: u8) -> Result<(), Error> {
    session.read_reply()?;
    session.command("EHLO fuzz")?;
    match choice % 4 {
        0 => drop(session.pipeline_anyway(["MAIL FROM:<>", "RCPT TO:<a>", "RCPT TO:<b>"])?),
        1 => drop(session.command("MAIL FROM:<>")?),
        2 => drop(session.message(&b"Subject: x\n\n.dot\n"[..])?),
        _ => drop(session.command("AUTH PLAIN AGEAYg==")?),
    }
    drop(session.message(&b".\n"[..])?);
    session.command("NOOP")?;
    Ok(())
}
