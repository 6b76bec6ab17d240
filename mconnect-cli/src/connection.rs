//! What the options make of a connection: whom it is to, what secures it, and how long anything may take.

use std::sync::Arc;

use mconnect_core::script::{Pace, Rules};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Session, Timeouts};

use crate::failure::{Failure, Status};
use crate::observers::Observers;
use crate::options::{Options, Target};
use crate::secure::Secure;
use crate::terminal::Terminal;
use crate::verdict::Verdict;

/// What a session is handed over with, whoever drives it.
pub struct Setting<'a> {
    pub options: &'a Options,
    pub timeouts: Timeouts,
    pub terminal: &'a Terminal,
    pub verdict: &'a Arc<Verdict>,
    pub watch: &'a Observers<'a>,
    pub secure: &'a Secure,
    /// Opens a session like the first one; what keeps it from that has been told.
    pub reopen: &'a dyn Fn() -> Option<Session>,
}

impl Setting<'_> {
    /// Returns by which rules lines go out that come at this pace.
    pub fn rules(&self, pace: Pace) -> Rules {
        let mut rules = Rules::new(pace);
        rules.ends_at_refusal = self.options.ends_at_refusal;
        (rules.upgrades, rules.is_in_tls) = (self.secure.upgrades(), self.secure.is_in_tls());
        rules
    }
}

/// Returns what secures the sessions, the way to the host, and the demo's server, which has to live as long as they do.
///
/// # Errors
/// A failure that says what is wrong.
pub fn prepare(options: &Options) -> Result<(Secure, Connect, Option<Server>), Failure> {
    let mut secure = Secure::prepare(options)?;
    let (connect, server) = match &options.target {
        Target::Host(host) => (host.connect(options.port()), None),
        Target::Demo => {
            let failed = |error| Failure::because(Status::Unavailable, "cannot start the demo", &error);
            let server = secure.demo().map_err(failed)?;
            (Connect::new(options.target.name(), server.port()), Some(server))
        }
    };
    Ok((secure, set_up(connect, options), server))
}

/// Has a connection be as the options ask for it.
pub fn set_up(connect: Connect, options: &Options) -> Connect {
    let connect = connect.family(options.family).timeouts(timeouts(options));
    options.source.into_iter().fold(connect, Connect::source)
}

/// Returns the deadlines of a session: that of a reply bounds connecting, too, unless that has its own.
pub fn timeouts(options: &Options) -> Timeouts {
    let mut timeouts = Timeouts::default();
    if let Some(timeout) = options.timeout {
        timeouts = timeouts.replies(timeout);
        timeouts.attempt = timeouts.attempt.min(timeout);
        timeouts.connect = timeouts.connect.min(timeout);
    }
    if let Some(attempt) = options.connect_timeout {
        timeouts.attempt = attempt;
        timeouts.connect = Timeouts::default().connect.max(attempt);
    }
    timeouts
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::time::Duration;

    use super::*;
    use crate::options::{self, Request};

    #[test]
    fn the_deadline_of_replies_bounds_connecting_unless_that_has_its_own() {
        for (args, attempt, connect) in [
            (&[][..], 30, 120),
            (&["--timeout", "5"], 5, 5),
            (&["--timeout", "60"], 30, 60),
            (&["--timeout", "600"], 30, 120),
            (&["--connect-timeout", "50"], 50, 120),
            (&["--connect-timeout", "500"], 500, 500),
            (&["--timeout", "5", "--connect-timeout", "50"], 50, 120),
        ] {
            let request = options::parse(args.iter().map(OsString::from)).unwrap();
            let Request::Session(options) = request else { panic!("{request:?}") };
            let timeouts = timeouts(&options);
            let expected = (Duration::from_secs(attempt), Duration::from_secs(connect));
            assert_eq!((timeouts.attempt, timeouts.connect), expected, "{args:?}");
        }
    }
}
