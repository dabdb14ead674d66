//! One connection, as its task sees it.

use crate::rtc::{PeerId, Rtc};
pub use crate::slot::CloseReason;
use core::future::poll_fn;
use core::task::Poll;
use picortc::env::Instant;
use picortc::peer::{
    RTCDataChannelId, RTCDataChannelMessage, RTCMessage, RTCPeerConnection, RTCPeerConnectionEvent,
    WriteError,
};

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PeerEvent {
    /// A signal of the connection: states, channels that open and close, and
    /// the steps on the way there with their times (`OnMilestone`).
    Signal(RTCPeerConnectionEvent),
    /// A message; its octets are the first `len` of the buffer.
    Message {
        /// The channel that it came on.
        channel: RTCDataChannelId,
        /// Whether it is text.
        is_string: bool,
        /// Its length in octets.
        len: usize,
    },
    /// A message that is longer than the buffer, and lost: give as many octets
    /// as `Limits` let a message have.
    TooLong {
        /// The channel that it came on.
        channel: RTCDataChannelId,
        /// Its length in octets.
        len: usize,
    },
    /// The connection is over; there is nothing more to wait for.
    Closed(CloseReason),
}

/// One connection. Dropping it closes the connection.
#[derive(Debug)]
pub struct Peer<'d> {
    rtc: Rtc<'d>,
    id: PeerId,
    /// The last call read a message. Its memory is given back by the next one,
    /// which opens the window: the peer is to be told.
    has_read: bool,
}

impl<'d> Peer<'d> {
    pub(crate) fn new(rtc: Rtc<'d>, id: PeerId) -> Self {
        Self { rtc, id, has_read: false }
    }

    /// Its id: what signalling knows it by.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// The next thing that happens: signals first, then messages. Not calling
    /// it closes the receive window, which slows the peer down. Nothing is lost
    /// when the future is dropped.
    pub async fn next(&mut self, buf: &mut [u8]) -> PeerEvent {
        poll_fn(|cx| {
            let Some(slot) = self.rtc.slot(self.id) else {
                return Poll::Ready(PeerEvent::Closed(CloseReason::Local));
            };
            let mut slot = slot.borrow_mut();
            let ended = slot.ended();
            let Some(pc) = &mut slot.pc else {
                return Poll::Ready(PeerEvent::Closed(CloseReason::Local));
            };
            if let Some(event) = pc.poll_event() {
                return Poll::Ready(PeerEvent::Signal(event));
            }
            let message = read(pc, buf);
            if core::mem::replace(&mut self.has_read, message.is_some()) {
                self.rtc.shared.wake_runner();
            }
            if let Some(event) = message {
                return Poll::Ready(event);
            }
            match ended {
                Some(reason) => Poll::Ready(PeerEvent::Closed(reason)),
                None => {
                    slot.waker.register(cx.waker());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Sends a message, when there is room for it.
    ///
    /// # Errors
    /// [`WriteError`], except that `Full` is waited for.
    pub async fn send(
        &mut self,
        channel: RTCDataChannelId,
        is_string: bool,
        data: &[u8],
    ) -> Result<(), WriteError> {
        poll_fn(|cx| {
            let sent = self.write(channel, is_string, data);
            // Not the runner's turn: it would wake this task, and so on.
            if sent == Err(WriteError::Full)
                && let Some(slot) = self.rtc.slot(self.id)
            {
                slot.borrow_mut().waker.register(cx.waker());
                return Poll::Pending;
            }
            self.rtc.shared.wake_runner();
            Poll::Ready(sent)
        })
        .await
    }

    /// Sends a message if there is room for it now.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was taken then.
    pub fn try_send(
        &mut self,
        channel: RTCDataChannelId,
        is_string: bool,
        data: &[u8],
    ) -> Result<(), WriteError> {
        let sent = self.write(channel, is_string, data);
        self.rtc.shared.wake_runner();
        sent
    }

    fn write(&mut self, channel: RTCDataChannelId, is_string: bool, data: &[u8]) -> Result<(), WriteError> {
        let slot = self.rtc.slot(self.id).ok_or(WriteError::NoSuchChannel)?;
        let mut slot = slot.borrow_mut();
        let pc = slot.pc.as_mut().ok_or(WriteError::NoSuchChannel)?;
        let message = RTCMessage::DataChannelMessage(channel, RTCDataChannelMessage { is_string, data });
        pc.handle_write(crate::now(), message)
    }

    /// Anything else of the core's connection: channels, thresholds,
    /// statistics. `None` when the connection is gone.
    pub fn with<R>(&mut self, f: impl FnOnce(&mut RTCPeerConnection, Instant) -> R) -> Option<R> {
        let slot = self.rtc.slot(self.id)?;
        let done = slot.borrow_mut().pc.as_mut().map(|pc| f(pc, crate::now()));
        self.rtc.shared.wake_runner();
        done
    }

    /// Looks at the label of a channel. `None` when the channel is gone.
    pub fn with_label<R>(&mut self, channel: RTCDataChannelId, f: impl FnOnce(&str) -> R) -> Option<R> {
        self.with(|pc, _| pc.data_channel(channel).map(|channel| f(channel.label())))?
    }

    /// Closes the connection, and says so to the peer.
    pub fn close(self) {}
}

impl Drop for Peer<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.rtc.slot(self.id) {
            slot.borrow_mut().released = true;
            self.rtc.shared.wake_runner();
        }
    }
}

fn read(pc: &mut RTCPeerConnection, buf: &mut [u8]) -> Option<PeerEvent> {
    let RTCMessage::DataChannelMessage(channel, message) = pc.poll_read()? else { return None };
    let len = message.data.len();
    let Some(room) = buf.get_mut(..len) else { return Some(PeerEvent::TooLong { channel, len }) };
    room.copy_from_slice(message.data);
    Some(PeerEvent::Message { channel, is_string: message.is_string, len })
}
