//! SCTP associations (RFC 9260) over DTLS (RFC 8261): messages on many
//! streams, in order or not, reliably or not.
//!
//! [`Association`] is split by procedure: `connect`, `data_out`, `data_in`,
//! `sack`, `recovery`, `reset`, `shutdown`, `heartbeat`, `path_mtu`, `timeouts`;
//! `receive` and `transmit` take packets apart and put them together. Nothing is sent but in
//! [`poll_write`](Association::poll_write): everything else notes what is due.

mod config;
mod congestion;
mod connect;
mod data_in;
mod data_out;
mod heartbeat;
#[cfg(feature = "path-mtu")]
mod path_mtu;
mod receive;
mod recovery;
mod reset;
mod sack;
mod shutdown;
mod streams;
mod timeouts;
mod transmit;

#[cfg(test)]
mod tests;

use crate::env::{Instant, Rng};
use crate::mem::{Chain, OutOfMemory, Timers};
use crate::wire::sctp::{Cause, Features};
use connect::{Link, PendingInitAck};
use core::time::Duration;
use data_in::Inbound;
use data_out::Outbound;
use heartbeat::Heartbeat;
use reset::Resets;
use streams::Reset;
use timeouts::TIMERS;

pub use config::{Config, Limits, Remote};

/// What may be done to deliver a message (RFC 3758, RFC 7496).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reliability {
    /// It is sent until it arrives.
    #[default]
    Reliable,
    /// Each part of it is retransmitted at most so often.
    Retransmits(u16),
    /// It is sent and retransmitted for at most so long.
    Lifetime(Duration),
}

/// A message to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The stream.
    pub stream: u16,
    /// The payload protocol identifier.
    pub ppid: u32,
    /// The octets, at least one.
    pub data: &'a [u8],
    /// It may overtake other messages of its stream.
    pub unordered: bool,
    /// What may be done to deliver it.
    pub reliability: Reliability,
}

/// A received message, in the association's own memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// The stream.
    pub stream: u16,
    /// The payload protocol identifier.
    pub ppid: u32,
    /// The octets.
    pub data: &'a [u8],
}

/// The message that [`Association::poll_read`] would return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Head {
    /// The stream.
    pub stream: u16,
    /// The payload protocol identifier.
    pub ppid: u32,
    /// How many octets it has.
    pub len: usize,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WriteError {
    /// It is longer than the peer takes or than the send buffer ever holds.
    TooLarge {
        /// The longest message, in octets.
        max: usize,
    },
    /// The send buffer is full: there is a `BufferedAmountLow` event of this
    /// stream when there is room for the message.
    Full,
    /// It has no octets, which SCTP cannot express.
    Empty,
    /// The peer does not take messages on so many streams.
    NoSuchStream,
    /// As many streams are in use as [`Limits`] allow.
    TooManyStreams,
    /// The stream is being reset.
    StreamReset,
    /// The association is not up, or is shutting down.
    Closed,
}

impl core::fmt::Display for WriteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::TooLarge { max } => return write!(f, "the message is longer than {max} octets"),
            Self::Full => "the send buffer is full",
            Self::Empty => "a message must have at least one octet",
            Self::NoSuchStream => "the peer has no stream of that number",
            Self::TooManyStreams => "no more streams within the limits",
            Self::StreamReset => "the stream is being reset",
            Self::Closed => "the association is not established",
        })
    }
}

impl core::error::Error for WriteError {}

/// Why an association ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CloseReason {
    /// Both ends agreed, after all was delivered.
    Shutdown,
    /// We aborted it.
    Aborted,
    /// The peer aborted it, for the given cause (RFC 9260, Section 3.3.10; 0
    /// when it gave none).
    AbortedByPeer {
        /// The cause code.
        cause: u16,
    },
    /// The peer broke the protocol, or exhausted our memory; we aborted with
    /// the given cause.
    PeerMisbehaved {
        /// The cause code.
        cause: u16,
    },
    /// The peer does not answer.
    TimedOut,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// The association is up.
    Connected,
    /// The peer started over: all streams are new, and what was not delivered
    /// is gone.
    Restarted,
    /// The peer reset a stream that it sends on, and all that it sent before
    /// was read.
    PeerReset {
        /// The stream.
        stream: u16,
    },
    /// The reset of a stream that we send on is over.
    OwnResetDone {
        /// The stream.
        stream: u16,
    },
    /// A stream's buffered amount fell to its threshold, or there is room for
    /// a message that met a full buffer.
    BufferedAmountLow {
        /// The stream.
        stream: u16,
    },
    /// The association ended.
    Closed(CloseReason),
}

/// Where an association stands (RFC 9260, Section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before `connect`: the peer may connect.
    Idle,
    CookieWait,
    CookieEchoed,
    Established,
    ShutdownPending,
    ShutdownSent,
    ShutdownReceived,
    ShutdownAckSent,
    Ended,
}

