//! The verbs, over memory that JavaScript sees.

use crate::event;
use crate::path::{self, Ends};
use crate::reach::Requests;
use crate::setup::{Certificate, Setup};
use crate::{exception, instant, millis};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use picortc::peer::{
    ChannelError, RTCDataChannelId, RTCDataChannelInit, RTCDataChannelMessage, RTCEvent, RTCMessage,
    RTCPeerConnection, WriteError,
};
use wasm_bindgen::prelude::*;

/// The longest datagram that is taken in, or the longest that is sent.
const MAX_DATAGRAM: usize = 2048;
/// Words of `info`.
const INFO: usize = 8;

/// One connection.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Connection {
    pub(crate) pc: RTCPeerConnection,
    /// Where JavaScript puts a datagram that came.
    incoming: Box<[u8]>,
    /// Where the core writes a datagram to be sent.
    outgoing: Box<[u8]>,
    /// Where JavaScript puts a message to be sent; grows to the longest.
    message: Vec<u8>,
    /// The path of the datagram that came, then that of the one to be sent.
    pub(crate) paths: Box<[u8; 2 * path::LEN]>,
    /// What the last call has to say beside what it returns.
    pub(crate) info: Box<[u32; INFO]>,
    pub(crate) last_path: Option<picortc::env::TransportContext>,
    pub(crate) requests: Requests,
}

#[wasm_bindgen]
impl Connection {
    /// A connection; `seed` has 32 random octets.
    ///
    /// # Errors
    /// `TypeError` and `OperationError`.
    #[wasm_bindgen(constructor)]
    pub fn new(now: f64, seed: &[u8], setup: &Setup) -> Result<Connection, JsValue> {
        let size = setup.largest_datagram().max(MAX_DATAGRAM);
        Ok(Self {
            pc: setup.build(now, seed)?,
            incoming: vec![0; size].into_boxed_slice(),
            outgoing: vec![0; size].into_boxed_slice(),
            message: Vec::new(),
            paths: Box::new([0; 2 * path::LEN]),
            info: Box::new([0; INFO]),
            last_path: None,
            requests: Requests::default(),
        })
    }

    /// Where to put a datagram that came.
    pub fn incoming(&mut self) -> *const u8 {
        self.incoming.as_ptr()
    }

    /// How long it may be.
    pub fn incoming_len(&self) -> usize {
        self.incoming.len()
    }

    /// Where a datagram to be sent lies.
    pub fn outgoing(&mut self) -> *const u8 {
        self.outgoing.as_ptr()
    }

    /// Where the path of the datagram that came is put, and behind it the path
    /// of the one to be sent.
    pub fn paths(&mut self) -> *const u8 {
        self.paths.as_ptr()
    }

    /// Words that calls leave: see each.
    pub fn info(&mut self) -> *const u32 {
        self.info.as_ptr()
    }

    pub(crate) fn path_in(&self) -> Ends {
        self.paths.first_chunk().map(Ends::from_octets).unwrap_or_default()
    }

    /// Takes in the first `len` octets of `incoming`, along the path in `paths`.
    pub fn handle_read(&mut self, now: f64, len: usize) {
        let path = self.path_in().path();
        if let Some(datagram) = self.incoming.get_mut(..len) {
            self.pc.handle_read(instant(now), path, datagram);
        }
    }

    /// The length of the next datagram, which lies in `outgoing`; 0 for none.
    /// `info[0]` is 1 when its path is another than the last one's.
    pub fn poll_write(&mut self, now: f64) -> usize {
        let Some(transmit) = self.pc.poll_write(instant(now), &mut self.outgoing) else { return 0 };
        let changed = !self.last_path.is_some_and(|last| last.same_path(&transmit.transport));
        self.info[0] = changed.into();
        if changed {
            self.last_path = Some(transmit.transport);
            if let Some(octets) = self.paths.last_chunk_mut() {
                Ends::of(&transmit.transport).to_octets(octets);
            }
        }
        transmit.len
    }

