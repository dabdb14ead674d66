//! Many connections on one socket, or on one listener: whose is a datagram?

use crate::dtls::Cid;
use crate::env::{Rng, TransportContext};
use crate::mem::{FixedVec, Found, Index, KeyedHash, OutOfMemory};
use crate::wire::dtls::peek_connection_id;
use crate::wire::stun;

/// The longest ufrag that is told apart.
const MAX_UFRAG: usize = 32;
/// Ufrags of one connection: of this ICE generation, and of the one before.
const UFRAGS: usize = 2;

/// How many connections, and paths of each, are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DemultiplexerLimits {
    /// Connections.
    pub connections: usize,
    /// Paths of one connection. Of more, the oldest are forgotten, those that
    /// are not validated first.
    pub paths: usize,
}

impl DemultiplexerLimits {
    /// For microcontrollers.
    pub const TINY: Self = Self { connections: 4, paths: 4 };
    /// For applications.
    pub const DEFAULT: Self = Self { connections: 256, paths: 8 };
    /// For hubs that hold thousands of connections.
    pub const SERVER: Self = Self { connections: 10_000, paths: 4 };

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        FixedVec::<Slot>::heap_bytes(self.connections)
            + FixedVec::<Option<Path>>::heap_bytes(self.connections * self.paths)
            + Index::heap_bytes(self.connections * UFRAGS)
            + Index::heap_bytes(self.connections)
            + Index::heap_bytes(self.connections * self.paths)
    }
}

/// A connection of a [`Demultiplexer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConnectionId {
    index: u32,
    generation: u32,
}

impl ConnectionId {
    /// A number below [`DemultiplexerLimits::connections`] that no other
    /// connection has while this one is there.
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// Why a connection could not be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DemultiplexerError {
    /// There are as many connections as the limits allow.
    Full,
    /// The ufrag is another connection's, or longer than 32 octets.
    Ufrag,
    /// The DTLS connection ID is another connection's, or empty, or not as
    /// long as those of the others.
    Cid,
    /// There is no such connection.
    Unknown,
}

impl core::fmt::Display for DemultiplexerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Full => "the demultiplexer has as many connections as its limits allow",
            Self::Ufrag => "the ufrag is another connection's, or longer than 32 octets",
            Self::Cid => {
                "the DTLS connection ID is another connection's, or empty, or not as long as the others"
            }
            Self::Unknown => "the demultiplexer has no such connection",
        })
    }
}

impl core::error::Error for DemultiplexerError {}

/// What was routed, and at what cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DemultiplexerCounters {
    /// Datagrams that a ufrag told apart.
    pub by_ufrag: u64,
    /// Datagrams that a DTLS connection ID told apart.
    pub by_cid: u64,
    /// Datagrams that their path told apart.
    pub by_path: u64,
    /// Datagrams of nobody.
    pub unknown: u64,
    /// Places of tables that were looked at in all.
    pub probes: u64,
}

/// Hands a datagram to its connection in constant time, however many there
/// are.
///
/// Binding requests carry the ufrag of whom they are for, and records of DTLS
/// a connection ID where that was agreed on; everything else is told apart by
/// the path along which that connection was reached before. The
/// loop around many connections, for each datagram:
///
/// 1. [`route`](Self::route) says whose it is; nobody's is dropped;
/// 2. that connection's `handle_read` takes it in;
/// 3. [`learn`](Self::learn) is told what the connection says of the path.
///
/// Strangers cannot move or fill anything: a path is learnt only from what
/// the connection's own ICE has authenticated, and the hashes are keyed with
/// a secret.
///
/// ```
/// use picortc::peer::{Demultiplexer, DemultiplexerLimits};
///
/// let mut demux = Demultiplexer::new(&DemultiplexerLimits::TINY, [7; 32])?;
/// let id = demux.add("Nx4w+abc")?;
/// assert_eq!(id.index(), 0);
/// demux.remove(id);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Demultiplexer {
    hash: KeyedHash,
    slots: FixedVec<Slot>,
    /// The first free slot.
    free: Option<u32>,
    /// So many per slot.
    paths_each: usize,
    paths: FixedVec<Option<Path>>,
    by_ufrag: Index,
    by_path: Index,
    by_cid: Index,
    /// How long connection IDs are; 0 before the first.
    cid_len: usize,
    counters: DemultiplexerCounters,
}

