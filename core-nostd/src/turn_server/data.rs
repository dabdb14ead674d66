//! What is carried: ChannelData and Send to peers, Data and ChannelData to
//! clients.

use super::{Output, RelayId, TurnServer};
use crate::env::{Instant, Transmit, TransportContext, TransportProtocol};
use crate::wire::ShortBuffer;
use crate::wire::stun::{AttributeType, Builder, Class, Message, Method, TransactionId};
use crate::wire::turn::{Framing, canonical};
use crate::wire::{Malformed, Reader, Writer};
use core::net::SocketAddr;

impl<U> TurnServer<U> {
    /// ChannelData of a client.
    pub(super) fn handle_channel_data(
        &mut self,
        client: &TransportContext,
        datagram: &[u8],
    ) -> Option<Output> {
        let index = self.find(client);
        let allocation = index.and_then(|i| self.allocations.get(i)).filter(|a| a.relay_addr().is_some());
        let (Some(index), Some(allocation), Ok((channel, range))) =
            (index, allocation, channel_data(datagram))
        else {
            self.counters.noise += 1;
            return None;
        };
        let Some(peer) = allocation.peer_of(self.now, channel) else {
            self.counters.not_permitted += 1;
            return None;
        };
        self.carry_to_peer(index, peer, range)
    }

    /// A Send indication of a client: it says nothing of who sent it, and needs
    /// a permission like everything.
    pub(super) fn handle_send(
        &mut self,
        client: &TransportContext,
        datagram: &[u8],
        message: &Message<'_>,
    ) -> Option<Output> {
        let peer = message.xor_address(AttributeType::XOR_PEER_ADDRESS);
        let data = message.get(AttributeType::DATA);
        let known = [AttributeType::XOR_PEER_ADDRESS, AttributeType::DATA, AttributeType::DONT_FRAGMENT];
        let (Some(index), Some(peer), Some(data)) = (self.find(client), peer, data) else {
            self.counters.noise += 1;
            return None;
        };
        // "an attribute that is comprehension-required and not understood: the
        // indication is silently discarded".
        if message.unknown_required(&known).next().is_some() {
            self.counters.noise += 1;
            return None;
        }
        let start = (data.as_ptr() as usize).checked_sub(datagram.as_ptr() as usize)?;
        self.carry_to_peer(index, peer, start..start + data.len())
    }

    fn carry_to_peer(
        &mut self,
        index: usize,
        peer: SocketAddr,
        range: core::ops::Range<usize>,
    ) -> Option<Output> {
        let relay = self.id(index)?;
        let allocation = self.allocations.get(index)?;
        if allocation.relay_addr().is_none()
            || !allocation.is_permitted(self.now, peer.ip())
            || !self.filter.allows(peer.ip())
        {
            self.counters.not_permitted += 1;
            return None;
        }
        self.counters.to_peers.0 += 1;
        self.counters.to_peers.1 += range.len() as u64;
        Some(Output::Peer { relay, peer, range })
    }

    /// Takes in a datagram that came to the socket of a relay. What is to be
    /// sent to the client is built in `out`.
    pub fn handle_relay_read(
        &mut self,
        now: Instant,
        relay: RelayId,
        from: SocketAddr,
        datagram: &[u8],
        out: &mut [u8],
    ) -> Option<Transmit> {
        self.now = self.now.max(now);
        let from = canonical(from);
        let Some(allocation) = self.allocation(relay) else {
            self.counters.noise += 1;
            return None;
        };
        if !allocation.is_permitted(self.now, from.ip()) {
            self.counters.not_permitted += 1;
            return None;
        }
        let client = allocation.client;
        let written = match allocation.channel_of(self.now, from) {
            Some(channel) => {
                write_channel_data(out, channel, datagram).and_then(|len| frame(&client, out, len))
            }
            None => indication(out, from, datagram),
        };
        let Ok(len) = written else {
            self.counters.noise += 1;
            return None;
        };
        self.counters.to_clients.0 += 1;
        self.counters.to_clients.1 += datagram.len() as u64;
        Some(Transmit::datagram(client, len))
    }
}

/// The channels that are bound: those of RFC 5766, Section 11, four times as
/// many as those of RFC 8656, so that older clients are served, too.
pub(super) fn is_channel(number: u16) -> bool {
    (0x4000..0x8000).contains(&number)
}

fn channel_data(datagram: &[u8]) -> Result<(u16, core::ops::Range<usize>), Malformed> {
    let mut r = Reader::new(datagram);
    let channel = r.u16()?;
    let data = r.vec16()?;
    // Padding may follow, over UDP too.
    if !is_channel(channel) || r.len() > 3 {
        return Err(Malformed);
    }
    Ok((channel, 4..4 + data.len()))
}

fn write_channel_data(out: &mut [u8], channel: u16, data: &[u8]) -> Result<usize, ShortBuffer> {
    let mut w = Writer::new(out);
    w.u16(channel)?;
    w.u16(u16::try_from(data.len()).map_err(|_| ShortBuffer)?)?;
    w.bytes(data)?;
    Ok(w.len())
}

fn indication(out: &mut [u8], from: SocketAddr, datagram: &[u8]) -> Result<usize, ShortBuffer> {
    // Nobody answers it, so its number need not be one that nobody guesses.
    let mut b = Builder::new(out, Class::Indication, Method::DATA, TransactionId([0; 12]))?;
    b.xor_address(AttributeType::XOR_PEER_ADDRESS, from)?;
    b.attribute(AttributeType::DATA, &[datagram])?;
    Ok(b.finish())
}

/// Pads what goes onto a stream.
pub(super) fn frame(client: &TransportContext, out: &mut [u8], len: usize) -> Result<usize, ShortBuffer> {
    match client.transport_protocol {
        TransportProtocol::Udp => Ok(len),
        TransportProtocol::Tcp | TransportProtocol::Tls => Framing::Stun.write(out, len),
    }
}
