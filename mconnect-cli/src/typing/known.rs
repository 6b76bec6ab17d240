//! What is known of a session: where it stands, or stood at its end.

use mconnect_core::protocol::{Extensions, ReplyLine, Visible, explain};
use mconnect_core::{Driver, Session, Timing};

use crate::connection::Setting;

/// What is known of a session, also after its end.
pub struct Known {
    /// Where it stands, as `~s` tells it.
    pub state: String,
    pub extensions: Option<Extensions>,
    /// The last line of the last reply.
    pub last_reply: Option<Vec<u8>>,
}

impl Known {
    /// Looks at a session; `before` says how the one before it ended.
    pub fn of(session: &Session, driver: &Driver, setting: &Setting<'_>, before: Option<&str>) -> Self {
        let (standing, mark) = (session.standing(), setting.secure.mark());
        let tls = if mark.words.is_empty() { "no" } else { mark.words };
        let step = if standing.is_in_step && standing.surprise.is_none() { "" } else { ", out of step" };
        let local = session.local_address().map_or_else(|| "unknown".to_owned(), |local| local.to_string());
        let extensions = session.extensions();
        let greeting = extensions.as_ref().map(|extensions| Visible(extensions.greeting()).to_string());
        let server = greeting.as_deref().and_then(|greeting| greeting.split_whitespace().next());
        let (sender, recipients) = driver.transaction().envelope();
        let took = setting.watch.timings.as_ref().map(|timings| took(&timings.all())).unwrap_or_default();
        let mut lines = vec![format!("peer      {}", session.peer())];
        let user = setting.secure.user();
        let told = [("server", server), ("user", user.as_deref()), ("from", sender.as_deref())];
        lines.extend(told.iter().filter_map(|(name, value)| value.map(|value| format!("{name:8}  {value}"))));
        lines.extend(recipients.iter().map(|recipient| format!("to        {recipient}")));
        lines.extend([
            format!("tls       {tls}"),
            format!("phase     {}", standing.phase),
            format!("replies   {} due{step}", standing.outstanding),
            format!("local     {local}"),
            format!("sent      {} octets", driver.sent().0),
            format!("received  {} octets", driver.received() + session.buffered().len() as u64),
            format!("open      {:.1} s", driver.opened().elapsed().as_secs_f64()),
        ]);
        lines.extend(took);
        lines.extend(before.map(|how| format!("before    {how}")));
        Self { state: lines.join("\n"), extensions, last_reply: driver.last_reply().map(<[u8]>::to_vec) }
    }

    /// Says what the last reply means: what its codes stand for.
    pub fn last_reply(&self) -> String {
        let line = ReplyLine::new(self.last_reply.as_deref().unwrap_or_default());
        let enhanced = line.enhanced_code().map(|code| code.to_string());
        let codes = [line.code().map(|code| code.to_string()), enhanced];
        let meanings = codes.into_iter().flatten().filter_map(|code| Some(format!("{code}\t{}", explain(&code)?)));
        let meanings: Vec<String> = meanings.chain(["~h smtp lists what else there is help on".to_owned()]).collect();
        meanings.join("\n")
    }
}

/// Says how long the last stages took, in lines.
fn took(timings: &[Timing]) -> Vec<String> {
    let last = &timings[timings.len().saturating_sub(MOST_STAGES)..];
    let line = |timing: &Timing| format!("took      {:9.3} ms  {}", timing.took.as_secs_f64() * 1000.0, timing.stage);
    last.iter().map(line).collect()
}

/// So many stages are told.
const MOST_STAGES: usize = 12;
