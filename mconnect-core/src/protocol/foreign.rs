//! Other protocols than SMTP, told by how their servers begin.

/// Returns the name of the protocol that speaks so at first, if that is not SMTP: `SSH`, `IMAP`, `HTTP`. The first octets
/// of its first line are enough for most. FTP greets by a 220, too: it is told by its words, where none of them is SMTP.
///
/// ```
/// use mconnect_core::protocol::protocol_of;
///
/// assert_eq!(protocol_of(b"SSH-2.0-OpenSSH_10.2\r\n"), Some("SSH"));
/// assert_eq!(protocol_of(b"220 mx.example.org ESMTP\r\n"), None);
/// ```
pub fn protocol_of(bytes: &[u8]) -> Option<&'static str> {
    let is_mysql = matches!(bytes, [_, _, 0, 0, 10 | 255, ..]);
    let begins = |(start, _): &&(&[u8], &str)| bytes.starts_with(start);
    let is_ftp = bytes.starts_with(b"220") && {
        let line = bytes.to_ascii_lowercase();
        let says = |word: &str| line.windows(word.len()).any(|part| part == word.as_bytes());
        FTP.iter().any(|word| says(word)) && !says("smtp")
    };
    let is_news = matches!(bytes, [b'2', b'0', b'0' | b'1', b' ', ..]);
    match STARTS.iter().find(begins) {
        Some((_, name)) => Some(name),
        None if is_mysql => Some("MySQL"),
        None if is_ftp => Some("FTP"),
        None if is_news => Some("NNTP"),
        None => None,
    }
}

/// How protocols begin, each enough to tell it.
const STARTS: &[(&[u8], &str)] = &[
    (b"SSH-", "SSH"),
    (b"* OK", "IMAP"),
    (b"* PREAUTH", "IMAP"),
    (b"* BYE", "IMAP"),
    (b"+OK", "POP3"),
    (b"-ERR unknown command", "Redis"),
    (b"-ERR", "POP3"),
    (b"HTTP/", "HTTP"),
    (b"<!DOCTYPE", "HTTP"),
    (b"<html", "HTTP"),
    (b"<?xml", "XMPP"),
    (b"<stream:", "XMPP"),
    (b"RFB 0", "VNC"),
    (b"\"IMPLEMENTATION\"", "ManageSieve"),
    (b"@RSYNCD:", "rsync"),
    (b"AMQP", "AMQP"),
    (b":irc", "IRC"),
    (b"NOTICE AUTH", "IRC"),
    (b"\x03\x00\x00", "RDP"),
    (b"\xff\xfd", "Telnet"),
    (b"\xff\xfb", "Telnet"),
];
/// Words of the greetings of FTP servers, which have SMTP's code.
const FTP: [&str; 5] = ["ftp", "filezilla", "welcome to pure", "serv-u", "vsftpd"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_by_how_they_begin() {
        for (bytes, name) in [
            (&b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n"[..], "IMAP"),
            (b"+OK POP3 ready\r\n", "POP3"),
            (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
            (b"J\0\0\0\n8.0.46\0", "MySQL"),
            (b"F\0\0\0\xffj\x04Host 'x' is not allowed to connect", "MySQL"),
            (b"220 (vsFTPd 3.0.5)\r\n", "FTP"),
            (b"220 ProFTPD Server\r\n", "FTP"),
            (b"200 news.example.org ready\r\n", "NNTP"),
            (b"-ERR unknown command 'EHLO'\r\n", "Redis"),
            (b"RFB 003.008\n", "VNC"),
        ] {
            assert_eq!(protocol_of(bytes), Some(name), "{}", bytes.escape_ascii());
        }
        for bytes in [
            &b"220 mx.example.org ESMTP"[..],
            b"220 ftp.example.org ESMTP Postfix",
            b"554 no",
            b"",
            b"2",
            b"220-mx",
            b"421 later",
        ] {
            assert_eq!(protocol_of(bytes), None, "{}", bytes.escape_ascii());
        }
    }
}
