//! Datagrams out, in one fixed order: ICE, DTLS flights, SCTP in DTLS. Each
//! layer builds on poll from its own state; there is no queue between them.

use super::connection::RTCPeerConnection;
use crate::env::{Env, Instant, Transmit};
use crate::mem::Datagram;

impl RTCPeerConnection {
    /// Writes the next datagram to the front of `buf` and says where it goes.
    /// Call until `None`. `buf` should have
    /// [`SettingEngine::mtu`](super::SettingEngine::mtu) octets; less is a
    /// smaller MTU.
    pub fn poll_write(&mut self, now: Instant, buf: &mut [u8]) -> Option<Transmit> {
        self.tick(now);
        if self.closed {
            return None;
        }
        let env = &mut Env::new(self.now, &mut self.rng);
        if !self.closing
            && let Some(transmit) = self.ice.poll_write(env, buf)
        {
            return Some(transmit);
        }
        let path = self.ice.selected_path();
        if let Some(path) = path {
            if let Some(len) = self.dtls.poll_write(env, buf) {
                return Some(Transmit::datagram(path, len));
            }
            if let Some(len) = self.poll_sctp(buf) {
                self.ice.note_sent(len);
                return Some(Transmit::datagram(path, len));
            }
        }
        if self.closing {
            return self.poll_goodbye(buf);
        }
        None
    }

    fn poll_sctp(&mut self, buf: &mut [u8]) -> Option<usize> {
        if !self.dtls.is_connected() {
            return None;
        }
        let (head, tail) = self.dtls.overhead();
        let room = buf.len().min(self.mtu);
        let mut datagram = Datagram::new(buf.get_mut(..room)?, head)?;
        let env = &mut Env::new(self.now, &mut self.rng);
        let len = self.sctp.poll_write(env, datagram.payload_room(tail, usize::MAX))?;
        let sealed = datagram.set_payload_len(len) && self.dtls.seal(&mut datagram);
        sealed.then(|| datagram.len())
    }

    /// After SCTP's ABORT: close_notify, then silence.
    fn poll_goodbye(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        self.dtls.close();
        let env = &mut Env::new(self.now, &mut self.rng);
        let path = self.ice.selected_path();
        let goodbye = path.and_then(|path| Some(Transmit::datagram(path, self.dtls.poll_write(env, buf)?)));
        if goodbye.is_none() {
            self.ice.close();
            self.closed = true;
        }
        goodbye
    }
}
