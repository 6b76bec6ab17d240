//! The TXT records that announce a policy, and where reports go: fields with semicolons between, the first of which says
//! what it is.

use std::{fmt, str};

use super::excerpt::Excerpt;
use super::policy::is_field_name;

/// The record that a domain with a policy has: TXT of `_mta-sts.` and the domain
/// ([RFC 8461, section 3.1](https://www.rfc-editor.org/rfc/rfc8461#section-3.1)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyRecord {
    /// Another one means that the policy has changed: up to 32 letters and digits.
    pub id: String,
}

/// The record that says where reports about TLS go: TXT of `_smtp._tls.` and the domain
/// ([RFC 8460, section 3](https://www.rfc-editor.org/rfc/rfc8460#section-3)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportRecord {
    /// Where to, one at least.
    pub rua: Vec<ReportUri>,
}

/// Where a report goes. [`Display`](fmt::Display) writes the URI.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportUri {
    /// To a mail address: what stands behind `mailto:`.
    Mail(String),
    /// By POST to this URI, `https:` included.
    Https(String),
}

/// Why a domain's TXT records announce nothing, although it seems to have wanted that. What it published is made visible
/// in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// There are several, and so none.
    #[error("{count} records begin with {version}, and so none of them counts")]
    Several {
        /// How many.
        count: usize,
        /// What they begin with: `v=STSv1;`.
        version: &'static str,
    },
    /// It does not begin as it has to, letter by letter.
    #[error("a record has to begin with {version}, and this one does not: {}", Excerpt(found))]
    Version {
        /// What it has to begin with.
        version: &'static str,
        /// The record.
        found: Vec<u8>,
    },
    /// A part of it is no field: a name, `=`, and a value without blanks.
    #[error("this part of the record is no field: {}", Excerpt(found))]
    Field {
        /// The part.
        found: Vec<u8>,
    },
    /// A field that it has to have is not there.
    #[error("the record has no field {0}=")]
    Missing(&'static str),
    /// The `id` is not one to 32 letters and digits.
    #[error("its id is not one to 32 letters and digits: {}", Excerpt(found))]
    Id {
        /// What stands there.
        found: Vec<u8>,
    },
    /// A `rua` is neither `mailto:` nor `https:`.
    #[error("a report goes to a mailto: or an https: URI, and this is neither: {}", Excerpt(found))]
    Uri {
        /// What stands there.
        found: Vec<u8>,
    },
}

/// Reads a domain's policy record out of its TXT records, each with its strings joined. Others are passed over; `None` if
/// there are only others. Of fields that are there twice, the first counts, and those that nobody knows do not matter.
///
/// ```
/// use mconnect_core::sts::policy_record;
///
/// let texts = ["some other text", "v=STSv1; id=20261128T01;"];
/// assert_eq!(policy_record(&texts)?.unwrap().id, "20261128T01");
///
/// let twice = policy_record(&["v=STSv1; id=1", "v=STSv1; id=2"]).unwrap_err();
/// assert_eq!(twice.to_string(), "2 records begin with v=STSv1;, and so none of them counts");
/// # Ok::<(), mconnect_core::sts::InvalidRecord>(())
/// ```
///
/// # Errors
/// [`InvalidRecord`] says why there is none for those who send: also if there is no record, but one that is meant as one.
pub fn policy_record<T: AsRef<[u8]>>(texts: &[T]) -> Result<Option<PolicyRecord>, InvalidRecord> {
    let Some(fields) = only(texts, "v=STSv1;")? else { return Ok(None) };
    let id = first(&fields, "id")?;
    if !matches!(id.len(), 1..=32) || !id.iter().all(u8::is_ascii_alphanumeric) {
        return Err(InvalidRecord::Id { found: id.to_vec() });
    }
    Ok(Some(PolicyRecord { id: String::from_utf8_lossy(id).into_owned() }))
}

