//! Two associations over a link that loses, doubles and reorders, in virtual
//! time.

mod bytes;
mod handshake;
#[cfg(feature = "path-mtu")]
mod path_mtu;
mod recovery;
mod reliability;
mod streams;
mod transfer;

use super::*;
use crate::env::Env;
use crate::wire::sctp::{ChunkType, Packet};
use std::collections::BTreeMap;
use std::vec::Vec;

/// What the link does to packets.
#[derive(Clone, Copy)]
pub(super) struct Weather {
    pub(super) loss: u32,
    pub(super) duplicates: u32,
    pub(super) reordered: u32,
    pub(super) delay: Duration,
}

pub(super) const FINE: Weather =
    Weather { loss: 0, duplicates: 0, reordered: 0, delay: Duration::from_millis(10) };

pub(super) fn config() -> Config {
    Config { max_init_retransmits: Some(20), ..Config::new(crate::crypto::rust_crypto::PROVIDER.hashes) }
}

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) ends: [Association; 2],
    rng: Rng,
    dice: Rng,
    /// By arrival and order: to whom, and what.
    wire: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    sent: u64,
    pub(super) weather: Weather,
    pub(super) events: [Vec<Event>; 2],
    /// Streams whose buffered amounts fell.
    pub(super) lows: [Vec<u16>; 2],
    pub(super) read: [Vec<(u16, u32, Vec<u8>)>; 2],
    /// Whether what arrives is read at once.
    pub(super) reading: [bool; 2],
    /// Decides the fate of each packet: `false` loses it.
    pub(super) filter: fn(from: usize, nth: u64, kinds: &[ChunkType]) -> bool,
    /// What the path carries: longer packets are lost.
    pub(super) carries: usize,
    counts: [u64; 2],
    /// The longest packet, by sender.
    pub(super) longest: [usize; 2],
    /// Kinds of all chunks, by sender.
    pub(super) seen: [Vec<ChunkType>; 2],
}

impl Pair {
    pub(super) fn with(configs: [Config; 2], limits: [Limits; 2], seed: u8) -> Self {
        let mut rng = Rng::new([seed; 32]);
        let [a, b] = configs;
        let ends = [
            Association::new(a, &limits[0], &mut rng).unwrap(),
            Association::new(b, &limits[1], &mut rng).unwrap(),
        ];
        Self {
            now: Instant::from_millis(1000),
            ends,
            dice: rng.fork(),
            rng,
            wire: BTreeMap::new(),
            sent: 0,
            weather: FINE,
            events: Default::default(),
            lows: Default::default(),
            read: Default::default(),
            reading: [true; 2],
            filter: |_, _, _| true,
            carries: usize::MAX,
            counts: [0; 2],
            longest: [0; 2],
            seen: Default::default(),
        }
    }

    pub(super) fn new() -> Self {
        Self::with([config(), config()], [Limits::DEFAULT; 2], 1)
    }

    pub(super) fn connected() -> Self {
        let mut pair = Self::new();
        pair.connect();
        pair
    }

    pub(super) fn connect(&mut self) {
        self.connect_end(0);
        self.connect_end(1);
        self.run_for(Duration::from_secs(1));
        assert!(self.ends.iter().all(Association::is_established), "not connected");
        self.events = Default::default();
    }

    pub(super) fn connect_end(&mut self, end: usize) {
        let remote = Remote { port: 5000, max_message_size: 0 };
        self.ends[end].connect(&mut Env::new(self.now, &mut self.rng), &remote);
    }

    pub(super) fn write(&mut self, end: usize, stream: u16, data: &[u8]) -> Result<(), WriteError> {
        self.write_as(end, stream, data, false, Reliability::Reliable)
    }

    pub(super) fn write_as(
        &mut self,
        end: usize,
        stream: u16,
        data: &[u8],
        unordered: bool,
        reliability: Reliability,
    ) -> Result<(), WriteError> {
        let message = Message { stream, ppid: 51, data, unordered, reliability };
        self.ends[end].handle_write(self.now, message)
    }

