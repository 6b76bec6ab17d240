//! Policies over HTTPS, from good servers and from those that mean harm.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mconnect_core::server::{Authority, Identity};
use mconnect_core::sts::{FetchError, FetchFailure, Fetched, Policy, fetch};
use mconnect_core::tls::{Config, rustls};

const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\nmax_age: 86400\r\n";

/// Long enough for an answer that comes at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nobody listens there.
const NOBODY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));

type Tls<'a> = rustls::Stream<'a, rustls::ServerConnection, TcpStream>;

/// A web server for one connection, which has read the request when it is its turn; returns that.
fn web(
    config: Arc<rustls::ServerConfig>,
    act: impl FnOnce(&mut Tls<'_>) -> io::Result<()> + Send + 'static,
) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => request.push(byte[0]),
                _ => return String::new(),
            }
        }
        // That the client has had enough is none of the server's business.
        drop(act(&mut stream));
        stream.conn.send_close_notify();
        drop(stream.flush());
        String::from_utf8(request).unwrap()
    });
    (address, thread)
}

fn authority() -> (Authority, Config) {
    let authority = Authority::new("Web Root");
    let trust = Config::new().authorities(authority.pem().as_bytes()).unwrap();
    (authority, trust)
}

/// Fetches from a server that answers so.
fn answered(
    patience: Duration,
    act: impl FnOnce(&mut Tls<'_>) -> io::Result<()> + Send + 'static,
) -> Result<Fetched, FetchError> {
    let (authority, trust) = authority();
    let (address, thread) = web(authority.issue(["mta-sts.example.org"]).config(), act);
    let fetched = fetch("Example.org.", &[address], &trust, patience);
    assert_ne!(thread.join().unwrap(), "", "the request came");
    fetched
}

fn words(fetched: Result<Fetched, FetchError>) -> String {
    let error = fetched.unwrap_err();
    let (prefix, text) = (error.to_string(), mconnect_core::chain(&error));
    assert!(prefix.starts_with("cannot fetch the policy from mta-sts.example.org"), "{prefix}");
    text.strip_prefix(&prefix).unwrap().trim_start_matches(": ").to_owned()
}

#[test]
fn a_policy_comes_from_a_server_that_is_proven() {
    let (authority, trust) = authority();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\n";
    let chunks = POLICY.bytes().map(|byte| format!("1;x=y\r\n{}\r\n", char::from(byte))).collect::<String>();
    for answer in [
        format!("{head}Content-Length: {}\r\n\r\n{POLICY}and more that is not looked at", POLICY.len()),
        format!("{head}\r\n{POLICY}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\nTrailer: x\r\n\r\n"),
        format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n{head}\r\n{POLICY}"),
        format!("{}\r\n{POLICY}", head.replace("1.1", "1.0")),
    ] {
        for pieces in [answer.len(), 1] {
            let answer = answer.clone();
            let (address, thread) = web(authority.issue(["mta-sts.example.org"]).config(), move |stream| {
                answer.as_bytes().chunks(pieces).try_for_each(|piece| stream.write_all(piece))
            });
            // Where nobody listens, the next address is tried; who is to be proven is not for other settings to say.
            let trust = trust.clone().name("mx.example.org").pin(authority.issue([]).key_fingerprint());
            let fetched = fetch("Example.org.", &[NOBODY, address], &trust, PATIENCE).unwrap();
            assert_eq!(fetched.body, POLICY.as_bytes());
            assert!(Policy::parse(&fetched.body).unwrap().covers("mx.example.org"));
            assert!(fetched.is_plain_text() && fetched.address == address && fetched.info.is_verified());
            assert_eq!(fetched.content_type.as_deref(), Some("Text/Plain; charset=utf-8"));
            let request = thread.join().unwrap();
            assert!(request.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("\r\nhost: mta-sts.example.org\r\n"), "{request}");
        }
    }
}

#[test]
fn what_it_is_not_called_is_noted() {
    for (kind, expected) in
        [("Content-Type: text/html\r\n", Some("text/html")), ("", None), ("Content-Type: \r\n", Some(""))]
    {
        let answer = format!("HTTP/1.1 200 OK\r\n{kind}Content-Length: 0\r\n\r\n");
        let fetched = answered(PATIENCE, move |stream| stream.write_all(answer.as_bytes())).unwrap();
        assert_eq!(fetched.content_type.as_deref(), expected);
        assert!(!fetched.is_plain_text() && fetched.body.is_empty());
    }
}

#[test]
fn an_answer_without_a_policy_is_said_to_be_that() {
    let long = "x".repeat(100_000);
    for (answer, expected) in [
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\x1b[2J\r\n\r\n".to_owned(),
            "the answer is no HTTP: http parse fail: invalid header value",
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\nContent-Length: 9\r\n\r\n".to_owned(),
            "the server redirects to https://elsewhere.example/, and no redirect is followed (301)",
        ),
        ("HTTP/1.1 302 Found\r\n\r\n".to_owned(), "the server redirects, and no redirect is followed (302)"),
        (
            format!("HTTP/1.1 307 x\r\nLocation: {}\r\n\r\n", &long[..9000]),
            &format!("the server redirects to {}..., and no redirect is followed (307)", &long[..100]),
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 999999999999\r\n\r\n".to_owned(),
            "the server answers with the status 404 (Not Found)",
        ),
        ("HTTP/1.1 500 \r\n\r\n".to_owned(), "the server answers with the status 500 (Internal Server Error)"),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), "the server answers with the status 204 (No Content)"),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(),
            "the server answers with the status 101 (Switching Protocols)",
        ),
        ("HTTP/1.1 799 x\r\n\r\n".to_owned(), "the server answers with the status 799"),
        ("HTTP/1.1 099 x\r\n\r\n".to_owned(), "the answer is no HTTP: http parse fail: invalid status code: 099"),
        ("HTTP/2 200\r\n\r\n".to_owned(), "the answer is no HTTP: http parse fail: invalid HTTP version"),
        ("220 mx.example.org ESMTP\r\n".to_owned(), "the answer is no HTTP: http parse fail: invalid HTTP version"),
        (String::new(), "the connection broke: no answer came"),
        ("HTTP/1.1 200 OK\r\nContent-".to_owned(), "the connection broke: no answer came"),
        (
            format!("HTTP/1.1 200 OK\r\nX: {long}"),
            "the answer is no HTTP: more than 16384 octets came without an end of a line or a header",
        ),
        (
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(200)),
            "the answer is no HTTP: http parse resulted in too many headers",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n".to_owned(), "the policy has more than 65536 octets"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(),
            "the answer is no HTTP: content-length header not a number",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc".to_owned(),
            "the connection broke: the server closed in the middle of the policy",
        ),
        (format!("HTTP/1.1 200 OK\r\n\r\n{long}"), "the policy has more than 65536 octets"),
        (
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n{long}"),
            "the policy has more than 65536 octets",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n".to_owned(),
            "the answer is no HTTP: chunk length cannot be read as a number",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n".to_owned(),
            "the answer is no HTTP: chunk length cannot be read as a number",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n".to_owned(),
            "the answer is no HTTP: chunk expected crlf as next character",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".to_owned(),
            "the connection broke: the server closed in the middle of the policy",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{long}"),
            "the answer is no HTTP: more than 16384 octets came without an end of a line or a header",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}", "x: y\r\n".repeat(300_000)),
            "the answer is no HTTP: there are more than 1048576 octets around the policy",
        ),
        (
            "HTTP/1.1 103 x\r\n\r\n".repeat(100_000),
            "the answer is no HTTP: there are more than 1048576 octets around the policy",
        ),
        // What it would unpack to is nothing that anybody looks at.
        ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f".to_owned(), "the policy is encoded as gzip"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "the policy is encoded as gzip, chunked",
        ),
    ] {
        let beginning = answer[..answer.len().min(100)].to_owned();
        let fetched = answered(PATIENCE, move |stream| stream.write_all(answer.as_bytes()));
        assert_eq!(words(fetched), expected, "{beginning}");
    }
}

