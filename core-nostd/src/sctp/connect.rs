//! The handshake: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK (RFC 9260, Section
//! 5), from either end or from both at once.

use super::config::Remote;
use super::timeouts::Timeout;
use super::{Association, Due, Event, State};
use crate::crypto::{HashAlgorithm, constant_time_eq};
use crate::env::{Env, Instant, Rng, Span as _};
use crate::mem::Chain;
#[cfg(feature = "snap")]
use crate::wire::sctp::SignalledInit;
use crate::wire::sctp::{Cause, Features, Init, Param, Params, Tsn};
use crate::wire::{Malformed, Reader, ShortBuffer, Writer};
use core::time::Duration;

/// What identifies the two ends to each other.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) port: u16,
    pub(super) peer_port: u16,
    /// The tag of packets to us, and our first TSN.
    pub(super) tag: u32,
    pub(super) tsn: Tsn,
    /// The tag of packets to the peer; 0 while unknown.
    pub(super) peer_tag: u32,
    /// What we offer.
    features: Features,
    /// What the peer offers.
    pub(super) peer: Features,
}

impl Link {
    pub(super) fn new(port: u16, features: Features) -> Self {
        let peer = Features::default();
        Self { port, peer_port: port, tag: 0, tsn: Tsn(0), peer_tag: 0, features, peer }
    }

    /// Draws a tag and a first TSN of our own.
    pub(super) fn draw(&mut self, rng: &mut Rng) {
        // "The Initiate Tag is allowed to have any value except 0." (RFC
        // 9260, Section 3.3.2)
        self.tag = rng.next_u32().max(1);
        self.tsn = Tsn(rng.next_u32());
    }
}

/// An INIT of the peer that is to be answered. All that the association will
/// need goes into the cookie: an INIT alone changes nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cookie {
    created: Instant,
    tag: u32,
    tsn: Tsn,
    peer_tag: u32,
    peer_tsn: Tsn,
    window: u32,
    outbound: u16,
    inbound: u16,
    peer: Features,
    /// Tie-Tags: our tag and the peer's in the association that exists, or 0.
    tie: (u32, u32),
}

/// An INIT ACK to be sent.
#[derive(Debug)]
pub(super) struct PendingInitAck {
    cookie: Cookie,
    /// Parameters that the INIT's sender wants to be told of, as they stood.
    unrecognized: heapless::Vec<u8, 64>,
}

const COOKIE_LEN: usize = 41;
const MAC_LEN: usize = 16;
/// "Valid.Cookie.Life: 60 seconds" (RFC 9260, Section 16).
const COOKIE_LIFE: Duration = Duration::from_secs(60);

impl Cookie {
    /// What our tag and first TSN and the peer's INIT or INIT ACK make of an
    /// association.
    fn new(created: Instant, (tag, tsn): (u32, Tsn), init: &Init<'_>, tie: (u32, u32)) -> Self {
        Self {
            created,
            tag,
            tsn,
            peer_tag: init.tag,
            peer_tsn: init.tsn,
            window: init.window,
            outbound: init.outbound,
            inbound: init.inbound,
            peer: init.features,
            tie,
        }
    }

    fn emit(&self) -> Result<[u8; COOKIE_LEN], ShortBuffer> {
        let mut bytes = [0; COOKIE_LEN];
        let mut w = Writer::new(&mut bytes);
        w.u64(self.created.as_micros())?;
        for word in
            [self.tag, self.tsn.0, self.peer_tag, self.peer_tsn.0, self.window, self.tie.0, self.tie.1]
        {
            w.u32(word)?;
        }
        w.u16(self.outbound)?;
        w.u16(self.inbound)?;
        w.u8(self.peer.to_bits())?;
        Ok(bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let created = Instant::from_micros(r.u64()?);
        let (tag, tsn, peer_tag, peer_tsn) = (r.u32()?, Tsn(r.u32()?), r.u32()?, Tsn(r.u32()?));
        let (window, tie) = (r.u32()?, (r.u32()?, r.u32()?));
        let (outbound, inbound) = (r.u16()?, r.u16()?);
        let peer = Features::from_bits(r.u8()?);
        Ok(Self { created, tag, tsn, peer_tag, peer_tsn, window, outbound, inbound, peer, tie })
    }
}

impl Association {
    /// Starts the handshake with the peer whose description said `remote`.
    /// Both ends may do so. Without effect once the handshake is under way,
    /// but for what `remote` says.
    pub fn connect(&mut self, env: &mut Env<'_>, remote: &Remote) {
        self.take_remote(remote);
        if self.state == State::Idle {
            self.state = State::CookieWait;
            self.send_init(env.now);
        }
    }

