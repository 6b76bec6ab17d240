//! Many targets, from a file: a line each, in order of completion.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex};

use mconnect_core::probe::{Gravity, Probe, ProbeReport, ReportLine, TargetLine, TargetLines};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::output::Output;
use super::tally::TallyRow;
use super::{has_color, json};
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
    let (read, total) = open(path)?;
    let (output, mut finished) = Output::open(options.probing.many.resume.as_deref())?;
    if finished.count > 0 && !options.is_quiet {
        say(&format!("{} reports are there already: the rest is appended", finished.count));
    }
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
    let tally = TallyRow::new(total);
    let input_error = Arc::<Mutex<Option<io::Error>>>::default();
    let (passing, theirs) = (tally.passing(), Arc::clone(&input_error));
    let lines = TargetLines::new(read).map_while(move |line| line.map_err(|error| *locked(&theirs) = Some(error)).ok());
    let lines = lines.filter(move |line| {
        let is_done = finished.take(&line.written);
        if is_done {
            passing(line.octets);
        }
        !is_done
    });
    let reports = bounded(options, probe).run(lines).map_err(|error| Failure::cannot("begin", &error))?;
    let gravest = tell(reports, &output, options, &tally, verdict);
    tally.finish(options.is_quiet);
    match locked(&input_error).take() {
        Some(error) => Err(Failure::cannot_read(path, &error)),
        None => gravest,
    }
}

fn tell(
    reports: impl Iterator<Item = (TargetLine, ProbeReport)>,
    output: &Output,
    options: &Options,
    tally: &TallyRow,
    verdict: &Verdict,
) -> Result<Option<Gravity>, Failure> {
    let (has_color, is_json, mut gravest) = (has_color(options), options.output.is_json, None);
    for (target, report) in reports {
        let mut told = ReportLine::new(&target.written, target.error.clone(), &report);
        told.has_certificates = options.security.is_verbose;
        let line = if is_json || output.has_file() { json(&told) } else { String::new() };
        let row = if is_json { String::new() } else { told.row(has_color) };
        let shown = if is_json && !output.has_file() { &line } else { &row };
        let gravity = told.gravest();
        gravest = gravest.max(gravity);
        let put = output.whole(|| -> Result<_, Failure> {
            output.append(&line)?;
            Ok(output.show(shown).inspect(|()| tally.add(target.octets, gravity == Some(Gravity::Failure))))
        });
        if let Err(error) = put? {
            verdict.output_failed(&error);
            break;
        }
    }
    Ok(gravest)
}

/// Opens a file of targets, and returns how long it is if it is a file.
fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), Failure> {
    if path == "-" {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.map_err(|error| Failure::cannot_read(path, &error))?;
    Ok((Box::new(BufReader::new(file)), metadata.is_file().then_some(metadata.len())))
}

/// Has no more under way than the options say, and than there are descriptors for.
fn bounded(options: &Options, probe: Probe) -> Probe {
    let many = &options.probing.many;
    let wanted = many.jobs.unwrap_or(DEFAULT_JOBS);
    let jobs = room_for(wanted);
    if jobs < wanted {
        say(&format!(
            "mconnect: {jobs} targets at once, not {wanted}: the system allows no more open files (ulimit -Hn)"
        ));
    }
    let probe = many.per_address.into_iter().fold(probe.jobs(jobs), Probe::per_address);
    many.rate.into_iter().fold(probe, Probe::rate)
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
