//! DNS messages (RFC 1035, Section 4), as far as multicast DNS needs them
//! (RFC 6762, Section 18).
//!
//! ```text
//!   0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
//! +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//! |                      ID                       |
//! |QR|   Opcode  |AA|TC|RD|RA|   Z    |   RCODE   |
//! |                    QDCOUNT                    |
//! |                    ANCOUNT                    |
//! |                    NSCOUNT                    |
//! |                    ARCOUNT                    |
//! +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//! ```

use super::{Malformed, Reader, ShortBuffer, Writer};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The octets of a header.
pub const HEADER_LEN: usize = 12;
/// "names 255 octets or less", their lengths and the root's among them.
const MAX_NAME: usize = 255;
/// "labels 63 octets or less".
const MAX_LABEL: usize = 63;
/// A name of 255 octets has 127 labels at most.
const MAX_HOPS: usize = 127;
/// "the most significant bit of the ... class field": in a question, that an
/// answer may come by unicast; in a record, that it replaces all others of
/// its name and type (RFC 6762, Sections 5.4 and 10.2).
const TOP_BIT: u16 = 0x8000;

/// The type of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RecordType(pub u16);

impl RecordType {
    /// An IPv4 address.
    pub const A: Self = Self(1);
    /// Another name.
    pub const PTR: Self = Self(12);
    /// Strings.
    pub const TXT: Self = Self(16);
    /// An IPv6 address.
    pub const AAAA: Self = Self(28);
    /// A host and a port.
    pub const SRV: Self = Self(33);
    /// Which types a name has.
    pub const NSEC: Self = Self(47);
    /// Whatever there is; in questions only.
    pub const ANY: Self = Self(255);

    /// Whether a question of this type wants records of type `other`.
    pub fn wants(self, other: Self) -> bool {
        self == other || self == Self::ANY
    }
}

/// The Internet, the one class that is in use.
const CLASS_IN: u16 = 1;
/// Any class; in questions only.
const CLASS_ANY: u16 = 255;

