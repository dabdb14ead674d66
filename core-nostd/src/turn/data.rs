//! Wrapping what goes out and unwrapping what comes in (RFC 8656, Sections 11
//! and 12).

use super::{Client, Permission};
use crate::env::Env;
use crate::wire::stun::{AttributeType, Class, Message, Method, TransactionId};
use crate::wire::turn::{CHANNEL_HEADER_LEN, channel_data, channel_header, send_head_room, write_send};
use core::net::SocketAddr;
use core::ops::Range;

/// What a datagram from the server was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// The client's own affair.
    Own,
    /// Data from a peer, and where it lies.
    Data {
        /// The peer.
        peer: SocketAddr,
        /// The relayed address that it sent to.
        relayed: SocketAddr,
        /// Which octets are its.
        range: Range<usize>,
    },
    /// Nothing of TURN.
    Foreign,
}

impl Client {
    /// Takes in a datagram that came from the server.
    pub fn handle_read(&mut self, env: &mut Env<'_>, datagram: &[u8]) -> Received {
        if self.is_idle() {
            return Received::Foreign;
        }
        if datagram.first().is_some_and(|first| (64..=79).contains(first)) {
            return self.handle_channel_data(datagram);
        }
        let Ok(message) = Message::parse(datagram) else { return Received::Foreign };
        match message.class {
            Class::Indication if message.method == Method::DATA => self.handle_data(&message),
            #[cfg(feature = "turn-tcp")]
            Class::Indication if message.method == Method::CONNECTION_ATTEMPT => {
                self.handle_attempt(env, &message);
                Received::Own
            }
            Class::Success | Class::Error => {
                #[cfg(feature = "turn-tcp")]
                if let Some(index) = self.connection_of(&message) {
                    self.handle_connect(env, index, &message);
                    return Received::Own;
                }
                if self.request.is_some_and(|r| r.id == message.transaction_id) {
                    self.handle_allocation(env, &message);
                } else if let Some(index) = self.peer_of(&message) {
                    self.handle_peer(env, index, &message);
                } else {
                    return Received::Foreign;
                }
                Received::Own
            }
            _ => Received::Foreign,
        }
    }

    fn handle_channel_data(&mut self, datagram: &[u8]) -> Received {
        let Ok((channel, range)) = channel_data(datagram) else {
            self.counters.noise += 1;
            return Received::Own;
        };
        let peer = self.peers.iter().find(|p| p.bound() == Some(channel)).map(|p| p.addr);
        self.data(peer, range)
    }

    fn handle_data(&mut self, message: &Message<'_>) -> Received {
        let peer = message.xor_address(AttributeType::XOR_PEER_ADDRESS);
        let (Some(peer), Some(range)) = (peer, message.range(AttributeType::DATA)) else {
            self.counters.noise += 1;
            return Received::Own;
        };
        // The server lets through by address, whatever the port.
        let permitted = |p: &&super::Peer| p.addr.ip() == peer.ip() && p.permission == Permission::Granted;
        let permitted = self.peers.iter().find(permitted).map(|_| peer);
        self.data(permitted, range)
    }

    fn data(&mut self, peer: Option<SocketAddr>, range: Range<usize>) -> Received {
        match peer.and_then(|peer| Some((peer, self.relay_for(peer)?))) {
            Some((peer, relayed)) => Received::Data { peer, relayed, range },
            None => {
                self.counters.unpermitted += 1;
                Received::Own
            }
        }
    }

    /// Octets to leave free in front of a datagram to `peer`; `None` when
    /// nothing may be sent to it.
    pub fn head_room(&self, peer: SocketAddr) -> Option<usize> {
        let peer = self.peers.iter().find(|p| p.addr == peer && p.permission == Permission::Granted)?;
        Some(if peer.bound().is_some() { CHANNEL_HEADER_LEN } else { send_head_room(peer.addr) })
    }

    /// Wraps the datagram of `len` octets that lies behind
    /// [`head_room`](Self::head_room) octets in `buf`; returns how many octets
    /// of `buf` go to the server. "channels preferred over Send".
    pub fn wrap(&self, env: &mut Env<'_>, peer: SocketAddr, buf: &mut [u8], len: usize) -> Option<usize> {
        let peer = self.peers.iter().find(|p| p.addr == peer && p.permission == Permission::Granted)?;
        match peer.bound() {
            Some(channel) => {
                let header = channel_header(channel, len).ok()?;
                buf.get_mut(..CHANNEL_HEADER_LEN)?.copy_from_slice(&header);
                Some(CHANNEL_HEADER_LEN + len)
            }
            None => write_send(buf, TransactionId(env.rng.array()), peer.addr, len).ok(),
        }
    }
}
