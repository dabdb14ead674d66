//! Statistics (W3C webrtc-stats) as JSON: an array of objects, whose
//! timestamps and ids JavaScript completes.

use crate::connection::Connection;
use crate::instant;
use core::fmt::{self, Write};
use core::net::SocketAddr;
use core::time::Duration;
use picortc::ice::PairState;
use picortc::peer::RTCDtlsRole;
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

/// The id of a candidate, by its address.
struct CandidateId<'a>(&'a str, SocketAddr);

impl fmt::Display for CandidateId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, self.1)
    }
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

#[wasm_bindgen]
impl Connection {
    /// The statistics, as JSON.
    pub fn stats(&self, now: f64) -> String {
        let report = self.pc.get_stats(instant(now));
        let mut out = String::new();
        let counts = report.peer_connection();
        Object::new(&mut out, "peer-connection", &"PC")
            .value("dataChannelsOpened", counts.data_channels_opened)
            .value("dataChannelsClosed", counts.data_channels_closed)
            .end();
        let transport = report.transport();
        let mut totals = [0; 4];
        let mut selected = None;
        let mut remotes: Vec<SocketAddr> = Vec::new();
        for pair in report.candidate_pairs() {
            let (ours, theirs) = (pair.path.local_addr, pair.path.peer_addr);
            let id = format!("CP{ours}_{theirs}");
            let counts = pair.counts;
            for (total, n) in totals.iter_mut().zip([
                counts.packets_sent,
                counts.packets_received,
                counts.bytes_sent,
                counts.bytes_received,
            ]) {
                *total += n;
            }
            Object::new(&mut out, "candidate-pair", &id)
                .text("transportId", "T0")
                .text("localCandidateId", CandidateId("L", ours))
                .text("remoteCandidateId", CandidateId("R", theirs))
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
                selected = Some(id);
            }
            if !remotes.contains(&theirs) {
                remotes.push(theirs);
            }
        }
        for candidate in report.local_candidates() {
            Object::new(&mut out, "local-candidate", &CandidateId("L", candidate.base))
                .text("transportId", "T0")
                .text("address", candidate.addr.ip())
                .value("port", candidate.addr.port())
                .text("protocol", "udp")
                .text("candidateType", candidate.kind.as_str())
                .value("priority", candidate.priority)
                .value("foundation", format_args!("\"{}\"", candidate.foundation))
                .text("usernameFragment", self.pc.local_ufrag())
                .end();
        }
        for addr in remotes {
            Object::new(&mut out, "remote-candidate", &CandidateId("R", addr))
                .text("transportId", "T0")
                .text("address", addr.ip())
                .value("port", addr.port())
                .text("protocol", "udp")
                .end();
        }
        let [packets_sent, packets_received, bytes_sent, bytes_received] = totals;
        let mut object = Object::new(&mut out, "transport", &"T0");
        object
            .value("packetsSent", packets_sent)
            .value("packetsReceived", packets_received)
            .value("bytesSent", bytes_sent)
            .value("bytesReceived", bytes_received)
            .text("iceState", transport.ice_state)
            .text("dtlsState", transport.dtls_state)
            .text("iceLocalUsernameFragment", self.pc.local_ufrag())
            .text("localCertificateId", "CF")
            .optional("tlsVersion", transport.dtls.map(|d| format!("\"{:04X}\"", d.version)))
            .optional("dtlsCipher", transport.dtls.map(|d| format!("\"{}\"", cipher(d.cipher_suite))));
        if let Some(role) = self.pc.dtls_role() {
            object.text("dtlsRole", if role == RTCDtlsRole::Client { "client" } else { "server" });
        }
        if let Some(id) = selected {
            object.text("selectedCandidatePairId", id);
        }
        object.end();
        let fingerprint = self.pc.certificate().fingerprint().to_string();
        if let Some((algorithm, value)) = fingerprint.split_once(' ') {
            Object::new(&mut out, "certificate", &"CF")
                .text("fingerprint", value)
                .text("fingerprintAlgorithm", algorithm)
                .end();
        }
        for channel in report.data_channels() {
            Object::new(&mut out, "data-channel", &format_args!("D{}", channel.id.to_u32()))
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
        out.push(']');
        out
    }
}

/// The name of a cipher suite, of those that are spoken here.
fn cipher(suite: u16) -> &'static str {
    match suite {
        0x1301 => "TLS_AES_128_GCM_SHA256",
        0x1302 => "TLS_AES_256_GCM_SHA384",
        0x1303 => "TLS_CHACHA20_POLY1305_SHA256",
        0xc02b => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        0xc02c => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        0xc02f => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        0xc030 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        0xcca8 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        0xcca9 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        _ => "unknown",
    }
}
