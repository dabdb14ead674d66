//! What the tests of picortc share: a network that loses, delays, reorders and
//! doubles, by a seed; and a [`Pair`] of connections on it, under a clock that
//! jumps from one event to the next.

use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::{
    BuildError, Limits, RTCDataChannelEvent, RTCDataChannelId, RTCEvent, RTCMessage, RTCPeerConnection,
    RTCPeerConnectionBuilder, RTCPeerConnectionEvent, RTCSdpType, RTCSessionDescription, SettingEngine,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A generator for the network's fate: splitmix64, so that a run is a function
/// of its seed.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Whether something of so many per mille happens.
    pub fn per_mille(&mut self, chance: u32) -> bool {
        self.roll() % 1000 < u64::from(chance)
    }
}

/// How a network treats datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// How long each takes.
    pub delay: Duration,
    /// How many of a thousand are lost.
    pub loss: u32,
    /// How many of a thousand arrive twice.
    pub duplication: u32,
    /// How many of a thousand take up to half as long again.
    pub reordering: u32,
    /// The longest datagram; longer ones vanish.
    pub mtu: usize,
    /// Octets per second of each direction; 0 is without bound. The queue
    /// before it holds 100 ms, then drops.
    pub rate: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self { delay: Duration::from_millis(5), loss: 0, duplication: 0, reordering: 0, mtu: 1400, rate: 0 }
    }
}

/// A datagram on its way.
#[derive(Debug, Clone)]
struct Flying {
    from: SocketAddr,
    to: SocketAddr,
    octets: Vec<u8>,
}

/// The network between two hosts.
#[derive(Debug)]
pub struct Network {
    /// How it treats datagrams.
    pub weather: Weather,
    dice: Dice,
    flying: BTreeMap<(Instant, u64), Flying>,
    count: u64,
    /// When each direction's link is free again.
    free_at: BTreeMap<SocketAddr, Instant>,
    /// A host's own address, and the one under which the network knows it;
    /// what is sent to its own reaches nobody.
    pub nat: Option<[SocketAddr; 2]>,
    /// Every datagram sent, as one running hash: equal for equal runs.
    pub trace: u64,
    /// The longest datagram that it carried.
    pub longest: usize,
}

impl Network {
    /// A network whose fate follows from `seed`.
    pub fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            dice: Dice(seed),
            flying: BTreeMap::new(),
            count: 0,
            free_at: BTreeMap::new(),
            nat: None,
            trace: 0xcbf2_9ce4_8422_2325,
            longest: 0,
        }
    }

    fn send(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, octets: &[u8]) {
        for octet in octets {
            self.trace = (self.trace ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
        }
        let is_unreachable = self.nat.is_some_and(|[own, _]| own == to);
        if octets.len() > self.weather.mtu || is_unreachable || self.dice.per_mille(self.weather.loss) {
            return;
        }
        self.longest = self.longest.max(octets.len());
        let mut start = now;
        if let Some(nanos) = 1_000_000_000_u64.checked_div(self.weather.rate) {
            let free = self.free_at.entry(from).or_insert(now);
            start = (*free).max(now);
            if start - now > Duration::from_millis(100) {
                return;
            }
            start += Duration::from_nanos(octets.len() as u64 * nanos);
            *free = start;
        }
        let copies = 1 + usize::from(self.dice.per_mille(self.weather.duplication));
        for _ in 0..copies {
            let mut at = start + self.weather.delay;
            if self.dice.per_mille(self.weather.reordering) {
                at += self.weather.delay * (self.dice.roll() % 50) as u32 / 100;
            }
            self.count += 1;
            let from = self.nat.filter(|[own, _]| *own == from).map_or(from, |[_, known]| known);
            self.flying.insert((at, self.count), Flying { from, to, octets: octets.to_vec() });
        }
    }

    /// Loses what is on its way.
    pub fn lose_all(&mut self) {
        self.flying.clear();
    }

    fn next(&self) -> Option<Instant> {
        self.flying.keys().next().map(|k| k.0)
    }

    fn arrived(&mut self, now: Instant) -> Option<Flying> {
        let first = self.flying.first_entry().filter(|e| e.key().0 <= now)?;
        let mut flying = first.remove();
        if let Some([own, known]) = self.nat
            && flying.to == known
        {
            flying.to = own;
        }
        Some(flying)
    }
}

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// On which channel.
    pub channel: RTCDataChannelId,
    /// Whether it is text.
    pub is_string: bool,
    /// Its octets.
    pub data: Vec<u8>,
}