/// What is to be sent, and is not part of a procedure's own state.
#[derive(Debug, Default)]
struct Due {
    init: bool,
    init_ack: Option<PendingInitAck>,
    cookie_echo: bool,
    cookie_ack: bool,
    sack: bool,
    error: Option<(Cause, heapless::Vec<u8, 16>)>,
    /// To the peer with this tag: its cookie is too old by so many µs.
    stale_cookie: Option<(u32, u32)>,
    abort: Option<Cause>,
    shutdown: bool,
    shutdown_ack: bool,
    shutdown_complete: bool,
    /// To a SHUTDOWN ACK of an association that is over, with this tag.
    reflected_complete: Option<u32>,
}

/// Counters, for statistics. Octets are those of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stats {
    /// Packets built.
    pub packets_sent: u64,
    /// Packets taken.
    pub packets_received: u64,
    /// Packets and chunks that were not what they should be, or not for us.
    pub dropped: u64,
    /// DATA chunks that found no room.
    pub no_room: u64,
    /// DATA chunks that were sent again.
    pub retransmitted: u64,
    /// Messages that were given up.
    pub abandoned: u64,
    /// The smoothed round trip time, once measured.
    pub round_trip: Option<Duration>,
    /// The congestion window, in octets.
    pub congestion_window: usize,
    /// The peer's receive window, in octets.
    pub peer_window: usize,
    /// Octets in flight.
    pub in_flight: usize,
    /// Octets of the send buffer in use.
    pub buffered: usize,
    /// The longest packet, in octets.
    pub max_packet: usize,
}

/// One association. Both ends may call [`connect`](Self::connect).
#[derive(Debug)]
pub struct Association {
    config: Config,
    state: State,
    timers: Timers<TIMERS>,
    link: Link,
    cookie_key: [u8; 32],
    /// The peer's cookie, in the receive arena.
    cookie: Chain,
    outbound: Outbound,
    inbound: Inbound,
    resets: Resets,
    heartbeat: Heartbeat,
    #[cfg(feature = "path-mtu")]
    discovery: path_mtu::Discovery,
    due: Due,
    max_packet: usize,
    max_message: usize,
    /// Timeouts in a row.
    errors: u16,
    /// Packets with DATA that are not acknowledged.
    unacknowledged: u8,
    /// The receive window that the peer knows of.
    told_window: u32,
    connected: Option<Event>,
    closed: Option<CloseReason>,
    stats: Stats,
}

/// What fits a path with an MTU of 1,280 octets behind IPv6, UDP, TURN and
/// DTLS: RFC 8831, Section 5 asks for 1,200 without PMTU discovery.
const DEFAULT_MAX_PACKET: usize = 1172;
/// Room for INIT ACK with a cookie, and for a fragment.
const MIN_MAX_PACKET: usize = 256;

impl Association {
    /// An association that waits for [`connect`](Self::connect), or for the
    /// peer's. Takes all the memory that it will ever use.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator refuses, or when the limits contain
    /// a block size of 0.
    pub fn new(config: Config, limits: &Limits, rng: &mut Rng) -> Result<Self, OutOfMemory> {
        if limits.block == 0 {
            return Err(OutOfMemory);
        }
        let features = Features {
            forward_tsn: true,
            interleaving: config.interleaving,
            reconfig: true,
            zero_checksum: config.zero_checksum,
        };
        let mut this = Self {
            link: Link::new(config.port, features),
            state: State::Idle,
            timers: Timers::default(),
            cookie_key: rng.array(),
            cookie: Chain::EMPTY,
            outbound: Outbound::new(limits, &config)?,
            inbound: Inbound::new(limits)?,
            resets: Resets::default(),
            heartbeat: Heartbeat::default(),
            #[cfg(feature = "path-mtu")]
            discovery: path_mtu::Discovery::default(),
            due: Due::default(),
            max_packet: DEFAULT_MAX_PACKET,
            max_message: usize::MAX,
            errors: 0,
            unacknowledged: 0,
            told_window: 0,
            connected: None,
            closed: None,
            stats: Stats::default(),
            config,
        };
        this.link.draw(rng);
        Ok(this)
    }

    /// Sets the longest packet, in octets: what DTLS and the path leave. Takes
    /// effect for what is cut into chunks from now on.
    pub fn set_max_packet(&mut self, octets: usize) {
        self.max_packet = octets.max(MIN_MAX_PACKET);
        self.outbound.cc.max_packet = self.max_packet;
        #[cfg(feature = "path-mtu")]
        self.outbound.set_cut(self.max_packet, self.discovery.base());
    }

    /// Whether messages can be written.
    pub fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// The longest message that can be sent, in octets.
    pub fn max_send_message(&self) -> usize {
        self.max_message.min(self.outbound.max_message())
    }

    /// How many streams messages can be written on, once established.
    pub fn outgoing_streams(&self) -> u16 {
        self.outbound.stream_count
    }

