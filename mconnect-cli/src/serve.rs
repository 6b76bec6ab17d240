//! Serving a dialogue: a client is judged by what it does.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use mconnect_core::dialogue::Values;
use mconnect_core::server::ServerError;

use crate::args::Serve;
use crate::play;
use crate::screen::Screen;
use crate::secure;
use crate::verdict::reason;
use crate::verdict::{Verdict, status};

/// Serves the sessions of a dialogue, once or again and again, and gives the exit status.
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
    let listener = match TcpListener::bind(options.address).and_then(|listener| announce(options, listener)) {
        Ok(listener) => listener,
        Err(error) => {
            let reason = reason(&error.to_string());
            verdict.complain(status::UNAVAILABLE, &format!("cannot serve at {}: {reason}", options.address));
            return verdict.status();
        }
    };
    loop {
        // The socket goes on listening between one round and the next.
        let played = listener
            .try_clone()
            .map_err(|source| ServerError::Io { action: "listen", source })
            .and_then(|listener| setup.clone().play_on(listener, &dialogue, &values))
            .and_then(|server| server.join_within(options.patience.unwrap_or(A_YEAR)));
        let Err(error) = played else {
            if options.is_once {
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
        if options.is_once || status != status::UNMET {
            return verdict.status();
        }
    }
}

/// Says where it listens, on one line for programs: `listening on 127.0.0.1:2525`.
fn announce(options: &Serve, listener: TcpListener) -> io::Result<TcpListener> {
    let address = listener.local_addr()?;
    if let Some(file) = &options.port_file {
        fs::write(file, format!("{}\n", address.port()))?;
    }
    Screen::new().show(format!("listening on {address}\n").as_bytes())?;
    Ok(listener)
}

fn describe(error: &ServerError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {}", reason(&cause.to_string())),
        None => error.to_string(),
    }
}

const A_YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
