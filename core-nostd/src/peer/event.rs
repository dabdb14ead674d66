//! What the connection reports, and what it is told.

use crate::channel::RTCDataChannelId;
use crate::env::{TransportContext, TransportProtocol};
use crate::peer::gather::RTCServerNameId;
use crate::peer::jsep::RTCSignalingState;
use crate::peer::state::{RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState};
use crate::peer::streams::RTCStreamId;
use crate::wire::dns::UuidName;
use core::net::{IpAddr, SocketAddr};

/// A signal from the connection. Small and `Copy`: it says that something can
/// be looked at, and carries no bytes. Signals of one kind coalesce (the last
/// state counts) and cannot overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RTCPeerConnectionEvent {
    /// An offer should be made.
    OnNegotiationNeededEvent,
    /// A local candidate is known; see
    /// [`local_candidate`](crate::peer::RTCPeerConnection::local_candidate).
    OnIceCandidateEvent(RTCPeerConnectionIceEvent),
    /// The signalling state changed.
    OnSignalingStateChangeEvent(RTCSignalingState),
    /// The ICE state changed.
    OnIceConnectionStateChangeEvent(RTCIceConnectionState),
    /// The pair of candidates that data goes along is another one, or is known
    /// now: see `get_stats().transport().selected_path`.
    OnSelectedCandidatePairChangeEvent,
    /// The gathering state changed.
    OnIceGatheringStateChangeEvent(RTCIceGatheringState),
    /// The state of the whole changed.
    OnConnectionStateChangeEvent(RTCPeerConnectionState),
    /// Something happened to a data channel.
    OnDataChannel(RTCDataChannelEvent),
    /// A candidate could not be had from a server.
    OnIceCandidateErrorEvent(RTCPeerConnectionIceErrorEvent),
    /// The addresses of a server are wanted: see
    /// [`server_name_request`](crate::peer::RTCPeerConnection::server_name_request).
    OnServerNameRequest(RTCServerNameId),
    /// A stream should be opened: see
    /// [`stream_request`](crate::peer::RTCPeerConnection::stream_request).
    OnStreamRequest(RTCStreamId),
    /// This stream is not needed any more, or was never, or has lost its
    /// rhythm: it should be closed, and nothing more told of it.
    OnStreamClose(TransportContext),
    /// A step of the way to the first open channel was taken: what answers
    /// "why is it not connecting".
    OnMilestone(RTCMilestone),
}

/// A local candidate, by its index, or the end of candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RTCPeerConnectionIceEvent {
    /// Which candidate; `None` when there are no more.
    pub candidate: Option<u16>,
}

/// Why a server gave no candidate (W3C WebRTC, Section 4.8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RTCPeerConnectionIceErrorEvent {
    /// Which URL: see
    /// [`ice_server_url`](crate::peer::RTCPeerConnection::ice_server_url).
    pub server: u8,
    /// The address of ours that it was asked from; `None` for a stream, or
    /// when its name has no address.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub address: Option<SocketAddr>,
    /// The STUN error code, or 701 when the server could not be reached.
    pub error_code: u16,
}

impl RTCPeerConnectionIceErrorEvent {
    /// What the code means, in words of our own: what servers say is not
    /// repeated.
    pub const fn error_text(&self) -> &'static str {
        match self.error_code {
            300 => "the server names another one",
            400 => "the server did not understand the request",
            401 | 441 => "the server does not accept the username or the credential",
            403 => "the server forbids it",
            437 => "the server has another allocation for this address",
            438 => "the server asks for one nonce after another",
            440 | 443 => "the server does not relay this address family",
            442 => "the server does not relay this transport",
            486 => "the server has given this user all the allocations of its quota",
            508 => "the server has no capacity left",
            500..=599 => "the server has an error",
            701 => "the server cannot be reached",
            _ => "the server refuses",
        }
    }
}

