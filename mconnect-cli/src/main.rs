//! `mconnect`: open a session with a mail server and be in charge of it.
//!
//! [`run`] is the one place where the modules meet; `docs/architecture.md` has the picture.

mod args;
mod failure;
mod help;
mod input;
mod judge;
mod line;
mod narrator;
mod prompt;
mod raw;
mod run;
mod screen;
mod signals;
mod terminal;
mod verdict;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::run(std::env::args_os().skip(1))
}