/// A name inside a message. Labels are any octets, compared as DNS does:
/// without regard to the case of ASCII letters.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Name<'a> {
    /// The name at the cursor, checked to its end.
    fn read(message: &'a [u8], r: &mut Reader<'a>) -> Result<Self, Malformed> {
        let at = message.len().checked_sub(r.len()).ok_or(Malformed)?;
        let name = Self { message, at };
        loop {
            match r.u8()? {
                0 => break,
                len @ 1..=63 => {
                    r.take(len.into())?;
                }
                192..=255 => {
                    r.u8()?;
                    break;
                }
                _ => return Err(Malformed),
            }
        }
        let mut labels = name.labels();
        labels.by_ref().for_each(drop);
        labels.whole.then_some(name).ok_or(Malformed)
    }

    /// The labels, the root not among them.
    pub fn labels(&self) -> Labels<'a> {
        let rest = self.message.get(self.at..).unwrap_or_default();
        Labels { message: self.message, rest, limit: self.at, octets: 1, hops: 0, whole: false }
    }

    /// Whether the name is `text`, whose labels are separated by dots.
    pub fn is(&self, text: &str) -> bool {
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut words = text.split('.').map(str::as_bytes).filter(|_| !text.is_empty());
        let mut labels = self.labels();
        loop {
            match (labels.next(), words.next()) {
                (Some(label), Some(word)) if label.eq_ignore_ascii_case(word) => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.labels(), other.labels());
        loop {
            match (a.next(), b.next()) {
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    }
}

impl Eq for Name<'_> {}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, label) in self.labels().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            write!(f, "{}", label.escape_ascii())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// The labels of a [`Name`].
///
/// A pointer must lead to before the run of labels that it ends, so every step
/// of a chain of pointers is nearer to the start of the message, and no chain
/// is endless; one of more pointers than a name can have labels is refused.
#[derive(Debug, Clone)]
pub struct Labels<'a> {
    message: &'a [u8],
    rest: &'a [u8],
    limit: usize,
    octets: usize,
    hops: usize,
    /// Whether the root was reached.
    whole: bool,
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            match *self.rest.first()? {
                0 => {
                    self.whole = true;
                    self.rest = &[];
                    return None;
                }
                len @ 1..=63 => {
                    let len = usize::from(len);
                    let label = self.rest.get(1..=len);
                    self.octets += 1 + len;
                    self.rest = self.rest.get(1 + len..).unwrap_or_default();
                    if self.octets > MAX_NAME || label.is_none() {
                        self.rest = &[];
                        return None;
                    }
                    return label;
                }
                high @ 192..=255 => {
                    let to = self.rest.get(1).map(|low| usize::from(high & 63) << 8 | usize::from(*low));
                    self.rest = match to {
                        Some(to) if to < self.limit && self.hops < MAX_HOPS => {
                            self.message.get(to..).unwrap_or_default()
                        }
                        _ => &[],
                    };
                    self.limit = to.unwrap_or_default();
                    self.hops += 1;
                }
                _ => {
                    self.rest = &[];
                    return None;
                }
            }
        }
    }
}

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// Of what name.
    pub name: Name<'a>,
    /// Records of which type are wanted.
    pub kind: RecordType,
    /// Whether the answer may come by unicast.
    pub unicast_response: bool,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// An address: A or AAAA.
    Address(IpAddr),
    /// Another name.
    Ptr(Name<'a>),
    /// A host and a port.
    Srv {
        /// Lower ones first.
        priority: u16,
        /// The share among equals.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: Name<'a>,
    },
    /// Strings, each behind its length in one octet.
    Txt(&'a [u8]),
    /// Of a type that nothing here looks into.
    Other(&'a [u8]),
}

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Of what name.
    pub name: Name<'a>,
    /// Its type.
    pub kind: RecordType,
    /// Whether it replaces all others of its name and type.
    pub cache_flush: bool,
    /// For how many seconds it holds; 0 takes it back.
    pub ttl: u32,
    /// What it says.
    pub data: Data<'a>,
}

/// Where in a message a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Section {
    /// What was asked for; in a query, what is known already.
    Answer,
    /// In a query, what somebody is about to claim.
    Authority,
    /// What may be of use besides.
    Additional,
}

/// A message. Only its header was looked at; [`questions`](Self::questions)
/// and [`records`](Self::records) read the rest.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Its number; 0 in multicast.
    pub id: u16,
    /// Whether it answers.
    pub is_response: bool,
    /// Whether more known answers follow in another message.
    pub truncated: bool,
    questions: u16,
    counts: [u16; 3],
}

impl<'a> Message<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Malformed`], also for other operations than queries and for answers
    /// that tell of an error: "messages received with non-zero Response Codes
    /// MUST be silently ignored" (RFC 6762, Section 18.11).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let id = r.u16()?;
        let flags = r.u16()?;
        if flags & 0x780f != 0 {
            return Err(Malformed);
        }
        let questions = r.u16()?;
        let counts = [r.u16()?, r.u16()?, r.u16()?];
        let (is_response, truncated) = (flags & 0x8000 != 0, flags & 0x0200 != 0);
        Ok(Self { bytes, id, is_response, truncated, questions, counts })
    }

    /// The questions. What is behind a malformed one is not read.
    pub fn questions(&self) -> impl Iterator<Item = Question<'a>> + use<'a> {
        self.question_section()
    }

    /// The records of all sections. What is behind a malformed one is not
    /// read.
    pub fn records(&self) -> impl Iterator<Item = (Section, Record<'a>)> + use<'a> {
        let (mut questions, counts) = (self.question_section(), self.counts);
        questions.by_ref().for_each(drop);
        let Questions { message, mut r, left } = questions;
        let [answers, authorities, additionals] = counts.map(usize::from);
        let total = if left == 0 { answers + authorities + additionals } else { 0 };
        let mut index = 0;
        core::iter::from_fn(move || {
            loop {
                if index >= total {
                    return None;
                }
                let section = match index {
                    i if i < answers => Section::Answer,
                    i if i < answers + authorities => Section::Authority,
                    _ => Section::Additional,
                };
                index += 1;
                match read_record(message, &mut r) {
                    Ok(Some(record)) => return Some((section, record)),
                    Ok(None) => {} // of another class
                    Err(Malformed) => index = total,
                }
            }
        })
    }

    fn question_section(&self) -> Questions<'a> {
        let r = Reader::new(self.bytes.get(HEADER_LEN..).unwrap_or_default());
        Questions { message: self.bytes, r, left: self.questions }
    }
}

