//! A domain with everything as it should be, in which a test changes one thing.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mconnect_core::Timeouts;
use mconnect_core::dns::Resolver;
use mconnect_core::probe::{Probe, ProbeReport, Target};
use mconnect_core::server::{Authority, Identity, Server, Setup};
use mconnect_core::tls::{Config, rustls};

use super::zone::Zone;

/// Makes a server of the one that is set up already: with a name, and a certificate for it.
pub type Make = fn(Setup, &Lab) -> Server;

/// What is probed.
pub struct Lab {
    pub target: &'static str,
    pub zone: Zone,
    pub port: u16,
    /// The authority that is trusted.
    pub authority: Authority,
    /// By name, for the TLSA records and for those who show them.
    pub identities: BTreeMap<&'static str, Identity>,
    /// Who listens at an address, and by what name it greets.
    pub servers: Vec<(&'static str, &'static str, Make)>,
    /// What the web server has, and who it proves to be.
    pub policy: String,
    pub content_type: &'static str,
    pub policy_host: &'static str,
    /// The resolver is asked at an address that is none of this machine's loopback ones, and leads there.
    pub has_far_resolver: bool,
    pub change: fn(Probe) -> Probe,
    listeners: BTreeMap<IpAddr, TcpListener>,
}

impl Lab {
    /// Makes the healthy one: two exchangers, three addresses.
    pub fn new() -> Self {
        let (port, listeners) = listeners();
        let authority = Authority::new("Lab Root");
        let names = ["mx1.example.test", "mx2.example.test"];
        let identities: BTreeMap<&str, Identity> = names.map(|name| (name, authority.issue([name]))).into();
        let mut zone = Zone::default();
        zone.add(
            "example.test MX 10 mx1.example.test
             example.test MX 20 mx2.example.test
             mx1.example.test A 127.0.0.1
             mx1.example.test A 127.0.0.3
             mx2.example.test A 127.0.0.2
             _mta-sts.example.test TXT v=STSv1; id=20260101;
             mta-sts.example.test A 127.0.0.1
             _smtp._tls.example.test TXT v=TLSRPTv1; rua=mailto:tls@example.test",
        );
        for (name, identity) in &identities {
            zone.add(&format!("_{port}._tcp.{name} TLSA 3 1 1 {}", identity.key_fingerprint()));
        }
        let servers: Vec<(&str, &str, Make)> = vec![
            ("127.0.0.1", "mx1.example.test", healthy),
            ("127.0.0.3", "mx1.example.test", healthy),
            ("127.0.0.2", "mx2.example.test", healthy),
        ];
        Self {
            target: "example.test",
            zone,
            port,
            authority,
            identities,
            servers,
            policy: "version: STSv1\r\nmode: enforce\r\nmx: *.example.test\r\nmax_age: 604800\r\n".to_owned(),
            content_type: "text/plain",
            policy_host: "mta-sts.example.test",
            has_far_resolver: false,
            change: |probe| probe,
            listeners,
        }
    }

    /// Has another server at an address.
    pub fn serve(&mut self, address: &str, make: Make) -> &mut Self {
        let server = self.servers.iter_mut().find(|(at, ..)| *at == address).unwrap();
        server.2 = make;
        self
    }

    /// Has a server greet by another name.
    pub fn greet(&mut self, address: &str, name: &'static str) -> &mut Self {
        let server = self.servers.iter_mut().find(|(at, ..)| *at == address).unwrap();
        server.1 = name;
        self
    }

    /// Takes the TLSA records out.
    pub fn without_dane(&mut self) -> &mut Self {
        for name in ["mx1", "mx2"] {
            self.zone.remove(&format!("_{}._tcp.{name}.example.test", self.port), super::zone::TLSA);
        }
        self
    }

    /// Takes the policy out.
    pub fn without_policy(&mut self) -> &mut Self {
        self.zone.remove("_mta-sts.example.test", super::zone::TXT);
        self
    }

    /// Has the TLSA records of an exchanger be this one.
    pub fn tlsa(&mut self, host: &str, record: &str) -> &mut Self {
        let name = format!("_{}._tcp.{host}", self.port);
        self.zone.remove(&name, super::zone::TLSA).add(&format!("{name} TLSA {record}"));
        self
    }

    /// Starts all of it, and probes.
    pub fn probe(mut self) -> ProbeReport {
        let mut servers = Vec::new();
        for (address, name, make) in std::mem::take(&mut self.servers) {
            let listener = self.listeners.remove(&address.parse().unwrap()).unwrap();
            let setup = Setup::new().name(name).listener(listener);
            let setup = match address {
                "127.0.0.2" => setup.tls(&self.identities["mx2.example.test"]),
                _ => setup.tls(&self.identities["mx1.example.test"]),
            };
            servers.push(make(setup, &self));
        }
        // Nobody is at the others.
        self.listeners.clear();
        let identity = self.authority.issue([self.policy_host]);
        let policy_port = web(identity.config(), self.content_type, &self.policy);
        let config = Config::new().authorities(self.authority.pem().as_bytes()).unwrap();
        let mut resolver = self.zone.clone().serve();
        if self.has_far_resolver {
            resolver.set_ip(Ipv4Addr::UNSPECIFIED.into());
        }
        let resolver = Resolver::at([resolver]);
        let timeouts = Timeouts::default().replies(Duration::from_secs(20)).closing(Duration::from_millis(200));
        let probe = Probe::new(resolver).port(self.port).policy_port(policy_port).allow_private(true).tls(&config);
        let probe = (self.change)(probe.timeouts(timeouts).own_name("probe.example"));
        probe.probe(&Target::parse(self.target)).unwrap()
    }
}

pub fn healthy(setup: Setup, _: &Lab) -> Server {
    setup.start().unwrap()
}

/// Plays this to everybody.
pub fn play(setup: Setup, dialogue: &str) -> Server {
    setup.again_and_again().play(&dialogue.parse().unwrap(), &Default::default()).unwrap()
}

/// Listens at one port of several loopback addresses.
fn listeners() -> (u16, BTreeMap<IpAddr, TcpListener>) {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let others = ["127.0.0.2", "127.0.0.3", "::1"].map(|at| at.parse::<IpAddr>().unwrap());
        let mut all = BTreeMap::from([("127.0.0.1".parse().unwrap(), first)]);
        all.extend(others.into_iter().filter_map(|at| Some((at, TcpListener::bind((at, port)).ok()?))));
        if all.keys().filter(|at| at.is_ipv4()).count() == 3 {
            return (port, all);
        }
    }
}

/// A web server that has one text for everybody, and returns its port.
fn web(config: Arc<rustls::ServerConfig>, content_type: &str, text: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                request.push(byte[0]);
            }
            drop(stream.write_all(answer.as_bytes()));
            stream.conn.send_close_notify();
            drop(stream.flush());
        }
    });
    port
}
