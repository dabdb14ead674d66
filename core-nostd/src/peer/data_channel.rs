//! A data channel, seen through its connection.

use super::RTCPeerConnection;
use super::message::{RTCDataChannelMessage, RTCMessage};
use crate::channel::{Channel, RTCDataChannelId, RTCDataChannelState, WriteError};
use crate::env::Instant;

/// A data channel, borrowed from its connection for a few calls
/// (W3C WebRTC, Section 6.2).
#[derive(Debug)]
pub struct RTCDataChannel<'a> {
    pub(super) pc: &'a mut RTCPeerConnection,
    pub(super) id: RTCDataChannelId,
}

impl RTCDataChannel<'_> {
    fn channel(&self) -> Option<Channel<'_>> {
        self.pc.channels.get(self.id)
    }

    /// The handle.
    pub fn id(&self) -> RTCDataChannelId {
        self.id
    }

    /// The SCTP stream number; `None` until the DTLS role is known, which an
    /// answer decides.
    pub fn stream_id(&self) -> Option<u16> {
        self.channel().and_then(|c| c.slot.stream)
    }

    /// The label.
    pub fn label(&self) -> &str {
        self.pc.channels.get(self.id).map_or("", |c| c.label)
    }

    /// The subprotocol.
    pub fn protocol(&self) -> &str {
        self.pc.channels.get(self.id).map_or("", |c| c.protocol)
    }

    /// Whether messages arrive in order.
    pub fn ordered(&self) -> bool {
        self.channel().is_none_or(|c| c.slot.ordered)
    }

    /// For how many milliseconds messages are retransmitted, if limited.
    pub fn max_packet_life_time(&self) -> Option<u16> {
        self.channel().and_then(|c| c.max_packet_life_time())
    }

    /// How often messages are retransmitted, if limited.
    pub fn max_retransmits(&self) -> Option<u16> {
        self.channel().and_then(|c| c.max_retransmits())
    }

    /// Whether both applications opened the channel by themselves.
    pub fn negotiated(&self) -> bool {
        self.channel().is_some_and(|c| c.slot.negotiated)
    }

    /// The DCEP priority.
    pub fn priority(&self) -> u16 {
        self.channel().map_or(0, |c| c.slot.priority)
    }

    /// The state.
    pub fn ready_state(&self) -> RTCDataChannelState {
        self.channel().map_or(RTCDataChannelState::Closed, |c| c.slot.state)
    }

    /// Octets that were handed over and not yet sent (W3C WebRTC, Section 6.2).
    /// What waits for the peer's acknowledgement is not counted and takes room
    /// in the send buffer all the same, so a message can be refused as
    /// [`WriteError::Full`] while this is 0; an `OnBufferedAmountLow` event says
    /// when there is room for it.
    pub fn buffered_amount(&self) -> usize {
        self.pc.channels.buffered_amount(self.id, &self.pc.sctp)
    }

    /// When the buffered amount falls to this, or when there is room for a
    /// message that was refused, `OnBufferedAmountLow` says so.
    pub fn buffered_amount_low_threshold(&self) -> usize {
        self.channel().map_or(0, |c| c.slot.low_threshold)
    }

    /// See [`buffered_amount_low_threshold`](Self::buffered_amount_low_threshold).
    pub fn set_buffered_amount_low_threshold(&mut self, octets: usize) {
        self.pc.channels.set_low_threshold(self.id, octets, &mut self.pc.sctp);
    }

    /// When the buffered amount rises to this, `OnBufferedAmountHigh` says so;
    /// 0 is never.
    pub fn buffered_amount_high_threshold(&self) -> usize {
        self.channel().map_or(0, |c| c.slot.high_threshold)
    }

    /// See [`buffered_amount_high_threshold`](Self::buffered_amount_high_threshold).
    pub fn set_buffered_amount_high_threshold(&mut self, octets: usize) {
        self.pc.channels.set_high_threshold(self.id, octets);
    }

    /// Sends a binary message.
    ///
    /// # Errors
    /// As [`RTCPeerConnection::handle_write`].
    pub fn send(&mut self, now: Instant, data: &[u8]) -> Result<(), WriteError> {
        let message = RTCDataChannelMessage::binary(data);
        self.pc.handle_write(now, RTCMessage::DataChannelMessage(self.id, message))
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// As [`RTCPeerConnection::handle_write`].
    pub fn send_text(&mut self, now: Instant, text: &str) -> Result<(), WriteError> {
        let message = RTCDataChannelMessage::text(text);
        self.pc.handle_write(now, RTCMessage::DataChannelMessage(self.id, message))
    }

    /// Closes the channel; what was sent before is still delivered.
    pub fn close(&mut self, now: Instant) {
        self.pc.close_channel(now, self.id);
    }
}
