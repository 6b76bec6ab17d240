//! Says what is to be said of the mail of some domains: `probe_domain DOMAIN...`, with the feature `probe`. The exit
//! status is 1 if mail does not arrive somewhere.
use std::{env, error::Error, process::ExitCode};

use mconnect_core::dns::Resolver;
use mconnect_core::probe::{Gravity, Probe, Target};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let probe = Probe::new(Resolver::system()?);
    let mut gravest = None;
    for domain in env::args().skip(1) {
        let report = probe.probe(&Target::parse(&domain))?;
        println!("{report}\n");
        gravest = gravest.max(report.gravest());
    }
    Ok(if gravest == Some(Gravity::Failure) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
