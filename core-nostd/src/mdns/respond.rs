//! Names of our own: probing, announcing, answering, goodbyes.

use super::{
    Addresses, Error, HostName, Interfaces, MAX_INTERFACES, Mdns, PORT, host_name, take_lowest, without,
};
use crate::env::{Instant, Transmit, TransportContext};
use crate::wire::ShortBuffer;
use crate::wire::dns::{Builder, Data, Message, Name, Question, RecordType, Section};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// "120 seconds" for records with a host name (RFC 6762, Section 10).
const TTL: u32 = 120;
/// "the cache-flush bit MUST NOT be set in legacy unicast responses ... the
/// resource record TTL ... SHOULD NOT be greater than ten seconds" (Section
/// 6.7).
const LEGACY_TTL: u32 = 10;
/// "250 ms after the first query, the host should send a second; then, 250 ms
/// after that, a third" (Section 8.1).
const PROBES: u8 = 3;
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// "at least two unsolicited responses, one second apart" (Section 8.3).
const ANNOUNCEMENTS: u8 = 2;
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(1);
/// "until at least one second has elapsed since the last time that record was
/// multicast on that particular interface", or 250 ms for answers to probes
/// (Section 6).
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
const LEAST_INTERVAL_PROBE: Duration = Duration::from_millis(250);
/// How long the loser of two that probe at once waits (Section 8.2).
const DEFERENCE: Duration = Duration::from_secs(1);

/// Whether others may have the name too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ownership {
    /// Somebody may: it is probed for before it is used.
    Probe,
    /// Nobody can have it, since it is random: it is used at once.
    Random,
}

/// How a name of ours stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NameState {
    /// Whether somebody has it is being found out.
    Probing,
    /// It is ours, and others can find it.
    Established,
    /// Somebody else has it: [`unpublish`](Mdns::unpublish) it, and publish
    /// another.
    Conflict,
    /// It is being taken back.
    Leaving,
}

/// A name of ours.
#[derive(Debug)]
pub(super) struct Published {
    name: HostName,
    addresses: Addresses,
    ownership: Ownership,
    state: NameState,
    /// Probes or announcements that were sent.
    sent: u8,
    /// When the next probe or announcement is due.
    next: Option<Instant>,
    /// The interfaces on which the present step is to be sent.
    step_due: Interfaces,
    /// The interfaces on which an answer is to be sent.
    answer_due: Interfaces,
    multicast_at: [Option<Instant>; MAX_INTERFACES],
}

/// An answer to one host.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    /// The address of the interface.
    local: SocketAddr,
    name: HostName,
    to: SocketAddr,
    /// What a resolver that knows nothing of multicast asked: its number for
    /// the question, which is repeated to it.
    legacy: Option<u16>,
    kind: RecordType,
}

impl Published {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(super) fn known_addresses(&self) -> Option<&[IpAddr]> {
        (self.state == NameState::Established).then_some(&self.addresses)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn interface_added(&mut self, now: Instant, bit: Interfaces) {
        match self.state {
            NameState::Established => {
                self.step_due |= bit;
                self.sent = 1;
                self.next = Some(now + ANNOUNCE_INTERVAL);
            }
            NameState::Probing | NameState::Leaving => self.step_due |= bit,
            NameState::Conflict => {}
        }
    }

    pub(super) fn interface_removed(&mut self, index: usize) {
        self.step_due = without(self.step_due, index);
        self.answer_due = without(self.answer_due, index);
        if let Some(tail) = self.multicast_at.get_mut(index..) {
            tail.rotate_left(1);
        }
        if let Some(last) = self.multicast_at.last_mut() {
            *last = None;
        }
    }

    /// Starts from the beginning, at `at`.
    fn begin(&mut self, at: Instant) {
        self.state = match self.ownership {
            Ownership::Probe => NameState::Probing,
            Ownership::Random => NameState::Established,
        };
        self.sent = 0;
        self.next = Some(at);
    }

    /// Takes the step that is due: another probe or announcement, or the end
    /// of probing. Says whether the state changed.
    fn expire(&mut self, now: Instant, all: Interfaces) -> bool {
        if self.next.is_none_or(|at| at > now) {
            return false;
        }
        let (was, limit, interval) = match self.state {
            NameState::Probing => (self.state, PROBES, PROBE_INTERVAL),
            NameState::Established => (self.state, ANNOUNCEMENTS, ANNOUNCE_INTERVAL),
            NameState::Conflict | NameState::Leaving => {
                self.next = None;
                return false;
            }
        };
        if self.sent < limit {
            self.sent += 1;
            self.step_due = all;
            self.next = Some(now + interval);
        } else if was == NameState::Probing {
            self.state = NameState::Established;
            self.sent = 1;
            self.step_due = all;
            self.next = Some(now + ANNOUNCE_INTERVAL);
        } else {
            self.next = None;
        }
        self.state != was
    }

    fn kinds(&self) -> impl Iterator<Item = RecordType> {
        self.addresses.iter().map(|a| kind_of(*a))
    }

