//! The DNS of the farm: every answer is made of the name that is asked for.

use std::net::UdpSocket;

use crate::kind::Kind;
use crate::tally::Tally;

/// Answers for ever.
pub fn serve(socket: &UdpSocket, exchangers: u16, tally: &Tally) {
    let mut query = [0; 512];
    loop {
        // What the system says here is about an answer whose client has gone.
        let Ok((octets, client)) = socket.recv_from(&mut query) else { continue };
        if let Some(answer) = answer(&query[..octets], exchangers, tally) {
            drop(socket.send_to(&answer, client));
        }
    }
}

/// What an answer says, beside its code.
enum Says {
    Nothing,
    Record(Vec<u8>),
}

fn answer(query: &[u8], exchangers: u16, tally: &Tally) -> Option<Vec<u8>> {
    let (labels, end) = question(query)?;
    let rtype = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let (code, says) = match labels.as_slice() {
        ["tally", "test"] if rtype == TXT => {
            let text = tally.to_string();
            (NO_ERROR, Says::Record([&[u8::try_from(text.len()).ok()?], text.as_bytes()].concat()))
        }
        [.., label, kind, "test"] => match (Kind::named(kind), number(label, "d"), number(label, "mx")) {
            (None | Some(Kind::Missing), ..) => (NO_SUCH_NAME, Says::Nothing),
            (Some(Kind::Failing), ..) => (SERVER_FAILURE, Says::Nothing),
            (Some(Kind::NullMx), ..) if rtype == MX => (NO_ERROR, Says::Record(vec![0, 0, 0])),
            (Some(_), Some(number), _) if rtype == MX && labels.len() == 3 => {
                let host = format!("mx{}", number % u32::from(exchangers));
                (NO_ERROR, Says::Record([&[0, 10][..], &name(&[&host, kind, "test"])].concat()))
            }
            (Some(kind), _, Some(number)) if rtype == A => {
                let number = u16::try_from(number).ok().filter(|number| *number < exchangers);
                (NO_ERROR, number.map_or(Says::Nothing, |number| Says::Record(kind.address(number).octets().to_vec())))
            }
            _ => (NO_ERROR, Says::Nothing),
        },
        _ => (NO_SUCH_NAME, Says::Nothing),
    };
    // Id, flags and counts, the question as it came, and at most one record, whose owner is the question's.
    let mut answer = [&query[..2], &[0x85, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0], query.get(12..end + 4)?].concat();
    if let Says::Record(data) = says {
        answer[7] = 1;
        answer.extend([0xc0, 12]);
        answer.extend(rtype.to_be_bytes());
        answer.extend([0, 1, 0, 0, 1, 44]);
        answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

/// Returns the labels that are asked for, in lower case, and where the type of the record stands.
fn question(query: &[u8]) -> Option<(Vec<String>, usize)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let size = usize::from(*query.get(at)?);
        at += 1;
        match size {
            0 => return Some((labels, at)),
            1..64 => labels.push(String::from_utf8_lossy(query.get(at..at + size)?).to_ascii_lowercase()),
            _ => return None,
        }
        at += size;
    }
}

fn number(label: &str, prefix: &str) -> Option<u32> {
    label.strip_prefix(prefix)?.parse().ok()
}

/// Writes a name whose labels are short.
fn name(labels: &[&str]) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in labels {
        octets.push(u8::try_from(label.len()).expect("the labels of the farm are short"));
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

const A: u16 = 1;
const MX: u16 = 15;
const TXT: u16 = 16;
const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;
