//! Networks that are broken, in a network namespace with a resolver of its own: skipped where the machine gives none, which
//! standard error tells. What other tools say of them is written into `docs/diagnosis.md` by
//!
//! ```text
//! cargo test -p mconnect-cli --all-features --test real -- --ignored --exact networks::what_other_tools_say_last_is_written_down
//! ```

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::common::folder::Folder;
use crate::common::{complaints, err, out, run};

/// A broken network and its healthy twin: what is done to it, to what host and how the tool connects, and what it must say.
struct Network {
    name: &'static str,
    /// Done before, the more of it for the healthy twin.
    makes: &'static [&'static str],
    mends: &'static [&'static str],
    args: &'static [&'static str],
    healthy: &'static [&'static str],
    sentence: &'static str,
    /// Words that must not be said.
    unwanted: &'static [&'static str],
}

const NETWORKS: &[Network] = &[
    Network {
        name: "no route for IPv6",
        makes: &[],
        mends: &["ip -6 addr add 2001:db8:9::25/128 dev lo nodad"],
        args: &["2001:db8:9::25"],
        healthy: &["2001:db8:9::25"],
        sentence: "this machine has no route for IPv6: it needs one, or the server an address of IPv4",
        unwanted: &["-4", "probably"],
    },
    Network {
        name: "IPv6 that is published and dead",
        makes: &[],
        mends: &[],
        args: &["-6", "both.example.net"],
        healthy: &["both.example.net"],
        sentence: "probably nothing answers at [2001:db8:1::25]:25, by IPv6: the name has another kind of address: -4 uses IPv4",
        unwanted: &["blocks port 25"],
    },
    Network {
        name: "port 25 that is blocked",
        makes: &[],
        mends: &[],
        args: &["blocked.example.net"],
        healthy: &["mx.example.net"],
        sentence: "probably the network here blocks port 25: nothing answered: send by port 587, or try from another network",
        unwanted: &["IPv6"],
    },
    Network {
        name: "another port that is silent",
        makes: &[],
        mends: &[],
        args: &["-p", "587", "blocked.example.net"],
        healthy: &["mx.example.net"],
        sentence: "probably a firewall drops what goes to 192.0.2.26:587, or nothing is there: see which addresses may reach the port",
        unwanted: &["port 25"],
    },
    Network {
        name: "::1 is refused while 127.0.0.1 listens",
        makes: &[],
        mends: &[],
        args: &["::1"],
        healthy: &["127.0.0.1"],
        sentence: "nothing listens on [::1]:25, but 127.0.0.1:25 answers: connect to that one",
        unwanted: &[],
    },
    Network {
        name: "an address that no host has",
        makes: &["ip link set v0 arp on"],
        mends: &["ip link set v0 arp off"],
        args: &["--connect-timeout", "8", "192.0.2.77"],
        healthy: &["mx.example.net"],
        sentence: "192.0.2.77:25 cannot be reached: it is down, or a firewall rejects the connection",
        unwanted: &["listens"],
    },
    Network {
        name: "a search domain that makes another name",
        makes: &[],
        mends: &[],
        args: &["mx.exmaple.net"],
        healthy: &["mx.example.net"],
        sentence: "probably mx.exmaple.net was taken for mx.exmaple.net.corp.example, by this machine's search domain: is it spelt \
                   right? a dot at the end keeps the name as it is",
        unwanted: &["listens"],
    },
    Network {
        name: "a name that does not exist",
        makes: &[],
        mends: &[],
        args: &["nowhere.example.net"],
        healthy: &["mx.example.net"],
        sentence: "there is no host nowhere.example.net: is it spelt right? the mail servers of a domain are in its MX records",
        unwanted: &["name server"],
    },
    Network {
        name: "a name without addresses",
        makes: &[],
        mends: &[],
        args: &["bare.example.net"],
        healthy: &["mx.example.net"],
        sentence: "bare.example.net exists, but has no address: the mail servers of a domain are in its MX records",
        unwanted: &["spelt"],
    },
    Network {
        name: "a name server that does not answer",
        makes: &[],
        mends: &[],
        args: &["silent.example.net"],
        healthy: &["mx.example.net"],
        sentence: "probably the name server does not answer: see the name servers of this machine (/etc/resolv.conf), or give an \
                   address",
        unwanted: &["spelt"],
    },
    Network {
        name: "ports that are used up",
        makes: &["sysctl -qw net.ipv4.ip_local_port_range=40000\\ 40001", "hold"],
        mends: &["let go", "sysctl -qw net.ipv4.ip_local_port_range=32768\\ 60999"],
        args: &["127.0.0.1"],
        healthy: &["127.0.0.1"],
        sentence: "probably this machine has no free port left to connect from: wait a minute for old connections to go, or make \
                   fewer",
        unwanted: &["--source"],
    },
];

