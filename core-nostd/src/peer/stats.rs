//! Statistics (W3C webrtc-stats), read from the layers when asked for.

use super::configuration::RTCDtlsRole;
use super::connection::RTCPeerConnection;
use super::state::{RTCDtlsTransportState, RTCIceConnectionState};
use crate::channel::{RTCDataChannelId, RTCDataChannelState};
use crate::dtls;
use crate::env::{EcnCodepoint, Instant, TransportContext};
use crate::ice::{self, LocalCandidate, PairState, PairStats};
use crate::sctp;

/// A view of the statistics of a connection, at a point in time.
#[derive(Debug, Clone, Copy)]
pub struct RTCStatsReport<'a> {
    pc: &'a RTCPeerConnection,
    /// When it was made.
    pub timestamp: Instant,
}

/// Counts of data channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RTCPeerConnectionStats {
    /// Channels that ever opened.
    pub data_channels_opened: u32,
    /// Channels that closed after they had opened.
    pub data_channels_closed: u32,
}

/// The transport: ICE, DTLS and SCTP.
#[derive(Debug, Clone, Copy)]
pub struct RTCTransportStats {
    /// The state of ICE.
    pub ice_state: RTCIceConnectionState,
    /// The state of DTLS.
    pub dtls_state: RTCDtlsTransportState,
    /// The version of DTLS that was agreed on, as four hexadecimal digits:
    /// `FEFC` is 1.3, `FEFD` is 1.2. This and the names below are there once
    /// DTLS is connected.
    pub tls_version: Option<&'static str>,
    /// The IANA name of the cipher suite.
    pub dtls_cipher: Option<&'static str>,
    /// The IANA name of the SRTP protection profile, if one was agreed on.
    pub srtp_cipher: Option<&'static str>,
    /// The IANA name of the key exchange group.
    pub tls_group: Option<&'static str>,
    /// Who sends the ClientHello, once that is negotiated.
    pub dtls_role: Option<RTCDtlsRole>,
    /// What DTLS dropped.
    pub dtls_counters: dtls::Counters,
    /// What ICE dropped.
    pub ice_counters: ice::Counters,
    /// What the clients of TURN servers dropped.
    #[cfg(feature = "turn")]
    pub turn_counters: crate::turn::Counters,
    /// How SCTP stands.
    pub sctp: sctp::Stats,
    /// The selected path.
    pub selected_path: Option<TransportContext>,
    /// Datagrams of no protocol spoken here.
    pub datagrams_unknown: u64,
    /// Datagrams along paths that ICE had not validated.
    pub datagrams_unvalidated: u64,
    /// The peer's datagrams along validated paths, by their ECN codepoints.
    pub ecn: EcnCounts,
}

/// How many datagrams came with which ECN codepoint. Those that came without,
/// or of which the caller cannot tell, are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EcnCounts {
    /// ECT(0).
    pub ect0: u64,
    /// ECT(1).
    pub ect1: u64,
    /// Congestion experienced.
    pub ce: u64,
}

impl EcnCounts {
    pub(super) fn count(&mut self, ecn: EcnCodepoint) {
        match ecn {
            EcnCodepoint::NotEct => {}
            EcnCodepoint::Ect0 => self.ect0 += 1,
            EcnCodepoint::Ect1 => self.ect1 += 1,
            EcnCodepoint::Ce => self.ce += 1,
        }
    }
}

/// A candidate pair.
#[derive(Debug, Clone, Copy)]
pub struct RTCIceCandidatePairStats {
    /// The path from one to the other.
    pub path: TransportContext,
    /// Its state.
    pub state: PairState,
    /// Whether it is the one that was nominated.
    pub nominated: bool,
    /// Its priority.
    pub priority: u64,
    /// Counts.
    pub counts: PairStats,
}

/// A certificate of the transport.
#[derive(Debug, Clone, Copy)]
pub struct RTCCertificateStats<'a> {
    /// Its fingerprint, which knows its algorithm.
    pub fingerprint: &'a dtls::Fingerprint,
    /// Itself in DER (`base64Certificate`); of a peer's, see
    /// [`dtls::Limits::certificate`].
    pub der: Option<&'a [u8]>,
}

