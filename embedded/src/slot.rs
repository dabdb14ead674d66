//! A place for a connection.

use embassy_sync::waitqueue::WakerRegistration;
use picortc::env::Instant;
use picortc::peer::{
    RTCDtlsTransportState, RTCPeerConnection, RTCPeerConnectionState, RTCSctpTransportState,
};

/// A place for a connection, used again and again; the generation tells its
/// tenants apart.
pub(crate) struct Slot {
    pub(crate) generation: u32,
    pub(crate) pc: Option<RTCPeerConnection>,
    /// A [`Peer`](crate::Peer) is out.
    pub(crate) claimed: bool,
    /// Its owner has gone: say goodbye, then free the place.
    pub(crate) released: bool,
    /// The owner's task.
    pub(crate) waker: WakerRegistration,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer said goodbye.
    ByPeer,
    /// The peer does not answer: no path was found, or it was lost.
    Unreachable,
    /// DTLS failed; `Peer::with` and `dtls_error` say why.
    Dtls,
    /// It was closed here.
    Local,
}

impl core::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::ByPeer => "the peer said goodbye",
            Self::Unreachable => "the peer does not answer",
            Self::Dtls => "DTLS failed",
            Self::Local => "closed here",
        })
    }
}

impl Slot {
    pub(crate) const EMPTY: Self =
        Self { generation: 0, pc: None, claimed: false, released: false, waker: WakerRegistration::new() };

    /// Why the connection is over, if it is.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        let Some(pc) = &self.pc else { return Some(CloseReason::Local) };
        match (pc.connection_state(), pc.dtls_transport_state()) {
            (RTCPeerConnectionState::Closed, _) => Some(CloseReason::Local),
            (_, RTCDtlsTransportState::Failed) => Some(CloseReason::Dtls),
            (_, RTCDtlsTransportState::Closed) => Some(CloseReason::ByPeer),
            (RTCPeerConnectionState::Failed, _) => Some(CloseReason::Unreachable),
            _ if pc.sctp_transport_state() == RTCSctpTransportState::Closed => Some(CloseReason::ByPeer),
            _ => None,
        }
    }

    /// Whether goodbyes are to be sent and the place is to be freed then.
    pub(crate) fn leave(&mut self, now: Instant) -> bool {
        let leaves = self.released || (!self.claimed && self.ended().is_some());
        if leaves && let Some(pc) = &mut self.pc {
            pc.close(now);
        }
        leaves && self.pc.is_some()
    }

    pub(crate) fn free(&mut self) {
        self.pc = None;
        self.claimed = false;
        self.released = false;
        self.generation = self.generation.wrapping_add(1);
        self.waker.wake();
    }
}
