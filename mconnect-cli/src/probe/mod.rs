//! Probing: what domains say of their mail and what their servers make of it, as a report or as JSON.

mod many;
mod output;
mod tally;

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use mconnect_core::probe::{Gravity, Network, Probe, Target};
use mconnect_core::protocol::{Address, Envelope};
use mconnect_core::{InvalidHost, Timeouts};
use serde::Serialize;

use crate::exchangers;
use crate::failure::{Failure, Status};
use crate::options::{Color, Options, ReversePath};
use crate::screen;
use crate::secure::Secure;
use crate::stderr;
use crate::terminal::is_color_wanted;
use crate::verdict::Verdict;

/// Probes every target that the options name, and shows what came of each.
///
/// # Errors
/// Nothing is probed: options, files or the system are wrong.
#[inline(never)]
pub fn run(options: &Options, verdict: &Verdict) -> Result<(), Failure> {
    let probe = prepare(options)?;
    let gravest = match &options.probing.many.file {
        Some(file) => many::run(options, file, probe, verdict)?,
        None => in_turn(options, &probe, verdict)?,
    };
    match gravest {
        Some(Gravity::Failure) if options.ends_at_refusal => verdict.fail(Status::Failing),
        Some(Gravity::Warning) if options.ends_at_refusal => verdict.fail(Status::Unmet),
        _ => {}
    }
    Ok(())
}

/// Probes the targets that are operands, one after the other.
fn in_turn(options: &Options, probe: &Probe, verdict: &Verdict) -> Result<Option<Gravity>, Failure> {
    let targets = &options.probing.targets;
    let read = targets.iter().map(|written| target(written)).collect::<Result<Vec<Target>, _>>()?;
    let mut gravest = None;
    for (index, (written, target)) in targets.iter().zip(read).enumerate() {
        stderr::draw(&format!("asking about {written} ..."));
        let report = probe.probe(&target);
        stderr::clear();
        let report = report.map_err(|error| Failure::cannot("begin a probe", &error))?;
        let told = match options.output.is_json {
            true => json(&report),
            false if index == 0 => report.describe(written, has_color(options)),
            false => format!("\n{}", report.describe(written, has_color(options))),
        };
        if let Err(error) = screen::put(told.as_bytes()) {
            verdict.output_failed(&error);
            break;
        }
        gravest = gravest.max(report.gravest());
    }
    Ok(gravest)
}

fn target(written: &str) -> Result<Target, Failure> {
    Target::read(written).map_err(|error| {
        let hint = if error.why == InvalidHost::Port { "; it goes with -p" } else { "" };
        Failure::new(Status::Usage, error.to_string()).hint(hint)
    })
}

fn has_color(options: &Options) -> bool {
    let color = options.prompt.color;
    (color == Color::Always || io::stdout().is_terminal()) && is_color_wanted(color)
}

/// Writes a line that is a JSON object.
fn json(told: &impl Serialize) -> String {
    serde_json::to_string(told).expect("a report has nothing that JSON has not") + "\n"
}

/// Reads the networks that are never contacted.
fn excluded(file: &Path) -> Result<Vec<Network>, Failure> {
    let text = fs::read(file).map_err(|error| Failure::cannot_read(file, &error))?;
    Network::list(&text)
        .map_err(|(number, why)| Failure::new(Status::Data, format!("{}, line {number}: {why}", file.display())))
}

fn prepare(options: &Options) -> Result<Probe, Failure> {
    let secure = Secure::prepare(options)?;
    let probe = Probe::new(exchangers::resolver(options)?)
        .port(options.port())
        .family(options.family)
        .allow_private(options.exchangers.allows_private)
        .tls(secure.config());
    let probe = options.source.into_iter().fold(probe, Probe::source);
    let probe = options.probing.expiring.into_iter().fold(probe, Probe::expiring);
    let mut probe = options.security.helo.iter().fold(probe, |probe, name| probe.own_name(name));
    if options.timeout.is_some() || options.connect_timeout.is_some() {
        let reply = options.timeout.unwrap_or(REPLY);
        let attempt = options.connect_timeout.unwrap_or(ATTEMPT.min(reply));
        probe = probe.timeouts(Timeouts::default().replies(reply).attempt(attempt).connect(attempt));
        // As many as there are steps.
        probe = probe.deadline(SESSION.max(attempt + 8 * reply));
    }
    if let Some(file) = &options.probing.exclude {
        probe = probe.exclude(excluded(file)?);
    }
    if !options.sending.to.is_empty() {
        let sender: Option<Address> = match &options.sending.from {
            ReversePath::Address(address) => Some(address.clone()),
            ReversePath::User | ReversePath::Null => None,
        };
        let envelope = options.sending.to.iter().cloned().fold(Envelope::new(sender), Envelope::to);
        probe = probe.recipients(envelope);
    }
    Ok(probe)
}

/// How long an address may take to be connected to, to reply, and for all of a session, unless the options say otherwise.
const ATTEMPT: Duration = Duration::from_secs(10);
const REPLY: Duration = Duration::from_secs(30);
const SESSION: Duration = Duration::from_secs(2 * 60);
