//! Taking packets apart (RFC 9260, Sections 6 and 8.5).

use super::data_in::Arrival;
use super::timeouts::Timeout;
use super::{Association, CloseReason, State};
use crate::env::Env;
use crate::wire::sctp::{Cause, Checksum, Chunk, ChunkType, Data, ForwardTsn, Packet, Reconfig, Sack};

impl Association {
    /// Takes a packet that DTLS has authenticated. What is not for us, or not
    /// well formed, is counted and dropped.
    pub fn handle_read(&mut self, env: &mut Env<'_>, packet: &[u8]) {
        let Ok(packet) = Packet::parse(packet) else { return self.drop_noise() };
        let header = packet.header;
        let first = packet.chunks().next().and_then(Result::ok).map(|c| c.kind);
        let valid = match packet.checksum() {
            Checksum::Correct => true,
            // What the peer cannot know yet, it must not do (RFC 9653).
            Checksum::Zero => {
                self.config.zero_checksum
                    && first.is_some_and(|k| k != ChunkType::INIT && k != ChunkType::COOKIE_ECHO)
            }
            Checksum::Wrong => false,
        };
        if !valid || header.source != self.link.peer_port || header.destination != self.link.port {
            return self.drop_noise();
        }
        self.stats.packets_received += 1;
        let mut has_data = false;
        for (index, chunk) in packet.chunks().enumerate() {
            let Ok(chunk) = chunk else {
                self.drop_noise();
                break;
            };
            if !self.handle_chunk(env, header.tag, index, &chunk) {
                break;
            }
            has_data |= matches!(chunk.kind, ChunkType::DATA | ChunkType::I_DATA);
        }
        if has_data {
            self.note_data(env);
        }
    }

    /// Whether a chunk of this kind may come in a packet with `tag` (RFC 9260,
    /// Section 8.5).
    fn accepts(&self, tag: u32, chunk: &Chunk<'_>) -> bool {
        let (ours, theirs) = (self.link.tag, self.link.peer_tag);
        match chunk.kind {
            // "the Verification Tag [...] MUST be 0", and no other chunk may
            // be in its packet.
            ChunkType::INIT => tag == 0,
            // Its own cookie says which tag is right.
            ChunkType::COOKIE_ECHO => true,
            // "the T bit is not set and the Verification Tag [is] its own tag
            // or the T bit is set and [it is] its peer's tag"
            ChunkType::ABORT | ChunkType::SHUTDOWN_COMPLETE if chunk.flags & 1 != 0 => {
                theirs != 0 && tag == theirs
            }
            _ => tag == ours,
        }
    }

    /// Says whether the rest of the packet is to be read.
    fn handle_chunk(&mut self, env: &mut Env<'_>, tag: u32, index: usize, chunk: &Chunk<'_>) -> bool {
        if chunk.kind == ChunkType::SHUTDOWN_ACK && self.reflects(tag) {
            self.due.reflected_complete = Some(tag);
            return false;
        }
        if !self.accepts(tag, chunk) {
            self.drop_noise();
            return false;
        }
        match chunk.kind {
            ChunkType::INIT => {
                if index == 0 {
                    self.handle_init(env, chunk.value);
                }
                return false;
            }
            ChunkType::INIT_ACK => {
                self.handle_init_ack(env, chunk.value);
                return false;
            }
            ChunkType::COOKIE_ECHO => return index == 0 && self.handle_cookie_echo(env, tag, chunk.value),
            ChunkType::ABORT => {
                if self.state != State::Idle {
                    let cause = Cause::first(chunk.value).map_or(0, |c| c.0);
                    self.end(CloseReason::AbortedByPeer { cause });
                }
                return false;
            }
            ChunkType::COOKIE_ACK => self.handle_cookie_ack(env),
            ChunkType::ERROR => {
                if Cause::first(chunk.value) == Some(Cause::STALE_COOKIE) {
                    self.handle_stale_cookie(env.now);
                }
            }
            ChunkType::PAD => {}
            _ if !self.is_up() => {
                self.drop_noise();
                return false;
            }
            _ => return self.handle_chunk_when_up(env, chunk),
        }
        true
    }