/// One end of a [`Pair`].
#[derive(Debug)]
pub struct End {
    /// The connection.
    pub pc: RTCPeerConnection,
    /// Its address.
    pub addr: SocketAddr,
    /// Another one, which it has been told of.
    pub second: Option<SocketAddr>,
    /// All events so far.
    pub events: Vec<RTCPeerConnectionEvent>,
    /// All messages so far, unless [`keep`](Self::keep) is off.
    pub received: Vec<Received>,
    /// Octets of all messages so far.
    pub octets: u64,
    /// Whether messages are kept.
    pub keep: bool,
    /// Whether messages are read at all.
    pub reading: bool,
    /// Whether its datagrams get through.
    pub connected: bool,
}

impl End {
    fn has(&self, addr: SocketAddr) -> bool {
        self.addr == addr || self.second == Some(addr)
    }

    /// The channels that were opened, by either end.
    pub fn opened(&self) -> Vec<RTCDataChannelId> {
        let open = |e: &RTCPeerConnectionEvent| match e {
            RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) => Some(*id),
            _ => None,
        };
        self.events.iter().filter_map(open).collect()
    }
}

/// Two connections on one network. End 0 makes the offers.
#[derive(Debug)]
pub struct Pair {
    /// The time.
    pub now: Instant,
    /// The network.
    pub net: Network,
    /// The ends.
    pub ends: [End; 2],
    buf: Vec<u8>,
}

/// What an end is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Knobs.
    pub settings: SettingEngine,
    /// Memory.
    pub limits: Limits,
    /// Randomness.
    pub seed: u8,
    /// Its address.
    pub addr: &'static str,
    /// Another one.
    pub second: Option<&'static str>,
}

impl Setup {
    /// The usual first or second end.
    pub fn end(index: u8) -> Self {
        Self {
            settings: SettingEngine::default(),
            limits: Limits::DEFAULT,
            seed: 10 + index,
            addr: if index == 0 { "192.0.2.1:1000" } else { "192.0.2.2:2000" },
            second: None,
        }
    }

    fn build(&self, now: Instant) -> Result<End, BuildError> {
        let addr: SocketAddr = self.addr.parse().expect("the address of a test");
        let pc = RTCPeerConnectionBuilder::new()
            .with_setting_engine(self.settings)
            .with_limits(self.limits)
            .build(now, [self.seed; 32])?;
        Ok(End {
            pc,
            addr,
            second: None,
            events: Vec::new(),
            received: Vec::new(),
            octets: 0,
            keep: true,
            reading: true,
            connected: true,
        })
    }
}

impl Pair {
    /// Two ends that know their addresses and have not negotiated.
    pub fn new(weather: Weather, seed: u64) -> Self {
        Self::with(weather, seed, &Setup::end(0), &Setup::end(1))
    }

    /// The same with ends of one's own.
    pub fn with(weather: Weather, seed: u64, a: &Setup, b: &Setup) -> Self {
        let now = Instant::from_millis(1000);
        let build = |setup: &Setup| {
            let mut end = setup.build(now).expect("a connection");
            let protocol = TransportProtocol::Udp;
            end.second = setup.second.map(|addr| addr.parse().expect("the address of a test"));
            for addr in [Some(end.addr), end.second].into_iter().flatten() {
                end.pc.handle_event(now, RTCEvent::LocalAddressAdded { addr, protocol });
            }
            end.pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
            end
        };
        Self { now, net: Network::new(weather, seed), ends: [build(a), build(b)], buf: vec![0; 20_000] }
    }

