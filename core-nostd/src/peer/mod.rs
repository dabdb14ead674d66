//! `RTCPeerConnection`: the layers put together behind the W3C's names.

pub mod jsep;
