//! Real servers, started by the scripts in `servers/`, and what a session with one comes to.

use std::env::temp_dir;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{MCONNECT, PATIENCE, Pty, until};

/// What is different about a server.
pub struct Kind {
    pub name: &'static str,
    /// What it says to a client that does not wait for its replies.
    pub protest: &'static str,
    pub has_chunking: bool,
    /// The key of each of its certificates, and the signature on it.
    pub key: &'static str,
    /// What is agreed on the port that is inside TLS from the first byte on.
    pub tls_port_has: &'static str,
    /// What a password authenticates by; the best is the last.
    pub mechanisms: &'static [&'static str],
    pub authenticated: &'static str,
    /// How it ends after the other side has ended, inside TLS.
    pub farewell: &'static str,
}

pub const POSTFIX: Kind = Kind {
    name: "postfix",
    protest: "554 5.5.0 Error: SMTP protocol synchronization",
    has_chunking: true,
    key: "RSA 2048, signature RSA with SHA-256",
    tls_port_has: "TLS 1.2, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, ",
    mechanisms: &["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"],
    authenticated: "235 2.7.0 Authentication successful",
    farewell: "the connection ended without TLS's close_notify",
};
pub const EXIM: Kind = Kind {
    name: "exim",
    protest: "554 SMTP synchronization error",
    has_chunking: true,
    key: "ECDSA P-256, signature ECDSA with SHA-256",
    tls_port_has: "TLS 1.3, TLS_AES_256_GCM_SHA384, ",
    mechanisms: &["PLAIN", "LOGIN", "CRAM-MD5"],
    authenticated: "235 Authentication succeeded",
    farewell: "the server left TLS without its close_notify, and went on with \"421 exim.localhost lost input connection\"",
};
/// It offers AUTH inside TLS only.
pub const OPENSMTPD: Kind = Kind {
    name: "opensmtpd",
    protest: "500 5.5.1 Invalid command: Pipelining not supported",
    has_chunking: false,
    key: "RSA 2048, signature RSA with SHA-256",
    tls_port_has: "TLS 1.3, TLS_AES_256_GCM_SHA384, ",
    mechanisms: &["LOGIN", "PLAIN"],
    authenticated: "235 2.0.0 Authentication succeeded",
    farewell: "the connection ended without TLS's close_notify",
};

/// For what is bound to TLS; it offers AUTH inside it only.
pub const DOVECOT: Kind = Kind {
    name: "dovecot",
    protest: "",
    has_chunking: true,
    key: "ECDSA P-256, signature ECDSA with SHA-256",
    tls_port_has: "TLS 1.3, TLS_AES_256_GCM_SHA384, ",
    mechanisms: &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"],
    authenticated: "235 2.7.0 Logged in.",
    farewell: "",
};

/// What sessions go to and through; servers/roads.sh says what listens where.
pub const ROADS: Kind = Kind {
    name: "roads",
    protest: "",
    has_chunking: true,
    key: "",
    tls_port_has: "",
    mechanisms: &[],
    authenticated: "",
    farewell: "",
};

/// A server that runs until it is dropped.
pub struct RealServer {
    pub kind: Kind,
    pub port: u16,
    /// The port with TLS from the first byte on.
    pub tls_port: u16,
    pub dir: PathBuf,
}

