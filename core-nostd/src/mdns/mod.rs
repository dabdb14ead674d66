//! Multicast DNS (RFC 6762): finding hosts on the local link by name, and
//! being found by name.
//!
//! [`Mdns`] stands alone: a device publishes `its-name.local` with it, and any
//! number of connections share one. What a connection does with it is in
//! `peer/mdns.rs`.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `query` | names that are asked for, and what was answered |
//! | `respond` | names of our own: probing, announcing, answering, goodbyes |

mod query;
mod respond;

#[cfg(test)]
mod tests;

pub use query::Lookup;
pub use respond::{NameState, Ownership};

use crate::env::{Instant, Transmit, TransportContext};
use crate::mem::{FixedDeque, FixedVec, OutOfMemory};
use crate::wire::dns::Message;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use query::Asked;
use respond::{Published, Reply};

/// The port of multicast DNS.
pub const PORT: u16 = 5353;
/// The group that is joined, and sent to, over IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// The group that is joined, and sent to, over IPv6.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// More interfaces than this are refused.
pub const MAX_INTERFACES: usize = 8;
/// Addresses of one name. Further ones are passed over.
pub const MAX_ADDRESSES: usize = 4;

/// A label of 63 octets and `.local`.
type HostName = heapless::String<69>;
type Addresses = heapless::Vec<IpAddr, MAX_ADDRESSES>;
/// A bit per interface.
type Interfaces = u8;

/// How much is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Names of our own.
    pub published: usize,
    /// Names that were asked for, with their answers. When it is full the
    /// oldest answer gives way.
    pub asked: usize,
    /// Unicast answers that wait to be sent. Further ones are dropped, and
    /// asked for again.
    pub replies: usize,
}

impl Limits {
    /// For microcontrollers.
    pub const TINY: Self = Self { published: 2, asked: 4, replies: 2 };
    /// For applications.
    pub const DEFAULT: Self = Self { published: 16, asked: 64, replies: 16 };
    /// For hubs that hold thousands of connections.
    pub const SERVER: Self = Self { published: 64, asked: 1024, replies: 64 };

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        FixedVec::<Published>::heap_bytes(self.published)
            + FixedVec::<Asked>::heap_bytes(self.asked)
            + FixedDeque::<Reply>::heap_bytes(self.replies)
    }
}

/// Why a name could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// It is not one label of 1 to 63 octets and `.local`.
    Name,
    /// There is no room for it, or for a further address of it, or for a
    /// further interface.
    Full,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a name of multicast DNS is one label of 1 to 63 octets, then .local",
            Self::Full => "full: the limits have no room for another name, address or interface",
        })
    }
}

impl core::error::Error for Error {}

/// What happened. Look at [`Mdns`] for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// A [`lookup`](Mdns::lookup) ended, well or not.
    LookupChange,
    /// The [`state`](Mdns::state) of a name of ours changed.
    NameStateChange,
}

/// What was received and not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Datagrams that are no messages of multicast DNS, or came by no known
    /// interface.
    pub noise: u64,
    /// Messages from hosts that are not on the link.
    pub off_link: u64,
    /// Answers that hold nothing that was asked for.
    pub unsolicited: u64,
    /// Queries whose answer had no room, or was sent a moment ago.
    pub suppressed: u64,
}

/// Where multicast DNS is spoken: a socket of an interface.
#[derive(Debug, Clone, Copy)]
struct Interface {
    addr: SocketAddr,
    prefix_len: u8,
}

impl Interface {
    /// "All Multicast DNS responses (including responses sent via unicast)
    /// ... the querier MUST ... check the source address": whoever is not on
    /// the link is not believed (RFC 6762, Section 11), nor answered.
    fn is_on_link(&self, ip: IpAddr) -> bool {
        fn same(a: u128, b: u128, bits: u32, prefix_len: u8) -> bool {
            (a ^ b).checked_shr(bits.saturating_sub(prefix_len.into())).unwrap_or(0) == 0
        }
        match (self.addr.ip(), ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                same(a.to_bits().into(), b.to_bits().into(), 32, self.prefix_len)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                b.is_unicast_link_local() || same(a.to_bits(), b.to_bits(), 128, self.prefix_len)
            }
            _ => false,
        }
    }

    fn group(&self) -> SocketAddr {
        match self.addr {
            SocketAddr::V4(_) => SocketAddr::new(GROUP_V4.into(), PORT),
            SocketAddr::V6(a) => SocketAddrV6::new(GROUP_V6, PORT, 0, a.scope_id()).into(),
        }
    }

    fn multicast(&self) -> TransportContext {
        TransportContext::udp(self.addr, self.group())
    }
}

/// A querier and responder of multicast DNS.
///
/// Its owner binds a socket to port [`PORT`] on each interface, joins
/// [`GROUP_V4`] or [`GROUP_V6`] with it, tells of it by
/// [`add_interface`](Self::add_interface), and carries datagrams. The IP TTL
/// of what is sent should be 255 (RFC 6762, Section 11).
///
/// An answer to what was not asked is never believed, and an answer that was
/// believed stays until its time is over: nobody can change what a name means
/// by being loud.
#[derive(Debug)]
pub struct Mdns {
    now: Instant,
    interfaces: heapless::Vec<Interface, MAX_INTERFACES>,
    published: FixedVec<Published>,
    asked: FixedVec<Asked>,
    replies: FixedDeque<Reply>,
    lookups_changed: bool,
    names_changed: bool,
    counters: Counters,
}

