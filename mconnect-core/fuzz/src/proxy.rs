//! Proxies: wherever their answers are cut, a negotiation ends alike and takes no octet of the server's; and a URL is read
//! again as it is shown, without its login.

use mconnect_core::{Proxy, ProxyNegotiation, ProxyStep, ProxyTarget};

use crate::{is_fit_to_show, parts};

/// The first octet says which proxy it is, the others are what that says; all of them are a URL as well.
pub fn holds(data: &[u8]) {
    if let Ok(url) = str::from_utf8(data) {
        check_url(url);
    }
    let Some((first, says)) = data.split_first() else { return };
    let urls = [
        "socks5://p",
        "socks5h://joe:sesame@p",
        "socks5h://p",
        "http://p:1",
        "http://joe:sesame@p:1",
        "socks5://joe:sesame@p",
    ];
    let proxy: Proxy = urls[usize::from(*first) % urls.len()].parse().expect("it is one");
    let target = match first % 2 {
        0 => ProxyTarget::Address("192.0.2.1:25".parse().expect("it is one")),
        _ => ProxyTarget::Name("mx.example.org".to_owned(), 25),
    };
    let whole = outcome(&proxy, &target, says, &[says]);
    let single: Vec<&[u8]> = says.chunks(1).collect();
    assert_eq!(whole, outcome(&proxy, &target, says, &single));
    assert_eq!(whole, outcome(&proxy, &target, says, &parts(says)));
}

/// Returns what was sent and how many octets were taken, if the proxy connects; nothing if it does not.
fn outcome(proxy: &Proxy, target: &ProxyTarget, says: &[u8], parts: &[&[u8]]) -> Option<(Vec<u8>, usize)> {
    let mut talk = ProxyNegotiation::new(proxy, target).expect("the target is one");
    let (mut sent, mut taken, mut parts) = (Vec::new(), 0, parts.iter());
    let mut there = 0;
    loop {
        match talk.next() {
            ProxyStep::Done => return Some((sent, taken)),
            ProxyStep::Send(octets, (start, end)) => {
                assert!(start <= end && end <= octets.len());
                let open = [&octets[..start], &octets[end..]].concat();
                assert!(!open.windows(6).any(|part| part == b"sesame"), "the password is marked");
                sent.extend_from_slice(octets);
                talk.sent();
            }
            ProxyStep::Receive(count) => {
                assert!(count > 0, "it waits for something");
                while there == taken {
                    match parts.next() {
                        Some(part) => there += part.len(),
                        None => break,
                    }
                }
                let end = there.min(taken + count);
                let result = talk.received(&says[taken..end]);
                taken = end;
                if let Err(error) = result {
                    let told = format!("{error} {error:?}");
                    assert!(!told.contains("sesame") || says.windows(6).any(|part| part == b"sesame"), "{told}");
                    assert!(told.len() < 2000 && is_fit_to_show(&error.to_string()), "{told}");
                    return None;
                }
            }
        }
    }
}

fn check_url(url: &str) {
    match url.parse::<Proxy>() {
        Ok(proxy) => {
            let shown = proxy.to_string();
            let again: Proxy = shown.parse().expect("it is shown as one");
            assert_eq!((again.kind(), again.host(), again.port()), (proxy.kind(), proxy.host(), proxy.port()));
            assert_eq!(again.user(), None, "no login is shown");
        }
        Err(error) => assert!(error.to_string().len() < 100, "it does not repeat the text"),
    }
}
