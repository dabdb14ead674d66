//! DTLS 1.3 and 1.2 (RFC 9147, RFC 6347): the handshake, the record layer, and
//! exported keys.
//!
//! A [`Connection`] is one association. Whoever owns it says when it may
//! begin ([`Connection::start`]), feeds it datagrams of paths that ICE has
//! validated, and asks it for datagrams to send. Noise from the network is
//! dropped and counted; only a message that is authentic, or comes before
//! there are keys, can end an association.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `record` | epochs, keys, replay windows |
//! | `early` | records that cannot be read yet |
//! | `reassembly`, `runs` | handshake messages out of fragments |
//! | `flight` | our messages, until they have arrived |
//! | `ack` | what arrived, as DTLS 1.3 tells it |
//! | `connection_id` | whose a record is, whatever its address |
//! | `keys`, `schedule` | key derivation of 1.2 and of 1.3 |
//! | `exchange`, `ahead` | what a key exchange has, and when it is made |
//! | `operation`, `slices` | public-key work, run here or elsewhere, at once or with pauses |
//! | `machine` | what both roles and versions share: the states in protocol order |
//! | `client`, `server` | the two roles: the hellos of either version, and 1.2 |
//! | `client_13`, `server_13`, `proof` | the rest of 1.3 |
//! | `rekey` | new keys in the course of a connection, in 1.3 |

mod ack;
mod ahead;
mod certificate;
mod client;
mod client_13;
mod connection_id;
mod early;
mod exchange;
mod flight;
mod keys;
mod machine;
mod operation;
mod proof;
mod reassembly;
mod record;
mod rekey;
mod runs;
mod schedule;
mod server;
mod server_13;
mod slices;

#[cfg(all(test, feature = "rust-crypto"))]
mod tests;

pub use crate::wire::dtls::ProtocolVersion;
pub use certificate::{
    Certificate, CertificateError, Fingerprint, Fingerprints, MAX_FINGERPRINTS, MAX_IMPORTED_CERTIFICATE,
};
pub use connection_id::Cid;
pub use operation::{Operation, Outcome};
pub use record::Records;

use crate::crypto::{CryptoError, CryptoProvider, NamedGroup};
use crate::env::{Env, Instant};
use crate::mem::{Datagram, FixedVec, OutOfMemory, Placed};
use crate::wire::dtls::{AlertDescription, ContentType, Fragment, peek_connection_id};
use crate::wire::{Malformed, Reader, ShortBuffer};
use core::ops::Range;
use core::time::Duration;
use early::Early;
use exchange::Exchange;
use flight::Flight;
use machine::{Machine, State};
use operation::PeerKey;
use reassembly::{Inserted, Reassembly};

/// How much memory an association takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Octets for handshake messages of the peer that are being put together:
    /// the longest message that can be received. A browser's ClientHello has
    /// 1,461 octets, its certificate 300 to 600; an RSA-4096 certificate 1,400.
    pub reassembly: usize,
    /// Octets for one flight of ours. With less than 2,048, here or for
    /// `reassembly`, the X25519MLKEM768 group is not used.
    pub flight: usize,
    /// Octets for datagrams that come before they can be read.
    pub early: usize,
    /// Octets for the peer's certificate, so that it can be asked for; 0 does
    /// not keep it, nor is one kept that is longer.
    pub certificate: usize,
}

impl Limits {
    /// For microcontrollers.
    pub const TINY: Self = Self { reassembly: 2048, flight: 1024, early: 1792, certificate: 0 };
    /// For applications.
    pub const DEFAULT: Self = Self { reassembly: 16 * 1024, flight: 4096, early: 4096, certificate: 2048 };
    /// For servers with many connections.
    pub const SERVER: Self = Self { reassembly: 8 * 1024, flight: 2560, early: 4096, certificate: 0 };

    /// The octets of heap that these limits take, without the slots of the
    /// crypto provider.
    pub const fn heap_bytes(&self) -> usize {
        FixedVec::<Operation>::heap_bytes(1)
            + FixedVec::<PeerKey>::heap_bytes(1)
            + Exchange::heap_bytes()
            + Reassembly::heap_bytes(self.reassembly)
            + Flight::heap_bytes(self.flight)
            + self.early
            + self.certificate
    }
}

/// Which end of the handshake we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Role {
    /// We send the ClientHello: `a=setup:active`.
    Client,
    /// We wait for it: `a=setup:passive`.
    Server,
}

