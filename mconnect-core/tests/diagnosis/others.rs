//! What other tools say last to the same set-ups, for the table of `docs/diagnosis.md`:
//!
//! ```text
//! cargo test -p mconnect-core --all-features --test diagnosis -- --ignored
//! ```

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use mconnect_core::dialogue::unescape;

use super::setups::Setup;
use super::{all, file};

/// A server that plays a set-up to clients that say other things than ours: each command has the reply that the set-up
/// has for its verb, or else the usual one.
struct Lenient {
    first: Vec<String>,
    /// Each verb's replies, in order; the last one is said again.
    replies: HashMap<String, Vec<Vec<String>>>,
    speaks_first: bool,
}

impl Lenient {
    fn new(dialogue: &[String]) -> Self {
        let groups: Vec<&[String]> =
            dialogue.chunk_by(|line, next| line.starts_with('C') == next.starts_with('C')).collect();
        let speaks_first = groups.first().is_some_and(|group| group[0].starts_with('C'));
        let mut lenient = Self { first: Vec::new(), replies: HashMap::new(), speaks_first };
        let mut verb = None;
        for group in groups {
            match group[0].starts_with('C') {
                true => verb = group.last().map(|line| verb_of(&line[3..])),
                false => match &verb {
                    None => lenient.first = group.to_vec(),
                    Some(verb) => lenient.replies.entry(verb.clone()).or_default().push(group.to_vec()),
                },
            }
        }
        if speaks_first {
            lenient.first = lenient.replies.values().next().and_then(|all| all.first().cloned()).unwrap_or_default();
        }
        lenient
    }

    fn serve(mut self, mut stream: TcpStream) {
        drop(stream.set_read_timeout(Some(Duration::from_secs(4))));
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut line = Vec::new();
        if self.speaks_first {
            drop(lines.read_until(b'\n', &mut line));
        }
        let first = std::mem::take(&mut self.first);
        if !say(&mut stream, &first) {
            return;
        }
        let mut is_body = false;
        loop {
            line.clear();
            if !matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
                return;
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if is_body && text != "." {
                continue;
            }
            let verb = verb_of(&text);
            let reply = match self.replies.get_mut(&verb) {
                Some(all) if all.len() > 1 => all.remove(0),
                Some(all) => all[0].clone(),
                None => vec![usual(&verb).to_owned()],
            };
            is_body = verb == "DATA" && reply.last().is_some_and(|line| line.starts_with("S: 354"));
            if !say(&mut stream, &reply) || verb == "QUIT" {
                return;
            }
        }
    }
}

fn usual(verb: &str) -> &'static str {
    match verb {
        "DATA" => "S: 354 go ahead",
        "QUIT" => "S: 221 bye",
        "AUTH" => "S: 235 ok",
        "STARTTLS" => "S: 502 5.5.1 command not implemented",
        _ => "S: 250 ok",
    }
}

/// Says lines, and whether the connection is still open.
fn say(stream: &mut TcpStream, lines: &[String]) -> bool {
    for line in lines {
        let done = match (line.as_str(), line.strip_prefix("S> ")) {
            ("S: *close*", _) => return false,
            ("S: *reset*", _) => {
                drop(socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO)));
                return false;
            }
            (pause, _) if pause.starts_with("S: *pause") => {
                keep_silent(pause);
                Ok(())
            }
            (_, Some(bytes)) => stream.write_all(&unescape(bytes).unwrap()),
            (line, None) => stream.write_all(format!("{}\r\n", &line[3..]).as_bytes()),
        };
        if done.is_err() {
            return false;
        }
    }
    true
}

/// Keeps silent for longer than a tool waits: the pace of the server is what is tried here.
fn keep_silent(pause: &str) {
    thread::sleep(Duration::from_secs(if pause.contains("1 s") { 5 } else { 1 }));
}

fn verb_of(line: &str) -> String {
    let word = line.split([' ', '\\']).next().unwrap_or_default().to_ascii_uppercase();
    // An answer in AUTH, or the end of a message.
    if word.len() >= 4 && word.chars().all(|c| c.is_ascii_alphabetic()) { word } else { ".".to_owned() }
}

/// Runs a tool against a set-up, and returns all that it printed.
fn run(setup: &Setup, tool: &str, args: impl Fn(u16) -> Vec<String>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let lenient = Lenient::new(&setup.broken);
    thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            lenient.serve(stream);
        }
    });
    printed(tool, &args(port))
}

