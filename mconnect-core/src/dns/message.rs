//! DNS messages: the query as it goes out, and what an answer says.

use domain::base::iana::{Class, ExtendedErrorCode, OptRcode, Rcode, Rtype};
use domain::base::name::ToName;
use domain::base::opt::ExtendedError;
use domain::base::rdata::{ParseRecordData, UnknownRecordData};
use domain::base::record::ParsedRecord;
use domain::base::wire::ParseError;
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::{A, Aaaa, Cname as Alias, Mx as Exchanger, Srv as Service, Txt as Text};

use super::records::{Cname, Mx, RecordData, RecordKind, Srv, Txt};
use crate::protocol::Visible;
use crate::tlsa::Tlsa;

/// A name in the form of the wire.
pub(super) type WireName = Name<Vec<u8>>;

/// What an answer says, as far as it matters here.
pub(super) struct Answer {
    pub code: Code,
    /// The resolver says that it has verified it.
    pub is_authentic: bool,
    /// Where the aliases in it lead, in order: the names after the one that was asked for.
    pub aliases: Vec<WireName>,
    /// The records of the last name.
    pub records: Vec<RecordData>,
    /// It says of the last name that such records are not there.
    pub is_denial: bool,
    /// Whoever answers neither knows the zone nor asks those who do.
    pub is_referral: bool,
    pub why: Option<String>,
    /// The extended errors say that the signatures are not right.
    pub is_bogus: bool,
}

/// How a name server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Ok,
    NoSuchName,
    /// It does not know EDNS, perhaps.
    NotUnderstood(OptRcode),
    Failed(OptRcode),
}

/// Reads a name as people write it. It is taken as complete, with a last dot or without.
pub(super) fn name(text: &str) -> Result<WireName, String> {
    match WireName::vec_from_str(text) {
        Ok(name) if name.is_root() => Err("it is empty".to_owned()),
        Ok(name) => Ok(name),
        Err(error) => Err(Visible(error.to_string().as_bytes()).to_string()),
    }
}

/// Returns a name as it is told: printable, in lower case, without the last dot; the root is empty.
pub(super) fn told(name: &impl ToName) -> String {
    let name = name.to_vec();
    if name.is_root() { String::new() } else { name.to_string().to_ascii_lowercase() }
}

/// Writes a query that asks for recursion, and, with EDNS, for what there is of DNSSEC; or for an answer whose signatures
/// nobody has looked at.
pub(super) fn query(name: &WireName, kind: RecordKind, id: u16, edns: bool, unchecked: bool) -> Vec<u8> {
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_id(id);
    message.header_mut().set_rd(true);
    // RFC 6840, section 5.7: the bit is wanted in the answer.
    message.header_mut().set_ad(true);
    message.header_mut().set_cd(unchecked);
    let mut message = message.question();
    message.push((name, rtype(kind))).expect("a vector has room for a question");
    let mut message = message.additional();
    if edns {
        let opt = message.opt(|opt| {
            opt.set_udp_payload_size(UDP_PAYLOAD);
            opt.set_dnssec_ok(true);
            Ok(())
        });
        opt.expect("a vector has room for an OPT record");
    }
    message.finish()
}

/// Says whether these octets are the answer to that query, whatever they say: its id, and its question, unless a
/// refusal comes without one.
pub(super) fn answers<'a>(octets: &'a [u8], query: &[u8]) -> Option<&'a Message<[u8]>> {
    let answer = Message::from_slice(octets).ok()?;
    let query = Message::from_slice(query).ok()?;
    let header = answer.header();
    if !header.qr() || header.id() != query.header().id() || header.opcode() != query.header().opcode() {
        return None;
    }
    let is_bare = answer.header_counts().qdcount() == 0 && header.rcode() != Rcode::NOERROR;
    let asked = query.sole_question().ok()?;
    let is_same = || answer.sole_question().is_ok_and(|question| question == asked);
    (is_bare || is_same()).then_some(answer)
}

/// Reads an answer: the way from the name that was asked for through its aliases, and the records at the end of it.
///
/// # Errors
/// If a section or a record of the way cannot be read.
pub(super) fn read(answer: &Message<[u8]>, asked: &WireName, kind: RecordKind) -> Result<Answer, ParseError> {
    let opt = answer.opt();
    let code = code(opt.as_ref().map_or(answer.header().rcode().into(), |opt| opt.rcode(answer.header())));
    let (mut why, mut is_bogus) = (Vec::new(), false);
    for error in opt.iter().flat_map(|opt| opt.opt().iter::<ExtendedError<_>>()).flatten().take(MOST_REASONS) {
        is_bogus |= BOGUS.contains(&error.code());
        why.push(reason(error.code(), error.text_slice().unwrap_or_default()));
    }
    let records: Vec<ParsedRecord<'_, [u8]>> = answer.answer()?.collect::<Result<_, _>>()?;
    let (owner, aliases) = follow(&records, asked, kind)?;
    let mut found = Vec::new();
    for record in records.iter().filter(|record| is_at(record, &owner, rtype(kind))) {
        found.push(data(record, kind)?);
    }
    let mut authority = answer.authority()?;
    let (mut has_soa, mut has_ns) = (false, false);
    while let Some(record) = authority.next().transpose()? {
        has_soa |= record.rtype() == Rtype::SOA;
        has_ns |= record.rtype() == Rtype::NS;
    }
    let header = answer.header();
    let is_empty = found.is_empty() && aliases.is_empty();
    Ok(Answer {
        code,
        is_authentic: header.ad(),
        is_denial: found.is_empty() && (has_soa || is_empty || code != Code::Ok),
        is_referral: is_empty && has_ns && !has_soa && !header.aa() && !header.ra(),
        aliases,
        records: found,
        why: (!why.is_empty()).then(|| why.join("; ")),
        is_bogus,
    })
}