/// What is tried, in words, and how.
pub type Topic = (&'static str, fn(&RealServer));

impl Kind {
    /// Starts such a server, and tries all of this with it.
    pub fn serves(self, topics: &[Topic]) {
        let server = RealServer::start(self);
        for (topic, check) in topics {
            println!("{}: {topic}", server.kind.name);
            check(&server);
        }
    }
}

impl RealServer {
    pub fn start(kind: Kind) -> Self {
        // Both are held until both are known: they are not the same.
        let free = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [port, tls_port] = free.map(|listener| listener.local_addr().unwrap().port());
        // Tests run side by side, and some with servers of the same kind.
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let dir = temp_dir().join(format!("mconnect-{}-{}.{number}", kind.name, process::id()));
        fs::create_dir(&dir).unwrap();
        let server = Self { kind, port, tls_port, dir };
        server.run(&["install"]).unwrap();
        server.run(&["start", &port.to_string(), &tls_port.to_string()]).unwrap();
        server
    }

    /// Runs the server's script; an error is what it says.
    fn run(&self, action: &[&str]) -> Result<(), String> {
        let script = format!("{}/tests/servers/{}.sh", env!("CARGO_MANIFEST_DIR"), self.kind.name);
        let done = Command::new(script).args(action).arg(&self.dir).stdin(Stdio::null()).output().unwrap();
        if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
    }

    /// Pipes a script through the tool.
    pub fn talk(&self, host: &str, options: &[&str], script: impl AsRef<[u8]>) -> Talk {
        talk(self.port, host, options, script)
    }

    #[track_caller]
    pub fn must_store(&self, copies: usize, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        until(PATIENCE, || self.stored().len() >= copies, || format!("{} stores fewer", self.kind.name));
        let stored = self.stored();
        assert_eq!(stored.len(), copies, "{} stored another number of messages", self.kind.name);
        for path in stored {
            let whole = fs::read(&path).unwrap();
            let begin = whole.windows(FIRST_FIELD.len()).position(|window| window == FIRST_FIELD.as_bytes());
            let kept = &whole[begin.unwrap_or(0)..];
            let same = kept.iter().zip(content).take_while(|(kept, sent)| kept == sent).count();
            let [got, expected] = [kept, content].map(|all| all[same..].escape_ascii().take(200).map(char::from));
            let [got, expected] = [String::from_iter(got), String::from_iter(expected)];
            let lengths = (kept.len(), content.len());
            assert!(kept == content, "octets {lengths:?}, from {same} on \"{got}\", expected \"{expected}\"");
            fs::remove_file(&path).unwrap();
        }
    }

    /// A message from the server itself is stored that says all of this.
    #[track_caller]
    pub fn must_notify(&self, words: &[&str]) {
        let says = |path: &PathBuf| {
            let whole = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
            words.iter().all(|words| whole.contains(words))
        };
        let found = || self.stored().into_iter().find(says);
        until(PATIENCE, || found().is_some(), || format!("{} says nothing of {words:?}", self.kind.name));
        fs::remove_file(found().unwrap()).unwrap();
    }

    /// Looks once a later message is there.
    #[track_caller]
    pub fn must_have_stored_nothing(&self) {
        let later = message("later\n");
        let talk = self.talk("127.0.0.1", &[], format!("{EHLO}{}QUIT\n", delivery(&["one"], &later)));
        talk.must_be(0, &["220", "250", "250", "250", "354", "250", "221"]);
        self.must_store(1, later);
    }

    fn stored(&self) -> Vec<PathBuf> {
        fs::read_dir(self.dir.join("stored/new")).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// What was said is from who it should be from, and whole.
    #[track_caller]
    pub fn must_be_proven(&self, talk: &Talk) {
        talk.must_tell("; verified\n");
        // OpenSMTPD does not always end TLS before it closes.
        if self.kind.name != "opensmtpd" {
            talk.must_be_whole();
        }
    }

    /// Gives one of the files that the server's certificates are in.
    pub fn tls_file(&self, name: &str) -> String {
        self.dir.join("tls").join(name).to_str().unwrap().to_owned()
    }

    /// Gives the file with the authority to trust.
    pub fn root(&self) -> String {
        self.tls_file("root.pem")
    }

    /// Writes a password to a file, and gives its name.
    pub fn password(&self, password: &str) -> String {
        let file = self.dir.join("password");
        fs::write(&file, password).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Opens a session at a terminal, and waits for the greeting.
    pub fn prompt(&self, terminal: &str, options: &[&str]) -> Pty {
        let port = self.port.to_string();
        let command = [options, &["--color", "never", "-p", &port, "127.0.0.1"]].concat();
        let mut pty = Pty::start_with(MCONNECT, &command, &[("TERM", terminal)]);
        pty.expect("220 ");
        pty
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        if let Err(said) = self.run(&["stop"]) {
            eprintln!("{said}");
        }
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// What came of a session with the tool.
#[derive(Debug)]
pub struct Talk {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Pipes a script through the tool, to a local port.
pub fn talk(port: u16, host: &str, options: &[&str], script: impl AsRef<[u8]>) -> Talk {
    let port = port.to_string();
    // A socket has no port.
    let server = if host.starts_with('/') { vec![host] } else { vec!["-p", &port, host] };
    Talk::of(&[&[MCONNECT], server.as_slice(), options].concat(), script.as_ref())
}

/// Says QUIT in raw mode once the greeting is there, and nothing more.
#[track_caller]
pub fn quit_raw(port: u16, host: &str, options: &[&str], status: i32) {
    let mut command = limited(&[&[MCONNECT, "--quiet", "-r", "-p", &port.to_string(), host], options].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut greeting = String::new();
    output.read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("220 "), "{greeting:?}");
    input.write_all(b"QUIT\r\n").unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("221 ") && rest.ends_with("\r\n") && rest.lines().count() == 1, "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(status), "after {rest:?}");
}

impl Talk {
    pub fn of(command: &[&str], script: &[u8]) -> Self {
        let mut command = limited(command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut input, script) = (child.stdin.take().unwrap(), script.to_vec());
        // A server that ends the session leaves a part of the script unread.
        let feeding = thread::spawn(move || drop(input.write_all(&script)));
        let done = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        let [out, err] = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self { status: done.status.code(), out, err }
    }

    #[track_caller]
    pub fn must_be(&self, status: i32, codes: &[&str]) {
        assert_eq!((self.status, self.codes()), (Some(status), codes.to_vec()), "{self:?}");
    }

    #[track_caller]
    pub fn must_tell(&self, words: &str) {
        assert!(self.err.contains(words), "no {words:?} in {self:?}");
    }

    /// TLS was ended as it should be.
    #[track_caller]
    pub fn must_be_whole(&self) {
        assert!(!self.err.contains("close_notify"), "{self:?}");
    }

    /// Gives the code of each reply.
    pub fn codes(&self) -> Vec<&str> {
        self.out.lines().filter(|line| !line[3..].starts_with('-')).map(|line| &line[..3]).collect()
    }

    /// At the end of its input, Exim says 421, and the others say nothing.
    pub fn codes_but_for_a_farewell(&self) -> Vec<&str> {
        let mut codes = self.codes();
        codes.pop_if(|code| *code == "421");
        codes
    }
}

/// Gives a command that does not hang.
pub fn limited(command: &[&str]) -> Command {
    let mut limited = Command::new("timeout");
    limited.arg(PATIENCE.as_secs().to_string()).args(command);
    limited
}

pub fn envelope(recipients: &[&str]) -> String {
    let to: String = recipients.iter().map(|name| format!("RCPT TO:<{name}@example.com>\n")).collect();
    format!("MAIL FROM:<sender@example.org>\n{to}")
}

pub fn delivery(recipients: &[&str], content: &str) -> String {
    format!("{}DATA\n{content}.\n", envelope(recipients))
}

pub fn message(text: &str) -> String {
    format!("{FIRST_FIELD} mconnect\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nMessage-ID: <1@example.org>\n\n{text}")
}

pub const EHLO: &str = "EHLO client.example\n";
/// Servers put their own header fields above it.
const FIRST_FIELD: &str = "Comments: from";
