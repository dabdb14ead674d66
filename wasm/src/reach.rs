//! What the core wants of its surroundings to reach servers and peers: the
//! addresses of names, and streams.

use crate::connection::Connection;
use crate::path::Ends;
use crate::setup::Setup;
use crate::{exception, instant};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use picortc::env::TransportContext;
use picortc::peer::{
    RTCEvent, RTCPeerConnectionEvent, RTCPeerConnectionIceErrorEvent, RTCServerNameId, RTCStreamId,
    RTCStreamPeer, RTCStreamRequest,
};
use wasm_bindgen::prelude::*;

/// More names than this are never asked for at once: the oldest is given up.
const MAX_NAMES: usize = 64;

/// What the core asked for. JavaScript has numbers in place of its handles.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    names: Vec<(u32, RTCServerNameId)>,
    next_name: u32,
    streams: Vec<RTCStreamId>,
}

impl Requests {
    fn name(&self, number: u32) -> Option<RTCServerNameId> {
        self.names.iter().find(|(n, _)| *n == number).map(|(_, id)| *id)
    }

    fn take_stream(&mut self, number: u32) -> Option<RTCStreamId> {
        let at = self.streams.iter().position(|id| id.number() == number)?;
        Some(self.streams.swap_remove(at))
    }
}

impl Connection {
    /// The number of an event that is about reaching somebody, and of what; the
    /// rest lies in `info` and behind the path in `paths`.
    pub(crate) fn handle_reach(&mut self, event: RTCPeerConnectionEvent) -> Option<(u32, u32)> {
        use RTCPeerConnectionEvent as Event;
        match event {
            Event::OnIceCandidateErrorEvent(error) => {
                self.info[1] = error.error_code.into();
                self.info[2] = error.address.is_some().into();
                if let Some(address) = error.address {
                    self.tell_path(&Ends::of_address(address));
                }
                Some((14, error.server.into()))
            }
            Event::OnServerNameRequest(id) => {
                let requests = &mut self.requests;
                if requests.names.len() >= MAX_NAMES {
                    requests.names.remove(0);
                }
                requests.next_name = requests.next_name.wrapping_add(1);
                requests.names.push((requests.next_name, id));
                Some((15, requests.next_name))
            }
            Event::OnStreamRequest(id) => {
                self.requests.streams.push(id);
                Some((16, id.number()))
            }
            Event::OnStreamClose(path) => {
                self.tell_path(&Ends::of(&path));
                Some((17, 0))
            }
            _ => None,
        }
    }

    /// Puts a path where that of a datagram to be sent is, which is told anew.
    fn tell_path(&mut self, ends: &Ends) {
        self.last_path = None;
        if let Some(octets) = self.paths.last_chunk_mut() {
            ends.to_octets(octets);
        }
    }

    fn path(&self) -> TransportContext {
        self.path_in().path()
    }
}

#[wasm_bindgen]
impl Connection {
    /// Takes another configuration: servers, policy and pool size of `setup`.
    ///
    /// # Errors
    /// The W3C's exceptions.
    pub fn set_configuration(&mut self, now: f64, setup: &Setup) -> Result<(), JsValue> {
        setup
            .with_configuration(|configuration| self.pc.set_configuration(instant(now), configuration))
            .map_err(|e| exception(e.name(), &e))
    }

    /// The URL of a server, by the number that an error or a candidate gives.
    pub fn ice_server_url(&self, server: u8) -> String {
        self.pc.ice_server_url(server).map(|s| s.url.to_owned()).unwrap_or_default()
    }

    /// What an error's code means, in words.
    pub fn ice_error_text(&self, error_code: u16) -> String {
        RTCPeerConnectionIceErrorEvent { server: 0, address: None, error_code }.error_text().to_owned()
    }

    /// The server that a local candidate comes of: its URL, a space, and how it
    /// is spoken to. Empty for none.
    pub fn candidate_server(&self, index: u16) -> String {
        let server = self.pc.local_candidate(index).and_then(|c| c.server);
        let named = server.map(|s| format!("{} {}", self.ice_server_url(s.url), protocol_name(s.protocol)));
        named.unwrap_or_default()
    }

    /// The name that is asked for; empty when it no longer is.
    pub fn server_name_request(&self, number: u32) -> String {
        let id = self.requests.name(number);
        id.and_then(|id| self.pc.server_name_request(id)).unwrap_or_default().to_owned()
    }

    /// The name has the address in `paths` (our end).
    pub fn server_resolved(&mut self, now: f64, number: u32) {
        let (addr, _) = self.path_in().local();
        if let Some(id) = self.requests.name(number) {
            self.pc.handle_event(instant(now), RTCEvent::ServerResolved { id, addr: addr.ip() });
        }
    }

    /// The name has no address.
    pub fn server_unresolved(&mut self, now: f64, number: u32) {
        if let Some(id) = self.requests.name(number) {
            self.pc.handle_event(instant(now), RTCEvent::ServerUnresolved { id });
        }
    }

    /// Where a stream is to go: the protocol, the port, the address of ours or
    /// `*`, and the other end's name or address. Empty when it is no longer
    /// wanted.
    pub fn stream_request(&self, number: u32) -> String {
        let id = self.requests.streams.iter().find(|id| id.number() == number);
        id.and_then(|id| self.pc.stream_request(*id)).map(|r| request_text(&r)).unwrap_or_default()
    }

    /// The stream that was asked for is open, along the path in `paths`; or,
    /// with 0, one that was accepted.
    pub fn stream_opened(&mut self, now: f64, number: u32) {
        let id = self.requests.take_stream(number);
        if id.is_some() || number == 0 {
            let transport = self.path();
            self.pc.handle_event(instant(now), RTCEvent::StreamOpened { id, transport });
        }
    }

    /// The stream that was asked for could not be opened.
    pub fn stream_failed(&mut self, now: f64, number: u32) {
        if let Some(id) = self.requests.take_stream(number) {
            self.pc.handle_event(instant(now), RTCEvent::StreamFailed { id });
        }
    }

    /// The stream along the path in `paths` has ended.
    pub fn stream_closed(&mut self, now: f64) {
        let transport = self.path();
        self.pc.handle_event(instant(now), RTCEvent::StreamClosed { transport });
    }
}

pub(crate) fn protocol_name(protocol: picortc::env::TransportProtocol) -> &'static str {
    match protocol {
        picortc::env::TransportProtocol::Udp => "udp",
        picortc::env::TransportProtocol::Tcp => "tcp",
        picortc::env::TransportProtocol::Tls => "tls",
    }
}

fn request_text(request: &RTCStreamRequest<'_>) -> String {
    let local = request.local_ip.map_or_else(|| "*".to_owned(), |ip| ip.to_string());
    let protocol = protocol_name(request.protocol);
    match request.peer {
        RTCStreamPeer::Addr(addr) => format!("{protocol} {} {local} {}", addr.port(), addr.ip()),
        RTCStreamPeer::Name(name, port) => format!("{protocol} {port} {local} {name}"),
    }
}
