//! Serving a dialogue: a client is judged by what it does.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use mconnect_core::dialogue::Values;
use mconnect_core::server::ServerError;

use crate::atomic_file;
use crate::options::Options;
use crate::play;
use crate::screen::Screen;
use crate::secure;
use crate::verdict::reason;
use crate::verdict::{Verdict, status};

/// Serves the sessions of a dialogue, once or again and again, and gives the exit status.
pub fn run(file: &Path, options: &Options) -> u8 {
    let verdict = Verdict::default();
    let (_, dialogue) = match play::read(file) {
        Ok(read) => read,
        Err((status, message)) => {
            verdict.complain(status, &message);
            return verdict.status();
        }
    };
    let setup = match secure::serving(&options.security) {
        Ok(setup) => setup.scale(options.play.scale),
        Err((status, message)) => {
            verdict.complain(status, &message);
            return verdict.status();
        }
    };
    let mut values = Values::default();
    for (name, value) in &options.play.values {
        values.set(name, value.as_str());
    }
    let listener = match listen(options) {
        Ok(listener) => listener,
        Err((status, message)) => {
            verdict.complain(status, &message);
            return verdict.status();
        }
    };
    loop {
        // The socket goes on listening between one round and the next.
        let played = listener
            .try_clone()
            .map_err(|source| ServerError::Io { action: "listen", source })
            .and_then(|listener| setup.clone().play_on(listener, &dialogue, &values))
            .and_then(|server| server.join_within(options.timeout.unwrap_or(A_YEAR)));
        let Err(error) = played else {
            if options.serve.is_once {
                return verdict.status();
            }
            continue;
        };
        let status = match error {
            ServerError::Syntax(_) => status::DATA,
            ServerError::NoClient(_) => status::TEMPORARY,
            ServerError::Deviation { .. } => status::UNMET,
            _ => status::PROTOCOL,
        };
        verdict.complain(status, &describe(&error));
        if options.serve.is_once || status != status::UNMET {
            return verdict.status();
        }
    }
}

/// Listens, and says where, on one line for programs: `listening on 127.0.0.1:2525`.
///
/// # Errors
/// An exit status and what is wrong.
fn listen(options: &Options) -> Result<TcpListener, (u8, String)> {
    let cannot = |status: u8, what: &str, error: io::Error| (status, format!("cannot {what}: {}", words(&error)));
    let asked = SocketAddr::new(options.serve.address, options.port.unwrap_or_default());
    let serve = |error| cannot(status::UNAVAILABLE, &format!("serve at {asked}"), error);
    let listener = TcpListener::bind(asked).map_err(serve)?;
    let address = listener.local_addr().map_err(serve)?;
    if let Some(file) = &options.serve.port_file {
        let written = atomic_file::write(file, &format!("{}\n", address.port()));
        written.map_err(|error| cannot(status::IO, &format!("write {}", file.display()), error))?;
    }
    let shown = Screen::new().show(format!("listening on {address}\n").as_bytes());
    shown.map_err(|error| cannot(status::IO, "write to standard output", error))?;
    Ok(listener)
}

fn words(error: &io::Error) -> String {
    reason(&error.to_string())
}

fn describe(error: &ServerError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {}", reason(&cause.to_string())),
        None => error.to_string(),
    }
}

const A_YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