#[derive(Debug)]
struct Questions<'a> {
    message: &'a [u8],
    r: Reader<'a>,
    left: u16,
}

impl<'a> Iterator for Questions<'a> {
    type Item = Question<'a>;

    fn next(&mut self) -> Option<Question<'a>> {
        while self.left > 0 {
            let name = Name::read(self.message, &mut self.r).ok()?;
            let kind = RecordType(self.r.u16().ok()?);
            let class = self.r.u16().ok()?;
            self.left -= 1;
            if matches!(class & !TOP_BIT, CLASS_IN | CLASS_ANY) {
                return Some(Question { name, kind, unicast_response: class & TOP_BIT != 0 });
            }
        }
        None
    }
}

/// The record at the cursor; `None` when it is not of the Internet.
fn read_record<'a>(message: &'a [u8], r: &mut Reader<'a>) -> Result<Option<Record<'a>>, Malformed> {
    let name = Name::read(message, r)?;
    let kind = RecordType(r.u16()?);
    let class = r.u16()?;
    let ttl = r.u32()?;
    // Names in the data may point back into the message, so it is read where
    // it lies: up to its end, and from there.
    let len = usize::from(r.u16()?);
    let behind = r.len().checked_sub(len).ok_or(Malformed)?;
    let octets = r.take(len)?;
    if class & !TOP_BIT != CLASS_IN {
        return Ok(None);
    }
    let end = message.len().checked_sub(behind).ok_or(Malformed)?;
    let upto = message.get(..end).ok_or(Malformed)?;
    let mut d = Reader::new(octets);
    let data = match kind {
        RecordType::A => Data::Address(Ipv4Addr::from(d.array::<4>()?).into()),
        RecordType::AAAA => Data::Address(Ipv6Addr::from(d.array::<16>()?).into()),
        RecordType::PTR => Data::Ptr(Name::read(upto, &mut d)?),
        RecordType::SRV => {
            let (priority, weight, port) = (d.u16()?, d.u16()?, d.u16()?);
            Data::Srv { priority, weight, port, target: Name::read(upto, &mut d)? }
        }
        RecordType::TXT => Data::Txt(d.take_rest()),
        _ => Data::Other(d.take_rest()),
    };
    d.finish()?;
    Ok(Some(Record { name, kind, cache_flush: class & TOP_BIT != 0, ttl, data }))
}

/// Writes a message: questions first, then answers, authorities, and
/// additional records.
#[derive(Debug)]
pub struct Builder<'a> {
    w: Writer<'a>,
    questions: u16,
    counts: [u16; 3],
}