    /// Where to put a message of `len` octets that is to be sent.
    pub fn message(&mut self, len: usize) -> *const u8 {
        if self.message.len() < len {
            self.message.resize(len, 0);
        }
        self.message.as_ptr()
    }

    /// Sends the first `len` octets of `message`: 0 when taken, 1 when the
    /// buffer is full, 2 when it is too large (`info[0]` is the limit), 3 when
    /// the channel is not open.
    pub fn handle_write(&mut self, now: f64, channel: u32, is_string: bool, len: usize) -> u32 {
        let Some(data) = self.message.get(..len) else { return 3 };
        let id = RTCDataChannelId::from_u32(channel);
        let message = RTCMessage::DataChannelMessage(id, RTCDataChannelMessage { is_string, data });
        match self.pc.handle_write(instant(now), message) {
            Ok(()) => 0,
            Err(WriteError::Full) => 1,
            Err(WriteError::TooLarge { max }) => {
                self.info[0] = max as u32;
                2
            }
            Err(_) => 3,
        }
    }

    /// The next message: `info` holds its channel, whether it is text, its
    /// address and its length. It lies there until the next call.
    pub fn poll_read(&mut self) -> bool {
        let Some(RTCMessage::DataChannelMessage(id, message)) = self.pc.poll_read() else { return false };
        let words = [
            id.to_u32(),
            message.is_string.into(),
            message.data.as_ptr() as usize as u32,
            message.data.len() as u32,
        ];
        self.info[..4].copy_from_slice(&words);
        true
    }

    /// The next event; 0 for none. `info[0]` says what it is about.
    pub fn poll_event(&mut self) -> u32 {
        while let Some(event) = self.pc.poll_event() {
            let (code, about) = match self.handle_reach(event) {
                Some(reach) => reach,
                None => event::encode(event),
            };
            if code != 0 {
                self.info[0] = about;
                return code;
            }
        }
        0
    }

    /// When to call `handle_timeout`, in milliseconds; negative for never.
    pub fn poll_timeout(&self) -> f64 {
        self.pc.poll_timeout().map_or(-1.0, millis)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: f64) {
        self.pc.handle_timeout(instant(now));
    }

    /// A socket is bound to the local address in `paths`: gather from it.
    pub fn local_address_added(&mut self, now: f64) {
        let (addr, protocol) = self.path_in().local();
        self.pc.handle_event(instant(now), RTCEvent::LocalAddressAdded { addr, protocol });
    }

    /// The local address in `paths` is gone.
    pub fn local_address_removed(&mut self, now: f64) {
        let (addr, protocol) = self.path_in().local();
        self.pc.handle_event(instant(now), RTCEvent::LocalAddressRemoved { addr, protocol });
    }

    /// Every address was told.
    pub fn end_of_local_addresses(&mut self, now: f64) {
        self.pc.handle_event(instant(now), RTCEvent::EndOfLocalAddresses);
    }

    /// Makes a channel and returns its handle. Negative numbers stand for what
    /// is not given.
    ///
    /// # Errors
    /// `TypeError`, `OperationError`, `InvalidStateError`.
    #[allow(clippy::too_many_arguments, reason = "a dictionary's members, one by one")]
    pub fn create_data_channel(
        &mut self,
        now: f64,
        label: &str,
        protocol: &str,
        ordered: bool,
        max_packet_life_time: i32,
        max_retransmits: i32,
        negotiated: i32,
        priority: u16,
    ) -> Result<u32, JsValue> {
        let given = |n: i32| u16::try_from(n).ok();
        let init = RTCDataChannelInit {
            ordered,
            max_packet_life_time: given(max_packet_life_time),
            max_retransmits: given(max_retransmits),
            protocol,
            negotiated: given(negotiated),
            priority,
        };
        let id = self.pc.create_data_channel(instant(now), label, init).map_err(|e| {
            let name = match e {
                ChannelError::TwoReliabilities | ChannelError::StreamNumber => "TypeError",
                ChannelError::Closed => "InvalidStateError",
                _ => "OperationError",
            };
            exception(name, &e)
        })?;
        Ok(id.to_u32())
    }

