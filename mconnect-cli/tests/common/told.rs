//! A server whose words come when a test says so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::{PATIENCE, Peer};

/// A server whose words come when the test says so.
pub struct Told {
    pub peer: Peer,
    pub words: Sender<String>,
    pub reads: Receiver<Vec<u8>>,
}

impl Told {
    pub fn start() -> Self {
        let (words, told) = channel::<String>();
        let (read, reads) = channel();
        let peer = Peer::start(move |stream| {
            let mut reader = stream.try_clone().unwrap();
            let reading = thread::spawn(move || {
                let (mut all, mut buffer) = (Vec::new(), [0; 65536]);
                while let Ok(count @ 1..) = reader.read(&mut buffer) {
                    all.extend_from_slice(&buffer[..count]);
                    let _ = read.send(all.clone());
                }
                all
            });
            say_all(stream, &told);
            vec![reading.join().unwrap()]
        });
        Self { peer, words, reads }
    }

    pub fn say(&self, words: &str) {
        self.words.send(words.to_owned()).unwrap();
    }

    /// Waits until the client has sent this, and nothing else. What is typed right before Ctrl-C or Ctrl-Z, the terminal
    /// itself drops.
    #[track_caller]
    pub fn expect(&self, sent: &(impl AsRef<[u8]> + ?Sized)) {
        let (sent, mut came) = (sent.as_ref(), Vec::new());
        while came != sent {
            let more = self.reads.recv_timeout(PATIENCE);
            came = more.unwrap_or_else(|_| panic!("{} did not come, but {}", sent.escape_ascii(), came.escape_ascii()));
        }
    }

    /// Closes, and returns everything that came.
    pub fn received(self) -> String {
        drop(self.words);
        String::from_utf8(self.peer.received().concat()).unwrap()
    }
}

fn say_all(mut stream: TcpStream, told: &Receiver<String>) {
    while let Ok(words) = told.recv() {
        stream.write_all(words.as_bytes()).unwrap();
    }
    let _ = stream.shutdown(Shutdown::Write);
}
