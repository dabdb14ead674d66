//! Datagrams out, in one fixed order: ICE, DTLS flights, SCTP in DTLS. Each
//! layer builds on poll from its own state; there is no queue between them.

use super::connection::RTCPeerConnection;
use crate::env::{Env, Instant, Transmit, TransportContext};
use crate::mem::Datagram;

impl RTCPeerConnection {
    /// Writes the next datagram to the front of `buf` and says where it goes.
    /// Call until `None`. `buf` should have
    /// [`SettingEngine::mtu`](super::SettingEngine::mtu) octets, or as many as
    /// path MTU discovery is allowed; less is a smaller MTU. What goes to a stream is to be written to it whole; while
    /// a stream takes nothing, do not call: SCTP then waits, and nothing piles
    /// up.
    pub fn poll_write(&mut self, now: Instant, buf: &mut [u8]) -> Option<Transmit> {
        let mut transmit = self.poll_write_unmarked(now, buf)?;
        transmit.transport.dscp = self.marks.dscp;
        Some(transmit)
    }

    fn poll_write_unmarked(&mut self, now: Instant, buf: &mut [u8]) -> Option<Transmit> {
        self.tick(now);
        if self.closed {
            return None;
        }
        while !self.closing
            && let Some(transmit) = self.ice.poll_write(&mut Env::new(self.now, &mut self.rng), buf)
        {
            if let Some(transmit) = self.wrap_moved(transmit, buf) {
                return Some(transmit);
            }
        }
        if !self.closing
            && let Some(transmit) = self.poll_gather(buf)
        {
            return Some(transmit);
        }
        if let Some(head) = self.selected_head_room() {
            if let Some(len) = self.poll_dtls(buf, head) {
                return self.wrap(self.ice.selected_path()?, buf, len);
            }
            if let Some(len) = self.poll_sctp(buf, head) {
                self.ice.note_sent(self.now, len);
                // Only what has a congestion control is marked.
                let path = self.ice.selected_path()?;
                return self.wrap(TransportContext { ecn: self.marks.ecn, ..path }, buf, len);
            }
        }
        if self.closing {
            return self.poll_goodbye(buf);
        }
        None
    }

    /// As [`poll_write`](Self::poll_write), but writes up to `max` datagrams of
    /// one path back to back, as far as `buf` has room: all have the size that
    /// [`Transmit::segment_size`] tells, but the last, which may be shorter.
    /// That is what UDP segmentation offload sends in one call.
    pub fn poll_write_segments(&mut self, now: Instant, buf: &mut [u8], max: usize) -> Option<Transmit> {
        let mut transmit = self.poll_write(now, buf)?;
        let size = transmit.len;
        // Only data comes in runs. What is wrapped for a stream or a relay
        // goes one by one, and what is short would make its followers short.
        let runs =
            self.selected_way().is_some_and(|(path, head)| path.same_path(&transmit.transport) && head == 0);
        if !runs || self.closing || size < self.mtu / 2 {
            return Some(transmit);
        }
        for _ in 1..max {
            let next = transmit.len..transmit.len.saturating_add(size);
            let Some(len) = buf.get_mut(next).and_then(|room| self.poll_sctp(room, 0)) else { break };
            self.ice.note_sent(self.now, len);
            transmit.len += len;
            transmit.segment_size = Some(size);
            if len < size {
                break;
            }
        }
        Some(transmit)
    }

    /// The room that the selected path wants in front of a datagram; `None`
    /// without a path, and while it takes nothing.
    fn selected_head_room(&self) -> Option<usize> {
        self.head_room(self.ice.selected()?)
    }

    /// The selected path, and the room that it wants in front of a datagram.
    fn selected_way(&self) -> Option<(TransportContext, usize)> {
        let path = self.ice.selected_path()?;
        Some((path, self.head_room(&path)?))
    }

    /// Lays a record of DTLS's own behind `way` octets of `buf`.
    fn poll_dtls(&mut self, buf: &mut [u8], way: usize) -> Option<usize> {
        let room = buf.len().min(self.mtu);
        self.dtls.poll_write(&mut Env::new(self.now, &mut self.rng), buf.get_mut(way..room)?)
    }

    fn poll_sctp(&mut self, buf: &mut [u8], way: usize) -> Option<usize> {
        if !self.dtls.is_connected() {
            return None;
        }
        let (head, tail) = self.dtls.overhead();
        let room = buf.len().min(self.largest_datagram());
        let mut datagram = Datagram::new(buf.get_mut(way..room)?, head)?;
        let env = &mut Env::new(self.now, &mut self.rng);
        let len = self.sctp.poll_write(env, datagram.payload_room(tail, usize::MAX))?;
        let sealed = datagram.set_payload_len(len) && self.dtls.seal(&mut datagram);
        sealed.then(|| datagram.len())
    }

    /// After SCTP's ABORT: close_notify, then silence.
    fn poll_goodbye(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        self.dtls.close();
        let goodbye = self.selected_way().and_then(|(path, head)| {
            let len = self.poll_dtls(buf, head)?;
            self.wrap(path, buf, len)
        });
        #[cfg(feature = "turn")]
        let goodbye = goodbye.or_else(|| {
            self.release_relays();
            self.poll_relays(buf)
        });
        if goodbye.is_none() {
            self.ice.close();
            self.closed = true;
        }
        goodbye
    }
}
