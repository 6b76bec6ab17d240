//! Arguments: none makes it panic, ports and addresses are what a slow reading says, and errors are one safe line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt as _;

use mconnect_core::Connect;

use crate::cli::options::{Request, Target, parse};
use crate::is_fit_to_show;

/// Each line of `data` is an argument.
pub fn holds(data: &[u8]) {
    let args = data.split(|byte| *byte == b'\n').map(|arg| OsString::from_vec(arg.to_vec()));
    match parse(args) {
        Ok(Request::Session(options) | Request::Play(options) | Request::Send(options)) => {
            assert_ne!(options.port(), 0);
            if let Target::Host(host) = &options.target {
                let connect = Connect::new(&host.name, options.port()).family(options.family);
                assert!(!format!("{connect:?}").is_empty());
                assert!(host.written.is_none() || host.name.is_ascii(), "{host:?}");
            }
        }
        Ok(Request::Probe(options)) => {
            let (targets, many) = (&options.probing.targets, &options.probing.many);
            assert_ne!(targets.is_empty(), many.file.is_none(), "{targets:?}");
        }
        Ok(_) => {}
        Err(error) => check_error(&error),
    }
    if let Ok(text) = str::from_utf8(data) {
        check_port(text);
        check_address(text);
    }
}

fn check_error(error: &str) {
    assert!(!error.is_empty() && is_fit_to_show(error), "{error:?}");
}

fn check_port(text: &str) {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let given = mconnect_core::port(text);
    if is_number {
        let significant = text.trim_start_matches('0');
        let number = significant.parse::<u64>().ok().filter(|number| (1..=65535).contains(number));
        assert_eq!(given.as_ref().ok().map(|port| u64::from(*port)), number, "{text:?}");
    }
    match &given {
        Ok(port) => assert_ne!(*port, 0, "{text:?}"),
        Err(error) => check_error(&error.to_string()),
    }
    let asked = parse(["-p", text].map(OsString::from));
    match asked {
        Ok(Request::Session(options)) => assert_eq!(Some(options.port()), given.ok()),
        _ => assert!(given.is_err(), "{text:?}"),
    }
}

fn check_address(text: &str) {
    let inner = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    let source = parse(["--source", text].map(OsString::from));
    match (source, inner.parse::<IpAddr>()) {
        (Ok(Request::Session(options)), address) => assert_eq!(options.source, address.ok(), "{text:?}"),
        (given, address) => assert!(given.is_err() && address.is_err(), "{text:?}"),
    }
}