    /// Writes the addresses that `kind` wants, or that there are none, as
    /// answers, and the rest besides.
    fn write(&self, b: &mut Builder<'_>, kind: RecordType, flush: bool, ttl: u32) -> Result<(), ShortBuffer> {
        let (wanted, besides) = (|a: &&IpAddr| kind.wants(kind_of(**a)), Section::Additional);
        for address in self.addresses.iter().filter(wanted) {
            b.address(Section::Answer, &self.name, flush, ttl, *address)?;
        }
        let none = !self.addresses.iter().any(|a| wanted(&a));
        if none {
            b.nsec(Section::Answer, &self.name, flush, ttl, self.kinds())?;
        }
        for address in self.addresses.iter().filter(|a| !wanted(a)) {
            b.address(besides, &self.name, flush, ttl, *address)?;
        }
        if !none {
            b.nsec(besides, &self.name, flush, ttl, self.kinds())?;
        }
        Ok(())
    }

    fn probe(&self, buf: &mut [u8]) -> Result<usize, ShortBuffer> {
        let mut b = Builder::query(buf, 0)?;
        b.question(&self.name, RecordType::ANY, false)?;
        for address in &self.addresses {
            b.address(Section::Authority, &self.name, false, TTL, *address)?;
        }
        Ok(b.finish())
    }

    fn response(&self, buf: &mut [u8], ttl: u32) -> Result<usize, ShortBuffer> {
        let mut b = Builder::response(buf, 0)?;
        self.write(&mut b, RecordType::ANY, true, ttl)?;
        Ok(b.finish())
    }
}

fn kind_of(ip: IpAddr) -> RecordType {
    if ip.is_ipv4() { RecordType::A } else { RecordType::AAAA }
}

/// Whether whoever asks knows all the answers: "MUST NOT answer ... if the
/// answer it would give is already included in the Answer Section with an
/// RR TTL at least half the correct value" (RFC 6762, Section 7.1).
fn is_known(published: &Published, question: &Question<'_>, message: &Message<'_>) -> bool {
    let mut wanted = published.addresses.iter().filter(|a| question.kind.wants(kind_of(**a))).peekable();
    wanted.peek().is_some()
        && wanted.all(|address| {
            message.records().any(|(section, record)| {
                section == Section::Answer
                    && record.data == Data::Address(*address)
                    && record.ttl >= TTL / 2
                    && record.name.is(&published.name)
            })
        })
}

impl Mdns {
    /// Gives `name` the address `addr`, and answers for it from now on. Again
    /// with another address, the name has both. `ownership` of the first time
    /// counts.
    ///
    /// # Errors
    /// [`Error`].
    pub fn publish(
        &mut self,
        now: Instant,
        name: &str,
        addr: IpAddr,
        ownership: Ownership,
    ) -> Result<(), Error> {
        self.tick(now);
        let (now, name) = (self.now, host_name(name)?);
        match self.published.iter_mut().find(|p| p.is(&name)) {
            Some(known) if known.addresses.contains(&addr) && known.state != NameState::Leaving => {
                return Ok(());
            }
            Some(known) => {
                if known.state == NameState::Leaving {
                    known.addresses.clear();
                }
                known.addresses.push(addr).map_err(|_| Error::Full)?;
                known.begin(now);
            }
            None => {
                let mut addresses = Addresses::new();
                addresses.push(addr).map_err(|_| Error::Full)?;
                let mut published = Published {
                    name,
                    addresses,
                    ownership,
                    state: NameState::Probing,
                    sent: 0,
                    next: None,
                    step_due: 0,
                    answer_due: 0,
                    multicast_at: [None; MAX_INTERFACES],
                };
                published.begin(now);
                self.published.push(published).map_err(|_| Error::Full)?;
            }
        }
        self.names_changed = true;
        self.expire_names();
        Ok(())
    }

    /// Takes a name back, with all its addresses; others are told.
    pub fn unpublish(&mut self, now: Instant, name: &str) {
        self.tick(now);
        let all = self.all_interfaces();
        let Some(index) = self.published.iter().position(|p| p.is(name)) else { return };
        let Some(published) = self.published.get_mut(index) else { return };
        if published.state == NameState::Established && all != 0 {
            published.state = NameState::Leaving;
            published.step_due = all;
            published.answer_due = 0;
            published.next = None;
        } else if published.state != NameState::Leaving {
            self.published.swap_remove(index);
        }
    }

    /// How a name of ours stands; `None` when it is not published.
    pub fn state(&self, name: &str) -> Option<NameState> {
        self.published.iter().find(|p| p.is(name)).map(|p| p.state)
    }

    pub(super) fn expire_names(&mut self) {
        let (now, all) = (self.now, self.all_interfaces());
        for published in self.published.iter_mut() {
            self.names_changed |= published.expire(now, all);
        }
    }

