//! What a peer connection is told at construction.

use crate::dtls::{Certificate, Cid, ProtocolVersion};
use crate::env::EcnCodepoint;
use crate::peer::mdns::MulticastDnsMode;
use crate::peer::state::state;
use core::net::IpAddr;
use core::time::Duration;

/// The W3C's configuration dictionary (W3C WebRTC, Section 4.2.1). Plain data
/// that borrows; use struct update syntax over [`Default`].
#[derive(Debug, Clone, Copy, Default)]
pub struct RTCConfiguration<'a> {
    /// STUN and TURN servers.
    pub ice_servers: &'a [RTCIceServer<'a>],
    /// Which candidates may be used.
    pub ice_transport_policy: RTCIceTransportPolicy,
    /// How media sections share transports. Only BUNDLE is ever used: a peer
    /// that cannot bundle gets its first section only.
    pub bundle_policy: RTCBundlePolicy,
    /// Whether RTCP shares the transport of RTP. It always does here.
    pub rtcp_mux_policy: RTCRtcpMuxPolicy,
    /// The identity to use: the first certificate is. When empty, one is
    /// generated from the seed.
    pub certificates: &'a [Certificate],
    /// How many candidates to gather before they are needed.
    pub ice_candidate_pool_size: u8,
}

/// A STUN or TURN server (W3C WebRTC, Section 4.2.2).
#[derive(Debug, Clone, Copy, Default)]
pub struct RTCIceServer<'a> {
    /// `stun:`, `turn:` and `turns:` URLs (RFC 7064, RFC 7065).
    pub urls: &'a [&'a str],
    /// The TURN user name.
    pub username: &'a str,
    /// The TURN password.
    pub credential: &'a str,
}

state! {
    /// Which candidates may be used.
    RTCIceTransportPolicy {
        /// Any.
        #[default]
        All = "all",
        /// Relayed ones only.
        Relay = "relay",
    }
}

state! {
    /// How media sections share transports (RFC 8829, Section 4.1.1).
    RTCBundlePolicy {
        /// Bundle where the peer can.
        #[default]
        Balanced = "balanced",
        /// A transport per section until the peer agrees to bundle.
        MaxCompat = "max-compat",
        /// One transport.
        MaxBundle = "max-bundle",
    }
}

state! {
    /// Whether RTCP shares the transport of RTP.
    RTCRtcpMuxPolicy {
        /// It must.
        #[default]
        Require = "require",
    }
}

/// Which DTLS role to take when answering an `actpass` offer (RFC 8842,
/// Section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RTCDtlsRole {
    /// Answer `active`: the answerer sends the ClientHello.
    #[default]
    Client,
    /// Answer `passive`: the offerer does.
    Server,
}

impl RTCDtlsRole {
    /// As the W3C writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl core::fmt::Display for RTCDtlsRole {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A 1:1 NAT: an external address that stands for one of ours, port for port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Nat1To1 {
    /// What the peer is told.
    #[cfg_attr(feature = "defmt", defmt(Display2Format))]
    pub external: IpAddr,
    /// For which address of ours; `None` is every one of the same family.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub local: Option<IpAddr>,
    /// Whether the host candidate is told with the external address instead of
    /// its own; else there is a server-reflexive one besides.
    pub replaces_host: bool,
}

impl Nat1To1 {
    pub(super) fn is_for(&self, ip: IpAddr) -> bool {
        self.local.map_or(self.external.is_ipv4() == ip.is_ipv4(), |local| local == ip)
    }
}

