//! Many targets: each host once, no more at once than may be, and all of them accounted for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::Timeouts;
use mconnect_core::dns::Resolver;
use mconnect_core::probe::{Contact, FindingCode, Probe, ProbeReport, Routing, StsFailure, Target};

use super::zone::Zone;

/// Mail servers at one port of loopback addresses, which count.
struct Servers {
    port: u16,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// By address: how many sessions there were, how many there are, and how many there were at once.
    sessions: Mutex<BTreeMap<IpAddr, [usize; 3]>>,
    /// So many are told 421 first.
    busy: AtomicUsize,
    /// Sessions wait for it before their greeting, if it is shut.
    gate: Mutex<bool>,
    has_opened: Condvar,
}

impl Servers {
    fn start(addresses: &[&str]) -> Self {
        let (port, listeners) = loop {
            let first = TcpListener::bind((addresses[0], 0)).unwrap();
            let port = first.local_addr().unwrap().port();
            let others = addresses[1..].iter().filter_map(|address| TcpListener::bind((*address, port)).ok());
            let all: Vec<TcpListener> = [first].into_iter().chain(others).collect();
            if all.len() == addresses.len() {
                break (port, all);
            }
        };
        let counts = Arc::new(Counts::default());
        for listener in listeners {
            let counts = Arc::clone(&counts);
            thread::spawn(move || {
                for socket in listener.incoming().flatten() {
                    let counts = Arc::clone(&counts);
                    thread::spawn(move || counts.serve(socket));
                }
            });
        }
        Self { port, counts }
    }

    fn sessions(&self, address: &str) -> [usize; 3] {
        self.counts.sessions.lock().unwrap().get(&address.parse().unwrap()).copied().unwrap_or_default()
    }

    fn hold(&self, is_held: bool) {
        *self.counts.gate.lock().unwrap() = is_held;
        self.counts.has_opened.notify_all();
    }

    fn probe(&self, zone: &str) -> Probe {
        let mut all = Zone::default();
        all.add(zone);
        let probe = Probe::new(Resolver::at([all.serve()])).port(self.port).allow_private(true);
        probe.own_name("probe.example").back_off(Duration::from_millis(1))
    }
}

impl Counts {
    fn serve(&self, mut socket: TcpStream) {
        let address = socket.local_addr().unwrap().ip();
        let change = |change: fn(&mut [usize; 3])| change(self.sessions.lock().unwrap().entry(address).or_default());
        change(|[all, now, most]| {
            *all += 1;
            *now += 1;
            *most = (*most).max(*now);
        });
        let held = self.has_opened.wait_while(self.gate.lock().unwrap(), |is_held| *is_held).unwrap();
        drop(held);
        let is_busy = self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |busy| busy.checked_sub(1)).is_ok();
        let greeting = if is_busy { "421 later\r\n" } else { "220 mx.example.test\r\n" };
        let _ = socket.write_all(greeting.as_bytes());
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        while let Some(Ok(line)) = lines.next().filter(|_| !is_busy) {
            let reply = if line == "QUIT" { "221 bye\r\n" } else { "250 mx.example.test\r\n" };
            // What comes after this is another session.
            if line == "QUIT" {
                change(|[_, now, _]| *now -= 1);
            }
            if socket.write_all(reply.as_bytes()).is_err() || line == "QUIT" {
                return;
            }
        }
        change(|[_, now, _]| *now -= 1);
    }
}

fn domains(count: usize) -> impl Iterator<Item = Target> + Send + 'static {
    (0..count).map(|index| Target::parse(&format!("d{index}.test")))
}

fn zone(count: usize, exchanger: impl Fn(usize) -> String) -> String {
    let domain = |index| format!("d{index}.test MX 10 {}\n", exchanger(index));
    (0..count).map(domain).collect()
}

fn contact(report: &ProbeReport) -> &Contact {
    &report.exchangers[0].host.addresses[0].contact
}