    /// Closes a channel.
    pub fn close_data_channel(&mut self, now: f64, channel: u32) {
        if let Some(mut channel) = self.pc.data_channel(RTCDataChannelId::from_u32(channel)) {
            channel.close(instant(now));
        }
    }

    /// The label of a channel.
    pub fn label(&mut self, channel: u32) -> String {
        let channel = self.pc.data_channel(RTCDataChannelId::from_u32(channel));
        channel.map(|c| c.label().to_owned()).unwrap_or_default()
    }

    /// The subprotocol of a channel.
    pub fn protocol(&mut self, channel: u32) -> String {
        let channel = self.pc.data_channel(RTCDataChannelId::from_u32(channel));
        channel.map(|c| c.protocol().to_owned()).unwrap_or_default()
    }

    /// Puts a channel's traits into `info`: the stream number, whether it is
    /// ordered, its lifetime and retransmissions, whether it was negotiated,
    /// its priority. What does not apply is 65535.
    pub fn traits(&mut self, channel: u32) -> bool {
        let Some(channel) = self.pc.data_channel(RTCDataChannelId::from_u32(channel)) else { return false };
        let or_none = |n: Option<u16>| u32::from(n.unwrap_or(u16::MAX));
        self.info[..6].copy_from_slice(&[
            or_none(channel.stream_id()),
            channel.ordered().into(),
            or_none(channel.max_packet_life_time()),
            or_none(channel.max_retransmits()),
            channel.negotiated().into(),
            channel.priority().into(),
        ]);
        true
    }

    /// Octets that wait to be sent or acknowledged on a channel.
    pub fn buffered_amount(&mut self, channel: u32) -> usize {
        self.pc.data_channel(RTCDataChannelId::from_u32(channel)).map_or(0, |c| c.buffered_amount())
    }

    /// When the buffered amount falls to `octets`, an event says so.
    pub fn set_buffered_amount_low_threshold(&mut self, channel: u32, octets: usize) {
        if let Some(mut channel) = self.pc.data_channel(RTCDataChannelId::from_u32(channel)) {
            channel.set_buffered_amount_low_threshold(octets);
        }
    }

    /// The longest message that can be sent, in octets.
    pub fn max_message_size(&self) -> usize {
        self.pc.sctp_max_message_size()
    }

    /// The states of signalling, the whole, ICE, gathering, DTLS and SCTP, by
    /// their place in the W3C's enumerations, in `info`.
    pub fn states(&mut self) {
        let pc = &self.pc;
        let states = [
            pc.signaling_state() as u32,
            pc.connection_state() as u32,
            pc.ice_connection_state() as u32,
            pc.ice_gathering_state() as u32,
            pc.dtls_transport_state() as u32,
            pc.sctp_transport_state() as u32,
            pc.dtls_role().map_or(u32::MAX, |role| role as u32),
        ];
        self.info[..7].copy_from_slice(&states);
    }

    /// Why DTLS failed; empty when it did not.
    pub fn dtls_error(&self) -> String {
        self.pc.dtls_error().map(|e| e.to_string()).unwrap_or_default()
    }

    /// Our identity.
    pub fn certificate(&self) -> Certificate {
        Certificate { inner: self.pc.certificate().clone() }
    }

    /// Whether ICE has shown that this peer is at the other end of the path in
    /// `paths`.
    pub fn is_validated_path(&self) -> bool {
        self.pc.is_validated_path(&self.path_in().path())
    }

    /// Closes the connection; `poll_write` then gives the goodbyes.
    pub fn close(&mut self, now: f64) {
        self.pc.close(instant(now));
    }
}