type Ufrag = heapless::String<MAX_UFRAG>;

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    used: bool,
    next_free: Option<u32>,
    ufrags: [Option<Ufrag>; UFRAGS],
    cid: Option<Cid>,
    /// Which path is forgotten next.
    oldest: u16,
}

#[derive(Debug, Clone, Copy)]
struct Path {
    key: TransportContext,
    validated: bool,
}

impl Demultiplexer {
    /// An empty one, with all its memory. `seed` must be secret.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(limits: &DemultiplexerLimits, seed: [u8; 32]) -> Result<Self, OutOfMemory> {
        let mut rng = Rng::new(seed);
        let all_paths = limits.connections * limits.paths;
        let mut paths = FixedVec::new(all_paths)?;
        while paths.push(None).is_ok() {}
        Ok(Self {
            hash: KeyedHash::new(&mut rng),
            slots: FixedVec::new(limits.connections)?,
            free: None,
            paths_each: limits.paths,
            paths,
            by_ufrag: Index::new(limits.connections * UFRAGS)?,
            by_path: Index::new(all_paths)?,
            by_cid: Index::new(limits.connections)?,
            cid_len: 0,
            counters: DemultiplexerCounters::default(),
        })
    }

    /// Adds a connection, by its
    /// [`local_ufrag`](super::RTCPeerConnection::local_ufrag).
    ///
    /// # Errors
    /// [`DemultiplexerError`].
    pub fn add(&mut self, ufrag: &str) -> Result<ConnectionId, DemultiplexerError> {
        let kept = self.check_ufrag(ufrag)?;
        let index = match self.free {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).map_err(|_| DemultiplexerError::Full)?;
                self.slots.push(Slot::default()).map_err(|_| DemultiplexerError::Full)?;
                index
            }
        };
        let slot = self.slots.get_mut(index as usize).ok_or(DemultiplexerError::Full)?;
        self.free = slot.next_free.take();
        slot.used = true;
        slot.ufrags = [Some(kept), None];
        slot.oldest = 0;
        let id = ConnectionId { index, generation: slot.generation };
        self.by_ufrag.insert(self.hash.text(ufrag), index * UFRAGS as u32);
        Ok(id)
    }

    /// Tells of the ufrag that a connection has now. After an ICE restart it
    /// is known by the one before, too, until the restart after.
    ///
    /// # Errors
    /// [`DemultiplexerError`].
    pub fn set_ufrag(&mut self, id: ConnectionId, ufrag: &str) -> Result<(), DemultiplexerError> {
        let slot = self.slot(id).ok_or(DemultiplexerError::Unknown)?;
        let known = |u: &Option<Ufrag>| u.as_deref() == Some(ufrag);
        if slot.ufrags.iter().any(known) {
            return Ok(());
        }
        let kept = self.check_ufrag(ufrag)?;
        // The older of the two is in front.
        let place = slot.ufrags.iter().position(Option::is_none).unwrap_or(0);
        let over = slot.ufrags.get(place).cloned().flatten();
        if let Some(over) = over {
            self.forget_ufrag(&over);
        }
        let Some(slot) = self.slots.get_mut(id.index()) else { return Err(DemultiplexerError::Unknown) };
        if let Some(entry) = slot.ufrags.get_mut(place) {
            *entry = Some(kept);
        }
        let mut number = id.index * UFRAGS as u32 + place as u32;
        if place == 0 {
            // What was the newer is the older now.
            slot.ufrags.swap(0, 1);
            number = id.index * UFRAGS as u32 + 1;
            if let Some(older) = slot.ufrags.first().cloned().flatten() {
                self.forget_ufrag_at(&older, number);
                self.by_ufrag.insert(self.hash.text(&older), id.index * UFRAGS as u32);
            }
        }
        self.by_ufrag.insert(self.hash.text(ufrag), number);
        Ok(())
    }

    /// Tells of the connection ID that a connection has in
    /// [`SettingEngine::dtls_connection_id`](super::SettingEngine::dtls_connection_id).
    /// Records do not say how long theirs is: those of all connections have to
    /// be of one length.
    ///
    /// # Errors
    /// [`DemultiplexerError`].
    pub fn set_cid(&mut self, id: ConnectionId, cid: Cid) -> Result<(), DemultiplexerError> {
        let slot = self.slot(id).ok_or(DemultiplexerError::Unknown)?;
        if slot.cid == Some(cid) {
            return Ok(());
        }
        let fits = self.cid_len == 0 || self.cid_len == cid.len();
        if cid.is_empty() || !fits || self.find_cid(cid.as_slice()).number.is_some() {
            return Err(DemultiplexerError::Cid);
        }
        self.forget_cid(id);
        self.cid_len = cid.len();
        if let Some(slot) = self.slots.get_mut(id.index()) {
            slot.cid = Some(cid);
        }
        self.by_cid.insert(self.hash.octets(cid.as_slice()), id.index);
        Ok(())
    }

    /// Forgets a connection. What still comes for it is nobody's.
    pub fn remove(&mut self, id: ConnectionId) {
        if self.slot(id).is_none() {
            return;
        }
        for place in 0..self.paths_each {
            self.forget_path(id.index() * self.paths_each + place);
        }
        self.forget_cid(id);
        for place in 0..UFRAGS {
            let slot = self.slots.get_mut(id.index());
            if let Some(ufrag) = slot.and_then(|s| s.ufrags.get_mut(place)?.take()) {
                self.forget_ufrag_at(&ufrag, id.index * UFRAGS as u32 + place as u32);
            }
        }
        if let Some(slot) = self.slots.get_mut(id.index()) {
            slot.used = false;
            slot.generation = slot.generation.wrapping_add(1);
            slot.next_free = self.free.replace(id.index);
        }
    }

    /// Whose a datagram is: by the ufrag that it names, if it is a Binding
    /// request; by the connection ID, if it is a record with one that is known;
    /// else by the path along which it came. Nothing is believed yet.
    pub fn route(&mut self, transport: &TransportContext, datagram: &[u8]) -> Option<ConnectionId> {
        if let Some(ufrag) = stun::peek_local_ufrag(datagram) {
            let found = self.find_ufrag(ufrag);
            self.counters.probes += u64::from(found.probes);
            if let Some(number) = found.number {
                self.counters.by_ufrag += 1;
                return self.id(number / UFRAGS as u32);
            }
        }
        if self.cid_len > 0
            && let Some(cid) = peek_connection_id(datagram, self.cid_len)
        {
            let found = self.find_cid(cid);
            self.counters.probes += u64::from(found.probes);
            if let Some(index) = found.number {
                self.counters.by_cid += 1;
                return self.id(index);
            }
        }
        let key = *transport;
        let found = self.find_path(&key);
        self.counters.probes += u64::from(found.probes);
        match found.number {
            Some(number) => {
                self.counters.by_path += 1;
                self.id(self.owner(number))
            }
            None => {
                self.counters.unknown += 1;
                None
            }
        }
    }

    /// Remembers that `transport` leads to a connection: `validated` when its
    /// ICE has [validated](super::RTCPeerConnection::is_validated_path) the
    /// path, which also takes the path from a connection that had it before;
    /// otherwise when it [expects](super::RTCPeerConnection::is_expected_path)
    /// the peer there.
    pub fn learn(&mut self, id: ConnectionId, transport: &TransportContext, validated: bool) {
        let key = *transport;
        if self.slot(id).is_none() {
            return;
        }
        if let Some(number) = self.find_path(&key).number {
            let own = self.owner(number) == id.index;
            let known = self.paths.get_mut(number as usize).and_then(Option::as_mut);
            match known {
                Some(path) if own => {
                    path.validated |= validated;
                    return;
                }
                Some(_) if !validated => return,
                _ => self.forget_path(number as usize),
            }
        }
        let Some(at) = self.make_room(id, validated) else { return };
        if let Some(path) = self.paths.get_mut(at) {
            *path = Some(Path { key, validated });
        }
        self.by_path.insert(self.hash.path(&key), at as u32);
    }

    /// What was routed, and at what cost.
    pub fn counters(&self) -> DemultiplexerCounters {
        self.counters
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.slots.iter().filter(|s| s.used).count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A place for a path of a connection: a free one, or that of the oldest
    /// path that is worth less. What is not validated moves nothing that is.
    fn make_room(&mut self, id: ConnectionId, validated: bool) -> Option<usize> {
        let base = id.index() * self.paths_each;
        let own = self.paths.get(base..base + self.paths_each)?;
        if let Some(free) = own.iter().position(Option::is_none) {
            return Some(base + free);
        }
        let slot = self.slots.get_mut(id.index())?;
        let order = (0..own.len()).map(|i| (i + usize::from(slot.oldest)) % own.len());
        let worth = |i: &usize| own.get(*i).copied().flatten().is_some_and(|p| p.validated);
        let oldest = order.min_by_key(worth)?; // the first of equals
        if worth(&oldest) && !validated {
            return None;
        }
        slot.oldest = ((oldest + 1) % own.len()) as u16;
        self.forget_path(base + oldest);
        Some(base + oldest)
    }

    fn owner(&self, path: u32) -> u32 {
        (path as usize).checked_div(self.paths_each).unwrap_or(0) as u32
    }

    fn id(&self, index: u32) -> Option<ConnectionId> {
        let slot = self.slots.get(index as usize).filter(|s| s.used)?;
        Some(ConnectionId { index, generation: slot.generation })
    }

    fn slot(&self, id: ConnectionId) -> Option<&Slot> {
        self.slots.get(id.index()).filter(|s| s.used && s.generation == id.generation)
    }

    fn check_ufrag(&self, ufrag: &str) -> Result<Ufrag, DemultiplexerError> {
        if ufrag.is_empty() || self.find_ufrag(ufrag).number.is_some() {
            return Err(DemultiplexerError::Ufrag);
        }
        Ufrag::try_from(ufrag).map_err(|_| DemultiplexerError::Ufrag)
    }

    fn find_ufrag(&self, ufrag: &str) -> Found {
        self.by_ufrag.find(self.hash.text(ufrag), |number| self.ufrag(number) == Some(ufrag))
    }

    fn ufrag(&self, number: u32) -> Option<&str> {
        let (index, place) = (number as usize / UFRAGS, number as usize % UFRAGS);
        self.slots.get(index)?.ufrags.get(place)?.as_deref()
    }

    fn forget_ufrag(&mut self, ufrag: &str) {
        if let Some(number) = self.find_ufrag(ufrag).number {
            self.forget_ufrag_at(ufrag, number);
        }
    }

    fn forget_ufrag_at(&mut self, ufrag: &str, number: u32) {
        self.by_ufrag.remove(self.hash.text(ufrag), |n| n == number);
    }

    fn find_cid(&self, cid: &[u8]) -> Found {
        let is_cid = |index: u32| {
            let own = self.slots.get(index as usize).and_then(|s| s.cid.as_ref());
            own.is_some_and(|own| own.as_slice() == cid)
        };
        self.by_cid.find(self.hash.octets(cid), is_cid)
    }

    fn forget_cid(&mut self, id: ConnectionId) {
        if let Some(cid) = self.slots.get_mut(id.index()).and_then(|s| s.cid.take()) {
            self.by_cid.remove(self.hash.octets(cid.as_slice()), |n| n == id.index);
        }
    }

    fn find_path(&self, key: &TransportContext) -> Found {
        let is_key =
            |n: u32| self.paths.get(n as usize).copied().flatten().is_some_and(|p| p.key.same_path(key));
        self.by_path.find(self.hash.path(key), is_key)
    }

    fn forget_path(&mut self, at: usize) {
        if let Some(path) = self.paths.get_mut(at).and_then(Option::take) {
            self.by_path.remove(self.hash.path(&path.key), |n| n as usize == at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::TransportProtocol;
    use crate::wire::stun::{AttributeType, Builder, Class, Method, TransactionId};
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    fn request(username: &str) -> Vec<u8> {
        let mut buf = [0; 128];
        let mut b = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId([0; 12])).unwrap();
        b.attribute(AttributeType::USERNAME, &[username.as_bytes()]).unwrap();
        let n = b.finish();
        buf[..n].to_vec()
    }

    fn path(peer: &str) -> TransportContext {
        TransportContext::udp("192.0.2.1:5000".parse().unwrap(), peer.parse().unwrap())
    }

    fn demux(connections: usize, paths: usize) -> Demultiplexer {
        Demultiplexer::new(&DemultiplexerLimits { connections, paths }, [3; 32]).unwrap()
    }

    const DATA: &[u8] = &[23, 254, 253];

    #[test]
    fn the_ufrag_comes_first_and_then_the_path() {
        let mut demux = demux(4, 2);
        let (a, b) = (demux.add("aaaa").unwrap(), demux.add("bbbb").unwrap());
        let (p, q) = (path("198.51.100.1:1"), path("198.51.100.1:2"));
        assert_eq!(demux.route(&p, DATA), None);
        assert_eq!(demux.route(&p, &request("aaaa:x")), Some(a));
        assert_eq!(demux.route(&p, DATA), None, "asking alone teaches nothing");
        demux.learn(a, &p, true);
        assert_eq!(demux.route(&p, DATA), Some(a));
        assert_eq!(demux.route(&p, &request("bbbb:x")), Some(b), "another behind the same address");
        assert_eq!(demux.route(&p, &request("cccc:x")), Some(a), "of nobody's generation: by its path");
        assert_eq!(demux.route(&q, DATA), None);
        assert_eq!(demux.add("aaaa"), Err(DemultiplexerError::Ufrag));
        assert_eq!(demux.add(&"x".repeat(33)), Err(DemultiplexerError::Ufrag));
        let counters = demux.counters();
        assert_eq!((counters.by_ufrag, counters.by_path, counters.unknown), (2, 2, 3));
    }

    #[test]
    fn a_record_with_a_connection_id_is_found_from_anywhere() {
        let mut demux = demux(4, 2);
        let (a, b) = (demux.add("aaaa").unwrap(), demux.add("bbbb").unwrap());
        let cid = |octets: &[u8]| Cid::new(octets).unwrap();
        demux.set_cid(a, cid(b"id-a")).unwrap();
        assert_eq!(demux.set_cid(b, cid(b"id-a")), Err(DemultiplexerError::Cid));
        assert_eq!(demux.set_cid(b, cid(b"abc")), Err(DemultiplexerError::Cid));
        assert_eq!(demux.set_cid(b, Cid::EMPTY), Err(DemultiplexerError::Cid));
        demux.set_cid(b, cid(b"id-b")).unwrap();
        let (p, q) = (path("198.51.100.1:1"), path("198.51.100.1:2"));
        demux.learn(b, &p, true);
        // The C bit of the unified header, and tls12_cid.
        let record_13 = *b"\x3fid-a....";
        let record_12 = *b"\x19\xfe\xfd\0\x01\0\0\0\0\0\x07id-a\0\0";
        for record in [&record_13[..], &record_12] {
            assert_eq!(demux.route(&q, record), Some(a));
            assert_eq!(demux.route(&p, record), Some(a), "by its ID rather than its path");
            for cut in 0..record.len() {
                demux.route(&q, &record[..cut]);
            }
        }
        assert_eq!(demux.route(&q, b"\x3fid-c...."), None);
        assert_eq!(demux.route(&p, b"\x3fid-c...."), Some(b), "of nobody: by its path");
        demux.remove(a);
        assert_eq!(demux.route(&q, &record_13), None);
        assert_eq!((demux.by_cid.len(), demux.route(&q, b"\x3fid-b....")), (1, Some(b)));
    }

    #[test]
    fn only_a_validated_path_is_taken_from_another() {
        let mut demux = demux(4, 2);
        let (a, b) = (demux.add("aaaa").unwrap(), demux.add("bbbb").unwrap());
        let p = path("198.51.100.1:1");
        demux.learn(a, &p, false);
        demux.learn(b, &p, false);
        assert_eq!(demux.route(&p, DATA), Some(a));
        demux.learn(b, &p, true);
        assert_eq!(demux.route(&p, DATA), Some(b));
        demux.learn(a, &p, false);
        assert_eq!(demux.route(&p, DATA), Some(b));
        let tcp = TransportContext { transport_protocol: TransportProtocol::Tcp, ..p };
        assert_eq!(demux.route(&tcp, DATA), None, "another protocol is another path");
    }

    #[test]
    fn of_many_paths_the_oldest_is_forgotten_and_a_validated_one_last() {
        let mut demux = demux(2, 3);
        let a = demux.add("aaaa").unwrap();
        let p: Vec<_> = (0..9).map(|n| path(&format!("198.51.100.1:{}", n + 1))).collect();
        demux.learn(a, &p[0], true);
        for p in &p[1..4] {
            demux.learn(a, p, false);
        }
        let known = |demux: &mut Demultiplexer| -> String {
            p.iter().map(|p| if demux.route(p, DATA).is_some() { '1' } else { '0' }).collect()
        };
        assert_eq!(known(&mut demux), "101100000");
        demux.learn(a, &p[4], true);
        assert_eq!(known(&mut demux), "100110000");
        demux.learn(a, &p[5], true);
        assert_eq!(known(&mut demux), "100011000");
        demux.learn(a, &p[6], false);
        assert_eq!(known(&mut demux), "100011000", "a guess moves nothing that is known");
        demux.learn(a, &p[7], true);
        assert_eq!(known(&mut demux).matches('1').count(), 3);
        assert_eq!(demux.route(&p[7], DATA), Some(a));
    }

    #[test]
    fn after_restarts_the_last_two_ufrags_are_known() {
        let mut demux = demux(2, 1);
        let a = demux.add("gen0").unwrap();
        let b = demux.add("other").unwrap();
        for n in 1..6 {
            demux.set_ufrag(a, &format!("gen{n}")).unwrap();
            demux.set_ufrag(a, &format!("gen{n}")).unwrap();
            for m in 0..=n {
                let want = (m + 1 >= n).then_some(a);
                let found = demux.route(&path("198.51.100.1:1"), &request(&format!("gen{m}:x")));
                assert_eq!(found, want, "gen{m} after gen{n}");
            }
        }
        assert_eq!(demux.set_ufrag(a, "other"), Err(DemultiplexerError::Ufrag));
        demux.remove(a);
        assert_eq!(demux.set_ufrag(a, "gen9"), Err(DemultiplexerError::Unknown));
        assert_eq!(demux.route(&path("198.51.100.1:1"), &request("gen5:x")), None);
        assert_eq!(demux.route(&path("198.51.100.1:1"), &request("other:x")), Some(b));
        assert_eq!((demux.by_ufrag.len(), demux.len()), (1, 1));
    }

    #[test]
    fn a_place_is_used_again_and_its_old_name_is_not_valid() {
        let mut demux = demux(1, 1);
        let a = demux.add("aaaa").unwrap();
        let p = path("198.51.100.1:1");
        demux.learn(a, &p, true);
        assert_eq!(demux.add("bbbb"), Err(DemultiplexerError::Full));
        demux.remove(a);
        assert!(demux.is_empty() && demux.by_path.is_empty() && demux.by_ufrag.is_empty());
        let b = demux.add("bbbb").unwrap();
        assert_eq!((b.index(), b == a), (0, false));
        demux.learn(a, &p, true);
        demux.remove(a);
        assert_eq!(demux.route(&p, DATA), None);
        assert_eq!(demux.route(&p, &request("bbbb:x")), Some(b));
    }

    /// The mean of places looked at per datagram, and the most.
    fn cost(connections: usize) -> (f64, u64) {
        let mut demux = demux(connections, 4);
        let ids: Vec<_> = (0..connections).map(|n| demux.add(&format!("u{n:07}")).unwrap()).collect();
        let far =
            |n: usize, m: usize| path(&format!("10.{}.{}.{}:{}", n >> 12, n >> 4 & 255, n & 15, 5000 + m));
        for (n, id) in ids.iter().enumerate() {
            (0..4).for_each(|m| demux.learn(*id, &far(n, m), true));
        }
        let (mut most, mut routed) = (0, 0u32);
        for (n, id) in ids.iter().enumerate() {
            let by_ufrag = request(&format!("u{n:07}:peer"));
            for m in 0..4 {
                for datagram in [DATA, &by_ufrag] {
                    let before = demux.counters().probes;
                    assert_eq!(demux.route(&far(n, m), datagram), Some(*id));
                    most = most.max(demux.counters().probes - before);
                    routed += 1;
                }
            }
        }
        (demux.counters().probes as f64 / f64::from(routed), most)
    }

    #[test]
    fn ten_thousand_connections_cost_no_more_than_a_hundred() {
        let (few, many) = (cost(100), cost(10_000));
        std::println!("places looked at: 100 connections {few:?}, 10,000 connections {many:?}");
        assert!(few.0 < 2.0 && many.0 < 2.0, "{few:?} {many:?}");
        assert!(many.1 < 40, "{many:?}");
    }

    #[test]
    fn strangers_neither_fill_nor_move_anything() {
        let mut demux = demux(10, 4);
        let a = demux.add("aaaa").unwrap();
        let p = path("198.51.100.1:1");
        demux.learn(a, &p, true);
        for n in 0..10_000u32 {
            let from = path(&format!("203.0.113.{}:{}", n % 250, 1000 + n));
            demux.route(&from, &request("aaaa:guess"));
            demux.route(&from, DATA);
        }
        assert_eq!(demux.route(&p, DATA), Some(a));
        assert_eq!(demux.by_path.len(), 1);
        assert_eq!(demux.counters().unknown, 10_000);
    }
}
