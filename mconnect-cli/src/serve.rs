//! Serving a dialogue: a client is judged by what it does.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use crate::atomic_file;
use crate::failure::{Failure, Status};
use crate::options::Options;
use crate::play;
use crate::screen::Screen;
use crate::secure;
use crate::verdict::Verdict;

/// Serves the sessions of a dialogue, once or again and again; a client that does something else is told of.
///
/// # Errors
/// Nothing can be served, or no longer.
#[inline(never)]
pub fn run(file: &Path, options: &Options, verdict: &Verdict) -> Result<(), Failure> {
    let (_, dialogue) = play::read(file)?;
    let setup = secure::serving(&options.security)?.scale(options.play.scale.unwrap_or(1.0)).listener(listen(options)?);
    let setup = if options.roads.expects_header { setup.haproxy() } else { setup };
    let (setup, patience) = match options.serve.is_once {
        true => (setup, options.timeout.unwrap_or(A_YEAR)),
        false => (setup.again_and_again(), A_YEAR),
    };
    let server = setup.play(&dialogue, &options.play.values)?;
    while let Some(error) = server.wait_for_failure(patience) {
        match Failure::from(error) {
            failure if failure.status == Status::Unmet => verdict.complain(failure),
            failure => return Err(failure),
        }
    }
    server.join_within(patience)?;
    Ok(())
}

/// Listens, and says where, on one line for programs: `listening on 127.0.0.1:2525`.
fn listen(options: &Options) -> Result<TcpListener, Failure> {
    let asked =
        SocketAddr::new(options.serve.address.unwrap_or(Ipv4Addr::LOCALHOST.into()), options.port.unwrap_or_default());
    let serve = |error| Failure::because(Status::Unavailable, format!("cannot serve at {asked}"), &error);
    let listener = TcpListener::bind(asked).map_err(serve)?;
    let address = listener.local_addr().map_err(serve)?;
    if let Some(file) = &options.serve.port_file {
        atomic_file::write(file, &format!("{}\n", address.port()))?;
    }
    let shown = Screen::new().show(format!("listening on {address}\n").as_bytes());
    shown.map_err(|error| Failure::cannot("write to standard output", &error))?;
    Ok(listener)
}

const A_YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
