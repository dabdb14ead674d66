//! HEARTBEAT: signs of life on an idle path (RFC 9260, Section 8.3).

use super::Association;
use super::timeouts::Timeout;
use crate::env::{Env, Instant, Span as _};
use crate::wire::sctp::{ChunkType, Params, emit_chunk, heartbeat_info};
use crate::wire::{Reader, Writer};

#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    due: bool,
    /// When the one that is not answered was sent, and its nonce.
    sent: Option<(Instant, u64)>,
    /// The value of the peer's HEARTBEAT, to be sent back.
    echo: heapless::Vec<u8, 96>,
}

impl Association {
    pub(super) fn start_heartbeat(&mut self, env: &mut Env<'_>) {
        self.heartbeat = Heartbeat::default();
        self.set_heartbeat(env);
    }

    /// "a HEARTBEAT chunk is sent [...] once per RTO of that destination
    /// address plus the protocol parameter 'HB.interval', with jittering of
    /// +/- 50% of the RTO value".
    fn set_heartbeat(&mut self, env: &mut Env<'_>) {
        if self.config.heartbeat_interval.is_zero() {
            return;
        }
        let rto = self.outbound.cc.rto;
        let jitter = rto.times(env.rng.below(1024)) / 1024;
        self.timers.set(Timeout::Heartbeat, env.now + self.config.heartbeat_interval + rto / 2 + jitter);
    }

    pub(super) fn heartbeat_timed_out(&mut self, env: &mut Env<'_>) {
        if self.heartbeat.sent.take().is_some() {
            self.count_error();
        }
        if self.is_up() {
            // What is in flight is a question already.
            self.heartbeat.due = self.outbound.sent.is_empty();
            self.set_heartbeat(env);
        }
    }

    pub(super) fn emit_heartbeats(&mut self, env: &mut Env<'_>, w: &mut Writer<'_>) {
        if !self.heartbeat.echo.is_empty() {
            let echo = &self.heartbeat.echo;
            if emit_chunk(w, ChunkType::HEARTBEAT_ACK, 0, |w| w.bytes(echo)).is_ok() {
                self.heartbeat.echo.clear();
            }
        }
        if self.heartbeat.due {
            let nonce = env.rng.next_u64();
            let emit = |w: &mut Writer<'_>| heartbeat_info(w, &nonce.to_be_bytes());
            if emit_chunk(w, ChunkType::HEARTBEAT, 0, emit).is_ok() {
                self.heartbeat.due = false;
                self.heartbeat.sent = Some((env.now, nonce));
            }
        }
    }

    pub(super) fn handle_heartbeat(&mut self, value: &[u8]) {
        // Half as much again as any known peer puts there.
        self.heartbeat.echo.clear();
        if self.heartbeat.echo.extend_from_slice(value).is_err() {
            self.drop_noise();
        }
    }

    pub(super) fn handle_heartbeat_ack(&mut self, env: &mut Env<'_>, value: &[u8]) {
        let info = Params::new(value).next().and_then(Result::ok);
        let nonce = info.and_then(|p| Reader::new(p.value).u64().ok());
        #[cfg(feature = "path-mtu")]
        if self.probe_answered(env, nonce) {
            return;
        }
        match self.heartbeat.sent {
            Some((at, ours)) if nonce == Some(ours) => {
                self.heartbeat.sent = None;
                self.errors = 0;
                self.outbound.cc.measured(env.now.saturating_since(at));
            }
            _ => self.drop_noise(),
        }
    }
}
