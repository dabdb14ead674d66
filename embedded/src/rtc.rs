//! The handle that signalling talks to.

use crate::config::{Config, MAX_PEERS};
use crate::peer::Peer;
use crate::runner::Counters;
use crate::slot::Slot;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::poll_fn;
use core::net::IpAddr;
use core::str::FromStr;
use core::task::{Context, Poll};
use embassy_sync::waitqueue::{MultiWakerRegistration, WakerRegistration};
use picortc::dtls::Fingerprint;
use picortc::env::{Instant, Rng, TransportProtocol};
use picortc::peer::{
    BuildError, ChannelError, RTCConfiguration, RTCDataChannelInit, RTCEvent, RTCPeerConnection,
    RTCPeerConnectionBuilder, RTCSdpType, RTCSessionDescription,
};

/// The addresses of the device that peers are told, with the socket's port.
pub type Addresses = [Option<core::net::SocketAddr>; 2];

/// Puts together what two lists say of the two families.
pub(crate) fn both<A, B, C>([a, b]: [A; 2], [x, y]: [B; 2], f: impl Fn(A, B) -> C) -> [C; 2] {
    [f(a, x), f(b, y)]
}

/// Which connection; `Display` and `FromStr` are for HTTP headers and URLs. A
/// place is used again, an id is not (until 2^32 peers later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PeerId {
    pub(crate) slot: u8,
    pub(crate) generation: u32,
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.slot, self.generation)
    }
}

/// The text is no [`PeerId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPeerId;

impl FromStr for PeerId {
    type Err = NotAPeerId;

    fn from_str(text: &str) -> Result<Self, NotAPeerId> {
        let (slot, generation) = text.split_once('-').ok_or(NotAPeerId)?;
        let slot = slot.parse().map_err(|_| NotAPeerId)?;
        let generation = generation.parse().map_err(|_| NotAPeerId)?;
        Ok(Self { slot, generation })
    }
}

/// Why signalling came to nothing. `Display` is meant for the person who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// Every place for a peer is taken.
    Full,
    /// There is no such peer, or it is gone.
    NoSuchPeer,
    /// The device has no address yet.
    NoAddress,
    /// The connection could not be built; mostly for want of heap.
    Build(BuildError),
    /// The description is of no use.
    Description(picortc::peer::Error),
    /// The offer has no section for data channels (`m=application`).
    NoDataSection,
    /// The data channel could not be made.
    Channel(ChannelError),
}

impl Refusal {
    /// The HTTP status that says so.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Full | Self::NoAddress | Self::Build(_) => 503,
            Self::NoSuchPeer => 404,
            Self::Description(_) | Self::NoDataSection | Self::Channel(_) => 400,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("every place for a peer is taken; try again when one has left"),
            Self::NoSuchPeer => f.write_str("there is no such peer, or it is gone"),
            Self::NoAddress => f.write_str("the device has no network address yet"),
            Self::Build(e) => write!(f, "no connection could be made: {e}"),
            Self::Description(e) => write!(f, "the description is of no use: {e}"),
            Self::NoDataSection => f.write_str("the offer has no section for data channels (m=application)"),
            Self::Channel(e) => write!(f, "no data channel could be made: {e}"),
        }
    }
}

impl core::error::Error for Refusal {}

impl From<picortc::peer::Error> for Refusal {
    fn from(e: picortc::peer::Error) -> Self {
        Self::Description(e)
    }
}

/// What the handles and the runner share, apart from the connections.
pub(crate) struct Shared {
    config: RefCell<Option<(Rng, Config)>>,
    pub(crate) addresses: Cell<Addresses>,
    pub(crate) counters: Cell<Counters>,
    /// Which of the addresses are not there now, and kept all the same.
    pub(crate) lost: Cell<[bool; 2]>,
    /// Whether the runner has something to do, and its task.
    work: (Cell<bool>, RefCell<WakerRegistration>),
    /// A connection is there to be accepted, or has left, or an address is known.
    pub(crate) news: RefCell<MultiWakerRegistration<MAX_PEERS>>,
}

impl Shared {
    pub(crate) const fn new() -> Self {
        Self {
            config: RefCell::new(None),
            addresses: Cell::new([None; 2]),
            counters: Cell::new(Counters::NONE),
            lost: Cell::new([false; 2]),
            work: (Cell::new(false), RefCell::new(WakerRegistration::new())),
            news: RefCell::new(MultiWakerRegistration::new()),
        }
    }

    pub(crate) fn start(&self, rng: Rng, config: Config) {
        self.config.replace(Some((rng, config)));
    }

    pub(crate) fn port(&self) -> u16 {
        self.config.borrow().as_ref().map_or(0, |(_, config)| config.port)
    }

