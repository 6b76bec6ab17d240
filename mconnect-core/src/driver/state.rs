//! Where a session stands, for whoever wants to see it.

use super::Driver;
use crate::protocol::Visible;
use crate::session::Session;

impl Driver {
    /// Returns where the session stands, in rows of a name and a value that is fit to be shown: `peer`; `server`, as it
    /// calls itself, `from` and `to`, where they are known; `phase`, `replies`, `local`, `sent`, `received`, `open`.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// use mconnect_core::Driver;
    /// use mconnect_core::script::{Pace, Rules};
    ///
    /// let driver = Driver::new(Rules::new(Pace::Typed));
    /// let state: Vec<String> = driver.state(&session).iter().map(|(name, value)| format!("{name} {value}")).collect();
    /// assert_eq!(state[1..3], ["phase greeting", "replies 1 due"]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state(&self, session: &Session) -> Vec<(&'static str, String)> {
        let standing = session.standing();
        let greeting = session.extensions().map(|extensions| Visible(extensions.greeting()).to_string());
        let server = greeting.as_deref().and_then(|greeting| greeting.split_whitespace().next());
        let (sender, recipients) = self.transaction().envelope();
        let step = if standing.is_in_step && standing.surprise.is_none() { "" } else { ", out of step" };
        let mut rows = vec![("peer", session.peer().to_string())];
        rows.extend(server.map(|server| ("server", server.to_owned())));
        rows.extend(sender.map(|sender| ("from", sender)));
        rows.extend(recipients.into_iter().map(|recipient| ("to", recipient)));
        rows.extend([
            ("phase", standing.phase.to_string()),
            ("replies", format!("{} due{step}", standing.outstanding)),
            ("local", session.local_address().map_or_else(|| "unknown".to_owned(), |local| local.to_string())),
            ("sent", format!("{} octets", self.sent.octets)),
            ("received", format!("{} octets", self.received + session.buffered().len() as u64)),
            ("open", format!("{:.1} s", self.opened.elapsed().as_secs_f64())),
        ]);
        rows
    }
}
