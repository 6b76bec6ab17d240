//! Policies and the records that announce them: what is read can be written and read again, what is not known changes
//! nothing, and a slow matching agrees.

use mconnect_core::sts::{InvalidRecord, Mode, Policy, policy_record, report_record};

use crate::is_fit_to_show;

/// `data` is a policy; and, cut at each NUL, the TXT records of a domain.
pub fn holds(data: &[u8]) {
    policy(data);
    let texts: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    let (policy, report) = (policy_record(&texts), report_record(&texts));
    if let Ok(Some(record)) = &policy {
        assert!(matches!(record.id.len(), 1..=32));
        assert_eq!(policy_record(&[format!("v=STSv1;id={}", record.id)]).as_ref(), Ok(&Some(record.clone())));
    }
    if let Ok(Some(record)) = &report {
        let uris: Vec<String> = record.rua.iter().map(ToString::to_string).collect();
        let again = format!("v=TLSRPTv1; rua={} ;", uris.join(" , "));
        assert_eq!(report_record(&[again]).as_ref(), Ok(&Some(record.clone())));
    }
    // Whatever else stands there, and in whichever order, makes no difference.
    let mut others = texts.clone();
    others.reverse();
    others.extend([&b"v=spf1 -all"[..], b""]);
    match (policy_record(&others), &policy) {
        (Err(InvalidRecord::Version { .. }), Err(InvalidRecord::Version { .. })) => {}
        (found, policy) => assert_eq!(&found, policy),
    }
    let twice = [texts.as_slice(), &texts].concat();
    if policy.as_ref().is_ok_and(Option::is_some) {
        assert!(matches!(policy_record(&twice), Err(InvalidRecord::Several { count: 2, .. })));
    }
    for error in [policy.err(), report.err()].into_iter().flatten() {
        check_shown(&error.to_string());
    }
}

fn policy(data: &[u8]) {
    let policy = match Policy::parse(data) {
        Ok(policy) => policy,
        Err(error) => return check_shown(&error.to_string()),
    };
    assert!(policy.mode == Mode::None || !policy.mx.is_empty());
    for end in ["\n", "\r\n"] {
        let mut lines = vec![format!("max_age: {}", policy.max_age.as_secs()), format!("mode:{}", policy.mode)];
        lines.extend(policy.mx.iter().map(|pattern| format!("mx: {pattern}")));
        lines.extend(["version: STSv1", "x-new: y", "max_age: none", "mode: of another kind"].map(str::to_owned));
        assert_eq!(Policy::parse(lines.join(end).as_bytes()).as_ref(), Ok(&policy));
    }
    let words = String::from_utf8_lossy(data);
    for host in words.split_whitespace().chain(["", ".", "mx.example.org"]) {
        for pattern in &policy.mx {
            assert_eq!(pattern.is_for(host), is_slowly_for(pattern.as_str(), host), "{pattern} {host}");
        }
        assert_eq!(
            policy.covers(host),
            policy.mode == Mode::None || policy.mx.iter().any(|pattern| pattern.is_for(host))
        );
    }
}

/// Goes label by label.
fn is_slowly_for(pattern: &str, host: &str) -> bool {
    let labels = |name: &str| -> Vec<String> { name.split('.').map(str::to_ascii_lowercase).collect() };
    let (pattern, mut host) = (labels(pattern), labels(host));
    if host.len() > 1 && host.last().is_some_and(String::is_empty) {
        host.pop();
    }
    let fits = |(index, (wanted, label)): (usize, (&String, &String))| {
        wanted == label || index == 0 && wanted == "*" && !label.is_empty()
    };
    pattern.len() == host.len() && pattern.iter().zip(&host).enumerate().all(fits)
}

fn check_shown(message: &str) {
    assert!(is_fit_to_show(message) && message.len() < 1000, "{message:?}");
}