impl<'a> Builder<'a> {
    /// Begins a query.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn query(buf: &'a mut [u8], id: u16) -> Result<Self, ShortBuffer> {
        Self::new(buf, id, 0)
    }

    /// Begins a response, an authoritative one.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn response(buf: &'a mut [u8], id: u16) -> Result<Self, ShortBuffer> {
        Self::new(buf, id, 0x8400)
    }

    fn new(buf: &'a mut [u8], id: u16, flags: u16) -> Result<Self, ShortBuffer> {
        let mut w = Writer::new(buf);
        w.u16(id)?;
        w.u16(flags)?;
        w.zeros(8)?;
        Ok(Self { w, questions: 0, counts: [0; 3] })
    }

    /// Appends a question.
    ///
    /// # Errors
    /// [`ShortBuffer`], also for what is no name.
    pub fn question(
        &mut self,
        name: &str,
        kind: RecordType,
        unicast_response: bool,
    ) -> Result<(), ShortBuffer> {
        self.whole(|b| {
            b.name(name)?;
            b.w.u16(kind.0)?;
            b.w.u16(if unicast_response { CLASS_IN | TOP_BIT } else { CLASS_IN })
        })?;
        self.questions += 1;
        Ok(())
    }

    /// Appends a record to a section; sections are written in their order.
    /// `data` writes what the record says.
    ///
    /// # Errors
    /// [`ShortBuffer`], also for what is no name; nothing was appended then.
    pub fn record(
        &mut self,
        section: Section,
        name: &str,
        kind: RecordType,
        cache_flush: bool,
        ttl: u32,
        data: impl FnOnce(&mut Self) -> Result<(), ShortBuffer>,
    ) -> Result<(), ShortBuffer> {
        self.whole(|b| {
            b.name(name)?;
            b.w.u16(kind.0)?;
            b.w.u16(if cache_flush { CLASS_IN | TOP_BIT } else { CLASS_IN })?;
            b.w.u32(ttl)?;
            let open = b.w.open16()?;
            data(b)?;
            b.w.close(open)
        })?;
        if let Some(count) = self.counts.get_mut(section as usize) {
            *count += 1;
        }
        Ok(())
    }

    /// Appends an address.
    ///
    /// # Errors
    /// [`ShortBuffer`], also for what is no name.
    pub fn address(
        &mut self,
        section: Section,
        name: &str,
        cache_flush: bool,
        ttl: u32,
        addr: IpAddr,
    ) -> Result<(), ShortBuffer> {
        let kind = if addr.is_ipv4() { RecordType::A } else { RecordType::AAAA };
        self.record(section, name, kind, cache_flush, ttl, |b| match addr {
            IpAddr::V4(ip) => b.bytes(&ip.octets()),
            IpAddr::V6(ip) => b.bytes(&ip.octets()),
        })
    }

    /// Appends an NSEC: that the name has records of `kinds` and of no other
    /// type (RFC 6762, Section 6.1). Types up to 255 only.
    ///
    /// # Errors
    /// [`ShortBuffer`], also for what is no name.
    pub fn nsec(
        &mut self,
        section: Section,
        name: &str,
        cache_flush: bool,
        ttl: u32,
        kinds: impl Iterator<Item = RecordType>,
    ) -> Result<(), ShortBuffer> {
        let mut bits = [0u8; 32];
        let mut len = 0;
        for RecordType(kind) in kinds.filter(|k| k.0 < 256) {
            if let Some(octet) = bits.get_mut(usize::from(kind / 8)) {
                *octet |= 0x80 >> (kind % 8);
                len = len.max(kind as u8 / 8 + 1);
            }
        }
        self.record(section, name, RecordType::NSEC, cache_flush, ttl, |b| {
            b.name(name)?;
            b.bytes(&[0, len])?;
            b.bytes(bits.get(..usize::from(len)).unwrap_or_default())
        })
    }

    /// Appends octets to the data of a record.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), ShortBuffer> {
        self.w.bytes(bytes)
    }

    /// Appends a name. One that is also the first of the message becomes a
    /// pointer to it.
    ///
    /// # Errors
    /// [`ShortBuffer`], also for what is no name: an empty label, one of more
    /// than 63 octets, or more than 255 octets in all.
    pub fn name(&mut self, text: &str) -> Result<(), ShortBuffer> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let written = self.w.written();
        if written.len() > HEADER_LEN
            && Name::read(written, &mut Reader::new(written.get(HEADER_LEN..).unwrap_or_default()))
                .is_ok_and(|first| first.is(text))
        {
            return self.w.u16(0xc000 | HEADER_LEN as u16);
        }
        if text.len() + 2 > MAX_NAME {
            return Err(ShortBuffer);
        }
        for label in text.split('.') {
            let len = u8::try_from(label.len()).map_err(|_| ShortBuffer)?;
            if !(1..=MAX_LABEL).contains(&label.len()) {
                return Err(ShortBuffer);
            }
            self.w.u8(len)?;
            self.w.bytes(label.as_bytes())?;
        }
        self.w.u8(0)
    }

    /// The message's length.
    pub fn finish(mut self) -> usize {
        let [answers, authorities, additionals] = self.counts;
        let counts = [self.questions, answers, authorities, additionals];
        for (field, count) in
            self.w.written_mut().get_mut(4..HEADER_LEN).unwrap_or_default().chunks_mut(2).zip(counts)
        {
            field.copy_from_slice(&count.to_be_bytes());
        }
        self.w.len()
    }

    /// Writes all of something, or nothing of it.
    fn whole(&mut self, write: impl FnOnce(&mut Self) -> Result<(), ShortBuffer>) -> Result<(), ShortBuffer> {
        let before = self.w.len();
        let result = write(self);
        if result.is_err() {
            self.w.truncate(before);
        }
        result
    }
}

