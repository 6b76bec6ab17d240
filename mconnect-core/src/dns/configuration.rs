//! The system's name servers: `/etc/resolv.conf`, as resolv.conf(5) describes it.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::path::Path;
use std::time::Duration;

/// What the file says, as far as it matters here: neither search lists nor what is special about some servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configuration {
    pub servers: Vec<SocketAddr>,
    pub timeout: Duration,
    pub attempts: usize,
    pub is_trusted: bool,
}

impl Configuration {
    /// Reads a file. Without it there is a name server on this machine, as for the system's own resolver.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        match File::open(path) {
            Ok(file) => drop(file.take(LARGEST).read_to_end(&mut text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    fn parse(text: &str) -> Self {
        let mut read = Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(DEFAULT_TIMEOUT),
            attempts: DEFAULT_ATTEMPTS,
            is_trusted: false,
        };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => read.servers.extend(words.next().and_then(address)),
                Some("options") => words.for_each(|option| read.option(option)),
                _ => {}
            }
        }
        read.servers.truncate(MOST_SERVERS);
        if read.servers.is_empty() {
            read.servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT));
        }
        read
    }

    fn option(&mut self, option: &str) {
        match option.split_once(':') {
            None => self.is_trusted |= option == "trust-ad",
            Some(("timeout", number)) => {
                let seconds = number.parse().unwrap_or(DEFAULT_TIMEOUT);
                self.timeout = Duration::from_secs(seconds.clamp(1, MOST_TIMEOUT));
            }
            Some(("attempts", number)) => {
                self.attempts = number.parse().unwrap_or(DEFAULT_ATTEMPTS).clamp(1, MOST_ATTEMPTS);
            }
            Some(_) => {}
        }
    }
}

/// Reads an address; the scope of one is a number here.
fn address(text: &str) -> Option<SocketAddr> {
    let scoped = || format!("[{text}]:{PORT}").parse::<SocketAddrV6>().ok().map(SocketAddr::V6);
    text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, PORT)).or_else(scoped)
}

const PORT: u16 = 53;

/// In octets: what is beyond is not read.
const LARGEST: u64 = 64 * 1024;

pub(super) const DEFAULT_TIMEOUT: u64 = 5;
pub(super) const DEFAULT_ATTEMPTS: usize = 2;
const MOST_TIMEOUT: u64 = 30;
const MOST_ATTEMPTS: usize = 5;
const MOST_SERVERS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_the_system_reads_it() {
        let read = Configuration::parse(
            "# nameserver 192.0.2.9\n;x\nsearch example.org\nnameserver 192.0.2.1\nnameserver  2001:db8::1 # this\n\
             nameserver fe80::1%3\nnameserver 192.0.2.4\nnameserver none\noptions ndots:2 timeout:90 attempts:0 trust-ad\n",
        );
        let servers: Vec<String> = read.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%3]:53"]);
        assert_eq!((read.timeout, read.attempts, read.is_trusted), (Duration::from_secs(30), 1, true));
    }

    #[test]
    fn without_a_name_server_it_is_this_machine() {
        let read = Configuration::read(Path::new("/nonexistent/resolv.conf")).unwrap();
        assert_eq!(read.servers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!((read.timeout, read.attempts, read.is_trusted), (Duration::from_secs(5), 2, false));
    }
}
