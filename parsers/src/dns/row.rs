//! A row of `dns` from a query, a response, or both.

use schemas::anomaly::AnomalyName;
use schemas::arena::{Arena, List, ResourceRecord, Text};
use schemas::dns::Dns;
use schemas::envelope::Nanoseconds;
use schemas::text::MAX_LIST;
use smallvec::SmallVec;

use super::NAME;
use super::edns;
use super::name::{self, Case, NameProblem};
use super::rdata::{self, RdataProblem};
use super::wire::{DSO, Message, Section};
use crate::context::Context;
use crate::names;

/// Most text that the sections of one message are written as. Compression lets a small message unfold into very much
/// text; what exceeds this is left out, and counted as cut.
pub const MAX_MESSAGE_TEXT: usize = 512 * 1024;

/// A message and when it was seen.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) message: Message<'a>,
    pub(super) ts: Nanoseconds,
    pub(super) packet: u64,
}

/// What was odd while a row was written; by name, the place of the first.
#[derive(Default)]
struct Odd {
    name_loop: Option<&'static str>,
    malformed: Option<&'static str>,
    cut: bool,
}

impl Odd {
    fn note(&mut self, problem: NameProblem, place: &'static str) {
        match problem {
            NameProblem::Loop => self.name_loop.get_or_insert(place),
            _ => self.malformed.get_or_insert(place),
        };
    }
}

/// Writes the row of an exchange, or of a message that stands alone.
pub(super) fn emit(query: Option<Seen<'_>>, response: Option<Seen<'_>>, mdns: bool, cx: &mut Context<'_>) {
    let Some(first) = query.or(response) else { return };
    let envelope = cx.envelope(first.ts, first.packet);
    let mut odd = Odd::default();
    cx.records.dns.push(envelope, |arena| record(query, response, mdns, arena, &mut odd));
    odd.cut |= cx.records.dns.arena.take_cut() > 0;
    if let Some(place) = odd.name_loop {
        cx.anomaly(AnomalyName::DnsNameLoop, Some(NAME), place);
    }
    if let Some(place) = odd.malformed {
        cx.anomaly(AnomalyName::DnsMalformed, Some(NAME), place);
    }
    if odd.cut {
        cx.anomaly(AnomalyName::ValueCut, Some(NAME), "record section or name");
    }
}

fn record(
    query: Option<Seen<'_>>,
    response: Option<Seen<'_>>,
    mdns: bool,
    arena: &mut Arena,
    odd: &mut Odd,
) -> Dns {
    let mut row = Dns::default();
    let asked = query.as_ref().map(|seen| &seen.message);
    let answered = response.as_ref().map(|seen| &seen.message);
    let Some(first) = asked.or(answered) else { return row };
    row.id = first.header.id;
    row.opcode = first.header.opcode();
    if row.opcode != DSO {
        row.question_count = first.header.questions();
    }
    row.recursion_desired = Some(first.header.recursion_desired());
    row.checking_disabled = Some(first.header.checking_disabled());
    row.query_bytes = asked.map(|message| message.bytes.len() as u32);
    question(asked, answered, mdns, arena, odd, &mut row);
    options(asked, answered, arena, odd, &mut row);
    if let Some(message) = answered {
        let header = &message.header;
        row.rcode = Some(message.rcode());
        row.authoritative = Some(header.authoritative());
        row.truncated = Some(header.truncated());
        row.recursion_available = Some(header.recursion_available());
        row.authentic_data = Some(header.authentic_data());
        // FORMERR, SERVFAIL, NOTIMP, REFUSED.
        row.rejected = Some(matches!(message.rcode(), 1 | 2 | 4 | 5) && !message.holds_records());
        row.response_bytes = Some(message.bytes.len() as u32);
    }
    // A query that stands alone may hold records too: what mDNS knows already, the changes of an UPDATE.
    let holder = answered.or(asked.filter(|message| message.holds_records()));
    if let Some(message) = holder {
        let mut room = MAX_MESSAGE_TEXT;
        let mut names = Written::new(message, row.query, arena);
        row.answers = section(message, Section::Answer, arena, &mut names, &mut room, odd);
        row.authorities = section(message, Section::Authority, arena, &mut names, &mut room, odd);
        row.additionals = section(message, Section::Additional, arena, &mut names, &mut room, odd);
    }
    if let (Some(query), Some(response)) = (&query, &response) {
        // Unknown where the clock of the capture went back in between.
        row.rtt = response.ts.checked_sub(query.ts).filter(|&rtt| rtt >= 0);
    }
    row
}

