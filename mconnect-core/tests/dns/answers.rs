//! What comes of each answer, however hostile: one list, and what is told of it.

use std::time::Duration;

use domain::base::iana::{Rcode, Rtype};
use mconnect_core::dns::{DnsError, Found, Mx, Resolver};

use super::ask;
use super::server::{Act, Data, Reply, serve};

/// The acts of the server, what is told in the end, and what the server was asked.
type Row = (&'static str, Vec<Act>, &'static str, &'static str);

fn reply(answers: &[(&'static str, Data)]) -> Reply {
    Reply { answers: answers.to_vec(), ..Reply::default() }
}

fn good() -> Reply {
    Reply { is_authentic: true, ..reply(&[("a.test", Data::Mx(10, "mx.test"))]) }
}

fn failing(code: Rcode, reasons: &[(u16, &'static [u8])]) -> Reply {
    Reply { code: Some(code), reasons: reasons.to_vec(), ..Reply::default() }
}

fn chain(length: usize) -> Vec<(&'static str, Data)> {
    let name = |at: usize| -> &'static str {
        if at == 0 { "a.test" } else { Box::leak(format!("c{at}.test").into_boxed_str()) }
    };
    (0..length).map(|at| (name(at), Data::Cname(name(at + 1)))).collect()
}

const ONCE: &str = "udp MX a.test edns";
const FOUR: &str = "udp MX a.test edns, udp MX a.test edns";

fn rows() -> Vec<Row> {
    let with = |change: fn(&mut Reply)| {
        let mut reply = good();
        change(&mut reply);
        reply
    };
    let alias = |to| ("a.test", Data::Cname(to));
    let exchanger = |owner| (owner, Data::Mx(10, "mx.test"));
    vec![
        ("the truth, verified", vec![Act::Say(good())], "Secure a.test: 10 mx.test", ONCE),
        (
            "the truth, not signed",
            vec![Act::Say(with(|reply| reply.is_authentic = false))],
            "Insecure a.test: 10 mx.test",
            ONCE,
        ),
        (
            "no such records",
            vec![Act::Say(Reply { has_soa: true, is_authentic: true, ..Reply::default() })],
            "Secure a.test: nothing",
            ONCE,
        ),
        ("nothing at all", vec![Act::Say(Reply::default())], "Insecure a.test: nothing", ONCE),
        (
            "no such name",
            vec![Act::Say(Reply { is_authentic: true, ..failing(Rcode::NXDOMAIN, &[]) })],
            "Secure a.test: no such name",
            ONCE,
        ),
        (
            "no such name behind an alias",
            vec![Act::Say(Reply { answers: vec![alias("b.test")], ..failing(Rcode::NXDOMAIN, &[]) })],
            "Insecure b.test (a.test): no such name",
            ONCE,
        ),
        (
            "no such name, and records of it",
            vec![Act::Say(Reply { code: Some(Rcode::NXDOMAIN), ..good() })],
            "MX of a.test: the answer of SERVER has records of a name that is not there by its own account",
            FOUR,
        ),
        (
            "records of other names and types beside it",
            vec![Act::Say(reply(&[exchanger("b.test"), ("a.test", Data::A([192, 0, 2, 1])), exchanger("A.TEST")]))],
            "Insecure a.test: 10 mx.test",
            ONCE,
        ),
        (
            "bogus",
            vec![Act::Say(failing(Rcode::SERVFAIL, &[(9, b"no DNSKEY \x1b[31m\xff"), (22, b"")]))],
            "Bogus a.test: nothing (DNSKEY Missing: no DNSKEY \\x1b[31m\\xff; No Reachable Authority)",
            ONCE,
        ),
        (
            "a failure that says why",
            vec![Act::Say(failing(Rcode::SERVFAIL, &[(22, b"at delegation test.")]))],
            "MX of a.test: SERVER answers SERVFAIL (No Reachable Authority: at delegation test.)",
            FOUR,
        ),
        (
            "a failure without a reason",
            vec![Act::Say(failing(Rcode::SERVFAIL, &[]))],
            "MX of a.test: SERVER answers SERVFAIL",
            "udp MX a.test edns, udp MX a.test edns unchecked, udp MX a.test edns, udp MX a.test edns unchecked",
        ),
        (
            "a failure without a reason, and an answer that is not checked",
            vec![Act::Say(failing(Rcode::SERVFAIL, &[])), Act::Say(with(|reply| reply.is_authentic = false))],
            "Bogus a.test: nothing (the resolver has an answer, fails to verify it, and gives no reason)",
            "udp MX a.test edns, udp MX a.test edns unchecked",
        ),
        (
            "a failure without a reason, and a denial that is not checked",
            vec![Act::Say(failing(Rcode::SERVFAIL, &[])), Act::Say(failing(Rcode::NXDOMAIN, &[]))],
            "Bogus a.test: nothing (the resolver has an answer, fails to verify it, and gives no reason)",
            "udp MX a.test edns, udp MX a.test edns unchecked",
        ),
        ("a refusal", vec![Act::Say(failing(Rcode::REFUSED, &[]))], "MX of a.test: SERVER answers REFUSED", FOUR),
        (
            "a refusal, and then an answer",
            vec![Act::Say(failing(Rcode::REFUSED, &[])), Act::Say(good())],
            "Secure a.test: 10 mx.test",
            FOUR,
        ),
        (
            "an answer that is old",
            vec![Act::Say(with(|reply| reply.reasons = vec![(3, b"")]))],
            "Secure a.test: 10 mx.test (Stale Answer)",
            ONCE,
        ),
        (
            "no EDNS",
            vec![Act::WithoutEdns(reply(&[exchanger("a.test")]))],
            "Insecure a.test: 10 mx.test",
            "udp MX a.test edns, udp MX a.test",
        ),
        (
            "too long for a datagram",
            vec![Act::Truncate(good())],
            "Secure a.test: 10 mx.test",
            "udp MX a.test edns, tcp MX a.test edns",
        ),
        (
            "too long for anything",
            vec![Act::Mangle(good(), |octets| octets[2] |= 2)],
            "MX of a.test: the answer of SERVER is cut off, over TCP too",
            "udp MX a.test edns, tcp MX a.test edns, udp MX a.test edns, tcp MX a.test edns",
        ),
        ("silence", vec![Act::Drop], "MX of a.test: no answer from SERVER", FOUR),
        ("silence, and then an answer", vec![Act::Drop, Act::Say(good())], "Secure a.test: 10 mx.test", FOUR),
        ("another id", vec![Act::Mangle(good(), |octets| octets[0] ^= 1)], "MX of a.test: no answer from SERVER", FOUR),
        (
            "another id, and then the right one",
            vec![Act::Both(
                Box::new(Act::Mangle(with(|reply| reply.answers = vec![]), |octets| octets[1] ^= 1)),
                Box::new(Act::Say(good())),
            )],
            "Secure a.test: 10 mx.test",
            ONCE,
        ),
        (
            "an answer to another question",
            vec![Act::Say(with(|reply| reply.is_about = Some("b.test")))],
            "MX of a.test: no answer from SERVER",
            FOUR,
        ),
        (
            "a query back",
            vec![Act::Mangle(good(), |octets| octets[2] &= 0x7f)],
            "MX of a.test: no answer from SERVER",
            FOUR,
        ),
        (
            "another opcode",
            vec![Act::Mangle(good(), |octets| octets[2] |= 0x20)],
            "MX of a.test: no answer from SERVER",
            FOUR,
        ),
        (
            "another class",
            vec![Act::Mangle(good(), |octets| octets[23] = 3)],
            "MX of a.test: no answer from SERVER",
            FOUR,
        ),
        (
            "success without a question",
            vec![Act::Raw(vec![0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0])],
            "MX of a.test: no answer from SERVER",
            FOUR,
        ),
        ("an id and no more", vec![Act::Raw(vec![])], "MX of a.test: no answer from SERVER", FOUR),
        (
            "cut anywhere",
            vec![Act::Mangle(good(), |octets| octets.truncate(50))],
            "MX of a.test: the answer of SERVER cannot be read",
            FOUR,
        ),
        (
            "more records than there are",
            vec![Act::Mangle(good(), |octets| octets[6] = 0xff)],
            "MX of a.test: the answer of SERVER cannot be read",
            FOUR,
        ),
        (
            "a name that points at itself",
            vec![Act::Mangle(good(), |octets| octets[24..26].copy_from_slice(&[0xc0, 24]))],
            "MX of a.test: the answer of SERVER cannot be read",
            FOUR,
        ),
        (
            "a record that is too short",
            vec![Act::Say(reply(&[("a.test", Data::Other(Rtype::MX, vec![0]))]))],
            "MX of a.test: the answer of SERVER cannot be read",
            FOUR,
        ),
        (
            "garbage, and then an answer",
            vec![Act::Mangle(good(), |octets| octets.truncate(30)), Act::Say(good())],
            "Secure a.test: 10 mx.test",
            FOUR,
        ),
        (
            "another server's business",
            vec![Act::Say(Reply { has_ns: true, is_lame: true, ..Reply::default() })],
            "MX of a.test: the answer of SERVER refers to other servers: it does not ask them itself",
            FOUR,
        ),
        (
            "an alias",
            vec![Act::Say(Reply { is_authentic: true, ..reply(&[alias("B.test"), exchanger("b.TEST")]) })],
            "Secure b.test (a.test): 10 mx.test",
            ONCE,
        ),
        (
            "aliases in any order",
            vec![Act::Say(reply(&[exchanger("c2.test"), ("c1.test", Data::Cname("c2.test")), alias("c1.test")]))],
            "Insecure c2.test (a.test c1.test): 10 mx.test",
            ONCE,
        ),
        (
            "an alias without a denial, which the server does not follow",
            vec![
                Act::Say(Reply { is_authentic: true, ..reply(&[alias("b.test")]) }),
                Act::Say(reply(&[exchanger("b.test")])),
            ],
            "Insecure b.test (a.test): 10 mx.test",
            "udp MX a.test edns, udp MX b.test edns",
        ),
        (
            "the other way round",
            vec![
                Act::Say(reply(&[alias("b.test")])),
                Act::Say(Reply { is_authentic: true, ..reply(&[exchanger("b.test")]) }),
            ],
            "Insecure b.test (a.test): 10 mx.test",
            "udp MX a.test edns, udp MX b.test edns",
        ),
        (
            "an alias of something bogus",
            vec![
                Act::Say(Reply { is_authentic: true, ..reply(&[alias("b.test")]) }),
                Act::Say(failing(Rcode::SERVFAIL, &[(7, b"")])),
            ],
            "Bogus b.test (a.test): nothing (Signature Expired)",
            "udp MX a.test edns, udp MX b.test edns",
        ),
        (
            "an alias of itself",
            vec![Act::Say(reply(&[alias("A.test")]))],
            "MX of a.test: its aliases (CNAME) have no end, a.test is one of them",
            ONCE,
        ),
        (
            "aliases in a circle",
            vec![Act::Say(reply(&[alias("b.test"), ("b.test", Data::Cname("a.test"))]))],
            "MX of a.test: its aliases (CNAME) have no end, a.test is one of them",
            ONCE,
        ),
        (
            "a circle by answers",
            vec![Act::Say(reply(&[alias("b.test")])), Act::Say(reply(&[("b.test", Data::Cname("a.test"))]))],
            "MX of a.test: its aliases (CNAME) have no end, a.test is one of them",
            "udp MX a.test edns, udp MX b.test edns",
        ),
        (
            "sixteen aliases",
            vec![Act::Say(Reply { has_soa: true, ..reply(&chain(16)) })],
            "Insecure c16.test (a.test c1.test c2.test c3.test c4.test c5.test c6.test c7.test c8.test c9.test \
             c10.test c11.test c12.test c13.test c14.test c15.test): nothing",
            ONCE,
        ),
        (
            "seventeen aliases",
            vec![Act::Say(reply(&chain(17)))],
            "MX of a.test: its aliases (CNAME) have no end, c17.test is one of them",
            ONCE,
        ),
        (
            "names that are to steer a terminal",
            vec![Act::Say(reply(&[("a.test", Data::Mx(1, "\\027[2J\\255 \\.test"))]))],
            "Insecure a.test: 1 \\027[2j\\255\\ \\.test",
            ONCE,
        ),
    ]
}

/// Tells what was found, or why nothing was, without what a test cannot know.
fn told(result: Result<Found<Mx>, DnsError>, server: &str) -> String {
    let found = match result {
        Ok(found) => found,
        Err(error) => {
            let text = error.to_string().replace(server, "SERVER").replace("cannot look up the ", "");
            return text
                .split(" in ")
                .next()
                .filter(|_| matches!(error, DnsError::Timeout { .. }))
                .map_or(text.clone(), str::to_owned);
        }
    };
    let aliases = if found.aliases.is_empty() { String::new() } else { format!(" ({})", found.aliases.join(" ")) };
    let records: Vec<String> = found.records.iter().map(|mx| format!("{} {}", mx.preference, mx.exchanger)).collect();
    let what = match (found.exists, records.is_empty()) {
        (false, true) => "no such name".to_owned(),
        (false, false) => panic!("records of what does not exist"),
        (true, true) => "nothing".to_owned(),
        (true, false) => records.join(", "),
    };
    let why = found.why.map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{:?} {}{aliases}: {what}{why}", found.security, found.name)
}

#[test]
fn each_answer_comes_to_what_it_is_worth() {
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let check = |(what, acts, expected, questions): Row| {
            // Each driver has a server of its own, which begins with its first act.
            let drivers = ask::<Mx>(&Resolver::at([]), "a.test").len();
            let mut wrong = Vec::new();
            for driver in 0..drivers {
                let (address, asked) = serve(acts.clone());
                // Only who never answers is waited for in vain.
                let whole = Duration::from_secs(if expected.contains("no answer") { 1 } else { 8 });
                let resolver = Resolver::at([address]).timeout(whole);
                let result = if driver == 0 { resolver.ask("a.test") } else { ask_awaited(&resolver) };
                let (told, asked) = (told(result, &address.to_string()), asked.lock().unwrap().join(", "));
                if (told.as_str(), asked.as_str()) != (expected, questions) {
                    wrong.push(format!("{what}, driver {driver}:\n  {told}\n  {asked}"));
                }
            }
            wrong
        };
        let checks: Vec<_> = rows().into_iter().map(|row| scope.spawn(move || check(row))).collect();
        checks.into_iter().flat_map(|check| check.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[cfg(feature = "tokio")]
fn ask_awaited(resolver: &Resolver) -> Result<Found<Mx>, DnsError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(resolver.ask_async("a.test"))
}

#[cfg(not(feature = "tokio"))]
fn ask_awaited(_: &Resolver) -> Result<Found<Mx>, DnsError> {
    unreachable!("there is one driver")
}