    /// Hands a packet to an end.
    pub(super) fn receive(&mut self, end: usize, packet: &[u8]) {
        self.ends[end].handle_read(&mut Env::new(self.now, &mut self.rng), packet);
    }

    /// The next packet of an end, not put on the wire.
    pub(super) fn transmit(&mut self, end: usize) -> Option<Vec<u8>> {
        let mut buf = [0; 20_000];
        let len = self.ends[end].poll_write(&mut Env::new(self.now, &mut self.rng), &mut buf)?;
        Some(buf[..len].to_vec())
    }

    fn send(&mut self, from: usize) -> bool {
        let Some(packet) = self.transmit(from) else { return false };
        let kinds: Vec<_> = Packet::parse(&packet).unwrap().chunks().map(|c| c.unwrap().kind).collect();
        let most = self.ends[from].max_packet.max(DEFAULT_MAX_PACKET);
        assert!(packet.len() <= most || kinds.contains(&ChunkType::PAD));
        let nth = self.counts[from];
        self.counts[from] += 1;
        self.seen[from].extend(&kinds);
        self.longest[from] = self.longest[from].max(packet.len());
        if packet.len() > self.carries
            || !(self.filter)(from, nth, &kinds)
            || self.dice.below(100) < self.weather.loss
        {
            return true;
        }
        let copies = 1 + u64::from(self.dice.below(100) < self.weather.duplicates);
        for _ in 0..copies {
            let late =
                if self.dice.below(100) < self.weather.reordered { self.dice.below(20_000) } else { 0 };
            let at = self.now + self.weather.delay + Duration::from_micros(late.into());
            self.sent += 1;
            self.wire.insert((at, self.sent), (1 - from, packet.clone()));
        }
        true
    }

    fn drain(&mut self) {
        for end in 0..2 {
            if self.reading[end] {
                while let Some(m) = self.ends[end].poll_read() {
                    self.read[end].push((m.stream, m.ppid, m.data.to_vec()));
                }
            }
            let mut packets = 0;
            while self.send(end) {
                packets += 1;
                assert!(packets < 5000, "an end does not stop sending");
            }
            while let Some(event) = self.ends[end].poll_event() {
                match event {
                    Event::BufferedAmountLow { stream } => self.lows[end].push(stream),
                    event => self.events[end].push(event),
                }
            }
        }
    }

    /// Lets virtual time pass.
    pub(super) fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Lets virtual time pass until `done`, or for `duration`. Says whether it
    /// was done.
    pub(super) fn run_until(&mut self, duration: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + duration;
        let mut idle = 0;
        loop {
            self.drain();
            if done(self) {
                return true;
            }
            let arrival = self.wire.keys().next().map(|k| k.0);
            let timeout = self.ends.iter().filter_map(Association::poll_timeout).min();
            let Some(next) = arrival.into_iter().chain(timeout).min().filter(|&t| t <= end) else {
                self.now = end;
                return false;
            };
            idle = if next > self.now { 0 } else { idle + 1 };
            assert!(idle < 5000, "time stands still");
            self.now = self.now.max(next);
            while let Some(entry) = self.wire.first_entry().filter(|e| e.key().0 <= self.now) {
                let (to, packet) = entry.remove();
                self.receive(to, &packet);
            }
            for end in 0..2 {
                self.ends[end].handle_timeout(&mut Env::new(self.now, &mut self.rng));
            }
        }
    }

    pub(super) fn texts(&self, end: usize) -> Vec<&[u8]> {
        self.read[end].iter().map(|m| &m.2[..]).collect()
    }
}

pub(super) fn pattern(n: usize, salt: u8) -> Vec<u8> {
    (0..n).map(|i| ((i * 31) >> 3) as u8 ^ salt).collect()
}