    pub(super) fn handle_query(&mut self, interface: usize, from: SocketAddr, message: &Message<'_>) {
        for question in message.questions() {
            let Some(index) = self.published.iter().position(|p| question.name.is(&p.name)) else {
                continue;
            };
            let probed = self.defer_to_probe(index, &question, message);
            let Some(published) = self.published.get_mut(index) else { continue };
            if published.state != NameState::Established || is_known(published, &question, message) {
                continue;
            }
            let legacy = (from.port() != PORT).then_some(message.id);
            if legacy.is_some() || question.unicast_response {
                let (name, kind) = (published.name.clone(), question.kind);
                let Some(local) = self.interfaces.get(interface).map(|i| i.addr) else { continue };
                let reply = Reply { local, name, to: from, legacy, kind };
                if self.replies.push_back(reply).is_err() {
                    self.counters.suppressed += 1;
                }
                continue;
            }
            let least = if probed { LEAST_INTERVAL_PROBE } else { LEAST_INTERVAL };
            let last = published.multicast_at.get(interface).copied().flatten();
            if last.is_some_and(|at| self.now < at + least) {
                self.counters.suppressed += 1;
            } else {
                published.answer_due |= 1 << interface;
            }
        }
    }

    /// Whether the question is a probe. Of two that probe at once "the
    /// lexicographically later data wins"; the other waits a second (RFC 6762,
    /// Section 8.2).
    fn defer_to_probe(&mut self, index: usize, question: &Question<'_>, message: &Message<'_>) -> bool {
        let now = self.now;
        let Some(published) = self.published.get_mut(index) else { return false };
        let mut probed = false;
        let mut theirs = Addresses::new();
        for (section, record) in message.records() {
            if let (Section::Authority, Data::Address(ip)) = (section, record.data)
                && record.name == question.name
            {
                probed = true;
                let _ = theirs.push(ip);
            }
        }
        if published.state == NameState::Probing && probed {
            // IPv4 is before IPv6 in this order as A is before AAAA in that
            // of types.
            let mut ours = published.addresses.clone();
            ours.sort_unstable();
            theirs.sort_unstable();
            if theirs > ours {
                published.begin(now + DEFERENCE);
                published.step_due = 0;
            }
        }
        probed
    }

    /// Somebody says that `ip` has `name`. If that is a name of ours, either
    /// we have not got it yet, or it is to be found out whose it is (RFC 6762,
    /// Section 9).
    pub(super) fn look_for_conflict(&mut self, name: &Name<'_>, ip: IpAddr) {
        let now = self.now;
        let Some(published) = self.published.iter_mut().find(|p| name.is(&p.name)) else { return };
        if published.ownership == Ownership::Random || published.addresses.contains(&ip) {
            return;
        }
        match published.state {
            NameState::Probing => {
                published.state = NameState::Conflict;
                published.next = None;
                published.step_due = 0;
                self.names_changed = true;
            }
            NameState::Established => {
                published.begin(now);
                self.names_changed = true;
                self.expire_names();
            }
            NameState::Conflict | NameState::Leaving => {}
        }
    }

    /// Answers to single hosts.
    pub(super) fn poll_reply(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        while let Some(reply) = self.replies.pop_front() {
            if !self.interfaces.iter().any(|i| i.addr == reply.local) {
                continue;
            }
            let Some(published) = self.published.iter().find(|p| p.is(&reply.name)) else { continue };
            let path = TransportContext::udp(reply.local, reply.to);
            let mut write = || {
                let mut b = Builder::response(buf, reply.legacy.unwrap_or(0))?;
                match reply.legacy {
                    // "must repeat the query ID and the question" (RFC 6762,
                    // Section 6.7).
                    Some(_) => {
                        b.question(&reply.name, reply.kind, false)?;
                        published.write(&mut b, reply.kind, false, LEGACY_TTL)?;
                    }
                    None => published.write(&mut b, reply.kind, true, TTL)?,
                }
                Ok::<_, ShortBuffer>(b.finish())
            };
            if let Ok(len) = write() {
                return Some(Transmit::datagram(path, len));
            }
            self.counters.suppressed += 1;
        }
        None
    }

    /// Probes, announcements, answers to all, goodbyes.
    pub(super) fn poll_own(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        let (now, mut index) = (self.now, 0);
        while let Some(published) = self.published.get_mut(index) {
            let step = take_lowest(&mut published.step_due);
            let answer = if step.is_none() { take_lowest(&mut published.answer_due) } else { None };
            let Some(at) = step.or(answer) else {
                if published.state == NameState::Leaving {
                    self.published.swap_remove(index);
                } else {
                    index += 1;
                }
                continue;
            };
            let Some(interface) = self.interfaces.get(at) else { continue };
            let written = match published.state {
                NameState::Probing => published.probe(buf),
                NameState::Established => {
                    published.answer_due &= !(1 << at);
                    if let Some(slot) = published.multicast_at.get_mut(at) {
                        *slot = Some(now);
                    }
                    published.response(buf, TTL)
                }
                NameState::Leaving => published.response(buf, 0),
                NameState::Conflict => continue,
            };
            if let Ok(len) = written {
                return Some(Transmit::datagram(interface.multicast(), len));
            }
            self.counters.suppressed += 1;
        }
        None
    }
}
