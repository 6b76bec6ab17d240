//! A name server on loopback that does what it is told, query by query.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use domain::base::iana::{Class, OptionCode, Rcode, Rtype};
use domain::base::opt::UnknownOptData;
use domain::base::rdata::UnknownRecordData;
use domain::base::{Message, MessageBuilder, Name, Ttl};
use domain::rdata::{A, Cname, Mx, Soa, Srv, Txt};

/// What it does at a query.
#[derive(Clone)]
pub enum Act {
    /// Answers.
    Say(Reply),
    /// Answers, after something was done to the octets.
    Mangle(Reply, fn(&mut Vec<u8>)),
    /// Answers this first, and then the other.
    Both(Box<Act>, Box<Act>),
    /// Says nothing.
    Drop,
    /// Says by datagram that the answer is too long for one, and answers over a connection.
    Truncate(Reply),
    /// Says these octets behind the id of the query.
    Raw(Vec<u8>),
    /// Answers that it does not understand, as long as the query has EDNS.
    WithoutEdns(Reply),
}

#[derive(Clone, Default)]
pub struct Reply {
    pub is_authentic: bool,
    pub code: Option<Rcode>,
    pub answers: Vec<(&'static str, Data)>,
    pub has_soa: bool,
    pub has_ns: bool,
    /// It is the server of somebody else's zone, and asks nobody.
    pub is_lame: bool,
    pub reasons: Vec<(u16, &'static [u8])>,
    pub is_about: Option<&'static str>,
}

#[derive(Clone)]
pub enum Data {
    Mx(u16, &'static str),
    Cname(&'static str),
    A([u8; 4]),
    Txt(&'static [u8]),
    Srv(u16, u16, u16, &'static str),
    Other(Rtype, Vec<u8>),
}

/// Starts it. After its last act it goes on with that; what it was asked is in the list: `udp MX example.test edns`.
pub fn serve(acts: Vec<Act>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let (listener, socket) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()) {
            break (listener, socket);
        }
    };
    let address = socket.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let next = {
        let asked = Arc::clone(&asked);
        move |transport: &str, query: &[u8]| {
            let (mut asked, query) = (asked.lock().unwrap(), Message::from_octets(query).unwrap());
            let question = query.sole_question().unwrap();
            let edns = if query.opt().is_some_and(|opt| opt.dnssec_ok()) { " edns" } else { "" };
            let unchecked = if query.header().cd() { " unchecked" } else { "" };
            assert!(query.header().rd() && query.header().ad());
            let act = acts.get(asked.len()).or(acts.last()).unwrap().clone();
            asked.push(format!("{transport} {} {}{edns}{unchecked}", question.qtype(), question.qname()));
            act
        }
    };
    let over_tcp = next.clone();
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((size, client)) = socket.recv_from(&mut buffer) {
            for answer in next("udp", &buffer[..size]).answers(&buffer[..size], false) {
                let _ = socket.send_to(&answer, client);
            }
        }
    });
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut query).unwrap();
            for answer in over_tcp("tcp", &query).answers(&query, true) {
                let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                // In pieces, as a network may have it.
                for piece in [&length[..1], &length[1..], &answer[..answer.len() / 2], &answer[answer.len() / 2..]] {
                    let _ = stream.write_all(piece);
                }
            }
        }
    });
    (address, asked)
}

impl Act {
    fn answers(&self, query: &[u8], is_connection: bool) -> Vec<Vec<u8>> {
        match self {
            Act::Say(reply) => vec![reply.octets(query)],
            Act::Mangle(reply, mangle) => {
                let mut octets = reply.octets(query);
                mangle(&mut octets);
                vec![octets]
            }
            Act::Both(one, other) => [one.answers(query, is_connection), other.answers(query, is_connection)].concat(),
            Act::Drop => Vec::new(),
            Act::Truncate(reply) if is_connection => vec![reply.octets(query)],
            Act::Truncate(_) => {
                let mut octets = Reply::default().octets(query);
                octets[2] |= 0x02;
                vec![octets]
            }
            Act::Raw(octets) => vec![[&query[..2], octets].concat()],
            Act::WithoutEdns(reply) => {
                let has_edns = Message::from_octets(query).unwrap().opt().is_some();
                // Such servers repeat the header alone.
                let refusal = [&query[..2], &[0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
                vec![if has_edns { refusal } else { reply.octets(query) }]
            }
        }
    }
}

impl Reply {
    fn octets(&self, query: &[u8]) -> Vec<u8> {
        let query = Message::from_octets(query).unwrap();
        let asked = query.sole_question().unwrap();
        let mut answer = MessageBuilder::new_vec();
        let header = answer.header_mut();
        header.set_id(query.header().id());
        header.set_qr(true);
        header.set_rd(true);
        header.set_ra(!self.is_lame);
        header.set_ad(self.is_authentic);
        header.set_rcode(self.code.unwrap_or(Rcode::NOERROR));
        let mut answer = answer.question();
        match self.is_about {
            Some(other) => answer.push((name(other), asked.qtype())).unwrap(),
            None => answer.push(asked).unwrap(),
        }
        let mut answer = answer.answer();
        for (owner, data) in &self.answers {
            let (owner, ttl) = (name(owner), Ttl::from_secs(60));
            match data {
                Data::Mx(preference, to) => answer.push((owner, Class::IN, ttl, Mx::new(*preference, name(to)))),
                Data::Cname(to) => answer.push((owner, Class::IN, ttl, Cname::new(name(to)))),
                Data::A([a, b, c, d]) => answer.push((owner, Class::IN, ttl, A::from_octets(*a, *b, *c, *d))),
                Data::Txt(text) => {
                    let text: Txt<Vec<u8>> = Txt::build_from_slice(text).unwrap();
                    answer.push((owner, Class::IN, ttl, text))
                }
                Data::Srv(priority, weight, port, to) => {
                    answer.push((owner, Class::IN, ttl, Srv::new(*priority, *weight, *port, name(to))))
                }
                Data::Other(rtype, octets) => {
                    let data = UnknownRecordData::from_octets(*rtype, octets.clone()).unwrap();
                    answer.push((owner, Class::IN, ttl, data))
                }
            }
            .unwrap();
        }
        let mut answer = answer.authority();
        let (root, ttl) = (Name::<Vec<u8>>::root(), Ttl::from_secs(60));
        if self.has_soa {
            let soa = Soa::new(root.clone(), root.clone(), 1.into(), ttl, ttl, ttl, ttl);
            answer.push((root.clone(), Class::IN, ttl, soa)).unwrap();
        }
        if self.has_ns {
            answer.push((root.clone(), Class::IN, ttl, domain::rdata::Ns::new(root))).unwrap();
        }
        let mut answer = answer.additional();
        let reasons = &self.reasons;
        let opt = answer.opt(|opt| {
            for (code, text) in reasons {
                let octets = [&code.to_be_bytes()[..], text].concat();
                opt.push(&UnknownOptData::new(OptionCode::EXTENDED_ERROR, octets).unwrap())?;
            }
            Ok(())
        });
        opt.unwrap();
        answer.finish()
    }
}

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).unwrap()
}