    /// Takes a message to be sent.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was taken then.
    pub fn handle_write(&mut self, now: Instant, message: Message<'_>) -> Result<(), WriteError> {
        if self.state != State::Established {
            return Err(WriteError::Closed);
        }
        let max = self.max_send_message();
        if message.data.len() > max {
            return Err(WriteError::TooLarge { max });
        }
        if self.outbound.is_idle() {
            self.outbound.cc.rest(now);
        }
        self.outbound.write(now, &message)
    }

    /// The application's octets of a stream that were never sent. What was sent
    /// and waits for its acknowledgement takes room in the send buffer as well
    /// ([`Stats::buffered`]), so that a message can be refused as
    /// [`WriteError::Full`] while this is 0.
    pub fn buffered_amount(&self, stream: u16) -> usize {
        self.outbound.streams.get(stream).map_or(0, |s| s.buffered)
    }

    /// Sets what a stream's buffered amount must fall to for a
    /// [`Event::BufferedAmountLow`]; 0 unless set.
    pub fn set_buffered_amount_low_threshold(&mut self, stream: u16, octets: usize) {
        if let Some(entry) = self.outbound.streams.entry(stream) {
            entry.threshold = octets;
        }
    }

    /// Sets a stream's weight (RFC 8831, Section 6.4); 256 unless set.
    pub fn set_priority(&mut self, stream: u16, priority: u16) {
        if let Some(entry) = self.outbound.streams.entry(stream) {
            entry.priority = priority;
        }
    }

    /// What [`poll_read`](Self::poll_read) would return.
    pub fn peek_read(&self) -> Option<Head> {
        self.inbound.peek().map(|(stream, ppid, len)| Head { stream, ppid, len })
    }

    /// The next message, in the order of completion. Its memory is given back
    /// by the next call to read or to receive; then
    /// [`poll_write`](Self::poll_write) may have to tell the peer that its
    /// window opened.
    pub fn poll_read(&mut self) -> Option<Received<'_>> {
        self.inbound.give_back();
        self.note_window();
        let (stream, ppid, data) = self.inbound.read()?;
        Some(Received { stream, ppid, data })
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.connected.take() {
            return Some(event);
        }
        if let Some(stream) = self.poll_peer_reset() {
            return Some(Event::PeerReset { stream });
        }
        if self.outbound.signals > 0
            && let Some(event) = self.next_stream_event()
        {
            return Some(event);
        }
        self.closed.take().map(Event::Closed)
    }

    /// The next [`Event::PeerReset`], before any other event.
    pub(crate) fn poll_peer_reset(&mut self) -> Option<u16> {
        self.inbound.next_reset()
    }

    fn next_stream_event(&mut self) -> Option<Event> {
        use streams::Stream as _;
        let entry = self.outbound.streams.iter_mut().find(|s| s.low || s.reset == Reset::Done)?;
        let stream = entry.id();
        if core::mem::take(&mut entry.low) {
            self.outbound.signals -= 1;
            return Some(Event::BufferedAmountLow { stream });
        }
        self.finish_reset(stream);
        Some(Event::OwnResetDone { stream })
    }

    /// A stream whose reset is done is as new: there is no entry for it, and
    /// nothing to report.
    fn finish_reset(&mut self, stream: u16) {
        let Some(entry) = self.outbound.streams.get(stream) else { return };
        self.outbound.signals -= usize::from(entry.low) + usize::from(entry.reset == Reset::Done);
        self.outbound.streams.remove(stream);
    }

    /// Counters, and how the windows stand.
    pub fn stats(&self) -> Stats {
        Stats {
            retransmitted: self.outbound.retransmitted,
            abandoned: self.outbound.abandoned,
            round_trip: self.outbound.cc.srtt(),
            congestion_window: self.outbound.cc.window,
            peer_window: self.outbound.window,
            in_flight: self.outbound.flight,
            buffered: self.outbound.buffered(),
            max_packet: self.max_packet,
            ..self.stats
        }
    }

    fn drop_noise(&mut self) {
        self.stats.dropped = self.stats.dropped.saturating_add(1);
    }

    /// The association ends.
    fn end(&mut self, reason: CloseReason) {
        if self.state == State::Ended {
            return;
        }
        debug!("sctp: ended, {:?}", reason);
        self.state = State::Ended;
        self.timers.stop_all();
        self.closed = Some(reason);
        let abort = self.due.abort.take();
        let shutdown_complete = self.due.shutdown_complete;
        self.due = Due { abort, shutdown_complete, ..Due::default() };
    }

    /// The peer broke the protocol.
    fn misbehaved(&mut self, cause: Cause) {
        if self.state != State::Ended {
            self.due.abort = Some(cause);
            self.end(CloseReason::PeerMisbehaved { cause: cause.0 });
        }
    }

    /// For tests: the first TSN and the first tag.
    #[cfg(test)]
    fn set_initial_tsn(&mut self, tsn: crate::wire::sctp::Tsn) {
        self.link.tsn = tsn;
    }
}