    /// The INIT that the peer may be told of in a session description
    /// (draft-hancke-tsvwg-snap); the same one each time. It changes nothing
    /// here. `None` when the association is over.
    #[cfg(feature = "snap")]
    pub fn signalled_init(&self) -> Option<SignalledInit> {
        let mut init = self.our_init(self.link.tag, self.link.tsn);
        init.window = self.inbound.whole_window().max(1500);
        SignalledInit::new(&init).ok().filter(|_| self.state != State::Ended)
    }

    /// Takes the handshake for done, in the place of [`connect`](Self::connect):
    /// each end has the other's INIT from its description. Says whether it is;
    /// nothing has changed when it is not, because a handshake is under way or
    /// the peer sent back our own INIT.
    #[cfg(feature = "snap")]
    pub fn connect_signalled(&mut self, env: &mut Env<'_>, remote: &Remote, peer: &SignalledInit) -> bool {
        let Ok(init) = peer.init() else { return false };
        // Peers that do not know the attribute return it with all others that
        // they do not know.
        let echo = (init.tag, init.tsn) == (self.link.tag, self.link.tsn);
        if self.state != State::Idle || echo {
            return false;
        }
        self.take_remote(remote);
        self.adopt(&Cookie::new(env.now, (self.link.tag, self.link.tsn), &init, (0, 0)));
        // "both endpoints SHOULD consider the SCTP association to be in the
        // ESTABLISHED state [...] once the DTLS handshake finishes."
        // (draft-hancke-tsvwg-snap-00, Section 6)
        self.established(env, Event::Connected);
        true
    }

    fn take_remote(&mut self, remote: &Remote) {
        self.link.peer_port = remote.port;
        self.max_message = if remote.max_message_size == 0 { usize::MAX } else { remote.max_message_size };
    }

    fn send_init(&mut self, now: Instant) {
        self.due.init = true;
        self.timers.set(Timeout::Init, now + self.outbound.cc.rto);
    }

    /// T1 ran out.
    pub(super) fn init_timed_out(&mut self, now: Instant) {
        self.errors = self.errors.saturating_add(1);
        if self.config.max_init_retransmits.is_some_and(|max| self.errors > max) {
            self.end(super::CloseReason::TimedOut);
            return;
        }
        self.outbound.cc.back_off();
        match self.state {
            State::CookieWait => self.send_init(now),
            State::CookieEchoed => {
                self.due.cookie_echo = true;
                self.timers.set(Timeout::Init, now + self.outbound.cc.rto);
            }
            _ => {}
        }
    }

    pub(super) fn emit_init(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        self.our_init(self.link.tag, self.link.tsn).emit(w, core::iter::empty())
    }

    fn our_init(&self, tag: u32, tsn: Tsn) -> Init<'static> {
        // Below 1500 the peer must not believe us (RFC 9260, Section 3.3.2).
        let window = self.inbound.window().max(1500);
        Init::new(tag, window, u16::MAX, u16::MAX, tsn, self.link.features)
    }

    // ----------------------------------------------------------------- answers

