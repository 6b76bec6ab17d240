//! What is sent of a file that is read bit by bit.

use std::io::{self, Read};

use crate::protocol::{BodyEncoder, CrlfEncoder};

/// Reads a text as it goes over the wire, in memory that does not grow with it: for whoever sends a file beside
/// [`Session::message`](crate::Session::message), as by [`Driver::send`](crate::Driver::send).
///
/// ```
/// use std::io::Read;
///
/// use mconnect_core::Encoded;
///
/// let mut body = String::new();
/// Encoded::body("one\n.two".as_bytes()).read_to_string(&mut body)?;
/// assert_eq!(body, "one\r\n..two\r\n.\r\n");
///
/// let mut lines = String::new();
/// Encoded::lines("NOOP\n.\nQUIT".as_bytes()).read_to_string(&mut lines)?;
/// assert_eq!(lines, "NOOP\r\n.\r\nQUIT\r\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Where the source fails, so does reading this, and the end of a body is not made up: half a message must not be
/// delivered.
#[derive(Debug)]
pub struct Encoded<R> {
    source: R,
    form: Form,
    block: Vec<u8>,
    out: Vec<u8>,
    /// How much of `out` was read.
    taken: usize,
}

#[derive(Debug)]
enum Form {
    Lines { encoder: CrlfEncoder, is_mid_line: bool },
    Body(BodyEncoder),
    Over,
}

impl<R: Read> Encoded<R> {
    /// Reads lines, each with its CR LF; a last line without its end gets one.
    pub fn lines(source: R) -> Self {
        Self::new(source, Form::Lines { encoder: CrlfEncoder::default(), is_mid_line: false })
    }

    /// Reads the body of DATA: lines whose dots are doubled, and the lone dot at the end, as [`BodyEncoder`] has it.
    pub fn body(source: R) -> Self {
        Self::new(source, Form::Body(BodyEncoder::default()))
    }

    fn new(source: R, form: Form) -> Self {
        Self { source, form, block: vec![0; BLOCK], out: Vec::new(), taken: 0 }
    }

    /// Encodes the next block of the source, or its end.
    fn fill(&mut self) -> io::Result<()> {
        let count = self.source.read(&mut self.block)?;
        let block = &self.block[..count];
        self.out.clear();
        self.taken = 0;
        match &mut self.form {
            Form::Lines { encoder, is_mid_line } if count > 0 => {
                encoder.encode(block, &mut self.out);
                *is_mid_line = !block.ends_with(b"\n");
            }
            Form::Body(encoder) if count > 0 => encoder.encode(block, &mut self.out),
            _ => match std::mem::replace(&mut self.form, Form::Over) {
                Form::Lines { mut encoder, is_mid_line: true } => encoder.encode(b"\n", &mut self.out),
                Form::Body(encoder) => encoder.finish(&mut self.out),
                Form::Lines { .. } | Form::Over => {}
            },
        }
        Ok(())
    }
}

impl<R: Read> Read for Encoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.out.len() && !matches!(self.form, Form::Over) {
            match self.fill() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                filled => filled?,
            }
        }
        let count = (&self.out[self.taken..]).read(into)?;
        self.taken += count;
        Ok(count)
    }
}

/// How much of the source is read at once, in octets.
const BLOCK: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that hands out so many octets at once, and fails once instead of its end, if it is to.
    struct Parts<'a>(&'a [u8], usize, Option<io::ErrorKind>);

    impl Read for Parts<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(into.len()).min(self.0.len());
            match self.2.filter(|_| size == 0) {
                Some(kind) => Err(kind.into()),
                None => (&mut self.0).take(size as u64).read(into),
            }
        }
    }

    #[test]
    fn it_is_the_same_wherever_the_source_is_cut() {
        let text = b"one\r\n.two\n\n.\nthree";
        for size in 1..=text.len() {
            let (mut body, mut lines) = (Vec::new(), Vec::new());
            Encoded::body(Parts(text, size, None)).read_to_end(&mut body).unwrap();
            Encoded::lines(Parts(text, size, None)).read_to_end(&mut lines).unwrap();
            assert_eq!(body, b"one\r\n..two\r\n\r\n..\r\nthree\r\n.\r\n", "{size}");
            assert_eq!(lines, b"one\r\n.two\r\n\r\n.\r\nthree\r\n", "{size}");
        }
    }

    #[test]
    fn a_source_that_fails_gives_no_body_its_end() {
        let (mut body, source) = (Vec::new(), Parts(b"one\n", 9, Some(io::ErrorKind::BrokenPipe)));
        let mut encoded = Encoded::body(source);
        assert_eq!(encoded.read_to_end(&mut body).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(body, b"one\r\n");
    }

    #[test]
    fn nothing_is_no_line_and_an_empty_body() {
        let mut text = String::new();
        assert_eq!(Encoded::lines(io::empty()).read_to_string(&mut text).unwrap(), 0);
        assert_eq!(Encoded::body(io::empty()).read_to_string(&mut text).unwrap(), 3);
        assert_eq!(text, ".\r\n");
    }
}
