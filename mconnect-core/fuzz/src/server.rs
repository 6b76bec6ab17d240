//! The loopback server: whatever a client sends, it answers in proper replies, the same wherever the bytes are cut.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use mconnect_core::protocol::{Limits, LineBuffer, ReplyBuilder};
use mconnect_core::server::{Message, Server, Setup};

use crate::parts;

pub fn holds(data: &[u8]) {
    let (replies, messages) = talk(&[data]);
    let again = talk(&parts(data));
    // A challenge holds a number that is used once.
    let is_fixed = |line: &&[u8]| !line.starts_with(b"334 ");
    let fixed = |replies: &[u8]| -> Vec<Vec<u8>> {
        replies.split_inclusive(|byte| *byte == b'\n').filter(is_fixed).map(<[u8]>::to_vec).collect()
    };
    assert_eq!(fixed(&again.0), fixed(&replies));
    assert_eq!(again.1, messages);
    check(&replies);
}

/// Sends the parts, ends the sending side, and returns what the server said and kept.
fn talk(parts: &[&[u8]]) -> (Vec<u8>, Vec<Message>) {
    let mut server = SERVER.lock().expect("nobody panics with it");
    // Its messages are kept in memory: a new server now and then.
    let (server, known, _) = match &mut *server {
        Some(current) if current.2 > 0 => {
            current.2 -= 1;
            current
        }
        gone => gone.insert((
            Setup::new().auth([("user", "secret")]).start().expect("the system lets it listen"),
            0,
            SESSIONS,
        )),
    };
    let client = TcpStream::connect(server.address()).expect("the server accepts");
    client.set_nodelay(true).expect("it is a socket");
    client.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    client.set_write_timeout(Some(PATIENCE)).expect("it is a socket");
    let mut replies = Vec::new();
    thread::scope(|scope| {
        let mut writer = &client;
        scope.spawn(move || {
            // After a QUIT it reads no more.
            let _ = parts.iter().try_for_each(|part| writer.write_all(part));
            let _ = writer.shutdown(Shutdown::Write);
        });
        let mut buffer = [0; 4096];
        loop {
            match (&client).read(&mut buffer) {
                Ok(count @ 1..) => replies.extend_from_slice(&buffer[..count]),
                // The fuzzer's timer.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Closing with something unread resets.
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{error}, after {}", replies.escape_ascii()),
            }
        }
    });
    let messages = server.messages();
    let mut new = messages[*known..].to_vec();
    new.iter_mut().for_each(|message| message.session = 0);
    *known = messages.len();
    (replies, new)
}

fn check(replies: &[u8]) {
    let (mut lines, mut builder) = (LineBuffer::new(1000), ReplyBuilder::new(Limits::default()));
    lines.extend(replies);
    let mut count = 0;
    while let Some(line) = lines.next_line() {
        if let Some(reply) = builder.push(line).expect("its replies are short") {
            assert_eq!(reply.flaws(), Default::default(), "{reply}");
            assert!((211..=599).contains(&reply.code().number()), "{reply}");
            count += 1;
        }
    }
    assert!(count > 0 && lines.finish().is_none() && builder.partial().is_empty(), "{}", replies.escape_ascii());
}

/// The server, the messages of it that were looked at, and the sessions that it still serves.
static SERVER: Mutex<Option<(Server, usize, usize)>> = Mutex::new(None);
const SESSIONS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(20);
