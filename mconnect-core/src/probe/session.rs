//! One address is asked: every step from the connection to QUIT, and what each came to.
//!
//! ```text
//!   connect ─► greeting ── 220 ─► EHLO ── STARTTLS is offered ─► 220 ─► handshake ─► EHLO ─► MAIL, RCPT, RSET ─► QUIT
//!                 └ refused, and so at each step: QUIT                               (only if asked to)
//! ```
//! What fails is a fact as well: the step that was begun last, and the error.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::connect::Connect;
use crate::error::{Error, Peer};
use crate::own_name::own_name;
use crate::protocol::{Code, Delivery, Envelope, Extensions, Reply, Until};
use crate::session::{AsyncSession, Hello, Timeouts};
use crate::tls::rustls::pki_types::CertificateDer;
use crate::tls::{Config, Info, Problem};

/// What a session with one address of a server came to, step by step; what was not come to is `None`.
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionFacts {
    /// Where it was.
    pub address: SocketAddr,
    /// The name that was asked for in TLS (SNI).
    pub name: String,
    /// How long connecting took.
    pub connect_took: Option<Duration>,
    /// The greeting, whatever its code.
    pub greeting: Option<Reply>,
    /// How long it took from the connection on.
    pub greeting_took: Option<Duration>,
    /// The reply to EHLO or, after that was refused, to HELO.
    pub hello: Option<Reply>,
    /// What was offered before TLS; `None` also of a server that knows HELO alone.
    pub offered: Option<Extensions>,
    /// The reply to STARTTLS.
    pub starttls: Option<Reply>,
    /// What the handshake came to.
    pub tls: Option<Info>,
    /// What is wrong with the certificates, for the host's own name.
    pub problems: Vec<Problem>,
    /// How long the handshake took.
    pub tls_took: Option<Duration>,
    /// The reply to EHLO inside TLS.
    pub hello_in_tls: Option<Reply>,
    /// What was offered inside TLS.
    pub offered_in_tls: Option<Extensions>,
    /// What became of MAIL and RCPT, if they were asked for.
    pub recipients: Option<Delivery>,
    /// The reply to QUIT.
    pub quit: Option<Reply>,
    /// The step that was begun last.
    pub reached: ProbeStep,
    /// What went wrong in that step.
    pub error: Option<Error>,
    /// How long all of it took.
    pub took: Duration,
    /// How often the address was asked: more than once if it said 421 before ([`Probe::back_off`](super::Probe::back_off)),
    /// and all the rest is of the last session then; not at all if three connections for other names had timed out there.
    pub attempts: u32,
}

/// A step of a session that asks a server what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ProbeStep {
    /// Connecting.
    Connect,
    /// The greeting.
    Greeting,
    /// EHLO, and HELO if that was refused.
    Hello,
    /// The reply to STARTTLS.
    StartTls,
    /// The handshake of TLS.
    Handshake,
    /// EHLO inside TLS.
    HelloInTls,
    /// MAIL and RCPT.
    Recipients,
    /// QUIT.
    Quit,
}

impl fmt::Display for ProbeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "the greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Handshake => "the handshake",
            Self::HelloInTls => "EHLO inside TLS",
            Self::Recipients => "MAIL and RCPT",
            Self::Quit => "QUIT",
        })
    }
}

impl SessionFacts {
    /// Returns whether there was a connection.
    #[must_use]
    pub fn has_connected(&self) -> bool {
        self.connect_took.is_some()
    }

    /// Returns the extensions that count: those inside TLS, or those without it where that is not offered.
    pub fn extensions(&self) -> Option<&Extensions> {
        if self.offers_starttls() { self.offered_in_tls.as_ref() } else { self.offered.as_ref() }
    }