/// Reads where a domain wants reports out of its TXT records, as [`policy_record`] does.
///
/// ```
/// use mconnect_core::sts::{ReportUri, report_record};
///
/// let record = report_record(&["v=TLSRPTv1; rua=mailto:tls@example.org,https://example.org/tls"])?.unwrap();
/// assert_eq!(record.rua[0], ReportUri::Mail("tls@example.org".to_owned()));
/// assert_eq!(record.rua[1].to_string(), "https://example.org/tls");
/// # Ok::<(), mconnect_core::sts::InvalidRecord>(())
/// ```
///
/// # Errors
/// [`InvalidRecord`] says why there is none for those who send.
pub fn report_record<T: AsRef<[u8]>>(texts: &[T]) -> Result<Option<ReportRecord>, InvalidRecord> {
    let Some(fields) = only(texts, "v=TLSRPTv1;")? else { return Ok(None) };
    let uris = first(&fields, "rua")?.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let rua = uris.map(|uri| report_uri(uri).ok_or_else(|| InvalidRecord::Uri { found: uri.to_vec() }));
    Ok(Some(ReportRecord { rua: rua.collect::<Result<_, _>>()? }))
}

/// The name and the value of a field.
type Field<'a> = (&'a [u8], &'a [u8]);

/// Returns the fields of the one text that begins so; none if there is no such text, nor one that was meant to be.
fn only<'a, T: AsRef<[u8]>>(texts: &'a [T], version: &'static str) -> Result<Option<Vec<Field<'a>>>, InvalidRecord> {
    let found: Vec<&[u8]> = texts.iter().filter_map(|text| after_version(text.as_ref(), version)).collect();
    let fields = match *found.as_slice() {
        [fields] => fields,
        [] => {
            let meant = texts.iter().map(AsRef::as_ref).find(|text| is_meant(text, version));
            return meant.map_or(Ok(None), |text| Err(InvalidRecord::Version { version, found: text.to_vec() }));
        }
        _ => return Err(InvalidRecord::Several { count: found.len(), version }),
    };
    // A semicolon may be the last.
    let fields = fields.trim_ascii_end();
    let fields = fields.strip_suffix(b";").unwrap_or(fields);
    if fields.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let parts = fields.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let read = |part| field(part).ok_or_else(|| InvalidRecord::Field { found: Vec::from(part) });
    parts.map(read).collect::<Result<_, _>>().map(Some)
}

/// Returns what stands behind the version and its semicolon, before which blanks may stand.
fn after_version<'a>(text: &'a [u8], version: &str) -> Option<&'a [u8]> {
    let (version, semicolon) = version.as_bytes().split_at(version.len() - 1);
    text.strip_prefix(version)?.trim_ascii_start().strip_prefix(semicolon)
}

/// Says whether a text looks as if it were to begin so: other letters, another number, a semicolon too few.
fn is_meant(text: &[u8], version: &str) -> bool {
    let squeezed = text.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b'"');
    let start = version.trim_end_matches(['v', '1', ';']);
    squeezed.take(start.len()).map(u8::to_ascii_lowercase).eq(start.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// Takes a field apart: the value is visible ASCII.
fn field(part: &[u8]) -> Option<Field<'_>> {
    let at = part.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&part[..at], &part[at + 1..]);
    // The list of URIs may have blanks, and some senders of mail write = in them.
    let is_value = !value.is_empty() && value.iter().all(|byte| byte.is_ascii_graphic() || b" \t".contains(byte));
    (is_field_name(name) && is_value).then_some((name, value))
}

/// Returns the first field of this name.
fn first<'a>(fields: &[Field<'a>], name: &'static str) -> Result<&'a [u8], InvalidRecord> {
    let found = fields.iter().find(|field| field.0 == name.as_bytes());
    found.map(|field| field.1).ok_or(InvalidRecord::Missing(name))
}

/// Reads where a report goes; schemes are of any case ([RFC 3986, section 3.1](https://www.rfc-editor.org/rfc/rfc3986#section-3.1)).
fn report_uri(uri: &[u8]) -> Option<ReportUri> {
    let uri = str::from_utf8(uri).ok().filter(|uri| uri.bytes().all(|byte| byte.is_ascii_graphic()))?;
    let (scheme, rest) = uri.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "mailto" if rest.contains('@') => Some(ReportUri::Mail(rest.to_owned())),
        "https" if rest.len() > 2 && rest.starts_with("//") => Some(ReportUri::Https(uri.to_owned())),
        _ => None,
    }
}