/// A data channel.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are the W3C's")]
pub struct RTCDataChannelStats<'a> {
    pub id: RTCDataChannelId,
    pub label: &'a str,
    pub protocol: &'a str,
    pub data_channel_identifier: Option<u16>,
    pub state: RTCDataChannelState,
    pub messages_sent: u32,
    pub bytes_sent: u64,
    pub messages_received: u32,
    pub bytes_received: u64,
}

impl RTCPeerConnection {
    /// The statistics, as of `now`.
    pub fn get_stats(&self, now: Instant) -> RTCStatsReport<'_> {
        RTCStatsReport { pc: self, timestamp: now }
    }
}

impl<'a> RTCStatsReport<'a> {
    /// The connection as a whole.
    pub fn peer_connection(&self) -> RTCPeerConnectionStats {
        let counters = self.pc.channels.counters();
        RTCPeerConnectionStats {
            data_channels_opened: counters.opened,
            data_channels_closed: counters.closed,
        }
    }

    /// The transport.
    pub fn transport(&self) -> RTCTransportStats {
        let pc = self.pc;
        let agreed = pc.dtls.negotiated();
        RTCTransportStats {
            ice_state: pc.ice_connection_state(),
            dtls_state: pc.dtls_transport_state(),
            tls_version: agreed.map(|a| a.tls_version()),
            dtls_cipher: agreed.map(|a| a.dtls_cipher()),
            srtp_cipher: agreed.and_then(|a| a.srtp_profile).map(|p| p.name()),
            tls_group: agreed.map(|a| a.group_name()),
            dtls_role: pc.dtls_role(),
            dtls_counters: pc.dtls.counters(),
            ice_counters: pc.ice.counters(),
            #[cfg(feature = "turn")]
            turn_counters: pc.gather.clients.iter().fold(Default::default(), |sum, c| c.counters() + sum),
            sctp: pc.sctp.stats(),
            selected_path: pc.ice.selected_path(),
            datagrams_unknown: pc.counters.unknown,
            datagrams_unvalidated: pc.counters.unvalidated,
            ecn: pc.counters.ecn,
        }
    }

    /// Our certificate.
    pub fn local_certificate(&self) -> RTCCertificateStats<'a> {
        let certificate = self.pc.dtls.certificate();
        RTCCertificateStats { fingerprint: certificate.fingerprint(), der: Some(certificate.der()) }
    }

    /// The peer's, once it has shown it and it was the one that its
    /// description announced.
    pub fn remote_certificate(&self) -> Option<RTCCertificateStats<'a>> {
        let der = self.pc.dtls.peer_certificate();
        self.pc.dtls.peer_fingerprint().map(|fingerprint| RTCCertificateStats { fingerprint, der })
    }

    /// Each candidate pair.
    pub fn candidate_pairs(&self) -> impl Iterator<Item = RTCIceCandidatePairStats> + use<'a> {
        self.pc.ice.pairs().map(|(path, state, nominated, priority, counts)| RTCIceCandidatePairStats {
            path,
            state,
            nominated,
            priority,
            counts,
        })
    }

    /// Our candidates.
    pub fn local_candidates(&self) -> &'a [LocalCandidate] {
        self.pc.ice.local_candidates()
    }

    /// Each data channel.
    pub fn data_channels(&self) -> impl Iterator<Item = RTCDataChannelStats<'a>> + use<'a> {
        let channels = &self.pc.channels;
        channels.ids().filter_map(|id| {
            let channel = channels.get(id)?;
            Some(RTCDataChannelStats {
                id,
                label: channel.label,
                protocol: channel.protocol,
                data_channel_identifier: channel.slot.stream,
                state: channel.slot.state,
                messages_sent: channel.slot.messages_sent,
                bytes_sent: channel.slot.bytes_sent,
                messages_received: channel.slot.messages_received,
                bytes_received: channel.slot.bytes_received,
            })
        })
    }
}
