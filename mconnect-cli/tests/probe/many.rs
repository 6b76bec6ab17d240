use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::common::{MCONNECT, PATIENCE, Pty, Scrap, assert_status, err, feed, out, run, tool, until};
use super::told::serve;
use super::zone;

/// Domains that share an exchanger.
fn zone(count: usize) -> String {
    let domain = |index| format!("d{index}.test MX 10 mx1.example.test");
    let domains: Vec<String> = (0..count).map(domain).collect();
    domains.join("\n") + "\nmx1.example.test A 127.0.0.2"
}

fn targets(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("d{index}.test")).collect()
}

fn probe(zone: &str, port: u16, args: &[&str], input: &str) -> Output {
    let (resolver, port) = (zone::serve(zone).to_string(), port.to_string());
    run(&[&["--probe", "--resolver", &resolver, "-p", &port], args].concat(), input)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn inputs(lines: &[Value]) -> Vec<&str> {
    let mut inputs: Vec<&str> = lines.iter().map(|line| line["input"].as_str().unwrap()).collect();
    inputs.sort_unstable();
    inputs
}

#[test]
fn every_target_has_a_line_and_an_exchanger_of_many_is_asked_once() {
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let input = targets(50).join("\n") + "\n\n# a note\nnowhere.test\na@b\n";
    let args = ["--json", "--targets", "-", "--allow-private"];
    let output = probe(&zone(50), server.port(), &args, &input);
    assert_status(&output, 0);
    let lines = lines(&out(&output));
    let mut expected = targets(50);
    expected.extend(["nowhere.test", "a@b"].map(str::to_owned));
    expected.sort_unstable();
    assert_eq!(inputs(&lines), expected);
    assert_eq!(server.sessions().len(), 1);
    assert_eq!(err(&output), "");
    let of = |input: &str| lines.iter().find(|line| line["input"] == input).unwrap();
    assert_eq!(of("a@b")["status"], "invalid");
    assert_eq!(of("a@b")["report"], Value::Null);
    assert_eq!(of("nowhere.test")["status"], "failure");
    assert_eq!(of("d7.test")["status"], "fine");
    let session = &of("d7.test")["report"]["exchangers"][0]["addresses"][0]["session"];
    assert_eq!(session["tls"]["certificates"], serde_json::json!([]));
    assert_eq!(session["greeting"]["code"], 220);
}

#[test]
fn a_line_has_the_fields_and_words_of_its_schema() {
    let schema = include_str!("../../../docs/probe-line.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let words = schema["properties"]["status"]["enum"].as_array().unwrap();
    let zone = "plain.test MX 10 mx1.example.test\nmx1.example.test A 127.0.0.2\nlost.test BOGUS";
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let args = ["--json", "--targets", "-", "--allow-private"];
    let told =
        lines(&out(&probe(zone, server.port(), &args, "plain.test\nlost.test\nnowhere.test\na@b\n[x..test]\nx..test")));
    let mut statuses = Vec::new();
    for line in &told {
        let fields: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let known: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, known);
        assert!(words.contains(&line["status"]), "{line}");
        assert_eq!(line["report"].is_null(), line["status"] == "invalid");
        assert_eq!(line["error"].is_string(), line["status"] == "invalid");
        statuses.push(line["status"].as_str().unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, ["failure", "fine", "invalid", "invalid", "invalid", "unknown"]);
}

#[test]
fn certificates_are_there_where_they_are_asked_for() {
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let args = ["--json", "--tls-verbose", "--targets", "-", "--allow-private"];
    let told = lines(&out(&probe(&zone(1), server.port(), &args, "d0.test")));
    let session = &told[0]["report"]["exchangers"][0]["addresses"][0]["session"];
    assert_eq!(session["tls"]["certificates"].as_array().unwrap().len(), 1);
}

#[test]
fn without_json_each_target_has_a_row() {
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let args = ["--targets", "-", "--allow-private", "--jobs", "1"];
    let output = probe(&zone(1), server.port(), &args, "d0.test\nnowhere.test\na@b\n");
    let told = out(&output);
    let rows: Vec<&str> = told.lines().collect();
    assert_eq!(rows.len(), 3, "{told}");
    assert!(
        rows[0].starts_with("\u{2713} d0.test   ") && rows[0].contains(" mail goes to 1 exchanger, STARTTLS"),
        "{told}"
    );
    assert!(rows[1].starts_with("\u{2717} nowhere.test   "), "{told}");
    assert!(rows[2].ends_with(" \"a@b\" is not a domain: what follows the @ is"), "{told}");
}

#[test]
fn what_is_excluded_is_not_contacted_and_a_file_of_something_else_is_named() {
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let never = Scrap::new("never", "# not these\n127.0.0.0/30 ; mine\n");
    let args = ["--json", "--targets", "-", "--allow-private", "--exclude", never.path()];
    let told = lines(&out(&probe(&zone(1), server.port(), &args, "d0.test\n127.0.0.2")));
    for line in &told {
        assert_eq!(line["report"]["exchangers"][0]["addresses"][0]["contact"], "excluded", "{line}");
    }
    assert_eq!((told.len(), server.sessions().len()), (2, 0));
    let wrong = Scrap::new("wrong", "192.0.2.0/24\nexample.org\n");
    let output = probe("", 25, &["--targets", "-", "--exclude", wrong.path()], "");
    assert_status(&output, 65);
    assert!(err(&output).contains(", line 2: \"example.org\" is neither an address nor a network"), "{}", err(&output));
}

#[test]
fn a_run_that_was_killed_goes_on_after_a_torn_line_and_no_target_is_told_twice() {
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let (resolver, port) = (zone::serve(&zone(300)).to_string(), server.port().to_string());
    let input = Scrap::new("targets", &targets(300).join("\n"));
    let reports = Scrap::new("reports", "");
    let args = |jobs| {
        ["--probe", "--resolver", &resolver, "-p", &port, "--allow-private", "--jobs", jobs, "--targets", input.path()]
            .into_iter()
            .chain(["--json", "--resume", reports.path()])
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    let read = || std::fs::read_to_string(reports.path()).unwrap();
    let mut slow = args("1");
    slow.extend(["--rate", "200"].map(str::to_owned));
    let slow: Vec<&str> = slow.iter().map(String::as_str).collect();
    let mut child = tool(&slow).spawn().unwrap();
    until(PATIENCE, || read().lines().count() > 20, read);
    child.kill().unwrap();
    child.wait().unwrap();
    // However much of the last line there is.
    let text = read();
    let torn = text.len() - text.lines().last().unwrap().len() / 2 - 1;
    std::fs::write(reports.path(), &text[..torn]).unwrap();
    let fast = args("20");
    let fast: Vec<&str> = fast.iter().map(String::as_str).collect();
    let output = run(&fast, "");
    assert_status(&output, 0);
    assert!(err(&output).ends_with(" reports are there already: the rest is appended\n"), "{}", err(&output));
    assert_eq!(out(&output), "");
    let text = read();
    let all = lines(&text);
    let mut expected = targets(300);
    expected.sort_unstable();
    assert_eq!(inputs(&all), expected);
    // Nothing is left to do, and nothing changes.
    assert_status(&run(&fast, ""), 0);
    assert_eq!(read(), text);
}

#[test]
fn a_file_of_something_else_is_not_appended_to() {
    let other = Scrap::new("other", "example.org\nexample.net\n");
    let output = probe("", 25, &["--targets", "-", "--resume", other.path()], "x.test");
    assert_status(&output, 65);
    assert!(err(&output).contains("is no report"), "{}", err(&output));
    assert_eq!(std::fs::read_to_string(other.path()).unwrap(), "example.org\nexample.net\n");
    let output = probe("", 25, &["--targets", "-", "--resume", "/dev/null"], "x.test");
    assert_status(&output, 64);
    let taken = Scrap::new("taken", "");
    let file = std::fs::File::open(taken.path()).unwrap();
    file.lock().unwrap();
    assert_status(&probe("", 25, &["--targets", "-", "--resume", taken.path()], "x.test"), 75);
}

/// A run that goes on for longer than a test, as JSON.
fn endless(resolver: &str, port: u16) -> Child {
    let port = port.to_string();
    let args = ["--probe", "--resolver", resolver, "-p", &port, "--allow-private", "--json", "--targets", "-"];
    let mut child = tool(&args).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    thread::spawn(move || {
        while input.write_all(targets(100).join("\n").as_bytes()).is_ok() && input.write_all(b"\n").is_ok() {}
    });
    child
}

#[test]
fn a_signal_ends_it_between_two_lines() {
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let resolver = zone::serve(&zone(100)).to_string();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut child = endless(&resolver, server.port());
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert!(rest.is_empty() || rest.ends_with('\n'), "{rest}");
        assert!(lines(&rest).iter().all(|line| line["status"] == "fine"));
        let told = child.wait_with_output().unwrap();
        assert_eq!(told.status.signal(), Some(signal as i32), "{}", err(&told));
        assert!(err(&told).ends_with(" told\n"), "{}", err(&told));
    }
}

#[test]
fn a_reader_that_has_gone_ends_it_quietly() {
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let mut child = endless(&zone::serve(&zone(100)).to_string(), server.port());
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    drop(output);
    let told = child.wait_with_output().unwrap();
    assert_eq!((told.status.signal(), err(&told).as_str()), (Some(Signal::SIGPIPE as i32), ""));
}

#[test]
fn a_reader_that_has_gone_is_noticed_while_targets_are_waited_for() {
    let resolver = zone::serve("").to_string();
    let mut child = tool(&["--probe", "--resolver", &resolver, "--targets", "-", "--json"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"x.test\n").unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    drop(output);
    // Its input is open, and says nothing.
    let told = child.wait_with_output().unwrap();
    assert_eq!((told.status.signal(), err(&told).as_str()), (Some(Signal::SIGPIPE as i32), ""));
    drop(input);
}

#[test]
fn more_at_once_than_there_are_descriptors_for_is_said() {
    let resolver = zone::serve("").to_string();
    let command =
        format!("ulimit -n 300; exec {MCONNECT} --probe --resolver {resolver} --targets - --jobs 1000 --json");
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    feed(&mut child, b"x.test\n".to_vec());
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 0);
    let said = "mconnect: 50 targets at once, not 1000: the system allows no more open files (ulimit -Hn)\n";
    assert_eq!(err(&output), said);
    assert_eq!(lines(&out(&output))[0]["status"], "failure");
}

#[test]
fn on_a_terminal_how_far_it_is_stands_on_the_last_row() {
    let server = serve("127.0.0.2", 0, "mx1.example.test");
    let (resolver, port) = (zone::serve(&zone(30)).to_string(), server.port().to_string());
    let input = Scrap::new("targets", &targets(30).join("\n"));
    let args = ["--probe", "--resolver", &resolver, "-p", &port, "--allow-private", "--targets", input.path()];
    let mut pty = Pty::start(MCONNECT, &[&args[..], &["--rate", "40"]].concat());
    pty.expect("/s, 0 failed, ");
    pty.expect(" s left");
    pty.expect("d29.test");
    pty.expect("30 targets in ");
    assert_eq!(pty.wait(), 0);
}