    /// The runner has something to do.
    pub(crate) fn wake_runner(&self) {
        self.work.0.set(true);
        self.work.1.borrow_mut().wake();
    }

    pub(crate) fn take_work(&self) -> bool {
        self.work.0.take()
    }

    pub(crate) fn poll_work(&self, cx: &Context<'_>) -> Poll<()> {
        self.work.1.borrow_mut().register(cx.waker());
        if self.work.0.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The handle that signalling talks to; copy it wherever it is needed.
#[derive(Clone, Copy)]
pub struct Rtc<'d> {
    pub(crate) slots: &'d [RefCell<Slot>],
    pub(crate) shared: &'d Shared,
}

impl fmt::Debug for Rtc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rtc").field("peers", &self.peers()).field("capacity", &self.slots.len()).finish()
    }
}

impl<'d> Rtc<'d> {
    pub(crate) fn new(slots: &'d [RefCell<Slot>], shared: &'d Shared) -> Self {
        Self { slots, shared }
    }

    /// Answers an offer: with a new connection, or, when `peer` is given, with
    /// that one (renegotiation, ICE restart).
    ///
    /// # Errors
    /// [`Refusal`]; no connection is left over.
    pub fn answer(
        self,
        peer: Option<PeerId>,
        offer: &str,
    ) -> Result<(PeerId, RTCSessionDescription), Refusal> {
        let now = crate::now();
        let answered = match peer {
            Some(id) => {
                let mut slot = self.slot(id).ok_or(Refusal::NoSuchPeer)?.borrow_mut();
                let pc = slot.pc.as_mut().ok_or(Refusal::NoSuchPeer)?;
                (id, answer(pc, now, offer)?)
            }
            None => self.admit(now, |pc| answer(pc, now, offer))?,
        };
        self.shared.wake_runner();
        Ok(answered)
    }

    /// Makes an offer with a data channel, for a server that knows the other
    /// side. Give its answer to [`accept_answer`](Self::accept_answer).
    ///
    /// # Errors
    /// [`Refusal`]; no connection is left over.
    pub fn offer(
        self,
        label: &str,
        init: RTCDataChannelInit<'_>,
    ) -> Result<(PeerId, RTCSessionDescription), Refusal> {
        let now = crate::now();
        let offered = self.admit(now, |pc| {
            pc.create_data_channel(now, label, init).map_err(Refusal::Channel)?;
            let offer = pc.create_offer(None)?;
            pc.set_local_description(now, RTCSdpType::Offer, &offer.sdp)?;
            Ok(offer)
        })?;
        self.shared.wake_runner();
        Ok(offered)
    }

    /// Takes the answer to an [`offer`](Self::offer).
    ///
    /// # Errors
    /// [`Refusal`]; the connection is as it was.
    pub fn accept_answer(self, peer: PeerId, answer: &str) -> Result<(), Refusal> {
        let mut slot = self.slot(peer).ok_or(Refusal::NoSuchPeer)?.borrow_mut();
        let pc = slot.pc.as_mut().ok_or(Refusal::NoSuchPeer)?;
        pc.set_remote_description(crate::now(), RTCSdpType::Answer, answer)?;
        drop(slot);
        self.shared.wake_runner();
        Ok(())
    }

