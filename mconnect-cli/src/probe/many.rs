//! Many targets, from a file: a line each, in order of completion.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex};

use mconnect_core::chain;
use mconnect_core::dns::DnsError;
use mconnect_core::probe::{Gravity, Probe, ProbeReport, Routing, Target, WithoutCertificates};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use super::drawing::Drawing;
use super::lines::{Line, Lines};
use super::output::{self, Output};
use super::report;
use super::resume::Done;
use super::tally::Tally;
use crate::failure::Failure;
use crate::lock::locked;
use crate::options::Options;
use crate::signals;
use crate::stderr::say;
use crate::terminal::Terminal;
use crate::verdict::Verdict;

/// Probes every target that a file has, and returns how grave the gravest is that was found.
///
/// # Errors
/// Nothing is probed, or not all: a file or the system is in the way.
pub fn run(options: &Options, path: &Path, probe: Probe, verdict: &Verdict) -> Result<Option<Gravity>, Failure> {
    let many = &options.probing.many;
    let (read, total) = open(path)?;
    let (file, done, count) = match &many.resume {
        Some(path) => output::resume(path).map(|(file, done, count)| (Some(file), done, count))?,
        None => (None, Done::default(), 0),
    };
    if count > 0 && !options.is_quiet {
        say(&format!("{count} reports are there already: the rest is appended"));
    }
    let output = Arc::new(Output::new(file));
    // From here on there are threads, which leave signals alone.
    let (terminal, theirs) = (Terminal::new(), Arc::clone(&output));
    let on_signal = move |signal| {
        theirs.before(signal);
        Some(signal)
    };
    signals::watch(terminal.handle(), on_signal).map_err(|error| Failure::cannot("wait for signals", &error))?;
    if !(options.output.is_json && output.has_file()) {
        output.watch_reader();
    }
    let probe = bounded(options, probe);
    let tally = Tally::new(total);
    let input_error = Arc::new(Mutex::new(None));
    let targets = Targets { lines: Lines::new(read), done, passing: tally.passing(), error: Arc::clone(&input_error) };
    let reports = probe.run(targets).map_err(|error| Failure::cannot("begin", &error))?;
    let gravest = tell(reports, &output, options, &tally, verdict);
    tally.finish(options.is_quiet);
    if let Some(error) = locked(&input_error).take() {
        return Err(Failure::cannot_read(path, &error));
    }
    gravest
}

fn tell(
    reports: impl Iterator<Item = (Wanted, ProbeReport)>,
    output: &Output,
    options: &Options,
    tally: &Tally,
    verdict: &Verdict,
) -> Result<Option<Gravity>, Failure> {
    let (drawing, mut gravest) = (Drawing::new(options.prompt.color), None);
    for (wanted, report) in reports {
        let told = Told::of(&wanted, &report, options.security.is_verbose);
        let is_failure = matches!(told.status, LineStatus::Failure | LineStatus::Unknown | LineStatus::Invalid);
        gravest = gravest.max(if is_failure { Some(Gravity::Failure) } else { report.gravest() });
        let line = (options.output.is_json || output.has_file()).then(|| told.line()).transpose()?;
        let row = (!options.output.is_json)
            .then(|| report::row(&wanted.line.written, told.error.as_deref(), &report, &drawing));
        let put = output.whole(|| {
            line.map_or(Ok(()), |line| output.put(&line)).map_err(|error| match &options.probing.many.resume {
                Some(path) => Stop::Failed(Failure::cannot_write(path, &error)),
                None => Stop::Lost(error),
            })?;
            row.map_or(Ok(()), |row| output.put_row(row.as_bytes())).map_err(Stop::Lost)?;
            tally.add(wanted.line.octets, is_failure);
            Ok(())
        });
        match put {
            Ok(()) => {}
            Err(Stop::Failed(failure)) => return Err(failure),
            Err(Stop::Lost(error)) => {
                verdict.output_failed(&error);
                break;
            }
        }
    }
    Ok(gravest)
}

/// Why no more is told: the file takes nothing, or standard output.
enum Stop {
    Failed(Failure),
    Lost(io::Error),
}

/// A line, and what is asked for it.
struct Wanted {
    line: Line,
    target: Target,
}

impl AsRef<Target> for Wanted {
    fn as_ref(&self) -> &Target {
        &self.target
    }
}

/// The lines of a file whose targets have no report yet.
struct Targets<R, P> {
    lines: Lines<R>,
    done: Done,
    passing: P,
    error: Arc<Mutex<Option<io::Error>>>,
}

impl<R: BufRead, P: Fn(u64)> Iterator for Targets<R, P> {
    type Item = Wanted;

