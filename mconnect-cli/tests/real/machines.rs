//! Many targets over several machines, by GNU parallel: two of OpenSSH's servers on loopback stand for two machines.

use std::env::temp_dir;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use mconnect_core::server::Server;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::common::real::limited;
use crate::common::{MCONNECT, PATIENCE, until};
use crate::zone;

/// Both machines, until this is dropped.
struct Machines {
    dir: PathBuf,
}

impl Machines {
    fn start() -> Self {
        let free = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [port, other] = free.map(|listener| listener.local_addr().unwrap().port().to_string());
        let dir = temp_dir().join(format!("mconnect-ssh-{}", process::id()));
        fs::create_dir(&dir).unwrap();
        let machines = Self { dir };
        assert!(machines.run(&["install"]) && machines.run(&["start", &port, &other]));
        machines
    }

    /// Runs their script, which says itself what goes wrong.
    fn run(&self, action: &[&str]) -> bool {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/ssh.sh");
        Command::new(script).args(action).arg(&self.dir).stdin(Stdio::null()).status().unwrap().success()
    }

    /// Gives each machine two runs of the tool at a time, with this option as the first, each for some of the targets; what
    /// they print goes behind what is there already.
    fn spread(&self, program: Command, tool: &str) -> Command {
        let mut program = program;
        program.args(["--sshlogin", "2/h1,2/h2", "--pipe", "-N", &BLOCK.to_string(), "--resume"]);
        program.arg("--joblog").arg(self.log()).arg(tool);
        program.env("PARALLEL_SSH", format!("ssh -F {}", self.dir.join("made/config").display()));
        program.env("PARALLEL_HOME", &self.dir);
        program.stdin(File::open(self.targets()).unwrap());
        program.stdout(File::options().create(true).append(true).open(self.reports()).unwrap());
        program
    }

    fn targets(&self) -> PathBuf {
        self.dir.join("targets")
    }

    fn reports(&self) -> PathBuf {
        self.dir.join("reports.jsonl")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("joblog")
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        self.run(&["stop"]);
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// The blocks that are done; the first line of the log is its heading.
fn done(log: &Path) -> usize {
    fs::read_to_string(log).unwrap_or_default().lines().count().saturating_sub(1)
}

#[test]
#[ignore = "it needs root, and packages: .ci/run"]
fn a_run_over_two_machines_that_was_killed_half_way_and_resumed_has_every_target() {
    let machines = Machines::start();
    let server = Server::start().unwrap();
    let targets: Vec<String> = (0..TARGETS).map(|number| format!("d{number}.test")).collect();
    fs::write(machines.targets(), targets.join("\n") + "\n").unwrap();
    let lead = |number| format!("d{number}.test MX 10 mx{0}.test\nmx{0}.test A 127.0.0.1\n", number % EXCHANGERS);
    let resolver = zone::serve(&(0..TARGETS).map(lead).collect::<String>());
    let port = server.port();
    let tool = format!("{MCONNECT} --probe --targets - --json -p {port} --resolver {resolver} --allow-private");

    let mut first = machines.spread(Command::new("parallel"), &tool).spawn().unwrap();
    until(PATIENCE, || done(&machines.log()) >= BLOCKS / 4, || "no block is done".to_owned());
    kill(Pid::from_raw(i32::try_from(first.id()).unwrap()), Signal::SIGKILL).unwrap();
    assert!(!first.wait().unwrap().success());
    let before = done(&machines.log());
    assert!(before < BLOCKS / 2, "{before} of {BLOCKS} blocks were done: too late to be half way");
    // As docs/scale.md has it: what comes next is not to go on in a line that was torn.
    let mut reports = File::options().append(true).open(machines.reports()).unwrap();
    if !fs::read(machines.reports()).unwrap().ends_with(b"\n") {
        reports.write_all(b"\n").unwrap();
    }
    let second = machines.spread(limited(&["parallel"]), &tool).status().unwrap();
    assert!(second.success(), "{second}");
    assert_eq!(done(&machines.log()), BLOCKS);
    let log = fs::read_to_string(machines.log()).unwrap();
    assert!(
        ["h1", "h2"].iter().all(|host| log.contains(&format!("\t2/{host}\t")) || log.contains(&format!("\t{host}\t"))),
        "{log}"
    );

    let reports = fs::read_to_string(machines.reports()).unwrap();
    let whole = reports.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut told: Vec<String> = whole
        .map(|report| {
            assert_eq!(report["status"], "warning", "{report}");
            report["input"].as_str().unwrap().to_owned()
        })
        .collect();
    // The block that was being printed when it was killed is printed again.
    let printed = reports.lines().count();
    println!("killed after {before} of {BLOCKS} blocks; {printed} lines for {TARGETS} targets");
    assert!(printed <= TARGETS + BLOCK, "{printed} lines for {TARGETS} targets");
    told.sort();
    told.dedup();
    let mut expected = targets;
    expected.sort();
    assert_eq!(told, expected);
}

const TARGETS: usize = 200;
const BLOCK: usize = 5;
const BLOCKS: usize = TARGETS / BLOCK;
const EXCHANGERS: usize = 20;