/// What the resolver knows: addresses of IPv4 and of IPv6. Of other names it says that they do not exist, and of one nothing.
fn addresses() -> HashMap<&'static str, (Vec<Ipv4Addr>, Vec<Ipv6Addr>)> {
    let here = Ipv4Addr::LOCALHOST;
    HashMap::from([
        ("mx.example.net", (vec![here], vec![])),
        ("both.example.net", (vec![here], vec!["2001:db8:1::25".parse().unwrap()])),
        ("blocked.example.net", (vec![Ipv4Addr::new(192, 0, 2, 25), Ipv4Addr::new(192, 0, 2, 26)], vec![])),
        ("mx.exmaple.net.corp.example", (vec![Ipv4Addr::new(127, 0, 0, 9)], vec![])),
        ("bare.example.net", (vec![], vec![])),
    ])
}

#[test]
fn broken_networks_are_told_by_their_causes_and_as_the_page_has_it() {
    if let Some(told) = in_a_namespace("networks::each_network_is_told_inside_a_namespace") {
        assert!(told.contains("1 passed"), "{told}");
    }
    // A published crate comes without the project's documentation.
    let Ok(page) = fs::read_to_string(PAGE) else { return };
    for network in NETWORKS {
        let row = format!("| {} | {} |", network.name, network.sentence);
        assert!(page.contains(&row), "docs/diagnosis.md lacks {row:?}");
    }
}

#[test]
#[ignore = "swaks, curl and openssl are run; the table is written"]
fn what_other_tools_say_last_is_written_down() {
    let Some(told) = in_a_namespace("networks::other_tools_say_so_inside_a_namespace") else { return };
    let rows: String = told.lines().filter(|line| line.starts_with("| ")).map(|row| format!("{row}\n")).collect();
    let page = fs::read_to_string(PAGE).unwrap();
    let start = page.find("| network |").unwrap();
    let end = page[start..].find("\n\n").map_or(page.len(), |end| start + end + 1);
    let head = "| network | mconnect | swaks | openssl s_client | curl |\n|---|---|---|---|---|\n";
    fs::write(PAGE, format!("{}{head}{rows}{}", &page[..start], &page[end..])).unwrap();
}

#[test]
#[ignore = "the test before this one starts it, in a network namespace"]
fn other_tools_say_so_inside_a_namespace() {
    let Some(_folder) = made() else { return };
    for network in NETWORKS {
        let mut held = Vec::new();
        network.makes.iter().for_each(|act| obey(act, &mut held));
        let (host, port) = (network.args.last().unwrap(), if network.args.contains(&"587") { "587" } else { "25" });
        let bracketed = if host.contains(':') { format!("[{host}]") } else { (*host).to_owned() };
        let family = if network.args.contains(&"-6") { "-6" } else { "" };
        let swaks =
            format!("swaks {family} --server {host} --port {port} --timeout 5 --to b@example.org --quit-after HELO");
        let openssl = format!("openssl s_client {family} -starttls smtp -connect {bracketed}:{port}");
        let curl = format!("curl {family} -sS --max-time 5 smtp://{bracketed}:{port}/x");
        let cells = [(swaks, "*** "), (openssl, "connect"), (curl, "curl: ")].map(|(command, start)| {
            let output =
                Command::new("timeout").args(["8", "sh", "-c", &command]).stdin(Stdio::null()).output().unwrap();
            let text = format!("{}{}", out(&output), err(&output));
            let is_told = |line: &&str| line.starts_with(start) || line.contains("BIO_") || line.contains(":error:");
            let line = text.lines().rfind(is_told).unwrap_or_default().trim_start_matches(['*', ' ', '\t']);
            let line = line.trim_start_matches("curl: ");
            // Between a thread's number and a place in its source.
            let reason = line.split_once(":error:").and_then(|(_, error)| error.split(':').nth(3)).unwrap_or(line);
            reason.replace('|', "\\|")
        });
        println!("\n| {} | {} | {} |", network.name, network.sentence, cells.join(" | "));
        network.mends.iter().for_each(|act| obey(act, &mut held));
    }
}