/// A DTLS-SRTP protection profile by its IANA number (RFC 5764, Section 4.1.2;
/// RFC 7714, Section 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SrtpProfile(pub u16);

#[allow(missing_docs, reason = "the names are the IANA registry's")]
impl SrtpProfile {
    pub const AES128_CM_HMAC_SHA1_80: Self = Self(1);
    pub const AES128_CM_HMAC_SHA1_32: Self = Self(2);
    pub const AEAD_AES_128_GCM: Self = Self(7);
    pub const AEAD_AES_256_GCM: Self = Self(8);
}

impl SrtpProfile {
    /// Its IANA name, as `RTCTransportStats.srtpCipher` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AES128_CM_HMAC_SHA1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
            Self::AES128_CM_HMAC_SHA1_32 => "SRTP_AES128_CM_HMAC_SHA1_32",
            Self::AEAD_AES_128_GCM => "SRTP_AEAD_AES_128_GCM",
            Self::AEAD_AES_256_GCM => "SRTP_AEAD_AES_256_GCM",
            _ => "unknown",
        }
    }
}

/// How the random value of a server ends that could speak 1.3 and was asked for
/// 1.2 (RFC 8446, Section 4.1.3).
const DOWNGRADE_TO_12: &[u8; 8] = b"DOWNGRD\x01";

/// How an association behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it computes with.
    pub provider: &'static CryptoProvider,
    /// Who we are.
    pub certificate: Certificate,
    /// The lowest version to agree on.
    pub min_version: ProtocolVersion,
    /// The highest version to agree on.
    pub max_version: ProtocolVersion,
    /// The longest datagram to send while shaking hands, in octets.
    pub mtu: usize,
    /// SRTP protection profiles to negotiate, most preferred first; none for
    /// data channels alone.
    pub srtp_profiles: heapless::Vec<SrtpProfile, 4>,
    /// Whether a server asks each client to repeat its hello with a cookie.
    /// ICE has shown already that the client is where it says, so the default
    /// is not to.
    pub hello_verify: bool,
    /// The connection ID that the peer is to put into its records, if it is
    /// willing (RFC 9146; RFC 9147, Section 9). [`Cid::EMPTY`] for none, but
    /// with the peer's in ours; `None` to do without altogether.
    pub connection_id: Option<Cid>,
    /// Whether public-key work is handed out as [`Operation`]s.
    pub defer_operations: bool,
    /// How long to wait for the answer to a flight before sending it again;
    /// doubled each time, up to 10 s.
    pub retransmission_timeout: Duration,
    /// How often a flight is sent before the handshake is given up.
    pub max_transmissions: u32,
}

impl Config {
    /// The usual behaviour.
    pub fn new(provider: &'static CryptoProvider, certificate: Certificate) -> Self {
        Self {
            provider,
            certificate,
            min_version: ProtocolVersion::DTLS_1_2,
            max_version: ProtocolVersion::DTLS_1_3,
            mtu: 1200,
            srtp_profiles: heapless::Vec::new(),
            hello_verify: false,
            connection_id: None,
            defer_operations: false,
            retransmission_timeout: Duration::from_millis(250),
            max_transmissions: 10,
        }
    }
}

/// Why an association ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// The peer's certificate has none of the fingerprints of its description.
    FingerprintMismatch,
    /// The peer broke the protocol; this is the alert that told it so.
    PeerMisbehaved(AlertDescription),
    /// The peer gave up, and said why.
    PeerGaveUp(AlertDescription),
    /// The peer does not answer.
    Timeout,
    /// The crypto provider failed, or the limits are too small for a message
    /// of ours.
    Internal,
}

impl Error {
    const fn alert(self) -> Option<AlertDescription> {
        match self {
            Self::FingerprintMismatch => Some(AlertDescription::BAD_CERTIFICATE),
            Self::PeerMisbehaved(alert) => Some(alert),
            Self::Internal => Some(AlertDescription::INTERNAL_ERROR),
            Self::PeerGaveUp(_) | Self::Timeout => None,
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::FingerprintMismatch => {
                f.write_str("the peer's certificate does not match the fingerprint in its description")
            }
            Self::PeerMisbehaved(a) => write!(f, "the peer broke the DTLS protocol (we sent alert {})", a.0),
            Self::PeerGaveUp(a) => write!(f, "the peer ended DTLS with alert {}", a.0),
            Self::Timeout => f.write_str("the peer did not answer the DTLS handshake"),
            Self::Internal => f.write_str("the crypto provider failed, or the DTLS limits are too small"),
        }
    }
}