/// What happened to a data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RTCDataChannelEvent {
    /// The peer opened this channel; `OnOpen` follows.
    OnDataChannel(RTCDataChannelId),
    /// It can carry messages.
    OnOpen(RTCDataChannelId),
    /// It ends by an error: the transport failed.
    OnError(RTCDataChannelId),
    /// The peer is closing it.
    OnClosing(RTCDataChannelId),
    /// It is closed. Its id is not valid after this signal.
    OnClose(RTCDataChannelId),
    /// The buffered amount fell to the low threshold, or there is room for a
    /// message that was refused because the send buffer was full.
    OnBufferedAmountLow(RTCDataChannelId),
    /// The buffered amount rose to the high threshold.
    OnBufferedAmountHigh(RTCDataChannelId),
}

/// A step on the way to the first open channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RTCMilestone {
    /// Which step.
    pub step: RTCMilestoneStep,
    /// Milliseconds since the connection was built.
    pub millis: u64,
}

/// The steps, in the order in which they are usually taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RTCMilestoneStep {
    /// The first local candidate.
    LocalCandidate,
    /// The remote description was applied.
    RemoteDescription,
    /// A candidate pair works.
    PairValid,
    /// The DTLS handshake began.
    DtlsStarted,
    /// The DTLS handshake ended well.
    DtlsConnected,
    /// The SCTP association is up.
    SctpConnected,
    /// The first data channel is open.
    ChannelOpen,
}

impl RTCMilestoneStep {
    pub(crate) const ALL: [Self; 7] = [
        Self::LocalCandidate,
        Self::RemoteDescription,
        Self::PairValid,
        Self::DtlsStarted,
        Self::DtlsConnected,
        Self::SctpConnected,
        Self::ChannelOpen,
    ];
}

/// What the outside world tells the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RTCEvent {
    /// An address of an interface: gather from it. With UDP a socket is bound
    /// to it, and it is concrete, never unspecified. With TCP a listener is, or
    /// none if the port is 0; in both cases streams can be opened from the
    /// address (which may be unspecified if nothing listens).
    LocalAddressAdded {
        /// The socket's address.
        #[cfg_attr(feature = "defmt", defmt(Display2Format))]
        addr: SocketAddr,
        /// What the socket speaks.
        protocol: TransportProtocol,
    },
    /// The address is gone, and every candidate on it.
    LocalAddressRemoved {
        /// The socket's address.
        #[cfg_attr(feature = "defmt", defmt(Display2Format))]
        addr: SocketAddr,
        /// What the socket spoke.
        protocol: TransportProtocol,
    },
    /// Every address has been told: gathering may complete.
    EndOfLocalAddresses,
    /// A server's name has this address. May be told for one address of IPv4
    /// and one of IPv6.
    ServerResolved {
        /// The request.
        id: RTCServerNameId,
        /// The address.
        #[cfg_attr(feature = "defmt", defmt(Display2Format))]
        addr: IpAddr,
    },
    /// A server's name has no address.
    ServerUnresolved {
        /// The request.
        id: RTCServerNameId,
    },
    /// A stream is open.
    StreamOpened {
        /// The request that it is the answer to; `None` when a listener
        /// accepted it.
        id: Option<RTCStreamId>,
        /// Its path, by which its octets are told from then on. The local
        /// address of an accepted one is that of the listener.
        transport: TransportContext,
    },
    /// A stream could not be opened.
    StreamFailed {
        /// The request.
        id: RTCStreamId,
    },
    /// A stream has ended, by an error or by its other end.
    StreamClosed {
        /// Its path.
        transport: TransportContext,
    },
    /// What a name means that
    /// [`poll_hidden_name`](crate::peer::RTCPeerConnection::poll_hidden_name) asked for.
    HiddenNameResolved {
        /// The name.
        name: UuidName,
        /// Its address; `None` when nobody knows it, or when it has several.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        addr: Option<IpAddr>,
    },
}
