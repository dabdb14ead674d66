//! The timers (RFC 9260, Section 16).

use super::{Association, CloseReason};
use crate::env::{Env, Instant};
use crate::mem::Timer;

#[derive(Debug, Clone, Copy)]
pub(super) enum Timeout {
    /// T1-init and T1-cookie.
    Init,
    /// T2-shutdown.
    Shutdown,
    /// T3-rtx.
    Retransmit,
    /// A chunk counts as lost, or the tail is probed.
    Reordering,
    Probe,
    Sack,
    Heartbeat,
    Reconfig,
    #[cfg(feature = "path-mtu")]
    PathMtu,
}

/// How many timers there are.
pub(super) const TIMERS: usize = Timeout::Reconfig as usize + 1 + cfg!(feature = "path-mtu") as usize;

impl Timer for Timeout {
    fn index(self) -> usize {
        self as usize
    }
}

impl Association {
    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Does what is due. Spurious calls do nothing.
    pub fn handle_timeout(&mut self, env: &mut Env<'_>) {
        let now = env.now;
        if self.timers.expire(Timeout::Init, now) {
            self.init_timed_out(now);
        }
        if self.timers.expire(Timeout::Shutdown, now) {
            self.shutdown_timed_out(now);
        }
        if self.timers.expire(Timeout::Reordering, now) {
            self.outbound.reordering_timed_out(now);
            self.set_reordering_timer();
            #[cfg(feature = "path-mtu")]
            self.note_lost_twice(env);
        }
        if self.timers.expire(Timeout::Probe, now) {
            self.outbound.probe_timed_out();
        }
        if self.timers.expire(Timeout::Retransmit, now) {
            #[cfg(feature = "path-mtu")]
            self.doubt_path(env);
            self.retransmit_timed_out();
        }
        if self.timers.expire(Timeout::Sack, now) {
            self.due.sack = true;
        }
        if self.timers.expire(Timeout::Heartbeat, now) {
            self.heartbeat_timed_out(env);
        }
        if self.timers.expire(Timeout::Reconfig, now) {
            self.reconfig_timed_out();
        }
        #[cfg(feature = "path-mtu")]
        if self.timers.expire(Timeout::PathMtu, now) {
            self.discovery_timed_out(env);
        }
    }

    /// T3 ran out: all that was in flight is lost.
    fn retransmit_timed_out(&mut self) {
        self.count_error();
        if self.is_up() && !self.outbound.sent.is_empty() {
            self.outbound.cc.timed_out();
            self.outbound.lose_all();
            self.outbound.renew_burst();
        }
    }

    /// "When the value of this counter exceeds the limit indicated in the
    /// protocol parameter 'Association.Max.Retrans', the endpoint MUST
    /// consider the peer endpoint unreachable" (RFC 9260, Section 8.1).
    pub(super) fn count_error(&mut self) {
        self.errors = self.errors.saturating_add(1);
        if self.config.max_retransmits.is_some_and(|max| self.errors > max) {
            self.end(CloseReason::TimedOut);
        }
    }
}
