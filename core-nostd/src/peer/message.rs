//! What the application sends and receives.

use crate::channel::RTCDataChannelId;

/// One unit of application data, in either direction. It borrows: from the
/// receive arena when read, from the caller when written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RTCMessage<'a> {
    /// A message on a data channel.
    DataChannelMessage(RTCDataChannelId, RTCDataChannelMessage<'a>),
}

/// A message on a data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RTCDataChannelMessage<'a> {
    /// Whether the message is text (UTF-8) rather than binary.
    pub is_string: bool,
    /// The octets. Empty messages are messages.
    pub data: &'a [u8],
}

impl<'a> RTCDataChannelMessage<'a> {
    /// A text message.
    pub const fn text(text: &'a str) -> Self {
        Self { is_string: true, data: text.as_bytes() }
    }

    /// A binary message.
    pub const fn binary(data: &'a [u8]) -> Self {
        Self { is_string: false, data }
    }

    /// The text, when it is a text message and valid UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        if self.is_string { core::str::from_utf8(self.data).ok() } else { None }
    }

    /// A copy that can be kept, on the heap. The core itself never makes one.
    pub fn to_bytes(&self) -> bytes::Bytes {
        bytes::Bytes::copy_from_slice(self.data)
    }
}
