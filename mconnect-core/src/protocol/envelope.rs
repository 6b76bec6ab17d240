//! Whom a message is from and for, and what MAIL and RCPT say of it.

use super::address::Address;
use super::content::Content;
use super::extensions::Extensions;
use super::parameter::Parameter;
use super::visible::Visible;

/// What [`Session::deliver`](crate::Session::deliver) sends a message with: the reverse-path, the recipients, the
/// parameters of MAIL and of each RCPT, and how the message goes ([RFC 5321, section 2.3.1](https://www.rfc-editor.org/rfc/rfc5321#section-2.3.1)).
///
/// SIZE, BODY and SMTPUTF8 are added to MAIL as the content and the addresses need them and the server offers them, unless
/// they are among the parameters already: then those stand, offered or not, as all others do.
///
/// | what is known | in MAIL | if it is not offered |
/// |---|---|---|
/// | the size, in octets as sent | `SIZE=...` | nothing is said |
/// | more octets than the server's SIZE | | [`Need::Room`] |
/// | octets over 127 | `BODY=8BITMIME` | [`Need::Extension`] |
/// | not the whole message | `BODY=8BITMIME` | it has to stay within ASCII |
/// | UTF-8 in a header, an address or a parameter | `SMTPUTF8` | [`Need::Extension`] |
/// | it goes in [`chunks`](Self::chunks) | | [`Need::Extension`] |
///
/// ```
/// use mconnect_core::protocol::Envelope;
///
/// let envelope = Envelope::new(Some("a@example.org".parse()?))
///     .parameter("RET=HDRS".parse()?)
///     .to("b@example.org".parse()?)
///     .to_with("c@example.org".parse()?, vec!["NOTIFY=NEVER".parse()?]);
/// let recipients: Vec<&str> = envelope.recipients().map(|address| address.as_str()).collect();
/// assert_eq!(recipients, ["b@example.org", "c@example.org"]);
/// assert_eq!(envelope.sender().map(|address| address.as_str()), Some("a@example.org"));
/// # Ok::<(), mconnect_core::protocol::Unwritable>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Envelope {
    sender: Option<Address>,
    parameters: Vec<Parameter>,
    recipients: Vec<(Address, Vec<Parameter>)>,
    content: Option<Content>,
    chunk: Option<usize>,
    until: Option<Until>,
}

/// The stage at which a transaction is to stop, once it has been answered: does this server take mail for that address,
/// without any being sent?
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::protocol::{Envelope, Reply, Until};
/// use mconnect_core::{Connect, server::Server};
///
/// let server = Server::start()?;
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.greeting()?.require(220)?;
/// session.hello("client.example")?.require()?;
/// let envelope = Envelope::new(None).to("b@example.org".parse()?).until(Until::Rcpt);
/// let delivery = session.deliver(&envelope, std::io::empty())?;
/// assert!(delivery.recipients[0].reply.as_ref().is_some_and(Reply::is_granted));
/// assert!(server.messages().is_empty());
/// # session.quit()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Until {
    /// MAIL; RSET follows.
    Mail,
    /// RCPT, of all recipients; RSET follows.
    Rcpt,
    /// DATA. After its 354 the server waits for a message: close the session, and nothing is delivered.
    Data,
}

impl Envelope {
    /// Begins one with a reverse-path, for nobody yet; `None` is the null reverse-path of a notification.
    pub fn new(sender: Option<Address>) -> Self {
        Self { sender, ..Self::default() }
    }

    /// Adds a recipient.
    pub fn to(self, recipient: Address) -> Self {
        self.to_with(recipient, Vec::new())
    }

    /// Adds a recipient with parameters of its RCPT.
    pub fn to_with(mut self, recipient: Address, parameters: Vec<Parameter>) -> Self {
        self.recipients.push((recipient, parameters));
        self
    }

    /// Adds a parameter of MAIL.
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Sets what is known of the message. Without it, as much is known as the first 64 KiB show: of a longer message no
    /// SIZE is declared, and if the server does not offer 8BITMIME, later octets over 127 end the delivery.
    pub fn content(mut self, content: Content) -> Self {
        self.content = Some(content);
        self
    }

    /// Sends the message by BDAT in chunks of so many octets, at least 1 and at most 1 MiB, instead of by DATA
    /// ([RFC 3030](https://www.rfc-editor.org/rfc/rfc3030)). With `BODY=BINARYMIME` among the parameters it goes as it is,
    /// octet for octet, otherwise its lines end in CR LF.
    pub fn chunks(mut self, octets: usize) -> Self {
        self.chunk = Some(octets.clamp(1, MOST_CHUNK));
        self
    }

    /// Stops at a stage.
    pub fn until(mut self, stage: Until) -> Self {
        self.until = Some(stage);
        self
    }

    /// Returns the reverse-path; `None` is the null one.
    pub fn sender(&self) -> Option<&Address> {
        self.sender.as_ref()
    }

    /// Returns the recipients, in order.
    pub fn recipients(&self) -> impl Iterator<Item = &Address> {
        self.recipients.iter().map(|(address, _)| address)
    }

    pub(crate) fn known_content(&self) -> Option<&Content> {
        self.content.as_ref()
    }

    /// Returns where the transaction is to stop.
    pub(crate) fn stop(&self) -> Option<Until> {
        self.until
    }

    /// Returns how large the chunks are, if the message goes in some.
    pub(crate) fn chunk(&self) -> Option<usize> {
        self.chunk.filter(|_| self.until.is_none())
    }