#[test]
fn a_host_is_asked_once_however_many_domains_it_takes_mail_for() {
    let servers = Servers::start(&["127.0.0.1", "127.0.0.2"]);
    let zone = zone(200, |index| format!("mx{}.test", index % 3))
        + "mx0.test A 127.0.0.1\nmx1.test A 127.0.0.2\nmx2.test A 127.0.0.2\nmx2.test A 127.0.0.1";
    let targets = domains(200).chain([Target::parse("[mx1.test]"), Target::parse("127.0.0.2")]);
    let done: Vec<(Target, ProbeReport)> = servers.probe(&zone).jobs(40).run(targets).unwrap().collect();
    let mut told: Vec<String> = done.iter().map(|(target, _)| target.to_string()).collect();
    let mut all: Vec<String> = domains(200).map(|target| target.to_string()).collect();
    all.extend(["[mx1.test]", "[127.0.0.2]"].map(str::to_owned));
    told.sort_unstable();
    all.sort_unstable();
    assert_eq!(told, all);
    assert!(done.iter().all(|(target, report)| *target == report.target));
    // The names at each address, and the address that has none.
    assert_eq!((servers.sessions("127.0.0.1")[0], servers.sessions("127.0.0.2")[0]), (2, 3));
    let hosts = |name: &str| -> Vec<*const _> {
        let exchangers = done.iter().flat_map(|(_, report)| &report.exchangers);
        exchangers.filter(|one| one.host.name == name).map(|one| Arc::as_ptr(&one.host)).collect()
    };
    let shared = hosts("mx1.test");
    assert!(shared.len() == 68 && shared.iter().all(|host| *host == shared[0]), "{}", shared.len());
}

#[test]
fn there_are_no_more_sessions_with_an_address_than_may_be_nor_in_all() {
    let servers = Servers::start(&["127.0.0.1", "127.0.0.2"]);
    let address = |index: usize| format!("mx{index}.test A 127.0.0.{}\n", 1 + index % 2);
    let zone = zone(40, |index| format!("mx{index}.test")) + &(0..40).map(address).collect::<String>();
    for (jobs, per_address, most) in [(40, 3, 3), (4, 20, 4)] {
        let before = servers.sessions("127.0.0.1")[0];
        servers.hold(true);
        let mut reports = servers.probe(&zone).jobs(jobs).per_address(per_address).run(domains(40)).unwrap();
        let gate = Arc::clone(&servers.counts);
        let wanted = per_address.min(jobs / 2);
        let opener = thread::spawn(move || {
            // Once as many wait as may be, all may go on.
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline {
                let sessions = gate.sessions.lock().unwrap();
                if sessions.values().map(|[_, now, _]| now).sum::<usize>() >= 2 * wanted {
                    break;
                }
                drop(sessions);
                thread::yield_now();
            }
            *gate.gate.lock().unwrap() = false;
            gate.has_opened.notify_all();
        });
        assert_eq!(reports.by_ref().count(), 40);
        opener.join().unwrap();
        assert_eq!(servers.sessions("127.0.0.1")[0] - before, 20);
        for address in ["127.0.0.1", "127.0.0.2"] {
            assert!(servers.sessions(address)[2] <= most, "{:?}", servers.sessions(address));
        }
        servers.counts.sessions.lock().unwrap().values_mut().for_each(|[_, _, most]| *most = 0);
    }
}

#[test]
fn an_address_that_says_421_is_asked_again_after_a_while_and_not_for_ever() {
    let servers = Servers::start(&["127.0.0.1"]);
    let zone = zone(1, |_| "mx.test".to_owned()) + "mx.test A 127.0.0.1";
    let ask = |busy: usize, probe: Probe| {
        servers.counts.busy.store(busy, Ordering::Relaxed);
        let before = servers.sessions("127.0.0.1")[0];
        let (_, report) = probe.run(domains(1)).unwrap().next().unwrap();
        let (_, facts) = report.sessions().next().unwrap();
        let code = facts.greeting.as_ref().unwrap().code().number();
        (facts.attempts, servers.sessions("127.0.0.1")[0] - before, code)
    };
    assert_eq!(ask(2, servers.probe(&zone)), (3, 3, 220));
    assert_eq!(ask(9, servers.probe(&zone)), (4, 4, 421));
    assert_eq!(ask(1, servers.probe(&zone).back_off(Duration::ZERO)), (1, 1, 421));
    // A target by itself is told as it is.
    servers.counts.busy.store(1, Ordering::Relaxed);
    let report = servers.probe(&zone).probe(&Target::parse("d0.test")).unwrap();
    assert_eq!(report.sessions().next().unwrap().1.attempts, 1);
}