/// Knobs below the W3C's interface, with the defaults that browsers have.
#[derive(Debug, Clone, Copy)]
pub struct SettingEngine {
    /// ICE-lite (RFC 8445, Section 2.5): answer checks, never send any. For
    /// servers on public addresses.
    pub ice_lite: bool,
    /// Whether to announce, and do where the peer announces it too, that the
    /// controlling agent nominates a better pair that came to work later
    /// (draft-thatcher-ice-renomination, with libwebrtc's attribute). Without
    /// it a nominated pair stays until it dies. Off unless asked for.
    pub ice_renomination: bool,
    /// Whether each listener for ICE over TCP also gives a candidate of `tcptype
    /// so` (RFC 6544): where both ends have one, each opens the stream from its
    /// listener's port to the other's, which gets through two firewalls that let
    /// nothing in but answers. Wants listeners that share their port
    /// (`SO_REUSEADDR` and `SO_REUSEPORT`), and an operating system that opens
    /// streams simultaneously, as Linux does: see
    /// [`RTCStreamRequest::local_port`](crate::peer::RTCStreamRequest::local_port).
    /// Off unless asked for.
    pub ice_tcp_simultaneous_open: bool,
    /// Whether TURN servers that are reached over TCP or TLS are also asked to
    /// relay TCP (RFC 6062): candidates of type `relay` with a `tcptype`, for
    /// peers that can be reached over TCP only, as when UDP is blocked on their
    /// side and they have no relay of their own. Costs a second allocation and a
    /// stream more for each server, and one for each peer address that is tried;
    /// see [`streams::Limits`](crate::peer::streams::Limits). Off unless asked
    /// for: browsers do without.
    #[cfg(feature = "turn-tcp")]
    pub turn_tcp_allocations: bool,
    /// Whether loopback addresses become candidates.
    pub include_loopback_candidate: bool,
    /// What is done with candidates that are names of multicast DNS.
    pub multicast_dns_mode: MulticastDnsMode,
    /// Which addresses of interfaces are used; `None` is all. (An application
    /// that wants to go by interface tells only the addresses of those.)
    pub address_filter: Option<fn(IpAddr) -> bool>,
    /// Addresses under which a 1:1 NAT is known to present ours.
    pub nat_1to1: [Option<Nat1To1>; 2],
    /// How long a path may be silent before it counts as disconnected.
    pub ice_disconnected_timeout: Duration,
    /// How long a path may be without consent before it has failed.
    pub ice_failed_timeout: Duration,
    /// How often consent is checked (RFC 7675), before randomisation.
    pub ice_keepalive_interval: Duration,
    /// The DTLS role to answer with.
    pub answering_dtls_role: RTCDtlsRole,
    /// The DSCP, of six bits, that every datagram to the peer is marked with
    /// (RFC 8837): checks and handshakes too, since an agent that marks its
    /// data "SHOULD apply the same markings to Binding requests and responses"
    /// (RFC 8445, Section 7.2.3).
    pub dscp: u8,
    /// The ECN codepoint that SCTP's and media's datagrams are marked with. SCTP
    /// does not slow down for `Ce`: to be set by an application that makes its
    /// peer tell what was counted ([`EcnCounts`](crate::peer::EcnCounts)), and
    /// heeds it.
    pub ecn: EcnCodepoint,
    /// The largest datagram to send, in octets of UDP payload.
    pub mtu: usize,
    /// The largest datagram where path MTU discovery (RFC 8899) has shown that
    /// the path carries it, in octets of UDP payload: on Ethernet 1472 over
    /// IPv4, and 1452 over IPv6. [`mtu`](Self::mtu) or less is for no
    /// discovery, and the default. What a socket fragments when it is too long
    /// for a link is carried, too, and at a cost: sockets should set the DF bit
    /// or this should fit the link. Streams and relays keep `mtu`.
    ///
    /// Peers take in 1,472 octets; larger datagrams are for those whose
    /// description says that they take them, as ours does when this or the next
    /// is larger (`a=picortc-max-datagram-size`).
    ///
    /// [`poll_write`](crate::peer::RTCPeerConnection::poll_write) is to be given
    /// as many octets.
    #[cfg(feature = "path-mtu")]
    pub max_mtu: usize,
    /// The same for a peer at one of the addresses that were told as local, or
    /// at a loopback address: what does not leave the machine takes up to
    /// 16,336 octets at once everywhere.
    #[cfg(feature = "path-mtu")]
    pub max_mtu_within_host: usize,
    /// The lowest version of DTLS to agree on.
    pub dtls_min_version: ProtocolVersion,
    /// The highest version of DTLS to agree on.
    pub dtls_max_version: ProtocolVersion,
    /// Whether a DTLS server asks for a cookie first. ICE has already
    /// validated the peer's address, so it need not.
    pub dtls_hello_verify: bool,
    /// The connection ID by which the peer's records find this connection
    /// whichever address they come from, if the peer is willing (RFC 9146;
    /// RFC 9147, Section 9). [`Cid::EMPTY`] to have none, but put the peer's
    /// into what is sent. Browsers do not use it, and the default is not to.
    ///
    /// What is read from another address is delivered when it is authentic;
    /// where to send is still for ICE alone to say.
    pub dtls_connection_id: Option<Cid>,
    /// Whether public-key operations are left to the caller, see
    /// [`RTCPeerConnection::pending_operation`](crate::peer::RTCPeerConnection::pending_operation).
    pub defer_public_key_operations: bool,
    /// The largest message to accept, announced as `max-message-size`. Bounded
    /// by the SCTP limits.
    pub sctp_max_message_size: usize,
    /// Whether to offer SCTP without checksums over DTLS (RFC 9653).
    pub sctp_zero_checksum: bool,
    /// Whether to offer message interleaving (RFC 8260).
    pub sctp_interleaving: bool,
    /// Whether the SCTP handshake is done by the session descriptions where
    /// the peer does so, too: SNAP (draft-hancke-tsvwg-snap), which opens
    /// channels one or two round trips earlier. Off unless asked for: peers
    /// exist that return attributes which they do not know. From those, and
    /// from peers without SNAP, the usual handshake is taken.
    #[cfg(feature = "snap")]
    pub sctp_snap: bool,
}

impl Default for SettingEngine {
    fn default() -> Self {
        Self {
            ice_lite: false,
            ice_renomination: false,
            ice_tcp_simultaneous_open: false,
            #[cfg(feature = "turn-tcp")]
            turn_tcp_allocations: false,
            include_loopback_candidate: false,
            multicast_dns_mode: MulticastDnsMode::QueryOnly,
            address_filter: None,
            nat_1to1: [None; 2],
            ice_disconnected_timeout: Duration::from_secs(10),
            ice_failed_timeout: Duration::from_secs(30),
            ice_keepalive_interval: Duration::from_secs(5),
            answering_dtls_role: RTCDtlsRole::Client,
            dscp: 0,
            ecn: EcnCodepoint::NotEct,
            mtu: 1200,
            #[cfg(feature = "path-mtu")]
            max_mtu: 0,
            #[cfg(feature = "path-mtu")]
            max_mtu_within_host: 0,
            dtls_min_version: ProtocolVersion::DTLS_1_2,
            dtls_max_version: ProtocolVersion::DTLS_1_3,
            dtls_hello_verify: false,
            dtls_connection_id: None,
            defer_public_key_operations: false,
            sctp_max_message_size: 256 * 1024,
            sctp_zero_checksum: true,
            sctp_interleaving: false,
            #[cfg(feature = "snap")]
            sctp_snap: false,
        }
    }
}