    /// Says whether the message goes octet for octet.
    pub(crate) fn is_binary(&self) -> bool {
        let body = self.parameters.iter().find(|parameter| parameter.is("BODY")).and_then(Parameter::value);
        body.is_some_and(|body| body.eq_ignore_ascii_case("BINARYMIME"))
    }

    /// Says whether octets over 127 may be sent that nobody has seen yet.
    pub(crate) fn may_be_8bit(&self, offered: &Extensions) -> bool {
        offered.has("8BITMIME") || self.says("BODY")
    }

    /// Returns MAIL, and a RCPT for each recipient.
    ///
    /// # Errors
    /// [`Need`] if the server has not offered what the message or an address needs.
    pub(crate) fn commands(&self, offered: &Extensions, content: &Content) -> Result<Vec<String>, Need> {
        let require = |extension, what: String| match offered.has(extension) {
            true => Ok(()),
            false => Err(Need::Extension { what, extension }),
        };
        let utf8 = self.what_is_utf8(content).filter(|_| !self.says("SMTPUTF8"));
        let utf8 = utf8.map(|what| require("SMTPUTF8", what)).transpose()?;
        let mut mail = vec![format!("MAIL FROM:<{}>", self.sender.as_ref().map_or("", Address::as_str))];
        mail.extend(self.parameters.iter().map(|parameter| parameter.as_str().to_owned()));
        if let Some(octets) = content.size().filter(|_| offered.has("SIZE") && !self.says("SIZE")) {
            if let Some(limit) = offered.size_limit().filter(|limit| octets > *limit) {
                return Err(Need::Room { octets, limit });
            }
            mail.push(format!("SIZE={octets}"));
        }
        if !self.says("BODY") {
            if content.is_8bit() {
                require("8BITMIME", "a message with octets over 127".to_owned())?;
            }
            if content.is_8bit() || (content.size().is_none() && offered.has("8BITMIME")) {
                mail.push("BODY=8BITMIME".to_owned());
            }
        }
        mail.extend(utf8.map(|()| "SMTPUTF8".to_owned()));
        if self.chunk().is_some() {
            require("CHUNKING", "a message in chunks".to_owned())?;
        }
        let rcpt = self.recipients.iter().map(|(address, parameters)| {
            let parameters = parameters.iter().map(|parameter| format!(" {}", parameter.as_str()));
            format!("RCPT TO:<{address}>{}", parameters.collect::<String>())
        });
        Ok([mail.join(" ")].into_iter().chain(rcpt).collect())
    }

    fn says(&self, keyword: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.is(keyword))
    }

    /// Returns what cannot be sent without SMTPUTF8, in words.
    fn what_is_utf8(&self, content: &Content) -> Option<String> {
        let address = self.sender.iter().chain(self.recipients()).find(|address| address.needs_utf8());
        let parameters = self.recipients.iter().flat_map(|(_, parameters)| parameters).chain(&self.parameters);
        let is_utf8 = |parameter: &&Parameter| !parameter.as_str().is_ascii();
        address
            .map(|address| format!("the address <{}>", Visible(address.as_str().as_bytes())))
            .or_else(|| {
                parameters
                    .clone()
                    .find(is_utf8)
                    .map(|found| format!("the parameter {}", Visible(found.as_str().as_bytes())))
            })
            .or_else(|| content.has_utf8_header().then(|| "a header with UTF-8 in it".to_owned()))
    }
}

/// What a message or an address needs, and the server has not offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Need {
    /// An extension.
    #[error("{what} needs {extension}, which the server has not offered")]
    Extension {
        /// What needs it, in words.
        what: String,
        /// Its keyword.
        extension: &'static str,
    },
    /// An attribute of XCLIENT or XFORWARD.
    #[error("the server does not offer {attribute} in {command}")]
    Attribute {
        /// Its name.
        attribute: Box<str>,
        /// `XCLIENT` or `XFORWARD`.
        command: &'static str,
    },
    /// More room than the server has named in SIZE.
    #[error("the message has {octets} octets, and the server takes {limit}")]
    Room {
        /// How many octets the message has.
        octets: u64,
        /// How many the server takes.
        limit: u64,
    },
}

/// The largest chunk: it is kept until it is sent.
const MOST_CHUNK: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ReplyLine;

    #[test]
    fn a_sender_is_one_or_null() {
        let address: Address = "a@example.org".parse().unwrap();
        assert_eq!(Envelope::new(Some(address.clone())).sender(), Some(&address));
        assert_eq!(Envelope::new(None).sender(), None);
    }

    #[test]
    fn a_chunk_has_an_octet_at_least_and_a_mebibyte_at_most() {
        let chunk = |octets| Envelope::new(None).chunks(octets).chunk();
        assert_eq!([0, 1, 70_000, usize::MAX].map(chunk), [1, 1, 70_000, 1 << 20].map(Some));
        assert_eq!(Envelope::new(None).chunks(5).until(Until::Rcpt).chunk(), None, "no message goes out");
    }

    #[test]
    fn a_message_has_room_up_to_the_size_that_the_server_names() {
        let mut offered = Extensions::default();
        offered.add(0, ReplyLine::new(b"250-mx\r\n"));
        offered.add(1, ReplyLine::new(b"250 SIZE 7\r\n"));
        for (message, commands) in [
            (&b"12345\n"[..], Ok(vec!["MAIL FROM:<> SIZE=7".to_owned()])),
            (b"123456\n", Err(Need::Room { octets: 8, limit: 7 })),
        ] {
            let mut content = Content::default();
            content.add(message);
            content.end();
            assert_eq!(Envelope::new(None).commands(&offered, &content), commands);
        }
    }
}
