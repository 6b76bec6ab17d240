//! The state of a TLS connection: what goes in and out of it is moved here, and nothing waits.
//!
//! ```text
//!   received ── process ──► connection ──► plaintext, counted
//!   out ◄────── encrypt ──── connection ◄── plaintext
//! ```

use std::io;
use std::time::Duration;

use rustls::Connection;

use super::errors::{self, Stage};
use super::received::Received;

/// A connection, with what was received for it and not looked at, and what it has to send.
pub(super) struct State {
    /// What rustls knows. Its buffers have no limit: what is written is encrypted at once, and moved to `out`.
    pub connection: Connection,
    /// Ciphertext that was received and not yet looked at.
    pub received: Received,
    /// Somebody has taken `out` and is writing it to the stream below.
    pub is_sending: bool,
    /// Ciphertext that is to be sent.
    pub out: Vec<u8>,
    /// The plaintext in `out` whose writer was told to come again.
    pub owed: usize,
    /// close_notify was sent, or is about to be: nothing more can be written.
    pub is_half_closed: bool,
    /// The other end's close_notify is here.
    pub has_ended: bool,
    /// The read timeout that the stream above was given: the wait for a farewell has no more than that.
    pub read_timeout: Option<Duration>,
    /// The least version of TLS that is spoken.
    pub least: &'static str,
}

impl State {
    /// Begins with a connection that has not shaken hands.
    pub fn new(mut connection: Connection, least: &'static str) -> Self {
        connection.set_buffer_limit(None);
        Self {
            connection,
            received: Received::default(),
            is_sending: false,
            out: Vec::new(),
            owed: 0,
            is_half_closed: false,
            has_ended: false,
            read_timeout: None,
            least,
        }
    }

    /// Takes the farewell into what is to be sent, once. Nothing is written after it.
    pub fn say_farewell(&mut self) {
        if !self.is_half_closed {
            self.is_half_closed = true;
            self.connection.send_close_notify();
        }
    }

    /// Moves what the connection has to send to `out`.
    pub fn encrypt(&mut self) {
        while self.connection.wants_write() {
            // Writing to memory does not fail.
            if self.connection.write_tls(&mut self.out).is_err() {
                return;
            }
        }
    }

    /// Decrypts what was received, until there is plaintext, and returns how much.
    pub fn process(&mut self) -> io::Result<usize> {
        loop {
            let io = match self.connection.process_new_packets() {
                Ok(io) => io,
                Err(error) => {
                    let stage = match self.connection.negotiated_cipher_suite() {
                        None => Stage::Begun,
                        Some(_) if self.connection.is_handshaking() => Stage::Agreed,
                        Some(_) => Stage::Done,
                    };
                    return Err(errors::failure(error, self.least, stage));
                }
            };
            self.has_ended |= io.peer_has_closed();
            let plaintext = io.plaintext_bytes_to_read();
            if plaintext > 0 {
                return Ok(plaintext);
            }
            if self.received.rest().is_empty() {
                // What follows a close_notify is not for this connection.
                return if self.has_ended { Ok(0) } else { self.look_for_plain_text() };
            }
            match self.connection.read_tls(&mut self.received) {
                // After a close_notify nothing more is looked at.
                Ok(0) | Err(_) => return Ok(0),
                Ok(_) => {}
            }
        }
    }

    /// Records that are none are not given to the connection: after a close_notify of its own it cannot complain of
    /// them. A server may then go on in plain text, to say goodbye: that is an end without its close_notify, and before
    /// a close_notify of this end an error.
    fn look_for_plain_text(&self) -> io::Result<usize> {
        let kind = if self.is_half_closed { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData };
        match self.received.plain() {
            [] => Ok(0),
            plain => Err(io::Error::new(kind, errors::LeftTls::new(plain))),
        }
    }
}