#[test]
fn what_is_excluded_is_never_contacted_and_what_is_not_global_only_if_it_may_be() {
    let servers = Servers::start(&["127.0.0.1", "127.0.0.2"]);
    let zone = zone(2, |index| format!("mx{index}.test"))
        + "mx0.test A 127.0.0.1\nmx1.test A 127.0.0.2\n_mta-sts.d1.test TXT v=STSv1; id=1;\nmta-sts.d1.test A 127.0.0.1";
    let targets = || domains(2).chain([Target::parse("127.0.0.1")]);
    let probe = servers.probe(&zone).exclude(["127.0.0.1/32".parse().unwrap()]);
    let done: BTreeMap<String, ProbeReport> =
        probe.run(targets()).unwrap().map(|(target, report)| (target.to_string(), report)).collect();
    assert!(matches!(contact(&done["d0.test"]), Contact::Excluded));
    assert!(matches!(contact(&done["[127.0.0.1]"]), Contact::Excluded));
    assert!(matches!(contact(&done["d1.test"]), Contact::Session(_)));
    let policy = done["d1.test"].sts.as_ref().unwrap().policy.as_ref().unwrap();
    assert!(matches!(policy, Err(StsFailure::Excluded { host }) if host == "mta-sts.d1.test"), "{policy:?}");
    let is_told = |finding: &mconnect_core::probe::ProbeFinding| finding.what.contains("excluded");
    assert!(done["d0.test"].findings.iter().any(is_told), "{:?}", done["d0.test"].findings);
    assert_eq!((servers.sessions("127.0.0.1")[0], servers.sessions("127.0.0.2")[0]), (0, 1));
    let probe = servers.probe(&zone).allow_private(false);
    for (target, report) in probe.run(targets()).unwrap() {
        assert!(matches!(contact(&report), Contact::NotGlobal), "{target}");
    }
    assert_eq!((servers.sessions("127.0.0.1")[0], servers.sessions("127.0.0.2")[0]), (0, 1));
}

/// Targets that come when a test sends them.
fn sent() -> (Sender<Target>, impl Iterator<Item = Target> + Send + 'static) {
    let (sender, receiver): (Sender<Target>, Receiver<Target>) = channel();
    (sender, receiver.into_iter())
}

#[test]
fn reports_come_in_order_of_completion_while_targets_are_waited_for() {
    let servers = Servers::start(&["127.0.0.1"]);
    servers.hold(true);
    let zone = zone(2, |index| format!("mx{index}.test")) + "mx0.test A 127.0.0.1\nmx1.test A 192.0.2.1";
    let (sender, targets) = sent();
    let mut reports = servers.probe(&zone).exclude(["192.0.2.0/24".parse().unwrap()]).run(targets).unwrap();
    for target in domains(2) {
        sender.send(target).unwrap();
    }
    // The first is held, and no other has come: the second is told at once.
    assert_eq!(reports.next().unwrap().0.to_string(), "d1.test");
    servers.hold(false);
    assert_eq!(reports.next().unwrap().0.to_string(), "d0.test");
    drop(sender);
    assert!(reports.next().is_none() && reports.next().is_none());
}

#[test]
fn targets_are_read_a_few_ahead_and_no_more() {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let endless = (0..).map(move |index: u64| {
        count.fetch_add(1, Ordering::Relaxed);
        Target::parse(&format!("d{index}.test"))
    });
    let mut reports = Servers::start(&["127.0.0.1"]).probe("x.test A 127.0.0.1").jobs(5).run(endless).unwrap();
    for _ in 0..10 {
        assert_eq!(reports.next().unwrap().1.routing, Routing::Nowhere);
    }
    drop(reports);
    let read = read.load(Ordering::Relaxed);
    assert!((10..=10 + 5 + 18).contains(&read), "{read}");
}

#[test]
fn no_more_are_begun_in_a_second_than_may_be() {
    let probe = Servers::start(&["127.0.0.1"]).probe("x.test A 127.0.0.1").rate(100);
    let begun = Instant::now();
    assert_eq!(probe.run(domains(31)).unwrap().count(), 31);
    // Thirty gaps of a hundredth of a second, of which a late clock makes up for two.
    assert!(begun.elapsed() >= Duration::from_millis(280), "{:?}", begun.elapsed());
}

#[test]
fn dropping_the_reports_ends_what_is_under_way() {
    let servers = Servers::start(&["127.0.0.1"]);
    servers.hold(true);
    let zone = zone(8, |index| format!("mx{index}.test"))
        + &(0..8).map(|index| format!("mx{index}.test A 127.0.0.1\n")).collect::<String>()
        + "d8.test MX 10 mx8.test\nmx8.test A 192.0.2.1";
    let mut reports = servers.probe(&zone).exclude(["192.0.2.0/24".parse().unwrap()]).run(domains(9)).unwrap();
    assert_eq!(reports.next().unwrap().0.to_string(), "d8.test");
    let begun = Instant::now();
    drop(reports);
    servers.hold(false);
    // Each of their sockets is closed, and so no session is left.
    while servers.sessions("127.0.0.1")[1] > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", servers.sessions("127.0.0.1"));
        thread::yield_now();
    }
}

