//! `RTCPeerConnection`: the layers put together behind the W3C's names.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `builder` | construction, with all the memory |
//! | `connection` | the connection and what can be asked of it |
//! | `receive` | datagrams in |
//! | `transmit` | datagrams out, in one fixed order |
//! | `way` | how a datagram travels along its path |
//! | `streams` | TCP and TLS, which the caller opens |
//! | `gather` | STUN and TURN servers, and what they tell |
//! | `relay` | allocations, and what goes through them |
//! | `progress` | what one layer's state means for the next; events |
//! | `negotiate` | offers, answers, candidates |
//! | `data_channel` | a channel, seen through its connection |
//! | `mdns` | candidates that are names |
//! | `demultiplexer` | many connections on one socket |
//! | `stats` | statistics |

mod builder;
mod configuration;
mod connection;
mod data_channel;
mod demultiplexer;
mod event;
pub mod gather;
mod ice_servers;
pub mod jsep;
mod limits;
mod mdns;
mod message;
mod negotiate;
mod progress;
mod receive;
mod reconfigure;
#[cfg(feature = "turn")]
mod relay;
#[cfg(feature = "turn-tcp")]
mod relay_streams;
mod signals;
mod state;
mod stats;
pub mod streams;
#[cfg(test)]
mod tests;
mod transmit;
mod way;

pub use crate::channel::{
    ChannelError, RTCDataChannelId, RTCDataChannelInit, RTCDataChannelState, WriteError,
};
pub use builder::{BuildError, RTCPeerConnectionBuilder};
pub use configuration::{
    Nat1To1, RTCBundlePolicy, RTCConfiguration, RTCDtlsRole, RTCIceServer, RTCIceTransportPolicy,
    RTCRtcpMuxPolicy, SettingEngine,
};
pub use connection::RTCPeerConnection;
pub use data_channel::RTCDataChannel;
pub use demultiplexer::{
    ConnectionId, Demultiplexer, DemultiplexerCounters, DemultiplexerError, DemultiplexerLimits,
};
pub use event::{
    RTCDataChannelEvent, RTCEvent, RTCMilestone, RTCMilestoneStep, RTCPeerConnectionEvent,
    RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent,
};
pub use gather::RTCServerNameId;
pub use ice_servers::{IceServerError, RTCIceServerUrl};
pub use jsep::{RTCSdpType, RTCSignalingState};
pub use limits::Limits;
pub use mdns::MulticastDnsMode;
pub use message::{RTCDataChannelMessage, RTCMessage};
pub use negotiate::{Error, RTCAnswerOptions, RTCIceCandidateInit, RTCOfferOptions, RTCSessionDescription};
pub use reconfigure::{ConfigurationError, RTCConfigurationInUse};
pub use state::{
    RTCDtlsTransportState, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSctpTransportState,
};
pub use stats::{
    EcnCounts, RTCCertificateStats, RTCDataChannelStats, RTCIceCandidatePairStats, RTCPeerConnectionStats,
    RTCStatsReport, RTCTransportStats,
};
pub use streams::{RTCStreamId, RTCStreamPeer, RTCStreamRequest};
