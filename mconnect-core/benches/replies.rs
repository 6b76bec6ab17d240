//! Replies taken apart: mconnect-core beside smtp-proto and lettre, on the same bytes.
//!
//! Each makes whole, owned replies. mconnect-core and smtp-proto are given a stream in blocks, as a socket gives it, and
//! find the ends of the replies themselves; lettre's parser is given one whole reply after another. The table says how
//! long a stream took, how many octets and replies a second that is, and what was allocated for it.

use std::fmt;

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher, black_box};
use lettre::transport::smtp::response::Response;
use mconnect_core::protocol::{Limits, LineBuffer, ReplyBuilder};
use smtp_proto::response::parser::ResponseReceiver;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Replies, one after the other, as a server sends them.
struct Stream {
    name: &'static str,
    replies: Vec<String>,
}

#[divan::bench(args = streams())]
fn mconnect_core(bencher: Bencher<'_, '_>, stream: &Stream) {
    let bytes = stream.bytes();
    let (mut lines, mut replies) = (LineBuffer::new(Limits::default().line), ReplyBuilder::new(Limits::default()));
    stream.bench(bencher, || {
        let mut count = 0;
        for block in bytes.chunks(BLOCK) {
            lines.extend(block);
            while let Some(line) = lines.next_line() {
                if let Some(reply) = replies.push(line).expect("a reply within the limits") {
                    black_box(reply);
                    count += 1;
                }
            }
        }
        count
    });
}

#[divan::bench(args = streams())]
fn smtp_proto(bencher: Bencher<'_, '_>, stream: &Stream) {
    let bytes = stream.bytes();
    let mut replies = ResponseReceiver::default();
    stream.bench(bencher, || {
        let mut count = 0;
        for block in bytes.chunks(BLOCK) {
            let mut rest = block.iter();
            while let Ok(reply) = replies.parse(&mut rest) {
                black_box(reply);
                replies.reset();
                count += 1;
            }
        }
        count
    });
}

#[divan::bench(args = streams())]
fn lettre(bencher: Bencher<'_, '_>, stream: &Stream) {
    stream.bench(bencher, || {
        for reply in &stream.replies {
            black_box(reply.parse::<Response>().expect("a reply as RFC 5321 has it"));
        }
        stream.replies.len()
    });
}

/// What a session is made of mostly; a reply to EHLO in 100 lines; a reply of 1 MiB in lines of 512 octets, the longest
/// that RFC 5321 lets a server send.
fn streams() -> [Stream; 3] {
    let short = ["250 2.1.0 Ok\r\n", "354 End data with <CR><LF>.<CR><LF>\r\n", "250 2.0.0 Ok: queued as 4F5B81C2\r\n"];
    let extensions: String = (1..100).map(|line| format!("250-XEXTENSION{line} FIRST SECOND={line}\r\n")).collect();
    let text = "x".repeat(512 - "214-\r\n".len());
    [
        Stream { name: "short", replies: short.iter().cycle().take(999).map(|reply| (*reply).to_owned()).collect() },
        Stream { name: "ehlo", replies: vec![extensions + "250 SMTPUTF8\r\n"] },
        Stream { name: "mebibyte", replies: vec![format!("214-{text}\r\n").repeat(2047) + &format!("214 {text}\r\n")] },
    ]
}

impl Stream {
    fn bytes(&self) -> Vec<u8> {
        self.replies.concat().into_bytes()
    }

    /// Measures what parses the stream and returns how many replies it found. A parser that cannot find them has no figure.
    fn bench(&self, bencher: Bencher<'_, '_>, mut parse: impl FnMut() -> usize) {
        if parse() != self.replies.len() {
            return eprintln!("({} octets: not to be read by this one)", self.bytes().len());
        }
        let octets = self.bytes().len();
        bencher.counter(BytesCount::new(octets)).counter(ItemsCount::new(self.replies.len())).bench_local(parse);
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How much a socket gives at once.
const BLOCK: usize = 64 * 1024;
