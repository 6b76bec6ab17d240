//! The wording of a reply, brought to one form, since servers write the same words in many: `can't` and `cannot`,
//! `e-mail` and `email`, with addresses, links and codes between them.

use std::net::IpAddr;

/// Returns the words of a reply in small letters, with a space before and behind each. An address of the network is the
/// word `ip`; of a link, the host is left, and of a mail address, `@`. What a reply says beyond some thousand octets is
/// left out: every row looks through it.
///
/// ```text
/// 5.7.1 <mx[192.0.2.7]>: Can't accept e-mail; see https://example.org/why
/// mx ip can not accept email see example org
/// ```
pub(super) fn wording(text: &str) -> String {
    let text = text.to_lowercase().replace('\u{2019}', "'");
    let mut words = String::from(" ");
    for line in text.lines() {
        if words.len() > LONGEST {
            break;
        }
        for (at, piece) in line.split(|c: char| c.is_whitespace() || "[]()<>\"`,;|{}".contains(c)).enumerate() {
            if let Some((_, link)) = piece.split_once("://") {
                add(&mut words, link.split(['/', '?', '#']).next().unwrap_or_default());
                continue;
            }
            for part in piece.split('=') {
                let bare = part.trim_matches(|c: char| !c.is_alphanumeric());
                if bare.parse::<IpAddr>().is_ok() || part.trim_end_matches('.').parse::<IpAddr>().is_ok() {
                    words.push_str("ip ");
                } else if bare.contains('@') {
                    words.push_str("@ ");
                    add(&mut words, bare.split_once(':').map_or("", |(_, rest)| rest));
                } else if at > 0 || !is_enhanced_code(bare) {
                    add(&mut words, part);
                }
            }
        }
    }
    words.replace(" mail box ", " mailbox ")
}

/// Adds the words of a piece that has no spaces.
fn add(words: &mut String, piece: &str) {
    let piece = piece.replace("can't", "can not").replace("cannot", "can not").replace("n't", " not");
    let piece =
        piece.replace("'s", "").replace("e-mail", "email").replace("uthoris", "uthoriz").replace("ecognis", "ecogniz");
    for word in piece.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        words.extend([word, " "]);
    }
}

/// Says whether a word is an enhanced status code, such as begins a line: a sentence may go on over it.
pub(super) fn is_enhanced_code(word: &str) -> bool {
    word.split('.').count() == 3 && word.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit())
}

/// After this many octets, no more lines are looked at.
const LONGEST: usize = 4096;
/// That something is not let in.
pub(super) const REFUSED: &str = "refus|reject|denied|deny |block|bann|prohibit|forbid|disallow|not allow|not permit|\
 not accept|not currently accept|not welcome|unwelcome|not authorized|unauthorized|barred";
/// The same, of a place.
pub(super) const LET_OUT: &str = "not accept|refus|reject|denied|block|prohibit|forbid|disallow|not allow|not permit|\
 not authorized|unauthorized|restricted|not in |not on |outside|whitelist|allowlist";
/// That something is not there.
pub(super) const ABSENT: &str = "unknown|no such|not found|not be found|not exist|nonexist|non exist|not known|\
 no longer|not recogn|unrecogn|invalid|not valid|not a valid|no valid|not here|undeliverable|not listed|not local|\
 not a local|illegal|not a known|not an active|not a registered|not registered|not a user|not a mailbox|\
 verification fail|not in my |not in our|not in the|not in directory|not present|unrouteable|unroutable|wrong|\
 not available here|not ok |no user|no mailbox|missing home|mistyped|misspelt|has left|left the company";
/// That something is there, and out of use.
pub(super) const OFF: &str = "disabled|inactive|suspend|deactivat|not active|not enabled|locked|closed |terminated|\
 discontinued|expired|frozen|archived|no longer active|no longer in use|no longer valid|no longer accept|isblocked|\
 is blocked|has been blocked|not accepting|not currently active|cancel|out of service";
/// That something went wrong.
pub(super) const FAULT: &str = "error|fail|fault|problem|exception|abort|crash|trouble|broken|corrupt|unable to|\
 can not|could not|timed out|timeout|went wrong";
/// That it may go another time.
pub(super) const LATER: &str = "try again|try it again|later|retry|come back|temporar|defer|please wait|\
 tempfail|soft reject|not now|moment";
/// A time in which something may be so many.
pub(super) const TIMES: &str = "per hour|per day|per minute|per second|per 24|an hour|a day|a minute|hourly|daily|\
 monthly|weekly|per month|1h |1 h |60 minutes|last hour|this month| hour |this hour|this day|today|24 h|\
 last day";
/// Lists of addresses and domains, and what is said of who is on one.
pub(super) const LISTS: &str = "spamhaus|spamcop|dnsbl|barracudacentral|blocklist|block list|blacklist|\
 black list|blackhole|black hole|denylist|deny list|rbl |rbls |rhsbl|surbl|uribl|sbl |xbl |pbl |cbl |dbl |sorbs|\
 uceprotect|abuseat|cloudmark|invaluement|mailspike|is listed|currently listed|been listed|listed in |listed on |\
 listed at |listed by |listed as |ip listed|address listed|banned sen|blocked using|delist|removal from this list|\
 dnswl|attrbl|abusix";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_the_same_however_they_are_written() {
        for (text, words) in [
            ("5.7.1 <mx[192.0.2.7]>: Can't accept e-mail", " mx ip can not accept email "),
            ("5.1.1 not\n5.1.1 authorised", " not authorized "),
            (
                "the sender\u{2019}s isn't, see https://example.org/not/found?ip=1",
                " the sender is not see example org ",
            ),
            ("<b@example.org>: (#5.1.1) 2001:db8::1.", " @ 5 1 1 ip "),
            ("", " "),
        ] {
            assert_eq!(wording(text), words);
        }
    }
}
