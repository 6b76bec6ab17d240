//! What follows an option: each kind of value is read in one place.
//!
//! Every error is a sentence that says what is wrong with the value.

use std::ffi::OsString;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use mconnect_core::protocol::Visible;

/// Returns the words of an error, which may quote an argument, safe for a terminal.
pub fn shown(error: lexopt::Error) -> String {
    Visible(error.to_string().as_bytes()).to_string()
}

/// Puts a value where an option has it, unless there was something wrong with it.
pub fn put<P: From<T>, T>(place: &mut P, value: Result<T, String>) -> Result<(), String> {
    value.map(|value| *place = value.into())
}

/// Adds a value to those that an option has, unless there was something wrong with it.
pub fn push<T>(place: &mut Vec<T>, value: Result<T, String>) -> Result<(), String> {
    value.map(|value| place.push(value))
}

/// Reads what the library reads, whose words say what is wrong.
pub fn read<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|why: T::Err| why.to_string())
}

/// Reads a port. A server may leave the choice to the system, by 0.
pub fn port(text: &str) -> Result<u16, String> {
    if text == "0" { Ok(0) } else { mconnect_core::port(text).map_err(|error| error.to_string()) }
}

pub fn filled<'a>(flag: &str, text: &'a str) -> Result<&'a str, String> {
    if text.is_empty() { Err(format!("{flag} is empty")) } else { Ok(text) }
}

pub fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| format!("{text:?} is none of: {}", names()))
}

pub fn string(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("{:?} is not UTF-8", value.to_string_lossy()))
}

/// Reads the form of an option that has one without a value, and another by this word.
pub fn form<T>(flag: &str, value: Option<&str>, without: T, by_word: (&str, T)) -> Result<T, String> {
    match value {
        None => Ok(without),
        Some(word) if word == by_word.0 => Ok(by_word.1),
        Some(other) => Err(format!("{other:?} is not a form of {flag}: {}", by_word.0)),
    }
}

pub fn value(text: &str) -> Result<(&str, &str), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

pub fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| format!("{text:?} is not a count above 0"))
}

pub fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| factor.is_finite() && *factor > 0.0);
    factor.ok_or_else(|| format!("{text:?} is not a number above 0"))
}

pub fn address(text: &str) -> Result<IpAddr, String> {
    let inner = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    inner.parse().map_err(|_| format!("{text:?} is not an IPv4 or IPv6 address"))
}

pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>().map(Duration::try_from_secs_f64) {
        Ok(Ok(seconds)) if !seconds.is_zero() && seconds <= A_YEAR => Ok(seconds),
        _ => Err(format!("{text:?} is not a number of seconds above 0")),
    }
}

const A_YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