impl Mdns {
    /// One without interfaces. All its memory is taken here.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(limits: &Limits) -> Result<Self, OutOfMemory> {
        Ok(Self {
            now: Instant::ZERO,
            interfaces: heapless::Vec::new(),
            published: FixedVec::new(limits.published)?,
            asked: FixedVec::new(limits.asked)?,
            replies: FixedDeque::new(limits.replies)?,
            lookups_changed: false,
            names_changed: false,
            counters: Counters::default(),
        })
    }

    /// Tells of a socket: the address of its interface with the socket's port,
    /// and how many bits of the address are those of the link. Names that are
    /// published or asked for are told and asked there too.
    ///
    /// # Errors
    /// [`Error::Full`] beyond [`MAX_INTERFACES`].
    pub fn add_interface(&mut self, now: Instant, addr: SocketAddr, prefix_len: u8) -> Result<(), Error> {
        self.tick(now);
        if self.interfaces.iter().any(|i| i.addr == addr) {
            return Ok(());
        }
        self.interfaces.push(Interface { addr, prefix_len }).map_err(|_| Error::Full)?;
        let bit = 1 << (self.interfaces.len() - 1);
        for name in self.published.iter_mut() {
            name.interface_added(self.now, bit);
        }
        for asked in self.asked.iter_mut() {
            asked.interface_added(bit);
        }
        Ok(())
    }

    /// Tells that a socket is gone.
    pub fn remove_interface(&mut self, addr: SocketAddr) {
        let Some(index) = self.interfaces.iter().position(|i| i.addr == addr) else { return };
        self.interfaces.remove(index);
        for name in self.published.iter_mut() {
            name.interface_removed(index);
        }
        for asked in self.asked.iter_mut() {
            asked.interface_removed(index);
        }
    }

    /// Takes in a datagram. `transport` has the address of the interface as it
    /// was told, and that of the sender.
    pub fn handle_read(&mut self, now: Instant, transport: TransportContext, datagram: &[u8]) {
        self.tick(now);
        let from = transport.peer_addr;
        let index = self.interfaces.iter().position(|i| i.addr == transport.local_addr);
        let Some((index, interface)) = index.and_then(|i| Some((i, *self.interfaces.get(i)?))) else {
            self.counters.noise += 1;
            return;
        };
        let Ok(message) = Message::parse(datagram) else {
            self.counters.noise += 1;
            return;
        };
        if !interface.is_on_link(from.ip()) {
            self.counters.off_link += 1;
        } else if !message.is_response {
            self.handle_query(index, from, &message);
        } else if from.port() == PORT {
            self.handle_response(from.ip(), &message);
        } else {
            // "MUST silently ignore any Multicast DNS responses they receive
            // where the source UDP port is not 5353" (RFC 6762, Section 6).
            self.counters.noise += 1;
        }
    }

    /// The next datagram to send. Call until `None`. `buf` should have 512
    /// octets.
    pub fn poll_write(&mut self, now: Instant, buf: &mut [u8]) -> Option<Transmit> {
        self.tick(now);
        self.poll_reply(buf).or_else(|| self.poll_own(buf)).or_else(|| self.poll_query(buf))
    }

    /// What happened since the last call.
    pub fn poll_event(&mut self) -> Option<Event> {
        if core::mem::take(&mut self.names_changed) {
            return Some(Event::NameStateChange);
        }
        core::mem::take(&mut self.lookups_changed).then_some(Event::LookupChange)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` when
    /// nothing is waited for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let names = self.published.iter().filter_map(Published::deadline);
        names.chain(self.asked.iter().filter_map(Asked::deadline)).min()
    }

    /// Does what is due. Calling it early or often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
        self.expire_names();
        self.expire_queries();
    }

    /// Counters, for statistics.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn all_interfaces(&self) -> Interfaces {
        0xffu8.checked_shr((MAX_INTERFACES - self.interfaces.len()) as u32).unwrap_or(0)
    }
}

/// Takes a name in: one label, then `.local`.
fn host_name(text: &str) -> Result<HostName, Error> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let (label, domain) = text.split_once('.').ok_or(Error::Name)?;
    if !(1..=63).contains(&label.len()) || !domain.eq_ignore_ascii_case("local") {
        return Err(Error::Name);
    }
    HostName::try_from(text).map_err(|_| Error::Name)
}

/// The bits without that of `index`, those above it one lower.
fn without(bits: Interfaces, index: usize) -> Interfaces {
    let low = (1u16 << index) - 1;
    (u16::from(bits) & low | u16::from(bits) >> 1 & !low) as Interfaces
}

/// The lowest interface of `bits`, taken out of them.
fn take_lowest(bits: &mut Interfaces) -> Option<usize> {
    let index = (*bits != 0).then(|| bits.trailing_zeros() as usize)?;
    *bits &= *bits - 1;
    Some(index)
}