/// Name, type and class asked for, of the query, else of the response.
fn question(
    asked: Option<&Message<'_>>,
    answered: Option<&Message<'_>>,
    mdns: bool,
    arena: &mut Arena,
    odd: &mut Odd,
    row: &mut Dns,
) {
    let with_question =
        [asked, answered].into_iter().flatten().find_map(|message| Some((message, message.question?)));
    let Some((message, question)) = with_question else { return };
    row.qtype = Some(question.record_type);
    // The top bit of a class of mDNS asks for a unicast reply (RFC 6762, 5.4).
    row.qclass = Some(if mdns { question.class & 0x7fff } else { question.class });
    let mut sound = true;
    let mut empty = false;
    row.query = arena.text_with(|out| {
        let start = out.len();
        if let Err(problem) = name::write(message.bytes, question.name, Case::Lower, out) {
            odd.note(problem, "question name");
            sound = false;
            empty = out.len() == start;
        }
    });
    if empty {
        row.query = Text::NULL;
    }
    if !sound {
        return;
    }
    let Some(parts) = arena.bytes_of(row.query).and_then(names::registered) else { return };
    row.tld = row.query.skip(parts.suffix);
    row.registered_domain = parts.domain.map_or(Text::NULL, |domain| row.query.skip(domain));
}

/// Names of a message that were written already: most records repeat the name of the question, or of the record before,
/// by a pointer.
struct Written {
    /// Where the question's name stands in the message.
    question: Option<(usize, Text)>,
    last: Option<(usize, Text)>,
}

impl Written {
    /// `query` is the text of the question's name, in lower case; it serves where the message has no upper case there.
    fn new(message: &Message<'_>, query: Text, arena: &Arena) -> Self {
        let place = message.question.map(|question| question.name);
        let same = place.filter(|&place| {
            let text = arena.bytes_of(query).unwrap_or_default();
            name::equals(message.bytes, place, text)
        });
        Self { question: same.map(|place| (place, query)), last: None }
    }

    fn find(&self, place: usize) -> Option<Text> {
        [self.question, self.last].into_iter().flatten().find(|(of, _)| *of == place).map(|(_, text)| text)
    }
}

/// EDNS of the query, else of the response; the server's identifier is only ever in the response (RFC 5001, 2.1).
fn options(
    asked: Option<&Message<'_>>,
    answered: Option<&Message<'_>>,
    arena: &mut Arena,
    odd: &mut Odd,
    row: &mut Dns,
) {
    for message in [asked, answered].into_iter().flatten() {
        let Some((edns, sound)) = edns::read(message, arena) else { continue };
        if !sound {
            odd.malformed.get_or_insert("EDNS option");
        }
        match &mut row.edns {
            None => row.edns = Some(edns),
            Some(own) if arena.bytes_of(own.nsid).is_none_or(<[u8]>::is_empty) && !edns.nsid.is_null() => {
                own.nsid = edns.nsid;
            }
            Some(_) => {}
        }
    }
}

fn section(
    message: &Message<'_>,
    section: Section,
    arena: &mut Arena,
    names: &mut Written,
    room: &mut usize,
    odd: &mut Odd,
) -> List {
    let place = match section {
        Section::Answer => "answer",
        Section::Authority => "authority",
        Section::Additional => "additional",
    };
    let mut records: SmallVec<[ResourceRecord; 8]> = SmallVec::new();
    for record in message.records(section) {
        if section == Section::Additional && record.record_type == super::wire::OPT {
            continue;
        }
        // One more than fits, so that the arena sees and counts the cut.
        if records.len() > MAX_LIST {
            break;
        }
        if *room == 0 {
            odd.cut = true;
            break;
        }
        let mut written = 0;
        let place_of_name = name::target(message.bytes, record.name);
        let name = names.find(place_of_name).unwrap_or_else(|| {
            let mut sound = true;
            let name = arena.text_with(|out| {
                let start = out.len();
                if let Err(problem) = name::write(message.bytes, record.name, Case::Kept, out) {
                    odd.note(problem, place);
                    sound = false;
                    out.truncate(start);
                }
            });
            if !sound {
                return Text::NULL;
            }
            names.last = Some((place_of_name, name));
            name
        });
        written += name.len();
        let data = arena.text_with(|out| {
            let start = out.len();
            match rdata::write(message.bytes, &record, out) {
                Ok(()) => {}
                Err(RdataProblem::Name(problem)) => odd.note(problem, place),
                Err(RdataProblem::Field) => {
                    odd.malformed.get_or_insert(place);
                }
            }
            written += out.len() - start;
        });
        *room = room.saturating_sub(written);
        records.push(ResourceRecord {
            name,
            record_type: record.record_type,
            ttl: i32::try_from(record.ttl).unwrap_or(i32::MAX),
            data,
        });
    }
    arena.resource_records(&records)
}