    /// Waits for a connection that nobody serves yet. Its task owns it: when
    /// the [`Peer`] is dropped, the connection closes.
    pub async fn accept(self) -> Peer<'d> {
        poll_fn(|cx| {
            for (index, slot) in self.slots.iter().enumerate() {
                let mut slot = slot.borrow_mut();
                if slot.pc.is_some() && !slot.claimed && !slot.released {
                    slot.claimed = true;
                    let id = PeerId { slot: index as u8, generation: slot.generation };
                    return Poll::Ready(Peer::new(self, id));
                }
            }
            self.shared.news.borrow_mut().register(cx.waker());
            Poll::Pending
        })
        .await
    }

    /// Takes a connection that nobody serves yet, by its id.
    pub fn claim(self, id: PeerId) -> Option<Peer<'d>> {
        let mut slot = self.slot(id)?.borrow_mut();
        if slot.pc.is_none() || slot.claimed || slot.released {
            return None;
        }
        slot.claimed = true;
        Some(Peer::new(self, id))
    }

    /// Closes a connection, whoever serves it, and says so to the peer.
    pub fn close(self, peer: PeerId) {
        if let Some(slot) = self.slot(peer) {
            let mut slot = slot.borrow_mut();
            slot.released = true;
            slot.waker.wake();
            drop(slot);
            self.shared.wake_runner();
        }
    }

    /// Waits until a connection is over and its place is free again.
    pub async fn wait_until_gone(self, peer: PeerId) {
        poll_fn(|cx| {
            let tenant = self.slots.get(usize::from(peer.slot)).map(|slot| slot.borrow().generation);
            if tenant != Some(peer.generation) {
                return Poll::Ready(());
            }
            self.shared.news.borrow_mut().register(cx.waker());
            Poll::Pending
        })
        .await
    }

    /// Waits until the device has an address. The stack's own futures for its
    /// state (`wait_config_up` and the like) remember one task only, which is
    /// the runner's: ask here instead.
    pub async fn wait_for_address(self) -> IpAddr {
        poll_fn(|cx| match self.addresses().into_iter().flatten().next() {
            Some(addr) => Poll::Ready(addr.ip()),
            None => {
                self.shared.news.borrow_mut().register(cx.waker());
                Poll::Pending
            }
        })
        .await
    }

    /// The addresses that peers are told.
    pub fn addresses(self) -> Addresses {
        self.shared.addresses.get()
    }

    /// The device's identity, as descriptions carry it.
    pub fn fingerprint(self) -> Option<Fingerprint> {
        self.shared.config.borrow().as_ref().map(|(_, config)| config.certificate.fingerprint().clone())
    }

    /// How many peers there are.
    pub fn peers(self) -> usize {
        self.slots.iter().filter(|slot| slot.try_borrow().is_ok_and(|slot| slot.pc.is_some())).count()
    }

    /// How many peers there can be.
    pub fn capacity(self) -> usize {
        self.slots.len()
    }

    /// What the runner counted.
    pub fn counters(self) -> Counters {
        self.shared.counters.get()
    }

    /// The addresses as the stack had them when it was last looked at.
    pub(crate) fn seen(self) -> Addresses {
        let (known, lost) = (self.addresses(), self.shared.lost.get());
        both(known, lost, |known, lost| known.filter(|_| !lost))
    }

    /// The place of a peer that is there.
    pub(crate) fn slot(self, id: PeerId) -> Option<&'d RefCell<Slot>> {
        let slot = self.slots.get(usize::from(id.slot))?;
        let there = {
            let slot = slot.borrow();
            slot.generation == id.generation && slot.pc.is_some() && !slot.released
        };
        there.then_some(slot)
    }

    /// Builds a connection in a free place, if `negotiate` is content with it.
    fn admit<T>(
        self,
        now: Instant,
        negotiate: impl FnOnce(&mut RTCPeerConnection) -> Result<T, Refusal>,
    ) -> Result<(PeerId, T), Refusal> {
        let addresses = self.addresses();
        if addresses.iter().all(Option::is_none) {
            return Err(Refusal::NoAddress);
        }
        let free = self.slots.iter().position(|slot| slot.borrow().pc.is_none()).ok_or(Refusal::Full)?;
        let mut slot = self.slots.get(free).ok_or(Refusal::Full)?.borrow_mut();
        let pc = slot.pc.insert(self.build(now)?);
        for addr in addresses.into_iter().flatten() {
            pc.handle_event(now, RTCEvent::LocalAddressAdded { addr, protocol: TransportProtocol::Udp });
        }
        pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
        match negotiate(pc) {
            Ok(done) => {
                let id = PeerId { slot: free as u8, generation: slot.generation };
                drop(slot);
                info!("peer {}-{} is new", id.slot, id.generation);
                self.shared.news.borrow_mut().wake();
                Ok((id, done))
            }
            Err(refusal) => {
                slot.free();
                Err(refusal)
            }
        }
    }

    fn build(self, now: Instant) -> Result<RTCPeerConnection, Refusal> {
        let mut shared = self.shared.config.borrow_mut();
        let (rng, config) = shared.as_mut().ok_or(Refusal::NoAddress)?;
        let configuration = RTCConfiguration {
            certificates: core::slice::from_ref(&config.certificate),
            ..RTCConfiguration::default()
        };
        RTCPeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_setting_engine(config.settings)
            .with_limits(config.limits)
            .with_crypto_provider(config.provider)
            .build(now, rng.array())
            .map_err(Refusal::Build)
    }
}

fn answer(pc: &mut RTCPeerConnection, now: Instant, offer: &str) -> Result<RTCSessionDescription, Refusal> {
    pc.set_remote_description(now, RTCSdpType::Offer, offer)?;
    if pc.candidate_section().is_none() {
        pc.set_remote_description(now, RTCSdpType::Rollback, "")?;
        return Err(Refusal::NoDataSection);
    }
    let answer = pc.create_answer(None)?;
    pc.set_local_description(now, RTCSdpType::Answer, &answer.sdp)?;
    Ok(answer)
}