    pub(super) fn handle_init(&mut self, env: &mut Env<'_>, value: &[u8]) {
        let Ok(init) = Init::parse(value) else { return self.drop_noise() };
        // "If the value of the Initiate Tag in a received INIT chunk is found
        // to be 0, the receiver MUST silently discard the packet." (RFC 9260,
        // Section 3.3.2); without streams there is nothing to set up.
        if init.tag == 0 || init.outbound == 0 || init.inbound == 0 || self.state == State::Ended {
            return self.drop_noise();
        }
        if self.state == State::ShutdownAckSent {
            // "it SHOULD discard the INIT chunk and retransmit the SHUTDOWN
            // ACK chunk" (RFC 9260, Section 9.2)
            self.due.shutdown_ack = true;
            return;
        }
        // Ours stay the same while we are connecting, too (RFC 9260, Section
        // 5.2.1); an association that exists is left alone (Section 5.2.2).
        let ((tag, tsn), tie) = match self.state {
            State::Idle | State::CookieWait => ((self.link.tag, self.link.tsn), (0, 0)),
            State::CookieEchoed => ((self.link.tag, self.link.tsn), (self.link.tag, self.link.peer_tag)),
            _ => ((env.rng.next_u32().max(1), Tsn(env.rng.next_u32())), (self.link.tag, self.link.peer_tag)),
        };
        let mut unrecognized = heapless::Vec::new();
        for param in init.unrecognized() {
            let mut buf = [0; 64];
            let mut w = Writer::new(&mut buf);
            let whole = w.u16(param.kind).and_then(|()| w.u16(param.value.len() as u16 + 4));
            let whole = whole.and_then(|()| w.bytes(param.value));
            let whole = whole.and_then(|()| w.zeros(crate::wire::sctp::padding(param.value.len())));
            if whole.is_err() || unrecognized.extend_from_slice(w.written()).is_err() {
                break;
            }
        }
        let cookie = Cookie::new(env.now, (tag, tsn), &init, tie);
        self.due.init_ack = Some(PendingInitAck { cookie, unrecognized });
    }

    /// Writes an INIT ACK; returns the tag of its packet.
    pub(super) fn init_ack_tag(pending: &PendingInitAck) -> u32 {
        pending.cookie.peer_tag
    }

    pub(super) fn emit_init_ack(
        &self,
        w: &mut Writer<'_>,
        pending: &PendingInitAck,
    ) -> Result<(), ShortBuffer> {
        let bytes = pending.cookie.emit()?;
        let mut cookie = [0; COOKIE_LEN + MAC_LEN];
        let (body, mac) = cookie.split_at_mut(COOKIE_LEN);
        body.copy_from_slice(&bytes);
        mac.copy_from_slice(&self.cookie_mac(&bytes));
        let mut init = self.our_init(pending.cookie.tag, pending.cookie.tsn);
        init.cookie = Some(&cookie);
        let report = Params::new(&pending.unrecognized).filter_map(Result::ok);
        init.emit(w, report.map(|p| Param { kind: p.kind, value: p.value }))
    }

    fn cookie_mac(&self, body: &[u8]) -> [u8; MAC_LEN] {
        let digest = self.config.hashes.hmac(HashAlgorithm::Sha256, &self.cookie_key, &[body]);
        let mac = digest.ok().and_then(|d| d.first_chunk().copied());
        // Without SHA-256 there is no DTLS below, and no packet comes here.
        mac.unwrap_or_default()
    }

    pub(super) fn handle_init_ack(&mut self, env: &mut Env<'_>, value: &[u8]) {
        // "If an INIT ACK chunk is received by an endpoint in any state other
        // than the COOKIE-WAIT or CLOSED state, the endpoint SHOULD discard
        // the INIT ACK chunk." (RFC 9260, Section 5.2.3)
        if self.state != State::CookieWait {
            return self.drop_noise();
        }
        let Ok(init) = Init::parse(value) else { return self.drop_noise() };
        let Some(cookie) = init.cookie else { return self.misbehaved(Cause::INVALID_PARAMETER) };
        if init.tag == 0 || init.outbound == 0 || init.inbound == 0 {
            return self.misbehaved(Cause::INVALID_PARAMETER);
        }
        self.inbound.pool.release(core::mem::take(&mut self.cookie));
        if self.inbound.pool.append(&mut self.cookie, cookie).is_err() {
            return self.misbehaved(Cause::OUT_OF_RESOURCE);
        }
        self.adopt(&Cookie::new(env.now, (self.link.tag, self.link.tsn), &init, (0, 0)));
        self.state = State::CookieEchoed;
        self.errors = 0;
        self.due.init = false;
        self.due.cookie_echo = true;
        self.timers.set(Timeout::Init, env.now + self.outbound.cc.rto);
    }

    pub(super) fn emit_cookie(&self, room: &mut [u8]) -> bool {
        self.inbound.pool.copy_to(&self.cookie, 0, room)
    }