/// Runs a tool, for so long at most, and returns all that it printed.
fn printed(tool: &str, args: &[String]) -> String {
    let mut child = Command::new(tool)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{tool}: {error}"));
    let (all, ended) = channel();
    let mut pipes: [Box<dyn Read + Send>; 2] =
        [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
    let reading = thread::spawn(move || {
        thread::scope(|scope| {
            let texts = pipes.each_mut().map(|pipe| {
                scope.spawn(|| {
                    let mut text = Vec::new();
                    drop(pipe.read_to_end(&mut text));
                    text
                })
            });
            all.send(texts.map(|text| text.join().unwrap()).concat())
        })
    });
    let text = ended.recv_timeout(Duration::from_secs(8)).unwrap_or_else(|_| {
        child.kill().unwrap();
        ended.recv().unwrap()
    });
    drop((reading.join(), child.wait()));
    String::from_utf8_lossy(&text).into_owned()
}

fn swaks(setup: &Setup) -> String {
    let auth =
        setup.broken.iter().find_map(|line| line.strip_prefix("C: AUTH ")).map(|rest| rest.split(' ').next().unwrap());
    let text = run(setup, "swaks", |port| {
        let mut args: Vec<String> =
            ["--server", "127.0.0.1", "--from", "a@example.org", "--to", "b@example.org", "--timeout", "2"]
                .map(str::to_owned)
                .to_vec();
        args.extend(["--port".to_owned(), port.to_string(), "--helo".to_owned(), "client.example.org".to_owned()]);
        if let Some(mechanism) = auth {
            args.extend(["--auth", mechanism, "--auth-user", "tim", "--auth-password", "pencil"].map(str::to_owned));
        }
        if setup.broken.iter().any(|line| line == "C: STARTTLS") {
            args.push("-tls".to_owned());
        }
        args
    });
    last_of_swaks(&text)
}

/// Its errors, and the replies that it takes for some.
fn last_of_swaks(text: &str) -> String {
    let told = text.lines().rfind(|line| line.starts_with("***") || line.starts_with("<**") || line.starts_with("<~*"));
    told.unwrap_or("").trim_start_matches(['*', '<', '~', ' ']).to_owned()
}

fn curl(setup: &Setup) -> String {
    let letter = std::env::temp_dir().join(format!("diagnosis-{}", std::process::id()));
    fs::write(&letter, "Subject: hello\r\n\r\nhello\r\n").unwrap();
    let auth =
        setup.broken.iter().find_map(|line| line.strip_prefix("C: AUTH ")).map(|rest| rest.split(' ').next().unwrap());
    let text = run(setup, "curl", |port| {
        let mut args: Vec<String> =
            ["-sS", "--max-time", "3", "--mail-from", "a@example.org", "--mail-rcpt", "b@example.org", "-T"]
                .map(str::to_owned)
                .to_vec();
        args.extend([letter.display().to_string(), format!("smtp://127.0.0.1:{port}/client.example.org")]);
        if let Some(mechanism) = auth {
            args.extend([
                "-u".to_owned(),
                "tim:pencil".to_owned(),
                "--login-options".to_owned(),
                format!("AUTH={mechanism}"),
            ]);
        }
        if setup.broken.iter().any(|line| line == "C: STARTTLS") {
            args.push("--ssl-reqd".to_owned());
        }
        args
    });
    text.lines().last().unwrap_or("").trim_start_matches("curl: ").to_owned()
}

fn s_client(setup: &Setup) -> String {
    let text = run(setup, "openssl", |port| {
        let address = format!("127.0.0.1:{port}");
        ["s_client", "-starttls", "smtp", "-connect", &address].map(str::to_owned).to_vec()
    });
    last_of_s_client(&text)
}

fn last_of_s_client(text: &str) -> String {
    let told =
        text.lines().rfind(|line| line.contains("error:") || line.contains("Didn't find") || line.contains("errno"));
    // Between a thread's number and a place in its source.
    let reason =
        |line: &str| line.split_once(":error:").and_then(|(_, error)| Some(error.split(':').nth(3)?.to_owned()));
    told.map(|line| reason(line).unwrap_or_else(|| line.to_owned())).unwrap_or_default()
}

#[test]
#[ignore = "swaks, curl and openssl are run; the table is written"]
fn what_other_tools_say_last_is_written_down() {
    let page = file("../../../docs/diagnosis.md");
    let text = fs::read_to_string(&page).unwrap();
    let start = text.find("| set-up |").unwrap();
    let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end + 1);
    // A row that has our sentence still is kept.
    let kept: HashMap<&str, &str> = text[start..end]
        .lines()
        .filter_map(|line| Some((line.split(" | ").next()?.trim_start_matches("| "), line)))
        .collect();
    let mut table = "| set-up | mconnect | swaks | openssl s_client | curl |\n|---|---|---|---|---|\n".to_owned();
    let all = all();
    for batch in all.chunks(6) {
        let rows = thread::scope(|scope| {
            let rows: Vec<_> =
                batch.iter().map(|setup| scope.spawn(|| row(setup, kept.get(setup.name.as_str()).copied()))).collect();
            rows.into_iter().map(|row| row.join().unwrap()).collect::<Vec<_>>()
        });
        table.extend(rows);
    }
    fs::write(&page, format!("{}{table}{}", &text[..start], &text[end..])).unwrap();
}

