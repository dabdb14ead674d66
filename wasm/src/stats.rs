//! Statistics (W3C webrtc-stats) as JSON: an array of objects, whose
//! timestamps and ids JavaScript completes.

use crate::connection::Connection;
use crate::instant;
use crate::reach::protocol_name;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::net::SocketAddr;
use core::time::Duration;
use picortc::env::{TransportContext, TransportProtocol};
use picortc::ice::{LocalCandidate, PairState};
use picortc::peer::{RTCCertificateStats, RTCSctpTransportState, RTCStatsReport, RTCTransportStats};
use picortc::sctp::Stats;
use picortc::wire::candidate::TcpType;
use wasm_bindgen::prelude::*;

/// Writes one JSON object.
struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    fn new(out: &'a mut String, kind: &str, id: &dyn fmt::Display) -> Self {
        out.push(if out.is_empty() { '[' } else { ',' });
        out.push('{');
        let mut object = Self { out, empty: true };
        object.text("type", kind);
        object.text("id", id);
        object
    }

    fn key(&mut self, key: &str) {
        if !core::mem::replace(&mut self.empty, false) {
            self.out.push(',');
        }
        // Writing to a string cannot fail, here and below.
        let _ = write!(self.out, "\"{key}\":");
    }

    fn value(&mut self, key: &str, value: impl fmt::Display) -> &mut Self {
        self.key(key);
        let _ = write!(self.out, "{value}");
        self
    }

    fn optional(&mut self, key: &str, value: Option<impl fmt::Display>) -> &mut Self {
        if let Some(value) = value {
            self.value(key, value);
        }
        self
    }

    fn text(&mut self, key: &str, value: impl fmt::Display) -> &mut Self {
        self.key(key);
        self.out.push('"');
        let _ = write!(Escaped(self.out), "{value}");
        self.out.push('"');
        self
    }

    fn optional_text(&mut self, key: &str, value: Option<impl fmt::Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(key, value);
        }
        self
    }

    fn end(&mut self) {
        self.out.push('}');
    }
}

/// Text within a JSON string.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '"' | '\\' => {
                    self.0.push('\\');
                    self.0.push(c);
                }
                c if c < ' ' => write!(self.0, "\\u{:04x}", u32::from(c))?,
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// Seconds, to the microsecond: without the code that writes floats, which is
/// larger than all of this file.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

/// A protocol and an address of it.
type Place = (TransportProtocol, SocketAddr);

/// The id of a candidate, by its place: a port of UDP may be one of TCP too.
struct CandidateId(char, Place);

impl fmt::Display for CandidateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(end, (protocol, addr)) = *self;
        write!(f, "{end}{}{addr}", if protocol == TransportProtocol::Udp { "" } else { "T" })
    }
}

fn place(candidate: &LocalCandidate) -> Place {
    (candidate.protocol, candidate.base)
}

/// Where the candidate of ours is that a pair is of: a stream that we opened
/// comes from a port of its own, and the candidate has none.
fn local_place(path: &TransportContext, locals: &[LocalCandidate]) -> Place {
    let exact = (path.transport_protocol, path.local_addr);
    let opens =
        |c: &&LocalCandidate| c.tcp_type == Some(TcpType::Active) && c.base.ip() == path.local_addr.ip();
    let active = || locals.iter().find(opens).filter(|_| path.transport_protocol != TransportProtocol::Udp);
    if locals.iter().any(|c| place(c) == exact) { exact } else { active().map_or(exact, place) }
}

fn pair_state(state: PairState) -> &'static str {
    match state {
        PairState::Frozen => "frozen",
        PairState::Waiting => "waiting",
        PairState::InProgress => "in-progress",
        PairState::Succeeded => "succeeded",
        PairState::Failed => "failed",
    }
}

/// What all pairs together carried, which one is selected, and where they lead.
#[derive(Default)]
struct Pairs {
    packets_sent: u64,
    packets_received: u64,
    bytes_sent: u64,
    bytes_received: u64,
    selected: Option<String>,
    remotes: Vec<Place>,
}

#[wasm_bindgen]
impl Connection {
    /// The statistics, as JSON.
    pub fn stats(&self, now: f64) -> String {
        let report = self.pc.get_stats(instant(now));
        let transport = report.transport();
        let mut out = String::new();
        let counts = report.peer_connection();
        Object::new(&mut out, "peer-connection", &"PC")
            .value("dataChannelsOpened", counts.data_channels_opened)
            .value("dataChannelsClosed", counts.data_channels_closed)
            .end();
        let pairs = candidate_pairs(&mut out, &report, &transport);
        candidates(&mut out, &report, &pairs.remotes, self.pc.local_ufrag());
        let remote = report.remote_certificate();
        self.transport(&mut out, &transport, pairs, remote.is_some());
        if self.pc.sctp_transport_state() == RTCSctpTransportState::Connected {
            sctp(&mut out, &transport.sctp);
        }
        certificate(&mut out, "CFL", report.local_certificate());
        if let Some(remote) = remote {
            certificate(&mut out, "CFR", remote);
        }
        data_channels(&mut out, &report);
        out.push(']');
        out
    }

    /// The peer's certificate in DER; empty before there is one.
    pub fn remote_certificate(&self, now: f64) -> Vec<u8> {
        let certificate = self.pc.get_stats(instant(now)).remote_certificate();
        certificate.and_then(|c| c.der).unwrap_or_default().to_vec()
    }

    /// Our own.
    pub fn local_certificate(&self) -> Vec<u8> {
        self.pc.certificate().der().to_vec()
    }
}

