//! Each finding, brought about by the one change that makes it.

use std::collections::BTreeSet;
use std::thread;

use mconnect_core::probe::{FindingCode, Gravity, ProbeReport};
use mconnect_core::server::{Rule, Stage};

use super::lab::{Lab, play};
use super::zone::{A, MX, Standing};

/// A domain with one thing wrong: what is said of it, the gravest first, and a part of the first sentence.
struct Case {
    said: &'static str,
    words: &'static str,
    change: fn(&mut Lab),
}

fn codes(report: &ProbeReport) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code.word()).collect()
}

#[test]
fn of_a_healthy_domain_nothing_is_said() {
    let report = Lab::new().probe();
    assert_eq!(codes(&report), Vec::<&str>::new(), "{:#?}", report.findings);
    let fine = report.fine().join(", ");
    let expected = "DNSSEC, 3 addresses answer, STARTTLS at every address, certificates verified for 29 days at \
                    least, DANE, MTA-STS is enforced, reports on TLS are wanted (TLSRPT)";
    assert_eq!(fine, expected);
}

#[test]
fn every_finding_comes_of_its_cause() {
    let cases = cases();
    let mut wrong = Vec::new();
    for batch in cases.chunks(8) {
        thread::scope(|scope| {
            let threads: Vec<_> = batch.iter().map(|case| (case, scope.spawn(|| complaint(case)))).collect();
            wrong.extend(threads.into_iter().filter_map(|(_, thread)| thread.join().unwrap()));
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let said: BTreeSet<&str> = cases.iter().flat_map(|case| case.said.split(' ')).collect();
    let missing: Vec<&str> =
        FindingCode::ALL.iter().map(|code| code.word()).filter(|word| !said.contains(word)).collect();
    assert!(missing.is_empty(), "these have no test: {missing:?}");
}

#[test]
fn sessions_that_break_off_keep_mail_away_where_no_other_comes_to_its_end() {
    let gravest = |broken: &[&str]| {
        let mut lab = Lab::new();
        for address in broken {
            lab.serve(address, |setup, _| play(setup, "S: 220 mx.example.test\nC: EHLO probe.example\nS: *close*"));
        }
        lab.probe().gravest()
    };
    assert_eq!(gravest(&["127.0.0.1", "127.0.0.3"]), Some(Gravity::Warning));
    assert_eq!(gravest(&["127.0.0.1", "127.0.0.2", "127.0.0.3"]), Some(Gravity::Failure));
}

#[test]
fn a_host_that_cannot_be_looked_up_is_not_said_to_have_no_address() {
    let line = |change: fn(&mut Lab)| {
        let mut lab = Lab::new();
        change(&mut lab);
        let told = lab.probe().to_string();
        told.lines().find(|line| line.starts_with("  20 mx2.example.test")).unwrap().to_owned()
    };
    let failing = line(|lab| {
        lab.zone.stands("mx2.example.test", Standing::Failing);
    });
    assert!(failing.ends_with("  addresses unknown, DANE failed, in the MTA-STS policy"), "{failing}");
    let none = line(|lab| {
        lab.zone.remove("mx2.example.test", A);
    });
    assert!(none.contains("  no address, "), "{none}");
}

fn complaint(case: &Case) -> Option<String> {
    let mut lab = Lab::new();
    (case.change)(&mut lab);
    let report = lab.probe();
    let said = codes(&report).join(" ");
    if said != case.said {
        return Some(format!("expected {:?}, got {said:?}: {:#?}", case.said, report.findings));
    }
    let first = &report.findings[0];
    let told = format!("{first} [{}]", first.evidence);
    (!told.contains(case.words)).then(|| format!("{}: {:?} is not in {told:?}", case.said, case.words))
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut case = |said, words, change| cases.push(Case { said, words, change });

    case("no_such_domain", "nowhere.test does not exist", |lab| lab.target = "nowhere.test");
    case("no_exchanger", "neither an MX record nor an address", |lab| {
        lab.zone.add("web.test TXT hello");
        lab.target = "web.test";
    });
    case("null_mx", "takes no mail, and says so", |lab| {
        lab.zone.remove("example.test", MX).add("example.test MX 0 .");
    });
    case("null_mx_with_others", "where it means nothing", |lab| {
        lab.zone.add("example.test MX 0 .");
    });
    case("implicit_mx", "mail goes to its own address", |lab| {
        lab.without_policy();
        lab.target = "mx1.example.test";
    });
    case("lookup_failed", "the MX records of example.test could not be looked up", |lab| {
        lab.zone.stands("example.test", Standing::Failing);
    });
    case("bogus", ": signature expired]", |lab| {
        lab.zone.stands("example.test", Standing::Bogus);
    });
    case("bogus bogus", "the IPv4 addresses of mx2.example.test are bogus", |lab| {
        lab.zone.stands("mx2.example.test", Standing::Bogus);
    });
    case("exchanger_without_address", "mx2.example.test has no address: there is no such name", |lab| {
        let name = format!("_{}._tcp.mx2.example.test", lab.port);
        lab.zone.remove("mx2.example.test", A).remove(&name, super::zone::TLSA);
    });
    case("exchanger_is_alias", "mx2.example.test is an alias of real.example.test", |lab| {
        lab.zone.remove("mx2.example.test", A).add("mx2.example.test CNAME real.example.test");
        lab.zone.add("real.example.test A 127.0.0.2");
    });
    case("address_not_global address_not_global sts_policy_missing", "not reached from everywhere", |lab| {
        lab.change = |probe| probe.allow_private(false);
    });
    case("left_out", "example.test has 6 exchangers more than are asked", |lab| {
        lab.zone.remove("example.test", MX);
        for number in 0..70 {
            let name = if number % 2 == 0 { "mx1" } else { "mx2" };
            lab.zone.add(&format!("example.test MX {number} {name}.example.test"));
        }
    });
    case("unreachable", "mx1.example.test (127.0.0.3) does not answer", |lab| {
        lab.servers.retain(|(address, ..)| *address != "127.0.0.3");
    });
    case("ipv6_dead", "mx2.example.test publishes IPv6 that does not answer", |lab| {
        lab.zone.add("mx2.example.test AAAA ::1");
    });
    case("no_ipv6_here", "this machine reaches nothing by IPv6", |lab| {
        // No connection can be made to a group of hosts.
        lab.zone.add("mx2.example.test AAAA ff0e::1");
    });
    case("resolver_not_trusted", "neither on this machine nor trusted", |lab| lab.has_far_resolver = true);
    case("session_failed", "breaks off at EHLO", |lab| {
        lab.serve("127.0.0.3", |setup, _| play(setup, "S: 220 mx1.example.test\nC: EHLO probe.example\nS: *close*"));
    });
    case("refused", "(127.0.0.3) refuses this client, at the greeting", |lab| {
        lab.serve("127.0.0.3", |setup, _| {
            setup.rule(Rule::at(Stage::Greeting).reply("554 5.7.1 on a block list")).start().unwrap()
        });
    });
    case("refused", "refuses this client for now, at EHLO", |lab| {
        lab.serve("127.0.0.3", |setup, _| setup.rule(Rule::at(Stage::Hello).reply("450 later")).start().unwrap());
    });
    case("greeting_name", "greets by \"mx\", which is no full host name", |lab| {
        lab.greet("127.0.0.2", "mx");
    });
    case("greeting_name", "mx2.example.test greets by no name: have the server", |lab| {
        lab.serve("127.0.0.2", |setup, _| setup.rule(Rule::at(Stage::Greeting).reply("220")).start().unwrap());
    });
    case("auth_without_tls exchangers_differ", "offers AUTH without TLS", |lab| {
        lab.serve("127.0.0.2", |setup, _| setup.extensions(["AUTH PLAIN"]).start().unwrap());
    });
    case("recipient_refused", "mx2.example.test would not take mail for nobody@example.test", |lab| {
        lab.serve("127.0.0.2", |setup, _| setup.refuse("nobody@*").start().unwrap());
        lab.change = |probe| {
            let envelope = mconnect_core::protocol::Envelope::new(None).to("nobody@example.test".parse().unwrap());
            probe.recipients(envelope)
        };
    });
    case("starttls_missing unprotected exchangers_differ", "does not offer STARTTLS, and others do", |lab| {
        lab.without_dane().without_policy();
        lab.serve("127.0.0.2", |setup, _| play(setup, PLAIN));
    });
    case("dane_without_tls starttls_missing exchangers_differ", "has TLSA records, and does not start TLS", |lab| {
        lab.serve("127.0.0.2", |setup, _| play(setup, PLAIN));
    });
    case("starttls_refused unprotected", "offers STARTTLS, and refuses it", |lab| {
        lab.without_dane().without_policy();
        lab.serve("127.0.0.2", |setup, _| {
            setup.rule(Rule::at(Stage::StartTls).reply("454 4.7.0 no certificate")).start().unwrap()
        });
    });
    case("dane_without_tls tls_failed", "mx2.example.test has TLSA records, and does not start TLS", |lab| {
        lab.serve("127.0.0.2", |setup, _| {
            let greeting = "S: 220 mx2.example.test\nC: EHLO probe.example\nS: 250-mx2.example.test\nS: 250 STARTTLS\n";
            play(setup, &format!("{greeting}C: STARTTLS\nS: 220 go\nS: *close*"))
        });
    });
    case(
        "certificate_expired",
        "the certificate of mx2.example.test has expired, and the MTA-STS policy (enforce)",
        |lab| {
            shows(lab, |lab| lab.authority.issue_for(["mx2.example.test"], -30, -3));
        },
    );
    case("certificate_expiring", "the certificate of mx2.example.test expires in 9 days", |lab| {
        shows(lab, |lab| lab.authority.issue_for(["mx2.example.test"], -30, 10));
    });
    case("certificate_name unprotected", "is for another name", |lab| {
        shows(lab, |lab| lab.authority.issue(["www.example.test"]));
        lab.without_dane().without_policy();
    });
    case(
        "certificate_untrusted sts_testing",
        "of no authority that is trusted here, and the MTA-STS policy (testing) would",
        |lab| {
            shows(lab, |_| mconnect_core::server::Authority::new("Nobody").issue(["mx2.example.test"]));
            lab.policy = lab.policy.replace("enforce", "testing");
        },
    );
    case("dane_mismatch", "mx2.example.test is none that its TLSA records name", |lab| {
        lab.tlsa("mx2.example.test", &format!("3 1 1 {}", "00".repeat(32)));
    });
    case("dane_unusable", "none of them can be used", |lab| {
        lab.tlsa("mx2.example.test", &format!("1 1 1 {}", "00".repeat(32)));
    });
    case("dane_not_signed dane_not_signed unprotected", "TLSA records, and the MX records are not signed", |lab| {
        lab.zone.add("other.test MX 10 mx1.example.test\nother.test MX 10 mx2.example.test");
        lab.zone.stands("other.test", Standing::Unsigned);
        lab.target = "other.test";
    });
    case("unprotected", "neither DANE nor MTA-STS", |lab| {
        lab.without_dane().without_policy();
    });
    case("greetings_differ", "127.0.0.1: mx1.example.test; 127.0.0.3: pool-3.example.test", |lab| {
        lab.greet("127.0.0.3", "pool-3.example.test");
    });
    case("extensions_differ", "the addresses of mx1.example.test offer different extensions", |lab| {
        lab.serve("127.0.0.3", |setup, _| setup.extensions(["PIPELINING", "SIZE 1000"]).start().unwrap());
    });
    case("certificates_differ", "the addresses of mx1.example.test show different certificates", |lab| {
        let other = lab.authority.issue(["mx1.example.test"]);
        let name = format!("_{}._tcp.mx1.example.test", lab.port);
        lab.zone.add(&format!("{name} TLSA 3 1 1 {}", other.key_fingerprint()));
        lab.identities.insert("another", other);
        lab.serve("127.0.0.3", |setup, lab| setup.tls(&lab.identities["another"]).start().unwrap());
    });
    case("exchangers_differ", "mx2.example.test also offers SIZE 1000", |lab| {
        lab.serve("127.0.0.2", |setup, _| {
            let all = ["PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "HELP"];
            setup.extensions(all).start().unwrap()
        });
    });
    case("sts_record", "2 records begin with v=STSv1;, and so none", |lab| {
        lab.zone.add("_mta-sts.example.test TXT v=STSv1; id=2;");
    });
    case("sts_policy_missing", "announces an MTA-STS policy that is not there", |lab| {
        lab.policy_host = "www.example.test";
    });
    case("sts_policy_missing", "cannot look up the host of the policy: cannot look up the A of mta-sts", |lab| {
        lab.zone.stands("mta-sts.example.test", Standing::FailingFor(A));
    });
    case("sts_policy_missing", "the policy cannot be read", |lab| lab.policy = "hello\r\n".to_owned());
    case("sts_content_type", "comes as text/html", |lab| lab.content_type = "text/html");
    case("sts_not_in_policy", "mx2.example.test is not in the MTA-STS policy: mail does not go there", |lab| {
        lab.policy = lab.policy.replace("*.example.test", "mx1.example.test");
    });
    case("sts_testing", "only being tried", |lab| lab.policy = lab.policy.replace("enforce", "testing"));
    case("sts_none", "protects nothing", |lab| lab.policy = lab.policy.replace("enforce", "none"));
    case("sts_max_age", "[max_age: 3600]", |lab| lab.policy = lab.policy.replace("604800", "3600"));
    case("reporting_record", "the TLSRPT record of example.test does not count", |lab| {
        lab.zone.add("_smtp._tls.example.test TXT v=TLSRPTv1; rua=mailto:more@example.test");
    });
    case("lookup_failed", "the TXT records of _mta-sts.example.test could not be looked up", |lab| {
        lab.zone.stands("_mta-sts.example.test", Standing::Failing);
    });
    cases
}

/// Has the second exchanger show another certificate, which its TLSA record names.
fn shows(lab: &mut Lab, issue: fn(&Lab) -> mconnect_core::server::Identity) {
    let identity = issue(lab);
    lab.tlsa("mx2.example.test", &format!("3 1 1 {}", identity.key_fingerprint()));
    lab.identities.insert("mx2.example.test", identity);
}

/// A server without extensions.
const PLAIN: &str =
    "S: 220 mx2.example.test\nC: EHLO probe.example\nS: 250 mx2.example.test\nC: QUIT\nS: 221 bye\nS: *close*";

#[test]
fn the_page_has_every_finding_with_its_advice() {
    // A published crate comes without the project's documentation.
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/probe.md");
    let Ok(page) = std::fs::read_to_string(path) else { return };
    for code in FindingCode::ALL {
        let (begin, end) = (format!("| `{code}` |"), format!(" | {} |", code.advice()));
        assert!(page.lines().any(|line| line.starts_with(&begin) && line.ends_with(&end)), "{code}");
    }
}
