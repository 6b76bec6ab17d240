//! One request and its answer, over a stream that is encrypted already. HTTP itself is `ureq_proto`'s; what is here sends
//! and receives for it, and keeps the measure.

use std::io;
use std::time::Instant;

use ureq_proto::BodyMode;
use ureq_proto::client::state::Prepare;
use ureq_proto::client::{Call, RecvResponseResult, SendRequestResult};
use ureq_proto::http::{HeaderMap, Request, Response, StatusCode, header};

use super::Policy;
use super::excerpt::Excerpt;
use super::failure::FetchFailure;
use crate::stream::{Stream, is_nothing_yet, left};

/// Makes the request for a host's policy; none if that is no host.
pub(super) fn request(host: &str) -> Option<Call<Prepare>> {
    let request = Request::get(format!("https://{host}/.well-known/mta-sts.txt"))
        .header(header::ACCEPT, "text/plain")
        .header(header::USER_AGENT, concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    Call::new(request.body(()).ok()?).ok()
}

/// Sends the request, and returns the body of the answer and what the server says it is.
pub(super) fn exchange(
    stream: &dyn Stream,
    request: Call<Prepare>,
    deadline: Option<Instant>,
) -> Result<(Vec<u8>, Option<String>), FetchFailure> {
    let mut wire = Wire { stream, deadline, received: Vec::new(), total: 0 };
    let mut call = request.proceed();
    while !call.can_proceed() {
        let mut part = [0; 1024];
        let size = call.write(&mut part).map_err(not_http)?;
        wire.send(&part[..size])?;
    }
    let Ok(Some(SendRequestResult::RecvResponse(mut call))) = call.proceed() else {
        return Err(not_http("a request without a body has an answer"));
    };
    let response = loop {
        let (used, response) = call.try_response(&wire.received, false).map_err(not_http)?;
        wire.received.drain(..used);
        match response {
            Some(response) => break response,
            None if used == 0 && !wire.receive()? => return Err(ended("no answer came")),
            None => {}
        }
    };
    let content_type = policy_type(&response)?;
    let mut body = Vec::new();
    if let Some(RecvResponseResult::RecvBody(mut call)) = call.proceed() {
        let too_long = || FetchFailure::TooLong { most: Policy::MOST };
        let mode = call.body_mode();
        if matches!(mode, BodyMode::LengthDelimited(length) if length > Policy::MOST as u64) {
            return Err(too_long());
        }
        let until_end = mode == BodyMode::CloseDelimited;
        while until_end || !call.can_proceed() {
            let mut part = [0; 4096];
            let (used, size) = call.read(&wire.received, &mut part).map_err(not_http)?;
            wire.received.drain(..used);
            body.extend_from_slice(&part[..size]);
            if body.len() > Policy::MOST {
                return Err(too_long());
            }
            if used == 0 && !wire.receive()? {
                if until_end {
                    break;
                }
                return Err(ended("the server closed in the middle of the policy"));
            }
        }
    }
    Ok((body, content_type))
}

/// Returns what the server says of the body, if this is an answer that has the policy.
fn policy_type(response: &Response<()>) -> Result<Option<String>, FetchFailure> {
    let (status, headers) = (response.status(), response.headers());
    if status.is_redirection() {
        return Err(FetchFailure::Redirected { status: status.as_u16(), to: visible(headers, header::LOCATION) });
    }
    if status != StatusCode::OK {
        return Err(FetchFailure::Status { status: status.as_u16() });
    }
    let mut encodings = [header::CONTENT_ENCODING, header::TRANSFER_ENCODING].into_iter();
    let plain = |encoding: &String| ["identity", "chunked"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain));
    match encodings.find_map(|name| visible(headers, name).filter(|encoding| !plain(encoding))) {
        Some(encoding) => Err(FetchFailure::Encoded { encoding }),
        None => Ok(visible(headers, header::CONTENT_TYPE)),
    }
}

/// Returns a field of a header, made visible.
fn visible(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| Excerpt(value.as_bytes()).to_string())
}

fn ended(words: &str) -> FetchFailure {
    FetchFailure::Broken(io::Error::new(io::ErrorKind::UnexpectedEof, words))
}

fn not_http(reason: impl ToString) -> FetchFailure {
    FetchFailure::NotHttp { reason: reason.to_string() }
}

/// The stream, and what of the answer was not looked at yet.
struct Wire<'a> {
    stream: &'a dyn Stream,
    deadline: Option<Instant>,
    received: Vec<u8>,
    /// All that was received.
    total: usize,
}

impl Wire<'_> {
    /// Sends all of it.
    fn send(&mut self, mut bytes: &[u8]) -> Result<(), FetchFailure> {
        while !bytes.is_empty() {
            let left = left(self.deadline).map_err(FetchFailure::Broken)?;
            self.stream.set_write_timeout(left).map_err(FetchFailure::Broken)?;
            match self.stream.write(bytes) {
                Ok(count @ 1..) => bytes = &bytes[count..],
                Ok(_) => return Err(FetchFailure::Broken(io::ErrorKind::WriteZero.into())),
                Err(error) if is_again(&error) => {}
                Err(error) => return Err(FetchFailure::Broken(error)),
            }
        }
        Ok(())
    }

    /// Receives something behind what is there, and says whether there was something: nothing is the end.
    fn receive(&mut self) -> Result<bool, FetchFailure> {
        if self.received.len() >= MOST_AT_ONCE {
            return Err(not_http(format!("more than {MOST_AT_ONCE} octets came without an end of a line or a header")));
        }
        if self.total >= MOST_IN_ALL {
            return Err(not_http(format!("there are more than {MOST_IN_ALL} octets around the policy")));
        }
        let mut part = [0; 4096];
        loop {
            let left = left(self.deadline).map_err(FetchFailure::Broken)?;
            self.stream.set_read_timeout(left).map_err(FetchFailure::Broken)?;
            match self.stream.read(&mut part) {
                Ok(count) => {
                    self.received.extend_from_slice(&part[..count]);
                    self.total += count;
                    return Ok(count > 0);
                }
                Err(error) if is_again(&error) => {}
                Err(error) => return Err(FetchFailure::Broken(error)),
            }
        }
    }
}

/// Says whether a call failed only for now; whether the time is up, the clock says.
fn is_again(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted || is_nothing_yet(error)
}

/// Of a header, or of a line before a chunk, in octets.
const MOST_AT_ONCE: usize = 16 * 1024;

/// Of all that may come, in octets: a policy in chunks of one octet each has about a third of it.
const MOST_IN_ALL: usize = 1024 * 1024;
