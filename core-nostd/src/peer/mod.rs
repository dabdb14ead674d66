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
pub mod jsep;
mod limits;
mod mdns;
mod message;
mod negotiate;
mod progress;
mod receive;
mod signals;
mod state;
mod stats;
pub mod streams;
mod transmit;
mod way;

pub use crate::channel::{
    ChannelError, RTCDataChannelId, RTCDataChannelInit, RTCDataChannelState, WriteError,
};
pub use builder::{BuildError, RTCPeerConnectionBuilder};
pub use configuration::{
    RTCBundlePolicy, RTCConfiguration, RTCDtlsRole, RTCIceServer, RTCIceTransportPolicy, RTCRtcpMuxPolicy,
    SettingEngine,
};
pub use connection::RTCPeerConnection;
pub use data_channel::RTCDataChannel;
pub use demultiplexer::{
    ConnectionId, Demultiplexer, DemultiplexerCounters, DemultiplexerError, DemultiplexerLimits,
};
pub use event::{
    RTCDataChannelEvent, RTCEvent, RTCMilestone, RTCMilestoneStep, RTCPeerConnectionEvent,
    RTCPeerConnectionIceEvent,
};
pub use jsep::{RTCSdpType, RTCSignalingState};
pub use limits::Limits;
pub use mdns::MulticastDnsMode;
pub use message::{RTCDataChannelMessage, RTCMessage};
pub use negotiate::{Error, RTCAnswerOptions, RTCIceCandidateInit, RTCOfferOptions, RTCSessionDescription};
pub use state::{
    RTCDtlsTransportState, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSctpTransportState,
};
pub use stats::{
    RTCDataChannelStats, RTCIceCandidatePairStats, RTCPeerConnectionStats, RTCStatsReport, RTCTransportStats,
};
pub use streams::{RTCStreamId, RTCStreamPeer, RTCStreamRequest};