    /// An offer of end `from` and the answer to it, without delay.
    pub fn negotiate(&mut self, from: usize, ice_restart: bool) {
        let now = self.now;
        let options = picortc::peer::RTCOfferOptions { ice_restart };
        let offer = self.ends[from].pc.create_offer(Some(options)).expect("an offer");
        self.ends[from].pc.set_local_description(now, RTCSdpType::Offer, &offer.sdp).expect("our own offer");
        let answer = self.answer(1 - from, &offer);
        self.ends[from].pc.set_remote_description(now, RTCSdpType::Answer, &answer.sdp).expect("the answer");
    }

    /// End `to` answers an offer.
    pub fn answer(&mut self, to: usize, offer: &RTCSessionDescription) -> RTCSessionDescription {
        let now = self.now;
        let pc = &mut self.ends[to].pc;
        pc.set_remote_description(now, RTCSdpType::Offer, &offer.sdp).expect("the offer");
        let answer = pc.create_answer(None).expect("an answer");
        pc.set_local_description(now, RTCSdpType::Answer, &answer.sdp).expect("our own answer");
        answer
    }

    /// Drains both ends: datagrams out, events, messages.
    fn poll(&mut self) {
        for i in 0..2 {
            let end = &mut self.ends[i];
            while let Some(event) = end.pc.poll_event() {
                end.events.push(event);
            }
            while end.reading
                && let Some(message) = end.pc.poll_read()
            {
                let RTCMessage::DataChannelMessage(channel, message) = message else { continue };
                end.octets += message.data.len() as u64;
                if end.keep {
                    let data = message.data.to_vec();
                    end.received.push(Received { channel, is_string: message.is_string, data });
                }
            }
            while let Some(event) = end.pc.poll_event() {
                end.events.push(event);
            }
            while let Some(t) = end.pc.poll_write(self.now, &mut self.buf) {
                if end.connected {
                    let TransportContext { local_addr, peer_addr, .. } = t.transport;
                    self.net.send(self.now, local_addr, peer_addr, &self.buf[..t.len]);
                }
            }
        }
    }

    /// Runs until `done` holds, or `limit` has passed. Says whether it holds.
    pub fn run(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        let mut still = 0;
        loop {
            self.poll();
            if done(self) {
                self.poll();
                return true;
            }
            self.poll();
            let timers = self.ends.iter().filter_map(|e| e.pc.poll_timeout()).min();
            let Some(next) = [self.net.next(), timers].into_iter().flatten().min() else { return false };
            if next > end {
                self.now = end;
                return false;
            }
            still = if next <= self.now { still + 1 } else { 0 };
            assert!(still < 1000, "time stands still");
            self.now = self.now.max(next);
            while let Some(mut flying) = self.net.arrived(self.now) {
                if let Some(to) = self.ends.iter_mut().find(|e| e.has(flying.to) && e.connected) {
                    let path = TransportContext::udp(flying.to, flying.from);
                    to.pc.handle_read(self.now, path, &mut flying.octets);
                }
            }
            for end in &mut self.ends {
                if end.pc.poll_timeout().is_some_and(|at| at <= self.now) {
                    end.pc.handle_timeout(self.now);
                }
            }
        }
    }

    /// Opens a channel from end 0 and runs until both ends have it.
    pub fn connect(&mut self) -> [RTCDataChannelId; 2] {
        let id =
            self.ends[0].pc.create_data_channel(self.now, "data", Default::default()).expect("a channel");
        self.negotiate(0, false);
        let up = self.run(Duration::from_secs(60), |p| p.ends.iter().all(|e| !e.opened().is_empty()));
        assert!(up, "no channel after a minute: {:?}", self.ends.each_ref().map(|e| &e.events));
        [id, self.ends[1].opened()[0]]
    }
}
