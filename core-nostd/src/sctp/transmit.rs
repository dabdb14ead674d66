//! Putting packets together.

use super::timeouts::Timeout;
use super::{Association, State};
use crate::env::{Env, Instant};
use crate::wire::sctp::{Cause, ChunkType, HEADER_LEN, Header, Sack, emit_chunk, emit_header, fill_checksum};
use crate::wire::{ShortBuffer, Writer};

/// Whether a packet may go without its checksum.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crc {
    Always,
    IfWanted,
}

const CONTROL: u8 = 0;
/// The T bit of ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own.
const REFLECTED: u8 = 1;

impl Association {
    /// Builds the next packet into `out` and returns its length; `None` when
    /// there is nothing to send now. Call it until then. `out` should have the
    /// length that [`set_max_packet`](Self::set_max_packet) was told, at
    /// least.
    pub fn poll_write(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<usize> {
        #[cfg(feature = "path-mtu")]
        if let Some(len) = self.poll_path_probe(env, out) {
            return Some(len);
        }
        // A chunk that was cut for a longer path cannot be cut again.
        let limit = self.max_packet.max(self.outbound.longest_lost()).min(out.len());
        let mut w = Writer::new(out.get_mut(..limit)?);
        let crc = match self.build_alone(&mut w) {
            Some(crc) => crc,
            None => {
                w.truncate(0);
                self.build_bundle(env, &mut w)?
            }
        };
        if crc == Crc::Always || self.wants_checksum() {
            fill_checksum(w.written_mut());
        }
        self.stats.packets_sent += 1;
        Some(w.len())
    }

    /// A packet with an INIT or COOKIE ECHO has its checksum; others need none
    /// when the peer said so (RFC 9653, Section 5.2).
    pub(super) fn wants_checksum(&self) -> bool {
        !(self.config.zero_checksum && self.link.peer.zero_checksum)
    }

    pub(super) fn header(&self, w: &mut Writer<'_>, tag: u32) -> Result<(), ShortBuffer> {
        emit_header(w, &Header { source: self.link.port, destination: self.link.peer_port, tag })
    }

    /// Packets whose tag is special, or that hold one chunk only.
    fn build_alone(&mut self, w: &mut Writer<'_>) -> Option<Crc> {
        if let Some(pending) = self.due.init_ack.take() {
            self.header(w, Self::init_ack_tag(&pending)).ok()?;
            return self.emit_init_ack(w, &pending).is_ok().then_some(Crc::Always);
        }
        if let Some((tag, excess)) = self.due.stale_cookie.take() {
            self.header(w, tag).ok()?;
            let cause = |w: &mut Writer<'_>| Cause::STALE_COOKIE.emit(w, &excess.to_be_bytes());
            return emit_chunk(w, ChunkType::ERROR, CONTROL, cause).is_ok().then_some(Crc::Always);
        }
        if let Some(tag) = self.due.reflected_complete.take() {
            self.header(w, tag).ok()?;
            let emitted = emit_chunk(w, ChunkType::SHUTDOWN_COMPLETE, REFLECTED, |_| Ok(()));
            return emitted.is_ok().then_some(Crc::Always);
        }
        if core::mem::take(&mut self.due.init) && self.state == State::CookieWait {
            self.header(w, 0).ok()?;
            return self.emit_init(w).is_ok().then_some(Crc::Always);
        }
        if let Some(cause) = self.due.abort.take()
            && self.link.peer_tag != 0
        {
            self.header(w, self.link.peer_tag).ok()?;
            let emitted = emit_chunk(w, ChunkType::ABORT, CONTROL, |w| cause.emit(w, &[]));
            return emitted.is_ok().then_some(Crc::IfWanted);
        }
        None
    }

    /// A packet to the peer: control chunks first, then data.
    fn build_bundle(&mut self, env: &mut Env<'_>, w: &mut Writer<'_>) -> Option<Crc> {
        self.header(w, self.link.peer_tag).ok()?;
        let mut crc = Crc::IfWanted;
        if self.due.cookie_echo && self.state == State::CookieEchoed {
            let len = self.cookie_len();
            let this = &*self;
            let emitted = emit_chunk(w, ChunkType::COOKIE_ECHO, CONTROL, |w| {
                if this.emit_cookie(w.reserve(len)?) { Ok(()) } else { Err(ShortBuffer) }
            });
            self.due.cookie_echo = emitted.is_err();
            crc = Crc::Always;
        }
        let flag = |due: &mut bool, w: &mut Writer<'_>, kind| {
            if *due && emit_chunk(w, kind, CONTROL, |_| Ok(())).is_ok() {
                *due = false;
            }
        };
        flag(&mut self.due.cookie_ack, w, ChunkType::COOKIE_ACK);
        if let Some((cause, info)) = self.due.error.take() {
            let _ = emit_chunk(w, ChunkType::ERROR, CONTROL, |w| cause.emit(w, &info));
        }
        if self.is_up() {
            self.bundle_control(env, w);
            self.bundle_data(env.now, w);
            flag(&mut self.due.shutdown_ack, w, ChunkType::SHUTDOWN_ACK);
        }
        // The last chunk of an association that has ended.
        flag(&mut self.due.shutdown_complete, w, ChunkType::SHUTDOWN_COMPLETE);
        (w.len() > HEADER_LEN).then_some(crc)
    }

    fn bundle_control(&mut self, env: &mut Env<'_>, w: &mut Writer<'_>) {
        let may_send = self.outbound.has_data() && self.outbound.flight < self.outbound.cc.window;
        if self.due.sack || (self.unacknowledged > 0 && may_send) {
            self.emit_sack(w);
        }
        self.emit_heartbeats(env, w);
        self.emit_reconfig(env.now, w);
        if core::mem::take(&mut self.due.shutdown) {
            let tsn = self.inbound.cumulative;
            self.due.shutdown = emit_chunk(w, ChunkType::SHUTDOWN, CONTROL, |w| w.u32(tsn.0)).is_err();
        }
    }

    fn bundle_data(&mut self, now: Instant, w: &mut Writer<'_>) {
        let may_send =
            matches!(self.state, State::Established | State::ShutdownPending | State::ShutdownReceived);
        if !may_send {
            return;
        }
        if self.outbound.forward_due {
            self.outbound.emit_forward(w);
        }
        let sent = self.outbound.emit(now, w, self.max_packet);
        // Sending can be what finds a message exhausted.
        if self.outbound.forward_due {
            self.outbound.emit_forward(w);
        }
        let restart = core::mem::take(&mut self.outbound.restart_timer);
        if !self.outbound.sent.is_empty() && (restart || !self.timers.is_running(Timeout::Retransmit)) {
            self.timers.set(Timeout::Retransmit, now + self.outbound.cc.rto);
        }
        if sent {
            self.set_probe_timer(now);
        }
        self.continue_shutdown(now);
    }

    fn emit_sack(&mut self, w: &mut Writer<'_>) {
        let window = self.inbound.window();
        let (cumulative, gaps) = (self.inbound.cumulative, self.inbound.gap_blocks());
        if Sack::emit(w, cumulative, window, gaps, &self.inbound.duplicates).is_ok() {
            self.inbound.duplicates.clear();
            self.due.sack = false;
            self.unacknowledged = 0;
            self.told_window = window;
            self.timers.stop(Timeout::Sack);
        }
    }
}