impl fmt::Display for ReportUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(address) => write!(f, "mailto:{address}"),
            Self::Https(uri) => f.write_str(uri),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_record_is_read_as_the_rfc_has_it() {
        for (text, id) in [
            ("v=STSv1; id=20160831085700Z;", "20160831085700Z"),
            ("v=STSv1;id=1", "1"),
            ("v=STSv1 ;\tid=a ; other=x=y ; id=2", "a"),
            ("v=STSv1; x-y.z_0=!; id=12345678901234567890123456789012", "12345678901234567890123456789012"),
        ] {
            assert_eq!(policy_record(&[text]).unwrap().unwrap().id, id, "{text}");
        }
        for texts in [&[][..], &["v=spf1 -all"], &["", "v=ST"], &["xv=STSv1; id=1"]] {
            assert_eq!(policy_record(texts), Ok(None), "{texts:?}");
        }
        assert!(policy_record(&["v=TLSRPTv1; rua=mailto:a@b", "v=STSv1; id=1"]).unwrap().is_some());
    }

    #[test]
    fn what_is_wrong_with_a_record_is_said() {
        for (texts, words) in [
            (
                &["v=STSv1; id=1;", "other", "v=STSv1; id=1;"][..],
                "2 records begin with v=STSv1;, and so none of them counts",
            ),
            (&["v=stsv1; id=1"], "a record has to begin with v=STSv1;, and this one does not: v=stsv1; id=1"),
            (&["v=STSv1"], "a record has to begin with v=STSv1;, and this one does not: v=STSv1"),
            (&["\"v=STSv1\"; id=1"], "a record has to begin with v=STSv1;, and this one does not: \"v=STSv1\"; id=1"),
            (&["v=STSv2; id=1"], "a record has to begin with v=STSv1;, and this one does not: v=STSv2; id=1"),
            (&["v=STSv1; "], "the record has no field id="),
            (&["v=STSv1; ID=1"], "the record has no field id="),
            (&["v=STSv1; id"], "this part of the record is no field: id"),
            (&["v=STSv1;; id=1"], "this part of the record is no field: "),
            (&["v=STSv1; id="], "this part of the record is no field: id="),
            (&["v=STSv1; id=2026-11-28"], "its id is not one to 32 letters and digits: 2026-11-28"),
            (
                &["v=STSv1; id=123456789012345678901234567890123"],
                "its id is not one to 32 letters and digits: 123456789012345678901234567890123",
            ),
        ] {
            assert_eq!(policy_record(texts).unwrap_err().to_string(), words, "{texts:?}");
        }
    }

    #[test]
    fn reports_go_by_mail_and_by_https_and_nowhere_else() {
        let record =
            report_record(&["v=TLSRPTv1;rua=MAILTO:a@b.example?x=y , https://b.example/%2C"]).unwrap().unwrap();
        assert_eq!(
            record.rua.iter().map(ReportUri::to_string).collect::<Vec<_>>(),
            ["mailto:a@b.example?x=y", "https://b.example/%2C"]
        );
        for (text, words) in [
            (
                "v=TLSRPTv1; rua=http://b.example/",
                "a report goes to a mailto: or an https: URI, and this is neither: http://b.example/",
            ),
            (
                "v=TLSRPTv1; rua=a@b.example",
                "a report goes to a mailto: or an https: URI, and this is neither: a@b.example",
            ),
            (
                "v=TLSRPTv1; rua=mailto:a@b.example,",
                "a report goes to a mailto: or an https: URI, and this is neither: ",
            ),
            ("v=TLSRPTv1; ruf=mailto:a@b.example", "the record has no field rua="),
            (
                "v=TLSRPT1; rua=mailto:a@b.example",
                "a record has to begin with v=TLSRPTv1;, and this one does not: v=TLSRPT1; rua=mailto:a@b.example",
            ),
        ] {
            assert_eq!(report_record(&[text]).unwrap_err().to_string(), words, "{text}");
        }
    }
}