impl core::error::Error for Error {}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Self {
        Self::PeerMisbehaved(AlertDescription::DECODE_ERROR)
    }
}

impl From<ShortBuffer> for Error {
    fn from(_: ShortBuffer) -> Self {
        Self::Internal
    }
}

impl From<CryptoError> for Error {
    fn from(e: CryptoError) -> Self {
        match e {
            CryptoError::Unauthentic => Self::PeerMisbehaved(AlertDescription::DECRYPT_ERROR),
            CryptoError::Invalid => Self::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER),
            CryptoError::Unsupported | CryptoError::ShortBuffer => Self::Internal,
        }
    }
}

/// What happened to an association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// The handshake is complete and the peer is who its description says.
    Connected,
    /// The association is over, in order: one end closed it.
    Closed,
    /// The association is over, or never came to be.
    Failed(Error),
}

/// What was received and dropped, and what was sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Records that were none, or of an epoch that is over.
    pub noise: u64,
    /// Records that were seen before.
    pub replayed: u64,
    /// Records whose tag was wrong.
    pub forged: u64,
    /// Records whose connection ID is not ours, or that should have one.
    pub foreign_ids: u64,
    /// Handshake fragments that contradicted others or did not fit.
    pub refused_fragments: u64,
    /// Octets that came too early and did not fit into
    /// [`Limits::early`].
    pub early_dropped: u64,
    /// Application data before the handshake was complete.
    pub premature_data: u64,
    /// Flights that were sent again.
    pub retransmissions: u64,
}

/// What was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Negotiated {
    /// The version, as DTLS writes it: `0xfefc` is 1.3, `0xfefd` is 1.2.
    pub version: u16,
    /// The IANA number of the cipher suite.
    pub cipher_suite: u16,
    /// The IANA number of the key exchange group.
    pub group: u16,
    /// The SRTP profile, if one was agreed on.
    pub srtp_profile: Option<SrtpProfile>,
    /// The connection ID of the peer's records; empty when they have none.
    pub connection_id: Cid,
    /// The connection ID of our records; empty when they have none.
    pub peer_connection_id: Cid,
}

impl Negotiated {
    /// The version as `RTCTransportStats.tlsVersion` has it: "the two bytes
    /// ... as four upper-case hexadecimal digits".
    pub fn tls_version(&self) -> &'static str {
        if self.version == ProtocolVersion::DTLS_1_3.0 { "FEFC" } else { "FEFD" }
    }

    /// The cipher suite's IANA name, as `RTCTransportStats.dtlsCipher` has it.
    pub fn dtls_cipher(&self) -> &'static str {
        keys::name(self.cipher_suite)
    }

    /// The key exchange group's IANA name, as `RTCTransportStats.tlsGroup` has it.
    pub fn group_name(&self) -> &'static str {
        match NamedGroup(self.group) {
            NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
            NamedGroup::X25519 => "x25519",
            NamedGroup::SECP256R1 => "secp256r1",
            NamedGroup::SECP384R1 => "secp384r1",
            _ => "unknown",
        }
    }
}

/// One DTLS association.
pub struct Connection {
    machine: Placed<Machine>,
    incoming: Reassembly,
    early: Early,
    /// Where in `early` the application data is that was lent last.
    lent: Option<Range<usize>>,
    /// Whether the memory of the handshake was given back.
    settled: bool,
}

impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connection").field("state", &self.machine.state).finish_non_exhaustive()
    }
}