fn row(setup: &Setup, kept: Option<&str>) -> String {
    let ours = setup.play(&setup.broken).findings(&setup.facts)[0].to_string();
    if let Some(kept) = kept.filter(|kept| !super::is_missing(kept, setup, &ours)) {
        return format!("{kept}\n");
    }
    let cells = [ours, swaks(setup), s_client(setup), curl(setup)];
    as_row(&setup.name, &cells)
}

fn as_row(name: &str, cells: &[String]) -> String {
    let cell = |text: &String| {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
        shown.replace('|', "\\|").replace('<', "&lt;")
    };
    format!("| {name} | {} |\n", cells.iter().map(cell).collect::<Vec<_>>().join(" | "))
}

#[cfg(feature = "tls")]
#[test]
#[ignore = "swaks, curl and openssl are run; the table is written"]
fn what_other_tools_say_last_of_tls_is_written_down() {
    let page = file("../../../docs/diagnosis.md");
    let rows: String = super::tls::certificates().iter().map(row_of_tls).collect();
    let text = fs::read_to_string(&page).unwrap();
    let start = text.find("| TLS |").unwrap();
    let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end + 1);
    let head = "| TLS | mconnect | swaks | openssl s_client | curl |\n|---|---|---|---|---|\n";
    fs::write(&page, format!("{}{head}{rows}{}", &text[..start], &text[end..])).unwrap();
}

/// Each tool is told to verify the name and to trust the authority that the client trusts, and does STARTTLS.
#[cfg(feature = "tls")]
fn row_of_tls(broken: &super::tls::Broken) -> String {
    let authorities = std::env::temp_dir().join(format!("diagnosis-{}.pem", std::process::id()));
    fs::write(&authorities, &broken.authorities).unwrap();
    let (port, authorities) = (broken.server.port().to_string(), authorities.display().to_string());
    let args = |words: &str| -> Vec<String> {
        let filled = words.replace("PORT", &port).replace("FILE", &authorities);
        filled.split(' ').map(str::to_owned).collect()
    };
    let swaks = printed(
        "swaks",
        &args(
            "--server 127.0.0.1 --port PORT --timeout 5 -tls --tls-verify --tls-ca-path FILE --to b@example.org --quit-after EHLO",
        ),
    );
    let openssl = printed(
        "openssl",
        &args(
            "s_client -starttls smtp -connect 127.0.0.1:PORT -CAfile FILE -verify_hostname mx.example.org -verify_return_error",
        ),
    );
    let verified = openssl.lines().rfind(|line| line.starts_with("verify error:")).map(str::to_owned);
    let curl = printed(
        "curl",
        &args(
            "-sS --max-time 5 --ssl-reqd --cacert FILE --resolve mx.example.org:PORT:127.0.0.1 smtp://mx.example.org:PORT/x",
        ),
    );
    let curl = curl.lines().find(|line| line.starts_with("curl: ")).unwrap_or_default();
    let cells = [
        broken.told(),
        last_of_swaks(&swaks),
        verified.unwrap_or_else(|| last_of_s_client(&openssl)),
        curl.trim_start_matches("curl: ").to_owned(),
    ];
    as_row(broken.name, &cells)
}
