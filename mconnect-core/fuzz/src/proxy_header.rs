//! PROXY headers: one is read as it is written, and wherever it is cut, no more is asked for than it surely has.

use mconnect_core::{ProxyHeader, ProxyHeaderParse};

pub fn holds(data: &[u8]) {
    match ProxyHeader::parse(data) {
        Ok(ProxyHeaderParse::Whole(header, size)) => {
            assert!(size <= data.len());
            for cut in 0..size {
                match ProxyHeader::parse(&data[..cut]) {
                    Ok(ProxyHeaderParse::Needs(needs)) => assert!(needs > 0 && cut + needs <= size, "{cut}, {needs}"),
                    other => panic!("cut at {cut} of {size}: {other:?}"),
                }
            }
            let octets = header.encode();
            assert_eq!(ProxyHeader::parse(&octets), Ok(ProxyHeaderParse::Whole(header, octets.len())));
        }
        Ok(ProxyHeaderParse::Needs(needs)) => assert!(needs > 0 && data.len() + needs <= 16 + 4096),
        Err(wrong) => {
            // More octets make no header of what is none.
            let more = [data, b"\r\n\r\n"].concat();
            assert_eq!(ProxyHeader::parse(&more), Err(wrong));
        }
    }
}