    pub(super) fn cookie_len(&self) -> usize {
        self.cookie.len()
    }

    /// A COOKIE ECHO in a packet with `tag`. Says whether the rest of the
    /// packet is to be read.
    pub(super) fn handle_cookie_echo(&mut self, env: &mut Env<'_>, tag: u32, value: &[u8]) -> bool {
        let Some((body, mac)) = value.split_at_checked(COOKIE_LEN) else { return false };
        let Ok(cookie) = Cookie::parse(body) else { return false };
        if !constant_time_eq(mac, &self.cookie_mac(body)) || cookie.tag != tag || self.state == State::Ended {
            return false;
        }
        let ours = cookie.tag == self.link.tag;
        let theirs = cookie.peer_tag == self.link.peer_tag;
        let age = env.now.saturating_since(cookie.created);
        if age > COOKIE_LIFE && !(ours && theirs) {
            let excess = u32::try_from(age.less(COOKIE_LIFE).as_micros()).unwrap_or(u32::MAX);
            self.due.stale_cookie = Some((cookie.peer_tag, excess));
            return false;
        }
        // RFC 9260, Section 5.2.4, Table 12.
        match (self.state, ours, theirs) {
            (State::Idle, true, _) | (State::CookieWait | State::CookieEchoed, true, false) => {
                // B: both ends connected at once.
                self.adopt(&cookie);
                self.established(env, Event::Connected);
            }
            // D, on the way.
            (State::CookieWait | State::CookieEchoed, true, true) => self.established(env, Event::Connected),
            // D: the COOKIE ACK was lost.
            (_, true, true) => {}
            // A: the peer started over.
            (_, false, false)
                if cookie.tie == (self.link.tag, self.link.peer_tag) && self.link.peer_tag != 0 =>
            {
                if matches!(self.state, State::ShutdownAckSent) {
                    self.due.shutdown_ack = true;
                    return false;
                }
                self.adopt(&cookie);
                self.established(env, Event::Restarted);
            }
            // C, and what the table does not name: "silently discarded".
            _ => return false,
        }
        self.due.cookie_ack = true;
        true
    }

    pub(super) fn handle_cookie_ack(&mut self, env: &mut Env<'_>) {
        if self.state == State::CookieEchoed {
            self.established(env, Event::Connected);
        }
    }

    /// "a Stale Cookie error [...] send a new INIT chunk to the endpoint to
    /// generate a new State Cookie" (RFC 9260, Section 5.2.6).
    pub(super) fn handle_stale_cookie(&mut self, now: Instant) {
        if self.state == State::CookieEchoed {
            self.state = State::CookieWait;
            self.link.peer_tag = 0;
            self.due.cookie_echo = false;
            self.send_init(now);
        }
    }

    /// Takes over what the two ends agreed upon.
    fn adopt(&mut self, cookie: &Cookie) {
        #[cfg(feature = "path-mtu")]
        self.keep_base();
        let Self { link, outbound, inbound, .. } = self;
        link.tag = cookie.tag;
        link.tsn = cookie.tsn;
        link.peer_tag = cookie.peer_tag;
        link.peer = cookie.peer;
        let both = link.features.interleaving && link.peer.interleaving;
        inbound.start(cookie.peer_tsn, both, cookie.outbound);
        outbound.start(cookie.tsn, &self.config, self.max_packet);
        outbound.interleaved = both;
        outbound.partial = link.peer.forward_tsn;
        outbound.window = cookie.window as usize;
        outbound.stream_count = cookie.inbound;
        self.resets.start(cookie.tsn, cookie.peer_tsn);
    }

    fn established(&mut self, env: &mut Env<'_>, event: Event) {
        self.inbound.pool.release(core::mem::replace(&mut self.cookie, Chain::EMPTY));
        self.state = State::Established;
        self.timers.stop_all();
        self.due = Due::default();
        self.errors = 0;
        self.unacknowledged = 0;
        self.told_window = self.inbound.window();
        self.outbound.cc.rto = self.config.rto_initial;
        // A restart that nobody has noticed is a connection like any other.
        self.connected.get_or_insert(event);
        self.start_heartbeat(env);
        #[cfg(feature = "path-mtu")]
        self.start_discovery(env);
        debug!("sctp: established, {:?}", event);
    }
}