/// Follows the aliases as far as the answer has them; a circle ends where it closes.
fn follow(
    records: &[ParsedRecord<'_, [u8]>],
    asked: &WireName,
    kind: RecordKind,
) -> Result<(WireName, Vec<WireName>), ParseError> {
    let (mut owner, mut passed) = (asked.clone(), Vec::new());
    while kind != RecordKind::Cname && passed.len() <= MOST_ALIASES {
        let Some(record) = records.iter().find(|record| is_at(record, &owner, Rtype::CNAME)) else { break };
        let Some(alias) = record.to_record::<Alias<_>>()? else { break };
        owner = alias.data().cname().to_vec();
        passed.push(owner.clone());
    }
    Ok((owner, passed))
}

fn is_at(record: &ParsedRecord<'_, [u8]>, owner: &WireName, rtype: Rtype) -> bool {
    record.rtype() == rtype && record.class() == Class::IN && record.owner() == *owner
}

fn rtype(kind: RecordKind) -> Rtype {
    match kind {
        RecordKind::Mx => Rtype::MX,
        RecordKind::A => Rtype::A,
        RecordKind::Aaaa => Rtype::AAAA,
        RecordKind::Tlsa => Rtype::TLSA,
        RecordKind::Txt => Rtype::TXT,
        RecordKind::Srv => Rtype::SRV,
        RecordKind::Cname => Rtype::CNAME,
    }
}

fn data(record: &ParsedRecord<'_, [u8]>, kind: RecordKind) -> Result<RecordData, ParseError> {
    Ok(match kind {
        RecordKind::Mx => {
            let mx: Exchanger<_> = parsed(record)?;
            RecordData::Mx(Mx { preference: mx.preference(), exchanger: told(mx.exchange()) })
        }
        RecordKind::A => RecordData::A(parsed::<A>(record)?.addr()),
        RecordKind::Aaaa => RecordData::Aaaa(parsed::<Aaaa>(record)?.addr()),
        RecordKind::Tlsa => {
            let unparsed: UnknownRecordData<_> = parsed(record)?;
            let [usage, selector, matching, data @ ..] = unparsed.data() else { return Err(ParseError::ShortInput) };
            RecordData::Tlsa(Tlsa::new(*usage, *selector, *matching, data))
        }
        RecordKind::Txt => {
            let text: Text<_> = parsed(record)?;
            RecordData::Txt(Txt { octets: text.iter().flatten().copied().collect() })
        }
        RecordKind::Srv => {
            let srv: Service<_> = parsed(record)?;
            let (priority, weight, port) = (srv.priority(), srv.weight(), srv.port());
            RecordData::Srv(Srv { priority, weight, port, target: told(srv.target()) })
        }
        RecordKind::Cname => RecordData::Cname(Cname { target: told(parsed::<Alias<_>>(record)?.cname()) }),
    })
}

fn parsed<'a, D: ParseRecordData<'a, [u8]>>(record: &ParsedRecord<'a, [u8]>) -> Result<D, ParseError> {
    record.to_record::<D>()?.map(domain::base::Record::into_data).ok_or(ParseError::ShortInput)
}

fn code(code: OptRcode) -> Code {
    match code {
        OptRcode::NOERROR => Code::Ok,
        OptRcode::NXDOMAIN => Code::NoSuchName,
        OptRcode::FORMERR | OptRcode::NOTIMP | OptRcode::BADVERS => Code::NotUnderstood(code),
        _ => Code::Failed(code),
    }
}

/// Returns an extended error as it is told: `DNSSEC Bogus: no signatures from ...`.
fn reason(code: ExtendedErrorCode, text: &[u8]) -> String {
    let shown: String = Visible(text).to_string().chars().take(LONGEST_REASON).collect();
    if shown.is_empty() { code.to_string() } else { format!("{code}: {shown}") }
}

/// What every network passes in one piece (<https://www.dnsflagday.net/2020/>).
const UDP_PAYLOAD: u16 = 1232;

/// So many aliases are followed.
pub(super) const MOST_ALIASES: usize = 16;

/// So many extended errors are told, each cut to so many characters.
const MOST_REASONS: usize = 4;
const LONGEST_REASON: usize = 300;

/// What signatures that are not right are called
/// ([RFC 8914, section 4](https://www.rfc-editor.org/rfc/rfc8914#section-4)).
const BOGUS: [ExtendedErrorCode; 8] = [
    ExtendedErrorCode::DNSSEC_BOGUS,
    ExtendedErrorCode::SIGNATURE_EXPIRED,
    ExtendedErrorCode::SIGNATURE_NOT_YET_VALID,
    ExtendedErrorCode::DNSKEY_MISSING,
    ExtendedErrorCode::RRSIGS_MISSING,
    ExtendedErrorCode::NO_ZONE_KEY_BIT_SET,
    ExtendedErrorCode::NSEC_MISSING,
    ExtendedErrorCode::SIGNATURE_EXPIRED_BEFORE_VALID,
];