impl Connection {
    fn transport(
        &self,
        out: &mut String,
        transport: &RTCTransportStats,
        pairs: Pairs,
        remote_certificate: bool,
    ) {
        Object::new(out, "transport", &"T0")
            .value("packetsSent", pairs.packets_sent)
            .value("packetsReceived", pairs.packets_received)
            .value("bytesSent", pairs.bytes_sent)
            .value("bytesReceived", pairs.bytes_received)
            .text("iceState", transport.ice_state)
            .text("dtlsState", transport.dtls_state)
            .text("iceLocalUsernameFragment", self.pc.local_ufrag())
            .text("localCertificateId", "CFL")
            .optional_text("remoteCertificateId", remote_certificate.then_some("CFR"))
            .optional_text("tlsVersion", transport.tls_version)
            .optional_text("dtlsCipher", transport.dtls_cipher)
            .optional_text("srtpCipher", transport.srtp_cipher)
            .optional_text("tlsGroup", transport.tls_group)
            .text("dtlsRole", transport.dtls_role.map_or("unknown", |role| role.as_str()))
            .optional_text("selectedCandidatePairId", pairs.selected)
            .end();
    }
}

/// RTCSctpTransportStats of the W3C's provisional statistics.
fn sctp(out: &mut String, sctp: &Stats) {
    Object::new(out, "sctp-transport", &"S0")
        .text("transportId", "T0")
        .optional("smoothedRoundTripTime", sctp.round_trip.map(Seconds))
        .value("congestionWindow", sctp.congestion_window)
        .value("receiverWindow", sctp.peer_window)
        .value("mtu", sctp.max_packet)
        .end();
}

fn candidate_pairs(out: &mut String, report: &RTCStatsReport<'_>, transport: &RTCTransportStats) -> Pairs {
    let mut pairs = Pairs::default();
    for pair in report.candidate_pairs() {
        let (ours, theirs) = (pair.path.local_addr, pair.path.peer_addr);
        let remote = (pair.path.transport_protocol, theirs);
        let id = format!("CP{ours}_{theirs}");
        let counts = pair.counts;
        pairs.packets_sent += counts.packets_sent;
        pairs.packets_received += counts.packets_received;
        pairs.bytes_sent += counts.bytes_sent;
        pairs.bytes_received += counts.bytes_received;
        Object::new(out, "candidate-pair", &id)
            .text("transportId", "T0")
            .text("localCandidateId", CandidateId('L', local_place(&pair.path, report.local_candidates())))
            .text("remoteCandidateId", CandidateId('R', remote))
            .text("state", pair_state(pair.state))
            .value("nominated", pair.nominated)
            .value("priority", pair.priority)
            .value("packetsSent", counts.packets_sent)
            .value("packetsReceived", counts.packets_received)
            .value("bytesSent", counts.bytes_sent)
            .value("bytesReceived", counts.bytes_received)
            .value("totalRoundTripTime", Seconds(counts.total_round_trip_time))
            .optional("currentRoundTripTime", counts.current_round_trip_time.map(Seconds))
            .value("requestsReceived", counts.requests_received)
            .value("requestsSent", counts.requests_sent)
            .value("responsesReceived", counts.responses_received)
            .value("responsesSent", counts.responses_sent)
            .end();
        if transport.selected_path.is_some_and(|path| path.same_path(&pair.path)) {
            pairs.selected = Some(id);
        }
        if !pairs.remotes.contains(&remote) {
            pairs.remotes.push(remote);
        }
    }
    pairs
}

fn candidates(out: &mut String, report: &RTCStatsReport<'_>, remotes: &[Place], local_ufrag: &str) {
    for candidate in report.local_candidates() {
        Object::new(out, "local-candidate", &CandidateId('L', place(candidate)))
            .text("transportId", "T0")
            .text("address", candidate.addr.ip())
            .value("port", candidate.addr.port())
            .text("protocol", protocol_name(candidate.protocol))
            .text("candidateType", candidate.kind.as_str())
            .value("priority", candidate.priority)
            .value("foundation", format_args!("\"{}\"", candidate.foundation))
            .text("usernameFragment", local_ufrag)
            .end();
    }
    for remote @ (protocol, addr) in remotes {
        Object::new(out, "remote-candidate", &CandidateId('R', *remote))
            .text("transportId", "T0")
            .text("address", addr.ip())
            .value("port", addr.port())
            .text("protocol", protocol_name(*protocol))
            .end();
    }
}

fn certificate(out: &mut String, id: &str, certificate: RTCCertificateStats<'_>) {
    // As in a description: the algorithm, a space, the octets.
    let fingerprint = certificate.fingerprint.to_string();
    if let Some((algorithm, value)) = fingerprint.split_once(' ') {
        Object::new(out, "certificate", &id)
            .text("fingerprint", value)
            .text("fingerprintAlgorithm", algorithm)
            .end();
    }
}

fn data_channels(out: &mut String, report: &RTCStatsReport<'_>) {
    for channel in report.data_channels() {
        Object::new(out, "data-channel", &format_args!("D{}", channel.id.to_u32()))
            .text("label", channel.label)
            .text("protocol", channel.protocol)
            .optional("dataChannelIdentifier", channel.data_channel_identifier)
            .text("state", channel.state.as_str())
            .value("messagesSent", channel.messages_sent)
            .value("bytesSent", channel.bytes_sent)
            .value("messagesReceived", channel.messages_received)
            .value("bytesReceived", channel.bytes_received)
            .end();
    }
}