#[test]
#[ignore = "the test before this one starts it, in a network namespace"]
fn each_network_is_told_inside_a_namespace() {
    let Some(_folder) = made() else { return };
    let mut wrong = Vec::new();
    for network in NETWORKS {
        let mut held = Vec::new();
        network.makes.iter().for_each(|act| obey(act, &mut held));
        let broken = connect(network.args);
        let told = complaints(&broken);
        if told.lines().last() != Some(&format!("mconnect: {}", network.sentence)) {
            wrong.push(format!("{}: {}", network.name, err(&broken)));
        }
        for word in network.unwanted.iter().filter(|word| told.lines().last().unwrap_or_default().contains(**word)) {
            wrong.push(format!("{}: {word} is in {told}", network.name));
        }
        network.mends.iter().for_each(|act| obey(act, &mut held));
        let healthy = connect(network.healthy);
        if !complaints(&healthy).is_empty() || !out(&healthy).contains("221 ") {
            wrong.push(format!("the healthy twin of {}: {}{}", network.name, out(&healthy), err(&healthy)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn connect(args: &[&str]) -> std::process::Output {
    let usual = ["--connect-timeout", "1", "-c", "EHLO client.example.org", "-c", "QUIT"];
    run(&[&usual[..], args].concat(), "")
}

/// Runs a test of this file in namespaces of its own, and returns what it printed; nothing where there are none to be had.
fn in_a_namespace(test: &str) -> Option<String> {
    let unshared = ["-n", "-m", "--propagation", "private"];
    let can = |command: &[&str]| {
        let output = Command::new("unshare").args(unshared).args(command).stderr(Stdio::null()).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !can(&["ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"]) {
        // Past what the tests of Rust keep of standard error.
        let _ = writeln!(io::stderr(), "skipped: this machine gives no network namespaces ({test})");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(unshared).arg(env::current_exe().unwrap()).args(["--ignored", "--exact", test, "--nocapture"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}{}", out(&output), err(&output));
    Some(out(&output))
}

/// Makes the network: a resolver, a server on port 25 of every address of this machine, and a link that swallows everything.
/// Nothing outside of a namespace.
fn made() -> Option<Folder> {
    let parent = format!("/proc/{}/ns/net", std::os::unix::process::parent_id());
    if fs::read_link("/proc/self/ns/net").ok() == fs::read_link(parent).ok() {
        let _ = writeln!(io::stderr(), "skipped: not in a network namespace");
        return None;
    }
    for command in [
        "ip link set lo up",
        "ip link add v0 type veth peer name v1",
        "ip link set v1 up",
        "ip link set v0 arp off up",
        "ip addr add 192.0.2.1/24 dev v0",
        "ip -6 addr add 2001:db8:1::1/64 dev v0 nodad",
    ] {
        obey(command, &mut Vec::new());
    }
    let folder = Folder::new("network");
    let resolver =
        folder.write("resolv.conf", "search corp.example\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    obey(&format!("mount --bind {resolver} /etc/resolv.conf"), &mut Vec::new());
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    thread::spawn(move || resolve(&socket));
    for address in ["127.0.0.1:25", "[2001:db8:9::25]:25"] {
        let address: SocketAddr = address.parse().unwrap();
        let listener = TcpListener::bind(address).or_else(|_| bind_ahead(address)).unwrap();
        thread::spawn(move || serve(&listener));
    }
    Some(folder)
}

/// Binds to an address that this machine will have.
fn bind_ahead(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None)?;
    socket.set_freebind_v6(true)?;
    socket.bind(&address.into())?;
    socket.listen(8)?;
    Ok(socket.into())
}

fn obey(act: &str, held: &mut Vec<TcpStream>) {
    match act {
        "hold" => held.extend((0..2).map(|_| TcpStream::connect("127.0.0.1:25").unwrap())),
        "let go" => {
            // Reset, so that their ports are free at once.
            held.drain(..).for_each(|stream| {
                drop(socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)));
            });
        }
        command => {
            let status = Command::new("sh").args(["-c", command]).status().unwrap();
            assert!(status.success(), "{command}");
        }
    }
}

/// Greets, and answers every line.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        thread::spawn(move || {
            stream.write_all(b"220 mx.example.net ESMTP\r\n")?;
            let mut lines = BufReader::new(stream.try_clone()?);
            let mut line = String::new();
            while lines.read_line(&mut line)? > 0 {
                let is_quit = line.starts_with("QUIT");
                stream.write_all(if is_quit { b"221 bye\r\n" } else { b"250 ok\r\n" })?;
                line.clear();
            }
            Ok::<(), io::Error>(())
        });
    }
}

/// Answers as a name server does (RFC 1035, section 4.1).
fn resolve(socket: &UdpSocket) {
    let addresses = addresses();
    let mut question = [0; 512];
    while let Ok((size, client)) = socket.recv_from(&mut question) {
        let (mut name, mut at) = (String::new(), 12);
        while question[at] != 0 {
            let label = &question[at + 1..=at + usize::from(question[at])];
            name.push_str(&format!("{}.", String::from_utf8_lossy(label).to_ascii_lowercase()));
            at += label.len() + 1;
        }
        let end = (at + 5).min(size);
        let name = name.trim_end_matches('.');
        if name == "silent.example.net" {
            continue;
        }
        let known = addresses.get(name);
        let (v4, v6) = known.cloned().unwrap_or_default();
        let answers: Vec<Vec<u8>> = match question[at + 2] {
            1 => v4.iter().map(|address| address.octets().to_vec()).collect(),
            28 => v6.iter().map(|address| address.octets().to_vec()).collect(),
            _ => Vec::new(),
        };
        let mut reply = question[..end].to_vec();
        // An authoritative answer; of a name that does not exist, so.
        (reply[2], reply[3]) = (0x85, if known.is_some() { 0x80 } else { 0x83 });
        reply[4..12].copy_from_slice(&[0, 1, 0, answers.len() as u8, 0, 0, 0, 0]);
        for answer in answers {
            reply.extend([0xc0, 12, 0, question[at + 2], 0, 1, 0, 0, 0, 60, 0, answer.len() as u8]);
            reply.extend(answer);
        }
        let _ = socket.send_to(&reply, client);
    }
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diagnosis.md");
