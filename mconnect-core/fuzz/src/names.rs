//! Addresses, parameters and servers, as people write them: what is read is one word of a command to whoever reads it
//! there, says the same when it is read again, and no error shows a password or steers a terminal.

use mconnect_core::Endpoint;
use mconnect_core::protocol::{Address, Parameter, xtext};

use crate::is_fit_to_show;

/// `data` is a text, taken for each of them.
pub fn holds(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    check_address(&text);
    check_parameter(&text);
    check_endpoint(&text);
    let encoded = xtext(data);
    assert_eq!(decoded(&encoded), data);
}

fn check_address(text: &str) {
    match text.parse::<Address>() {
        Ok(address) => check_written(&address),
        Err(error) => check_shown(&error.to_string()),
    }
    if let Ok(address) = Address::new(text, "mx.example") {
        check_written(&address);
        assert_eq!((address.local_part().as_str(), address.domain()), (text, Some("mx.example")));
    }
    if let Ok(None) = Address::reverse_path(text) {
        assert!(text.is_empty() || text == "<>");
    }
}

fn check_written(address: &Address) {
    let written = address.as_str();
    for again in [written.to_owned(), format!("<{written}>")] {
        assert_eq!(again.parse::<Address>().as_ref(), Ok(address), "{again:?}");
    }
    // As a server reads a path: its end is the first angle bracket outside of quotes.
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in written.chars() {
        assert!(!c.is_control(), "{written:?}");
        assert!(is_quoted || !(c.is_ascii_whitespace() || matches!(c, '<' | '>')), "{written:?}");
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && is_quoted && !is_escaped;
    }
    assert!(!is_quoted, "{written:?}");
}

fn check_parameter(text: &str) {
    match text.parse::<Parameter>() {
        Ok(parameter) => {
            let written = parameter.as_str();
            assert!(!written.contains(|c: char| c.is_control() || c == ' '), "{written:?}");
            let keyword = written.split('=').next().unwrap_or_default();
            assert!(parameter.is(&keyword.to_ascii_lowercase()));
            assert_eq!(parameter.value(), written.split_once('=').map(|(_, value)| value));
        }
        Err(error) => check_shown(&error.to_string()),
    }
}

fn check_endpoint(text: &str) {
    match text.parse::<Endpoint>() {
        Ok(endpoint) => {
            assert!(!text.contains('@'));
            let whole = endpoint.host.name.as_str();
            let name = whole.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(whole);
            // What can be no host reads as one name, and is the resolver's to refuse; the path of a socket has no port.
            if name.is_empty() || name.contains(['[', ']']) || name.starts_with('/') {
                return;
            }
            let host = if name.contains(':') { format!("[{name}]") } else { whole.to_owned() };
            let again: Endpoint = format!("{host}:{}", endpoint.port_or(25)).parse().expect("a host and its port");
            assert_eq!((&*again.host.name, again.port), (&*host, Some(endpoint.port_or(25))));
        }
        Err(error) => {
            let shown = error.to_string();
            check_shown(&shown);
            // What stands before an @ may be a password; the words of the error are in it whatever was written.
            let words = "x@y".parse::<Endpoint>().expect_err("it has an @").to_string();
            assert!(
                !text.contains('@') || text.len() < 4 || words.contains(text) || !shown.contains(text),
                "{shown:?}"
            );
        }
    }
}

fn check_shown(message: &str) {
    assert!(is_fit_to_show(message), "{message:?}");
}

fn decoded(xtext: &str) -> Vec<u8> {
    let (mut octets, mut rest) = (Vec::new(), xtext.bytes());
    while let Some(byte) = rest.next() {
        octets.push(match byte {
            b'+' => {
                let digits = [rest.next(), rest.next()].map(|digit| char::from(digit.unwrap_or_default()));
                let digits = digits.map(|digit| digit.to_digit(16).expect("two digits follow a +") as u8);
                digits[0] * 16 + digits[1]
            }
            b'!'..=b'~' if byte != b'=' => byte,
            _ => panic!("{byte} stands raw"),
        });
    }
    octets
}