    fn handle_chunk_when_up(&mut self, env: &mut Env<'_>, chunk: &Chunk<'_>) -> bool {
        match chunk.kind {
            ChunkType::DATA | ChunkType::I_DATA => return self.handle_data(chunk),
            ChunkType::SACK => match Sack::parse(chunk.value) {
                Ok(sack) => {
                    self.handle_sack(env.now, &sack);
                    #[cfg(feature = "path-mtu")]
                    self.note_lost_twice(env);
                }
                Err(_) => self.drop_noise(),
            },
            ChunkType::HEARTBEAT => self.handle_heartbeat(chunk.value),
            ChunkType::HEARTBEAT_ACK => self.handle_heartbeat_ack(env, chunk.value),
            ChunkType::SHUTDOWN => self.handle_shutdown(env.now, chunk.value),
            ChunkType::SHUTDOWN_ACK => self.handle_shutdown_ack(),
            ChunkType::SHUTDOWN_COMPLETE => self.handle_shutdown_complete(),
            ChunkType::FORWARD_TSN | ChunkType::I_FORWARD_TSN => self.handle_forward(chunk),
            ChunkType::RE_CONFIG => {
                for param in Reconfig::iter(chunk.value) {
                    match param {
                        Ok(param) => self.handle_reconfig(env.now, &param),
                        Err(_) => self.drop_noise(),
                    }
                }
            }
            unknown => {
                if unknown.report_if_unknown() {
                    let len = chunk.value.len().saturating_add(4);
                    let [a, b] = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
                    // The head is enough to tell what was not understood.
                    let head = heapless::Vec::from_slice(&[unknown.0, chunk.flags, a, b]).unwrap_or_default();
                    self.due.error = Some((Cause::UNRECOGNIZED_CHUNK, head));
                }
                return unknown.skip_if_unknown();
            }
        }
        self.state != State::Ended
    }

    /// Whether the handshake is over, and the association is not.
    pub(super) fn is_up(&self) -> bool {
        !matches!(self.state, State::Idle | State::CookieWait | State::CookieEchoed | State::Ended)
    }

    fn handle_data(&mut self, chunk: &Chunk<'_>) -> bool {
        let Ok((data, bytes)) = Data::parse(chunk) else {
            self.drop_noise();
            return false;
        };
        if (chunk.kind == ChunkType::I_DATA) != self.outbound.interleaved {
            // "an endpoint MUST NOT send DATA chunks" once I-DATA is agreed
            // upon, and the other way round (RFC 8260, Section 2.2.2).
            self.misbehaved(Cause::PROTOCOL_VIOLATION);
            return false;
        }
        if matches!(self.state, State::ShutdownReceived | State::ShutdownAckSent) {
            return true;
        }
        // "An endpoint receiving a DATA chunk with no user data (the Length
        // field set to 16) SHOULD send an ABORT" (RFC 9260, Section 6.2).
        if bytes.is_empty() {
            self.misbehaved(Cause::NO_USER_DATA);
            return false;
        }
        self.inbound.give_back();
        let had_gaps = self.inbound.has_gaps();
        match self.inbound.handle(&data, bytes) {
            Arrival::New => {}
            Arrival::Duplicate => self.due.sack = true,
            Arrival::NoRoom => {
                self.stats.no_room += 1;
                self.due.sack = true;
                if self.inbound.is_stuck(data.tsn) {
                    self.misbehaved(Cause::OUT_OF_RESOURCE);
                    return false;
                }
            }
            Arrival::NoEntry => self.refuse_stream(data.stream),
            Arrival::NoStream => {
                let [a, b] = data.stream.to_be_bytes();
                let info = heapless::Vec::from_slice(&[a, b, 0, 0]).unwrap_or_default();
                self.due.error = Some((Cause::INVALID_STREAM, info));
            }
            Arrival::TooLong => {
                self.misbehaved(Cause::PROTOCOL_VIOLATION);
                return false;
            }
        }
        // "an acknowledgement SHOULD be sent immediately" while there are gaps
        // and when one is filled (RFC 9260, Section 6.7).
        self.due.sack |= data.immediate || had_gaps || self.inbound.has_gaps();
        true
    }