/// The name of a host whose address is not to be seen: a random UUID, then
/// `.local` (draft-ietf-mmusic-mdns-ice-candidates, Section 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UuidName([u8; 16]);

impl UuidName {
    /// Octets of the name as text.
    pub const LEN: usize = 42;

    /// A name of `random` octets, "a version 4 UUID".
    pub fn new(random: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(random);
        let version = bits & !(0xf << 76) | 4 << 76;
        Self((version & !(3 << 62) | 2 << 62).to_be_bytes())
    }

    /// Reads a name; of any version, and in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let (uuid, domain) = text.split_at_checked(36)?;
        if !domain.eq_ignore_ascii_case(".local") {
            return None;
        }
        let mut bits = 0u128;
        for (i, octet) in uuid.bytes().enumerate() {
            if matches!(i, 8 | 13 | 18 | 23) {
                (octet == b'-').then_some(())?;
            } else {
                bits = bits << 4 | u128::from(char::from(octet).to_digit(16)?);
            }
        }
        Some(Self(bits.to_be_bytes()))
    }

    /// The name as text.
    pub fn to_text(self) -> heapless::String<{ Self::LEN }> {
        let mut text = heapless::String::new();
        // It has the length that was made room for.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{self}"));
        text
    }
}

impl fmt::Display for UuidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, octet) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{octet:02x}")?;
        }
        f.write_str(".local")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    /// Reads all that there is to read; says how many records.
    fn walk(bytes: &[u8]) -> usize {
        let Ok(message) = Message::parse(bytes) else { return 0 };
        let questions = message.questions().inspect(|q| q.name.labels().for_each(drop)).count();
        let records = message.records().map(|(_, r)| {
            if let Data::Ptr(name) | Data::Srv { target: name, .. } = r.data {
                assert!(name.to_string().len() <= 4 * MAX_NAME);
            }
            assert!(r.name.labels().map(|l| 1 + l.len()).sum::<usize>() < MAX_NAME);
        });
        questions + records.count()
    }

    #[test]
    fn a_response_that_points_back_is_read() {
        // printer.local A, with a PTR that points into it.
        let octets = b"\0\0\x84\0\0\0\0\x02\0\0\0\x01\
            \x07printer\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\xc0\0\x02\x07\
            \x04_ipp\x04_tcp\xc0\x14\0\x0c\0\x01\0\0\x11\x94\0\x06\x03Abc\xc0\x29\
            \xc0\x0c\0\x21\x80\x01\0\0\0\x78\0\x08\0\0\0\x01\x02\x77\xc0\x0c";
        let m = Message::parse(octets).unwrap();
        assert!(m.is_response && m.questions().next().is_none());
        let records: Vec<_> = m.records().collect();
        let (section, a) = records[0];
        assert!(section == Section::Answer && a.cache_flush && a.name.is("Printer.LOCAL."));
        assert_eq!((a.kind, a.ttl), (RecordType::A, 120));
        assert_eq!(a.data, Data::Address("192.0.2.7".parse().unwrap()));
        assert_eq!(records[1].1.name.to_string(), "_ipp._tcp.local");
        assert!(matches!(records[1].1.data, Data::Ptr(n) if n.is("Abc._ipp._tcp.local")));
        assert_eq!(records[2].0, Section::Additional);
        assert!(matches!(records[2].1.data, Data::Srv { port: 631, target, .. } if target == a.name));
        for n in 0..octets.len() {
            assert!(walk(&octets[..n]) < 3, "cut at {n}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let mut buf = [0xff; 200];
        let mut b = Builder::response(&mut buf, 7).unwrap();
        b.question("a.local", RecordType::ANY, true).unwrap();
        for addr in ["192.0.2.1", "2001:db8::1"] {
            b.address(Section::Answer, "A.local", true, 120, addr.parse().unwrap()).unwrap();
        }
        b.record(Section::Additional, "_x._udp.local", RecordType::SRV, false, 9, |b| {
            b.bytes(&[0, 1, 0, 2, 0, 3])?;
            b.name("a.local")
        })
        .unwrap();
        b.record(Section::Additional, "_x._udp.local", RecordType::TXT, false, 9, |b| b.bytes(b"\x01a"))
            .unwrap();
        let n = b.finish();
        let m = Message::parse(&buf[..n]).unwrap();
        assert!(m.id == 7 && m.is_response && !m.truncated);
        let q: Vec<_> = m.questions().collect();
        assert!(q.len() == 1 && q[0].name.is("a.local") && q[0].unicast_response);
        assert!(q[0].kind.wants(RecordType::A));
        let records: Vec<_> = m.records().map(|(_, r)| r).collect();
        assert_eq!(records.len(), 4);
        assert_eq!(records[0].data, Data::Address("192.0.2.1".parse().unwrap()));
        assert_eq!(records[1].data, Data::Address("2001:db8::1".parse().unwrap()));
        assert_eq!(records[1].name, q[0].name);
        assert!(
            matches!(records[2].data, Data::Srv { priority: 1, weight: 2, port: 3, target } if target.is("a.local"))
        );
        assert_eq!(records[3].data, Data::Txt(b"\x01a"));
    }

    #[test]
    fn what_does_not_fit_or_is_no_name_is_refused_and_leaves_nothing() {
        let long = "x".repeat(64);
        let many = std::vec!["abcdefg"; 32].join(".");
        for bad in ["", ".", "a..b", ".a", &long, &many] {
            let mut buf = [0; 600];
            let mut b = Builder::query(&mut buf, 0).unwrap();
            assert_eq!(b.question(bad, RecordType::A, false), Err(ShortBuffer), "{bad:?}");
            assert_eq!(b.finish(), HEADER_LEN);
        }
        for room in HEADER_LEN..HEADER_LEN + 15 {
            let mut buf = [0; 64];
            let mut b = Builder::query(&mut buf[..room], 0).unwrap();
            assert_eq!(b.question("abc.local", RecordType::A, false), Err(ShortBuffer));
            let n = b.finish();
            assert_eq!((n, walk(&buf[..n])), (HEADER_LEN, 0));
        }
    }

    #[test]
    fn what_a_name_lacks_is_said() {
        let mut buf = [0xff; 200];
        let mut b = Builder::query(&mut buf, 0).unwrap();
        b.question("a.local", RecordType::ANY, false).unwrap();
        b.address(Section::Authority, "a.local", false, 120, "192.0.2.1".parse().unwrap()).unwrap();
        let kinds = [RecordType::A, RecordType::AAAA];
        b.nsec(Section::Additional, "a.local", true, 120, kinds.into_iter()).unwrap();
        let n = b.finish();
        let m = Message::parse(&buf[..n]).unwrap();
        let records: Vec<_> = m.records().collect();
        assert_eq!(
            records.iter().map(|(s, _)| *s).collect::<Vec<_>>(),
            [Section::Authority, Section::Additional]
        );
        // "the bitmap ... 0x40 0x00 0x00 0x08": A is bit 1, AAAA is bit 28.
        assert_eq!(records[1].1.data, Data::Other(b"\xc0\x0c\0\x04\x40\0\0\x08"));
    }

    #[test]
    fn a_uuid_name_reads_as_it_was_written() {
        let name = UuidName::new([0xff; 16]);
        assert_eq!(name.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff.local");
        assert_eq!(UuidName::new([0; 16]).to_text(), "00000000-0000-4000-8000-000000000000.local");
        assert_eq!(UuidName::parse("FFFFFFFF-ffff-4fff-bfff-ffffffffffff.LOCAL"), Some(name));
        let text = name.to_text();
        for n in 0..text.len() {
            assert_eq!(UuidName::parse(&text[..n]), None, "{}", &text[..n]);
        }
        for bad in [
            "printer.local",
            "ffffffff-ffff-4fff-bfff-ffffffffffff.local.",
            "ffffffff-ffff-4fff-bfff-fffffffffff\u{e9}.local",
            "ffffffff+ffff-4fff-bfff-ffffffffffff.local",
            "ffffffff-ffff-4fff-bfff-ffffffffffff.com",
        ] {
            assert_eq!(UuidName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn pointers_lead_backwards_only() {
        let question = |name: &[u8]| [b"\0\0\0\0\0\x01\0\0\0\0\0\0", name, b"\0\x01\0\x01"].concat();
        assert_eq!(walk(&question(b"\x01a\0")), 1);
        // To itself, to behind itself, into the header and from there on, past
        // the end, and a label of a length that is none.
        for bad in [&b"\xc0\x0c"[..], b"\x01a\xc0\x0c", b"\xc0\x0e", b"\xff\xff", b"\x01a\xc0\x0e", b"\x40a"]
        {
            assert_eq!(walk(&question(bad)), 0, "{bad:?}");
        }
        // A chain of pointers ends where nobody needs one.
        let mut chain = b"\0\0\0\0\xff\xff\0\0\0\0\0\0\0\0\x01\0\x01".to_vec();
        let mut last = 12u16;
        while chain.len() < 0x3ff0 {
            let at = chain.len() as u16;
            chain.extend_from_slice(&(0xc000 | last).to_be_bytes());
            chain.extend_from_slice(b"\0\x01\0\x01");
            last = at;
        }
        assert_eq!(walk(&chain), 1 + MAX_HOPS);
    }

    #[test]
    fn the_corpus_of_libwebrtc_and_all_that_is_near_it_is_read_to_an_end() {
        let folder =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/corpora/libwebrtc/mdns-corpus");
        let Ok(files) = std::fs::read_dir(folder) else {
            std::println!("skipped: {folder} is not there");
            return;
        };
        let mut read = 0;
        for file in files {
            let mut bytes = std::fs::read(file.unwrap().path()).unwrap();
            read += 1;
            for n in 0..=bytes.len() {
                walk(&bytes[..n]);
            }
            for at in 0..bytes.len() {
                let before = bytes[at];
                for new in [0, 1, 63, 64, 0xc0, 0xff, before ^ 0x80] {
                    bytes[at] = new;
                    walk(&bytes);
                }
                bytes[at] = before;
            }
        }
        assert_eq!(read, 20);
    }
}