#[test]
fn a_connection_that_is_cut_is_no_end_of_a_policy() {
    // Without a length, only the farewell of TLS tells an end from a cut.
    let (authority, trust) = authority();
    for answer in
        ["HTTP/1.1 200 OK\r\n\r\nversion: STSv1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", ""]
    {
        let (address, thread) = web(authority.issue(["mta-sts.example.org"]).config(), move |stream| {
            stream.write_all(answer.as_bytes())?;
            stream.sock.shutdown(std::net::Shutdown::Write)
        });
        let error = fetch("example.org", &[address], &trust, PATIENCE).unwrap_err();
        assert!(matches!(error.failure, FetchFailure::Broken(_)), "{answer}: {error:?}");
        thread.join().unwrap();
    }
}

#[test]
fn a_server_that_drips_meets_the_deadline() {
    let drips: [(&str, &str); 4] = [
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        ("HTTP/1.1 200 OK\r\n\r\n", "mode: x\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", ""),
    ];
    for (start, drip) in drips {
        let begun = Instant::now();
        let patience = Duration::from_millis(400);
        let fetched = answered(patience, move |stream| {
            stream.write_all(start.as_bytes())?;
            // Until the client has gone.
            stream.sock.set_read_timeout(Some(Duration::from_millis(10)))?;
            for byte in drip.bytes().cycle().take(if drip.is_empty() { 0 } else { usize::MAX }) {
                stream.write_all(&[byte])?;
                // A pace, which ends at once where the client does.
                let _ = stream.sock.peek(&mut [0]);
            }
            stream.sock.set_read_timeout(None)?;
            stream.read_to_end(&mut Vec::new()).map(drop)
        });
        let error = fetched.unwrap_err();
        assert!(matches!(error.failure, FetchFailure::Late { .. }), "{error:?}");
        assert_eq!(error.failure.to_string(), "not all of it was here after 400 ms");
        assert!((patience..patience * 10).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_server_that_is_not_proven_is_asked_for_nothing() {
    let (authority, trust) = authority();
    for (identity, expected) in [
        (
            authority.issue(["example.org"]),
            "cannot trust it: the certificate is not for mta-sts.example.org but for example.org",
        ),
        (
            authority.issue_for(["mta-sts.example.org"], -30, -3),
            "cannot trust it: the certificate of CN=mta-sts.example.org expired on ",
        ),
        (
            Authority::new("Other Root").issue(["mta-sts.example.org"]),
            "cannot trust it: its issuer is unknown here: CN=Other Root",
        ),
        (Identity::self_signed(["mta-sts.example.org"]), "cannot trust it: the certificate is self-signed"),
    ] {
        for trust in [trust.clone(), trust.clone().insecure(), trust.clone().pin(identity.key_fingerprint())] {
            let (address, thread) = web(identity.config(), |_| Ok(()));
            let text = words(fetch("example.org", &[address], &trust, PATIENCE));
            assert!(text.starts_with(expected), "{text}");
            assert_eq!(thread.join().unwrap(), "", "nothing was asked for");
        }
    }
}

/// Acts without TLS.
fn plain(act: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || drop(act(&mut listener.accept().unwrap().0))))
}

#[test]
fn without_tls_nothing_is_fetched() {
    let (_, trust) = authority();
    type Act = fn(&mut TcpStream) -> io::Result<()>;
    let acts: [(Act, &str); 3] = [
        (
            |stream| stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
            "cannot start TLS: ",
        ),
        (
            |stream| stream.read(&mut [0; 4096]).map(drop),
            "cannot start TLS: the server closed instead of shaking hands",
        ),
        (|stream| stream.read_to_end(&mut Vec::new()).map(drop), "not all of it was here after "),
    ];
    for (act, expected) in acts {
        let (address, thread) = plain(act);
        let text = words(fetch("example.org", &[address], &trust, Duration::from_millis(500)));
        assert!(text.starts_with(expected), "{text}");
        thread.join().unwrap();
    }

    let text = words(fetch("example.org", &[NOBODY], &trust, PATIENCE));
    assert!(text.starts_with(&format!("cannot connect to mta-sts.example.org, port {}: ", NOBODY.port())), "{text}");
    let text = words(fetch("example.org", &[], &trust, PATIENCE));
    assert!(text.starts_with("cannot connect to mta-sts.example.org, port 443"), "{text}");
}

#[test]
fn what_is_no_domain_is_not_looked_for() {
    for domain in [
        "",
        "a b",
        "a/b",
        "a.example/x?",
        "user@example.org",
        "a.example:25",
        &"a".repeat(300),
        "m\u{fc}ller.example",
        "a..b",
    ] {
        let error = fetch(domain, &[NOBODY], &Config::new(), PATIENCE).unwrap_err();
        assert!(matches!(error.failure, FetchFailure::Domain), "{domain}: {error:?}");
    }
}