    /// A packet with DATA arrived: "an acknowledgement SHOULD be generated for
    /// at least every second packet [...] within 200 ms" (RFC 9260, Section
    /// 6.2).
    fn note_data(&mut self, env: &mut Env<'_>) {
        if !self.is_up() {
            return;
        }
        if self.state == State::ShutdownSent {
            self.due.shutdown = true;
        }
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        // A peer whose window is nearly used up waits for us: a delay would
        // stall it.
        let small = (self.inbound.window() as usize) < 2 * self.max_packet;
        self.due.sack |= self.unacknowledged >= 2 || small;
        if !self.due.sack && !self.timers.is_running(Timeout::Sack) {
            self.timers.set(Timeout::Sack, env.now + self.config.sack_delay);
        }
    }

    fn handle_sack(&mut self, now: crate::env::Instant, sack: &Sack<'_>) {
        let Some(advanced) = self.outbound.handle_sack(now, sack) else { return self.drop_noise() };
        // Also when the window is closed: "the receiver [...] continues to
        // send SACK chunks" is a sign of life (RFC 9260, Section 6.1, A).
        self.errors = 0;
        self.after_acknowledgement(now, advanced);
    }

    /// The timer of what is in flight, and what waits for acknowledgements.
    pub(super) fn after_acknowledgement(&mut self, now: crate::env::Instant, advanced: bool) {
        if self.outbound.sent.is_empty() {
            self.timers.stop(Timeout::Retransmit);
        } else if advanced {
            self.timers.set(Timeout::Retransmit, now + self.outbound.cc.rto);
        }
        self.set_reordering_timer();
        self.set_probe_timer(now);
        self.continue_shutdown(now);
    }

    pub(super) fn set_reordering_timer(&mut self) {
        match self.outbound.recovery.deadline {
            Some(at) => self.timers.set(Timeout::Reordering, at),
            None => self.timers.stop(Timeout::Reordering),
        }
    }

    pub(super) fn set_probe_timer(&mut self, now: crate::env::Instant) {
        match self.outbound.probe_timeout(self.config.sack_delay) {
            Some(wait) => self.timers.set(Timeout::Probe, now + wait),
            None => self.timers.stop(Timeout::Probe),
        }
    }

    fn handle_forward(&mut self, chunk: &Chunk<'_>) {
        let interleaved = chunk.kind == ChunkType::I_FORWARD_TSN;
        let Ok(forward) = ForwardTsn::parse(chunk) else { return self.drop_noise() };
        if interleaved != self.outbound.interleaved {
            return self.misbehaved(Cause::PROTOCOL_VIOLATION);
        }
        self.inbound.give_back();
        self.inbound.forward(forward.tsn, forward.skips());
        // "a SACK chunk" answers it at once, also when it is an old one (RFC
        // 3758, Section 3.6).
        self.due.sack = true;
    }

    /// After the application has read: whether the peer should be told that
    /// the window opened (RFC 9260, Section 6.2, on silly windows).
    pub(super) fn note_window(&mut self) {
        if !self.is_up() {
            return;
        }
        let window = self.inbound.window();
        let total = self.inbound.pool.total_bytes() as u32;
        let told = self.told_window;
        let packet = self.max_packet as u32;
        let grew = window.saturating_sub(told) >= total / 4;
        let reopened = told < packet && window >= packet.min(total / 2);
        self.due.sack |= grew || reopened;
    }
}
