//! What a device decides once, and the memory that goes with it.

use crate::rtc::{Rtc, Shared};
use crate::runner::{Probes, Runner, Sockets};
use crate::slot::Slot;
use crate::worker::Worker;
use core::cell::RefCell;
use embassy_net::Stack;
use embassy_net::udp::PacketMetadata;
use picortc::crypto::CryptoProvider;
use picortc::crypto::rust_crypto::CHIP;
use picortc::dtls::Certificate;
use picortc::env::Rng;
use picortc::peer::{Limits, SettingEngine};

/// More peers than this on one socket are not foreseen.
pub const MAX_PEERS: usize = 16;

/// What a device decides once. Start from [`Config::new`].
#[derive(Debug, Clone)]
pub struct Config {
    /// 32 octets from the chip's generator. Everything random is drawn from
    /// them; without real entropy nothing here is secret.
    pub seed: [u8; 32],
    /// The device's identity.
    pub certificate: Certificate,
    /// The UDP port of all peers; 0 takes any that is free.
    pub port: u16,
    /// How much heap a peer takes. Allocated when the peer comes, given back
    /// when it goes.
    pub limits: Limits,
    /// The core's settings. Whether public-key work is deferred follows from
    /// [`worker`](Self::worker), whatever stands here.
    pub settings: SettingEngine,
    /// What the device computes with.
    pub provider: &'static CryptoProvider,
    /// Who does the public-key work. `None`: the runner's task, which blocks
    /// its executor for as long as each computation takes.
    pub worker: Option<&'static Worker>,
}

impl Config {
    /// The smallest peers ([`Limits::TINY`]), the cheapest crypto that browsers
    /// speak ([`CHIP`]), and no worker.
    pub fn new(seed: [u8; 32], certificate: Certificate) -> Self {
        Self {
            seed,
            certificate,
            port: 0,
            limits: Limits::TINY,
            settings: SettingEngine::default(),
            provider: &CHIP,
            worker: None,
        }
    }
}

/// The memory of [`new`], best in a `StaticCell`: `PEERS` connections (at most
/// [`MAX_PEERS`]), and `RX` and `TX` octets of datagrams that wait. The
/// connections' own buffers are on the heap while they are there
/// (`Limits::heap_bytes`).
pub struct Resources<const PEERS: usize, const RX: usize = 4096, const TX: usize = 4096> {
    slots: [RefCell<Slot>; PEERS],
    shared: Shared,
    rx_meta: [PacketMetadata; 8],
    rx: [u8; RX],
    tx_meta: [PacketMetadata; 8],
    tx: [u8; TX],
    probes: Probes,
}

impl<const PEERS: usize, const RX: usize, const TX: usize> Resources<PEERS, RX, TX> {
    /// Room for `PEERS` peers.
    pub const fn new() -> Self {
        const { assert!(PEERS > 0 && PEERS <= MAX_PEERS, "1 to MAX_PEERS peers") };
        const { assert!(RX >= 1500 && TX >= 1500, "a datagram needs 1,500 octets") };
        Self {
            slots: [const { RefCell::new(Slot::EMPTY) }; PEERS],
            shared: Shared::new(),
            rx_meta: [PacketMetadata::EMPTY; 8],
            rx: [0; RX],
            tx_meta: [PacketMetadata::EMPTY; 8],
            tx: [0; TX],
            probes: Probes::new(),
        }
    }
}

impl<const PEERS: usize, const RX: usize, const TX: usize> Default for Resources<PEERS, RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PEERS: usize, const RX: usize, const TX: usize> core::fmt::Debug for Resources<PEERS, RX, TX> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Resources").field("peers", &PEERS).finish_non_exhaustive()
    }
}

/// The handle for signalling, and the task that drives the connections. The
/// stack needs room for two sockets (three for a moment).
pub fn new<'d, const PEERS: usize, const RX: usize, const TX: usize>(
    stack: Stack<'d>,
    resources: &'d mut Resources<PEERS, RX, TX>,
    mut config: Config,
) -> (Rtc<'d>, Runner<'d>) {
    config.settings.defer_public_key_operations = config.worker.is_some();
    let Resources { slots, shared, rx_meta, rx, tx_meta, tx, probes } = resources;
    let (slots, shared) = (&*slots, &*shared);
    let worker = config.worker;
    shared.start(Rng::new(config.seed), config);
    let rtc = Rtc::new(slots, shared);
    let sockets = Sockets { rx_meta, rx, tx_meta, tx, probes };
    (rtc, Runner::new(rtc, stack, sockets, worker))
}
