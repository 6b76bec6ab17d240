//! What is known of a session: where it stands, or stood at its end.

use mconnect_core::protocol::{Extensions, ReplyLine, explain};
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
        let tls = Some(setting.secure.mark().words).filter(|words| !words.is_empty()).unwrap_or("no").to_owned();
        let mut rows = driver.state(session);
        let place = |rows: &[(&str, String)], names: &[&str]| {
            rows.iter().position(|(name, _)| names.contains(name)).unwrap_or(rows.len())
        };
        rows.insert(place(&rows, &["phase"]), ("tls", tls));
        let user = setting.secure.user().map(|user| ("user", user));
        user.into_iter().for_each(|user| rows.insert(place(&rows, &["from", "to", "tls"]), user));
        rows.extend(setting.watch.timings.iter().flat_map(|timings| took(&timings.all())));
        rows.extend(before.map(|how| ("before", how.to_owned())));
        let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:8}  {value}")).collect();
        let last_reply = driver.last_reply().map(<[u8]>::to_vec);
        Self { state: lines.join("\n"), extensions: session.extensions(), last_reply }
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

/// Says how long the last stages took.
fn took(timings: &[Timing]) -> Vec<(&'static str, String)> {
    let last = &timings[timings.len().saturating_sub(MOST_STAGES)..];
    let row = |timing: &Timing| format!("{:9.3} ms  {}", timing.took.as_secs_f64() * 1000.0, timing.stage);
    last.iter().map(|timing| ("took", row(timing))).collect()
}

/// So many stages are told.
const MOST_STAGES: usize = 12;