impl Connection {
    /// An association that waits for [`start`](Self::start). All its memory
    /// is taken here.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(config: Config, limits: &Limits) -> Result<Self, OutOfMemory> {
        Ok(Self {
            machine: Placed::new(|| Machine::new(config, limits))?,
            incoming: Reassembly::new(limits.reassembly)?,
            early: Early::new(limits.early)?,
            lent: None,
            settled: false,
        })
    }

    /// Octets of the struct and of its part on the heap.
    pub(crate) const SIZE: usize = size_of::<Self>() + size_of::<Machine>();

    /// Makes the ephemeral keys before there is a peer to shake hands with,
    /// where public-key work is deferred: as a
    /// [`pending_operation`](Self::pending_operation), which
    /// [`start`](Self::start) waits for.
    pub fn prepare(&mut self, env: &mut Env<'_>) {
        if self.machine.config.defer_operations {
            self.machine.make_shares_ahead(env);
        }
    }

    /// Begins the handshake. The peer's certificate must match one of
    /// `fingerprints`; with none, nothing matches.
    pub fn start(&mut self, env: &mut Env<'_>, role: Role, fingerprints: Fingerprints) {
        if self.machine.state != State::Idle {
            return;
        }
        self.machine.fingerprints = fingerprints;
        let begun = match role {
            Role::Client => self.machine.start_client(env),
            Role::Server => self.machine.start_server(env),
        };
        if let Err(error) = begun {
            self.machine.fail(error);
        }
        self.run_operations();
        self.replay_early(env);
    }

    /// Whether [`start`](Self::start) was called.
    pub fn is_started(&self) -> bool {
        self.machine.state != State::Idle
    }

    /// Whether application data can be sent and received.
    pub fn is_connected(&self) -> bool {
        self.machine.state == State::Connected
    }

    /// Keeps a datagram for later: one that came before the role is known or
    /// before ICE has validated its path. `false` when there is no room; it
    /// is counted then.
    pub fn hold(&mut self, datagram: &mut [u8]) -> bool {
        let kept = self.early.push(datagram, self.machine.records.cids.own.len());
        if !kept {
            self.machine.counters.early_dropped += datagram.len() as u64;
        }
        kept
    }

    /// Reads what [`hold`](Self::hold) kept, now that it may be read. What
    /// came after the handshake is left to [`poll_held`](Self::poll_held).
    pub fn replay_early(&mut self, env: &mut Env<'_>) {
        let mut at = 0;
        while let Some(range) = self.early.entry(at) {
            if matches!(self.machine.state, State::Idle | State::Connected) {
                return;
            }
            if self.machine.records.is_early(self.early.get(range.clone())) {
                at = range.end;
                continue;
            }
            self.read_held(env, range);
            // The keys of others may have come with it.
            at = 0;
        }
    }

    /// Once connected: the application data that was held, decrypted in
    /// place. Call until `None`.
    #[inline]
    pub fn poll_held(&mut self, env: &mut Env<'_>) -> Option<&mut [u8]> {
        // Asked after each datagram, and nearly always so.
        if self.early.is_empty() {
            return None;
        }
        self.next_held(env)
    }

    fn next_held(&mut self, env: &mut Env<'_>) -> Option<&mut [u8]> {
        if let Some(lent) = self.lent.take() {
            self.early.remove(lent);
        }
        while self.is_connected()
            && let Some(range) = self.early.entry(0)
        {
            if let Some(body) = self.read_held(env, range) {
                return Some(self.early.get_mut(body));
            }
        }
        None
    }

    /// Reads one held record and forgets it, unless it is application data.
    fn read_held(&mut self, env: &mut Env<'_>, range: Range<usize>) -> Option<Range<usize>> {
        let mut kept = core::mem::take(&mut self.early);
        let body = self.handle_record(env, kept.get_mut(range.clone()));
        self.early.restore(kept);
        match body {
            Some(body) => {
                self.lent = Some(range.clone());
                Some(range.start + body.start..range.start + body.end)
            }
            None => {
                self.early.remove(range);
                None
            }
        }
    }

    /// Whether a datagram begins with our connection ID, once that was agreed
    /// on. Nothing is believed yet: opening the record shows whether it is the
    /// peer's.
    pub fn has_own_connection_id(&self, datagram: &[u8]) -> bool {
        let own = &self.machine.records.cids.own;
        self.is_connected() && peek_connection_id(datagram, own.len()).is_some_and(|id| id == own.as_slice())
    }

    /// Reads the records of a datagram up to the next application data, which
    /// it returns, decrypted in place. Call until `None`.
    pub fn handle_read<'a>(&mut self, env: &mut Env<'_>, records: &mut Records<'a>) -> Option<&'a mut [u8]> {
        while let Some(record) = records.next(self.machine.records.cids.own.len()) {
            if !self.is_connected() && (!self.is_started() || self.machine.records.is_early(record)) {
                if self.machine.is_alive() {
                    self.hold(record);
                    if self.machine.state == State::AwaitServerHello {
                        self.machine.ask_for_rest(env);
                    }
                }
            } else {
                let body = self.handle_record(env, record);
                if !self.settled {
                    self.settle(body.is_some());
                }
                if let Some(body) = body {
                    return record.get_mut(body);
                }
            }
        }
        None
    }

    /// Gives back the memory of the handshake, once the peer needs no flight
    /// of ours again. In DTLS 1.3 ACKs say so; before, application data does.
    fn settle(&mut self, has_data: bool) {
        let through = if self.machine.is_13() { !self.machine.flight.is_outstanding() } else { has_data };
        if !self.is_connected() || !through || !self.incoming.is_empty() || !self.early.is_empty() {
            return;
        }
        self.settled = true;
        self.machine.settle();
        self.incoming.settle();
        self.early = Early::default();
    }

    /// Reads one record; says where in it application data is.
    fn handle_record(&mut self, env: &mut Env<'_>, record: &mut [u8]) -> Option<Range<usize>> {
        use record::Unopened;
        if !self.machine.is_alive() {
            return None;
        }
        let opened = match self.machine.records.open(record) {
            Ok(opened) => opened,
            Err(why) => {
                let counters = &mut self.machine.counters;
                match why {
                    Unopened::Noise => counters.noise += 1,
                    Unopened::Replayed => counters.replayed += 1,
                    Unopened::ForeignId => counters.foreign_ids += 1,
                    Unopened::Forged => {
                        counters.forged += 1;
                        if self.machine.records.is_worn() {
                            self.machine.fail(Error::PeerMisbehaved(AlertDescription::DECRYPT_ERROR));
                        }
                    }
                }
                return None;
            }
        };
        let body = record.get(opened.body.clone()).unwrap_or_default();
        match opened.content_type {
            ContentType::HANDSHAKE => self.handle_fragments(env, opened.epoch, opened.sequence, body),
            ContentType::ALERT => self.machine.handle_alert(opened.epoch, body),
            // In the clear, anyone can say that a flight of ours has arrived.
            ContentType::ACK if opened.epoch == 0 && self.machine.records.has_read_keys() => {
                self.machine.counters.noise += 1;
            }
            ContentType::ACK => self.machine.handle_ack(body),
            // Records say their epoch, so that a change of keys needs no
            // message of its own.
            ContentType::CHANGE_CIPHER_SPEC => {}
            ContentType::APPLICATION_DATA if opened.epoch > 0 && self.is_connected() => {
                return Some(opened.body);
            }
            ContentType::APPLICATION_DATA => self.machine.counters.premature_data += 1,
            _ => self.machine.counters.noise += 1,
        }
        None
    }

    fn handle_fragments(&mut self, env: &mut Env<'_>, epoch: u64, sequence: u64, body: &[u8]) {
        let mut r = Reader::new(body);
        // Whether all of the record was of use, now or before.
        let mut taken = !r.is_empty();
        while !r.is_empty() {
            let Ok(fragment) = Fragment::parse(&mut r) else {
                self.machine.counters.refused_fragments += 1;
                taken = false;
                break;
            };
            if !self.machine.admits(fragment.header.msg_type, epoch) && !self.incoming.is_old(&fragment) {
                self.machine.counters.refused_fragments += 1;
                taken = false;
                continue;
            }
            match self.incoming.insert(&fragment, epoch) {
                Inserted::Kept { next } => taken &= next,
                // "the retransmission of the peer's flight": ours was lost.
                Inserted::Old { last: true } => self.machine.flight.resend(),
                Inserted::Old { last: false } => {}
                Inserted::Refused => {
                    self.machine.counters.refused_fragments += 1;
                    taken = false;
                }
            }
        }
        if taken {
            self.machine.acks.note(epoch, sequence);
        }
        self.handle_messages(env);
        self.machine.consider_ack(env, epoch);
    }

    /// Hands the machine the messages that are complete and in order, as long
    /// as it does not wait for public-key work.
    fn handle_messages(&mut self, env: &mut Env<'_>) {
        self.run_operations();
        loop {
            if self.machine.is_13() {
                self.incoming.forget_before(self.machine.records.read_epoch().min(3));
            }
            if !self.machine.operation.is_empty() || self.machine.operation_out || !self.machine.is_alive() {
                break;
            }
            let Some(message) = self.incoming.peek() else { break };
            if self.machine.state != State::Connected {
                self.machine.flight.answered();
            }
            if let Err(error) = self.machine.handle_message(env, message) {
                self.machine.fail(error);
            }
            self.incoming.pop();
            self.run_operations();
        }
        if !self.early.is_empty() {
            self.replay_early(env);
        }
    }

    fn run_operations(&mut self) {
        if self.machine.config.defer_operations {
            return;
        }
        while let Some(operation) = self.machine.operation.pop() {
            self.machine.handle_outcome(operation.run());
        }
    }

    /// Public-key work to be done, when it is deferred. It is handed out once.
    pub fn pending_operation(&mut self) -> Option<Operation> {
        let operation = self.machine.operation.pop();
        self.machine.operation_out |= operation.is_some();
        operation
    }

    /// Goes on with what came of a [`pending_operation`](Self::pending_operation).
    pub fn handle_operation(&mut self, env: &mut Env<'_>, outcome: Outcome) {
        if core::mem::take(&mut self.machine.operation_out) {
            self.machine.handle_outcome(outcome);
            self.handle_messages(env);
        }
    }

    /// Writes the next datagram of the handshake, or an alert, to `out`, and
    /// returns its length. Call until `None`.
    pub fn poll_write(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<usize> {
        let room = out.len().min(self.machine.config.mtu);
        self.machine.poll_write(env, out.get_mut(..room)?)
    }

    /// Octets in front of and behind application data in a datagram.
    pub fn overhead(&self) -> (usize, usize) {
        self.machine.records.overhead(self.machine.records.write_epoch())
    }

    /// Makes a record of the application data in `datagram`. `false` before
    /// the handshake is complete, when there is not
    /// [`overhead`](Self::overhead) room, and when the keys are used up.
    #[must_use]
    pub fn seal(&mut self, datagram: &mut Datagram<'_>) -> bool {
        if !self.is_connected() {
            return false;
        }
        let (head, tail) = self.overhead();
        let grown = datagram.grow_back(tail).is_some() && datagram.grow_front(head).is_some();
        let records = &mut self.machine.records;
        let epoch = records.write_epoch();
        grown && records.seal(epoch, ContentType::APPLICATION_DATA, datagram.bytes()).is_some()
    }

    /// Changes the keys that are sent with, in DTLS 1.3, and asks the peer to
    /// change its own. It happens by itself before keys have served as long
    /// as they may. `false`, and nothing happens, when not connected or over
    /// DTLS 1.2.
    pub fn update_keys(&mut self) -> bool {
        self.machine.update_keys(true)
    }

    /// What happened since the last call.
    pub fn poll_event(&mut self) -> Option<Event> {
        if core::mem::take(&mut self.machine.connected) {
            return Some(Event::Connected);
        }
        self.machine.ended.take()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }

    /// Sends a flight again when it is time.
    pub fn handle_timeout(&mut self, env: &mut Env<'_>) {
        if self.machine.handle_timeout(env) {
            self.incoming.forget_partial();
        }
    }

    /// Ends the association; [`poll_write`](Self::poll_write) then gives the
    /// close_notify.
    pub fn close(&mut self) {
        self.machine.close();
        self.incoming.clear();
        self.early.clear();
        self.lent = None;
    }

    /// Who we are.
    pub fn certificate(&self) -> &Certificate {
        &self.machine.config.certificate
    }

    /// Forgets what [`hold`](Self::hold) kept.
    pub fn forget_early(&mut self) {
        self.early.clear();
        self.lent = None;
    }

    /// What was agreed, once connected.
    pub fn negotiated(&self) -> Option<Negotiated> {
        self.is_connected().then(|| self.machine.negotiated()).flatten()
    }

    /// Keying material for another protocol (RFC 5705, without a context).
    /// `EXTRACTOR-dtls_srtp` is the label of SRTP.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] before the handshake is complete.
    pub fn export_keying_material(&self, label: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
        if !self.is_connected() {
            return Err(CryptoError::Unsupported);
        }
        self.machine.export(label, out)
    }

    /// The peer's certificate in DER, once it has shown it and it was one that
    /// its description announced; `None` as well when it was longer than
    /// [`Limits::certificate`].
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        self.machine.peer_certificate()
    }

    /// The fingerprint that the peer's certificate matched.
    pub fn peer_fingerprint(&self) -> Option<&Fingerprint> {
        self.machine.peer_fingerprint.and_then(|i| self.machine.fingerprints.get(i))
    }

    /// Counters, for statistics.
    pub fn counters(&self) -> Counters {
        Counters { retransmissions: self.machine.retransmissions(), ..self.machine.counters }
    }
}