    fn next(&mut self) -> Option<Wanted> {
        loop {
            let line = self.lines.next().unwrap_or_else(|error| {
                *locked(&self.error) = Some(error);
                None
            })?;
            if self.done.take(&line.written) {
                (self.passing)(line.octets);
                continue;
            }
            // What is no target has no name that anybody would be asked for.
            let name = line.target.as_ref().map_or(NO_NAME, |target| &target.name);
            let target = Target::parse(name);
            return Some(Wanted { line, target });
        }
    }
}

/// What is told of a target.
#[derive(Serialize)]
struct Told<'a> {
    input: &'a str,
    status: LineStatus,
    error: Option<String>,
    report: Option<Report<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Report<'a> {
    Whole(&'a ProbeReport),
    Brief(WithoutCertificates<'a>),
}

/// What a target comes to, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum LineStatus {
    /// Nothing is wrong, or nothing that keeps mail away.
    Fine,
    Warning,
    Failure,
    /// The DNS did not say: another try may.
    Unknown,
    /// The line is no target.
    Invalid,
}

impl<'a> Told<'a> {
    fn of(wanted: &'a Wanted, report: &'a ProbeReport, is_verbose: bool) -> Self {
        let input = wanted.line.written.as_str();
        let looked_up = match &report.target {
            Target::Host(_) => report.exchangers.iter().find_map(|one| one.host.v4.as_ref()?.as_ref().err()),
            _ => report.mx.as_ref().and_then(|mx| mx.as_ref().err()),
        };
        let no_name = looked_up.filter(|error| matches!(error, DnsError::Name { .. })).map(|error| chain(error));
        if let Some(why) = wanted.line.target.as_ref().err().cloned().or(no_name) {
            return Self { input, status: LineStatus::Invalid, error: Some(why), report: None };
        }
        let status = match (report.routing, report.gravest()) {
            (Routing::Unknown, _) => LineStatus::Unknown,
            (_, Some(Gravity::Failure)) => LineStatus::Failure,
            (_, Some(Gravity::Warning)) => LineStatus::Warning,
            _ => LineStatus::Fine,
        };
        let report = if is_verbose { Report::Whole(report) } else { Report::Brief(report.without_certificates()) };
        Self { input, status, error: None, report: Some(report) }
    }

    fn line(&self) -> Result<Vec<u8>, Failure> {
        let mut line = serde_json::to_vec(self).map_err(|error| Failure::cannot("write a report", &error))?;
        line.push(b'\n');
        Ok(line)
    }
}

/// Opens a file of targets, and returns how long it is if it is a file.
fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), Failure> {
    if path == "-" {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.map_err(|error| Failure::cannot_read(path, &error))?;
    if metadata.is_dir() {
        return Err(Failure::cannot_read(path, &io::ErrorKind::IsADirectory.into()));
    }
    Ok((Box::new(BufReader::new(file)), metadata.is_file().then_some(metadata.len())))
}

/// Has no more under way than the options say, and than there are descriptors for.
fn bounded(options: &Options, mut probe: Probe) -> Probe {
    let many = &options.probing.many;
    let wanted = many.jobs.unwrap_or(DEFAULT_JOBS);
    let jobs = room_for(wanted);
    if jobs < wanted {
        say(&format!(
            "mconnect: {jobs} targets at once, not {wanted}: the system allows no more open files (ulimit -Hn)"
        ));
    }
    probe = probe.jobs(jobs);
    if let Some(count) = many.per_address {
        probe = probe.per_address(count);
    }
    if let Some(rate) = many.rate {
        probe = probe.rate(rate);
    }
    probe
}

/// Returns how many targets at once there are descriptors for, of these; the soft limit is raised for that. A target has a
/// session, and while there are fewer than a thousand, a lookup.
fn room_for(jobs: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return jobs };
    let wanted = (jobs as u64).saturating_add(MOST_LOOKUPS.min(jobs as u64)).saturating_add(BESIDE_JOBS);
    let limit = if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard).is_ok() {
        wanted.min(hard)
    } else {
        soft
    };
    let room = limit.saturating_sub(BESIDE_JOBS);
    let room = (room / 2).max(room.saturating_sub(MOST_LOOKUPS));
    jobs.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1)
}

const DEFAULT_JOBS: usize = 100;
/// The library has no more at once.
const MOST_LOOKUPS: u64 = 1000;
/// Descriptors for policies, files and the runtime.
const BESIDE_JOBS: u64 = 200;
/// No name at all, which is found before anybody is asked.
const NO_NAME: &str = "no..name";
