//! Serving a dialogue: a client is judged by what it does.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use mconnect_core::dialogue::Values;
use mconnect_core::server::ServerError;

use crate::args::Serve;
use crate::atomic_file;
use crate::play;
use crate::screen::Screen;
use crate::secure;
use crate::verdict::reason;
use crate::verdict::{Verdict, status};

/// Serves the sessions of a dialogue, once or again and again, and returns the exit status.
pub fn run(options: &Serve) -> u8 {
    let verdict = Verdict::default();
    let (_, dialogue) = match play::read(&options.file) {
        Ok(read) => read,
        Err((status, message)) => {
            verdict.complain(status, &message);
            return verdict.status();
        }
    };
    let setup = match secure::serving(&options.security) {
        Ok(setup) => setup.scale(options.scale),
        Err((status, message)) => {
            verdict.complain(status, &message);
            return verdict.status();
        }
    };
    let mut values = Values::default();
    for (name, value) in &options.values {
        values.set(name, value.as_str());
    }
    let listener = match listen(options) {
        Ok(listener) => listener,
        Err((status, message)) => {
            verdict.complain(status, &message);
            return verdict.status();
        }
    };
    let setup = setup.listener(listener);
    let (setup, patience) = match options.is_once {
        true => (setup, options.patience.unwrap_or(A_YEAR)),
        false => (setup.again_and_again(), A_YEAR),
    };
    let served = setup.play(&dialogue, &values).and_then(|server| {
        while let Some(error) = server.wait_for_failure(patience) {
            match error {
                ServerError::Deviation { .. } => complain(&verdict, &error),
                other => return Err(other),
            }
        }
        server.join_within(patience)
    });
    if let Err(error) = served {
        complain(&verdict, &error);
    }
    verdict.status()
}

fn complain(verdict: &Verdict, error: &ServerError) {
    let status = match error {
        ServerError::Syntax(_) => status::DATA,
        ServerError::NoClient(_) => status::TEMPORARY,
        ServerError::Deviation { .. } => status::UNMET,
        _ => status::PROTOCOL,
    };
    verdict.complain(status, &describe(error));
}

/// Listens, and says where, on one line for programs: `listening on 127.0.0.1:2525`.
///
/// # Errors
/// An exit status and what is wrong.
fn listen(options: &Serve) -> Result<TcpListener, (u8, String)> {
    let cannot = |status: u8, what: &str, error: io::Error| (status, format!("cannot {what}: {}", words(&error)));
    let serve = |error| cannot(status::UNAVAILABLE, &format!("serve at {}", options.address), error);
    let listener = TcpListener::bind(options.address).map_err(serve)?;
    let address = listener.local_addr().map_err(serve)?;
    if let Some(file) = &options.port_file {
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