#[test]
fn dropping_the_reports_ends_the_fetching_of_a_policy() {
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let zone = "d0.test MX 10 mx.test\nmx.test A 127.0.0.1\n_mta-sts.d0.test TXT v=STSv1; id=1;\nmta-sts.d0.test A 127.0.0.1\n\
                d1.test MX 0 .";
    let servers = Servers::start(&["127.0.0.1"]);
    let probe = servers.probe(zone).policy_port(web.local_addr().unwrap().port());
    let mut reports = probe.run(domains(2)).unwrap();
    assert_eq!(reports.next().unwrap().0.to_string(), "d1.test");
    // It says nothing, and waits for the client's end.
    let (mut socket, _) = web.accept().unwrap();
    drop(reports);
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut hello = Vec::new();
    let _ = socket.read_to_end(&mut hello).map_err(|error| assert_ne!(error.kind(), ErrorKind::WouldBlock));
}

#[test]
fn what_had_no_turn_before_the_time_was_over_is_not_asked_and_the_report_says_so() {
    // It takes connections, and never says anything.
    let silent = TcpListener::bind("0.0.0.0:0").unwrap();
    let addresses: String = (1..=64).map(|index| format!("many.test A 127.0.0.{index}\n")).collect();
    let hosts: String = (1..=64)
        .map(|index| format!("hosts.test MX {index} mx{index}.test\nmx{index}.test A 127.0.1.{index}\n"))
        .collect();
    let mut zone = Zone::default();
    zone.add(&(addresses + &hosts));
    let probe = Probe::new(Resolver::at([zone.serve()])).port(silent.local_addr().unwrap().port());
    let probe = probe.allow_private(true).deadline(Duration::from_millis(100));

    let report = probe.probe(&Target::parse("[many.test]")).unwrap();
    let host = &report.exchangers[0].host;
    let late = host.addresses.iter().filter(|one| matches!(one.contact, Contact::OutOfTime)).count();
    // Eight rounds of eight would take 800 ms, and 500 ms are theirs.
    assert!((1..64).contains(&late), "{late}");
    assert_eq!((host.sessions().count(), host.addresses.len()), (64 - late, 64));
    let finding = report.findings.iter().find(|finding| finding.code == FindingCode::LeftOut).unwrap();
    assert!(finding.what.ends_with(" was not asked: the other addresses took too long"), "{finding}");
    assert_eq!(finding.addresses.len(), late);

    let report = probe.probe(&Target::parse("hosts.test")).unwrap();
    let preferences: Vec<_> = report.exchangers.iter().map(|one| usize::from(one.preference.unwrap())).collect();
    assert!((8..64).contains(&preferences.len()), "{preferences:?}");
    assert_eq!(preferences, (1..=preferences.len()).collect::<Vec<_>>());
    assert_eq!(report.exchangers_left_out, 64 - preferences.len());
}

#[test]
fn an_address_where_nobody_answers_is_not_waited_for_by_every_name() {
    // Its queue is full, and what comes is dropped.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let _in_it: Vec<TcpStream> =
        (0..3).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok()).collect();
    let zone = zone(7, |index| format!("mx{index}.test"))
        + &(0..7).map(|index| format!("mx{index}.test A 127.0.0.1\n")).collect::<String>();
    let mut all = Zone::default();
    all.add(&zone);
    let timeouts = Timeouts::default().attempt(Duration::from_millis(100)).connect(Duration::from_millis(100));
    let probe = Probe::new(Resolver::at([all.serve()])).port(address.port()).allow_private(true).timeouts(timeouts);
    for jobs in [1, 7] {
        let reports = probe.clone().jobs(jobs).per_address(1).run(domains(7)).unwrap();
        let mut attempts = Vec::new();
        for (_, report) in reports {
            let facts = report.sessions().next().unwrap().1;
            assert!(facts.error.as_ref().unwrap().is_timeout(), "{facts:?}");
            assert!(report.findings.iter().any(|finding| finding.code == FindingCode::Unreachable));
            attempts.push(facts.attempts);
        }
        attempts.sort_unstable();
        assert_eq!(attempts, [0, 0, 0, 0, 1, 1, 1], "{jobs} at once");
    }
}