    /// Returns whether EHLO was granted, and TLS was not started.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.tls.is_none() && self.hello.as_ref().is_some_and(Reply::is_granted)
    }

    /// Returns the name by which the server greets: the first word behind the code
    /// ([RFC 5321, section 4.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.2)).
    pub fn greeting_name(&self) -> Option<String> {
        let text = self.greeting.as_ref().filter(|reply| reply.code() == Code::READY)?.text_lossy();
        Some(text.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// Returns whether STARTTLS was offered.
    #[must_use]
    pub fn offers_starttls(&self) -> bool {
        self.offered.as_ref().is_some_and(|offered| offered.has("STARTTLS"))
    }

    /// Returns whether the server had no time for the client: 421, whatever it was asked.
    pub(super) fn is_put_off(&self) -> bool {
        let replies = [&self.greeting, &self.hello, &self.starttls, &self.hello_in_tls];
        replies.into_iter().flatten().any(|reply| reply.code() == Code::NOT_AVAILABLE)
    }

    /// Of an address that is not asked, since nobody answered there before.
    pub(super) fn given_up(host: &str, name: &str, address: SocketAddr) -> Self {
        let source = io::Error::new(io::ErrorKind::TimedOut, "connections for other names have timed out");
        let peer = Peer::new(host, Some(address));
        let error = Error::Connect { peer, port: address.port(), attempts: Vec::new(), source };
        Self { error: Some(error), attempts: 0, ..Self::new(address, name) }
    }

    fn new(address: SocketAddr, name: &str) -> Self {
        Self {
            address,
            name: name.to_owned(),
            connect_took: None,
            greeting: None,
            greeting_took: None,
            hello: None,
            offered: None,
            starttls: None,
            tls: None,
            problems: Vec::new(),
            tls_took: None,
            hello_in_tls: None,
            offered_in_tls: None,
            recipients: None,
            quit: None,
            reached: ProbeStep::Connect,
            error: None,
            took: Duration::ZERO,
            attempts: 1,
        }
    }
}

/// How every session is to be.
#[derive(Debug, Clone)]
pub(super) struct SessionPlan {
    pub timeouts: Timeouts,
    pub deadline: Duration,
    pub source: Option<IpAddr>,
    pub own_name: Option<String>,
    /// A server that is not proven is a fact, and no error.
    pub tls: Config,
    /// For whom mail would be taken is asked, too.
    pub envelope: Option<Envelope>,
}

impl SessionPlan {
    /// Asks an address; in TLS, for this name.
    pub async fn ask(&self, host: &str, name: &str, address: SocketAddr) -> SessionFacts {
        let (mut facts, begun) = (SessionFacts::new(address, name), Instant::now());
        facts.error = self.converse(host, &mut facts).await.err();
        facts.took = begun.elapsed();
        facts
    }

    async fn converse(&self, host: &str, facts: &mut SessionFacts) -> Result<(), Error> {
        let begun = Instant::now();
        let mut session = Box::pin(self.open(host, facts.address)).await?;
        facts.connect_took = Some(begun.elapsed());

        facts.reached = ProbeStep::Greeting;
        let begun = Instant::now();
        let greeting = session.greeting().await?;
        facts.greeting_took = Some(begun.elapsed());
        let is_ready = greeting.code() == Code::READY;
        facts.greeting = Some(greeting);
        if is_ready {
            session = self.talk(host, session, facts).await?;
        }
        facts.reached = ProbeStep::Quit;
        facts.quit = Some(session.quit().await?);
        Ok(())
    }

    async fn open(&self, host: &str, address: SocketAddr) -> Result<AsyncSession, Error> {
        let connect = Connect::new(host, address.port()).addresses([address]);
        let connect = connect.timeouts(self.timeouts).deadline(self.deadline);
        match self.source {
            Some(source) => connect.source(source).open_async().await,
            None => connect.open_async().await,
        }
    }

    /// Goes from EHLO on as far as the server grants it, and returns the session, on which QUIT is due.
    async fn talk(
        &self,
        host: &str,
        mut session: AsyncSession,
        facts: &mut SessionFacts,
    ) -> Result<AsyncSession, Error> {
        let own_name = self.own_name.clone().unwrap_or_else(|| own_name(session.local_address()));
        facts.reached = ProbeStep::Hello;
        let hello = session.hello(&own_name).await?;
        facts.offered = session.extensions().filter(|_| matches!(hello, Hello::Extended(_)));
        facts.hello = Some(hello.reply().clone());
        if matches!(hello, Hello::Refused(_)) {
            return Ok(session);
        }
        if facts.offers_starttls() {
            facts.reached = ProbeStep::StartTls;
            let reply = session.command("STARTTLS").await?;
            let is_granted = reply.code() == Code::READY;
            facts.starttls = Some(reply);
            if !is_granted {
                return Ok(session);
            }
            facts.reached = ProbeStep::Handshake;
            let begun = Instant::now();
            let (secured, info) = session.upgrade(&self.tls.clone().name(&facts.name)).await?;
            facts.tls_took = Some(begun.elapsed());
            facts.problems = self.problems(host, &info);
            (session, facts.tls) = (secured, Some(info));
            facts.reached = ProbeStep::HelloInTls;
            let hello = session.hello(&own_name).await?;
            facts.offered_in_tls = session.extensions().filter(|_| matches!(hello, Hello::Extended(_)));
            facts.hello_in_tls = Some(hello.reply().clone());
            if matches!(hello, Hello::Refused(_)) {
                return Ok(session);
            }
        }
        if let Some(envelope) = &self.envelope {
            facts.reached = ProbeStep::Recipients;
            let envelope = envelope.clone().until(Until::Rcpt);
            facts.recipients = Some(Box::pin(session.deliver(&envelope, &b""[..])).await?);
        }
        Ok(session)
    }

    /// Returns what is wrong for the host's own name, where TLS was asked for another one.
    fn problems(&self, host: &str, info: &Info) -> Vec<Problem> {
        if info.name == host {
            return info.problems.clone();
        }
        let chain: Vec<_> = info.certificates.iter().map(|one| CertificateDer::from(one.der.as_slice())).collect();
        self.tls.problems(host, &chain)
    }
}
