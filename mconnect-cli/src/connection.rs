//! What the options make of a connection: whom it is to, what secures it, and how long anything may take.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use mconnect_core::script::{Pace, Rules};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Proxy, Session, Timeouts};
#[cfg(target_os = "linux")]
use nix::unistd::User;

use crate::failure::{Failure, Status};
use crate::observers::Observers;
use crate::options::{Options, Roads, Target};
use crate::password;
use crate::secure::Secure;
use crate::signals;
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
        Target::Unix(path) => (Connect::unix(path).name_by(other_end), None),
        Target::Process(command) => (Connect::spawn(command).spawn_by(signals::spawn), None),
        Target::Demo => {
            let failed = |error| Failure::because(Status::Unavailable, "cannot start the demo", &error);
            let server = secure.demo().map_err(failed)?;
            (Connect::new(options.target.name(), server.port()), Some(server))
        }
    };
    let mut connect = connect.family(options.family).timeouts(timeouts(options));
    if let Some(source) = options.source {
        connect = connect.source(source);
    }
    if let Some(header) = options.roads.header {
        connect = connect.haproxy(header.version(options.roads.header_version));
    }
    if let Some(proxy) = &options.roads.via {
        connect = connect.via(with_password(proxy.clone(), &options.roads)?);
    }
    secure.read_ahead();
    Ok((secure, connect, server))
}

/// Adds the password of a proxy's user, if the URL has none: from a file, or asked for at the terminal.
fn with_password(proxy: Proxy, roads: &Roads) -> Result<Proxy, Failure> {
    let Some(user) = proxy.user().filter(|_| proxy.lacks_password()).map(str::to_owned) else { return Ok(proxy) };
    let password = match &roads.via_password {
        Some(file) => password::first_line_of(file)?,
        None => password::ask(&format!("{user}, for {proxy}"))?,
    };
    let wrong = |why| Failure::because(Status::Usage, "cannot use the password of the proxy", &why);
    let password = String::from_utf8_lossy(password.as_bytes());
    proxy.login(&user, &password).map_err(wrong)
}

/// Says who listens at a UNIX socket, as the system has noted it.
fn other_end(socket: BorrowedFd<'_>) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let credentials = nix::sys::socket::getsockopt(&socket, nix::sys::socket::sockopt::PeerCredentials).ok()?;
        let (process, user) = (credentials.pid(), credentials.uid());
        let program = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        let name = User::from_uid(user.into()).ok().flatten().map_or(user.to_string(), |user| user.name);
        Some(format!("process {process} ({}) of user {name}", program.trim_end()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        None
    }
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
