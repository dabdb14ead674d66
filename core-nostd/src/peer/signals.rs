//! What is to be reported, as a table: signals coalesce and cannot overflow.

use super::event::{RTCMilestone, RTCMilestoneStep, RTCPeerConnectionEvent};
use super::jsep::RTCSignalingState;
use super::state::RTCPeerConnectionState;
use crate::env::Instant;

/// A value whose changes are reported: what it is, and what was last said.
#[derive(Debug, Clone, Copy, Default)]
struct Reported<T> {
    now: T,
    said: T,
}

impl<T: Copy + PartialEq> Reported<T> {
    fn changed(&mut self) -> Option<T> {
        (self.now != self.said).then(|| {
            self.said = self.now;
            self.now
        })
    }
}

/// The states of the connection and the steps taken, reported once each.
#[derive(Debug)]
pub(super) struct Signals {
    born: Instant,
    signaling: Reported<RTCSignalingState>,
    connection: Reported<RTCPeerConnectionState>,
    negotiation_needed: bool,
    /// When each step was taken, in milliseconds since construction.
    taken: [Option<u64>; RTCMilestoneStep::ALL.len()],
    /// The bits of the steps that were reported.
    told: u8,
    /// Some step was not.
    untold: bool,
}

impl Signals {
    pub(super) fn new(born: Instant) -> Self {
        Self {
            born,
            signaling: Reported::default(),
            connection: Reported::default(),
            negotiation_needed: false,
            taken: [None; RTCMilestoneStep::ALL.len()],
            told: 0,
            untold: false,
        }
    }

    pub(super) fn set_signaling(&mut self, state: RTCSignalingState) {
        self.signaling.now = state;
    }

    pub(super) fn set_connection(&mut self, state: RTCPeerConnectionState) {
        self.connection.now = state;
    }

    pub(super) fn connection(&self) -> RTCPeerConnectionState {
        self.connection.now
    }

    /// "events are not fired" on a closed connection (W3C WebRTC, Section
    /// 4.4.2, in other words): what is pending is dropped, states stay.
    pub(super) fn silence(&mut self) {
        self.negotiation_needed = false;
        self.signaling.said = self.signaling.now;
        self.connection.said = self.connection.now;
    }

    pub(super) fn negotiation_needed(&mut self) {
        self.negotiation_needed = true;
    }

    /// A step was taken; only the first time counts.
    pub(super) fn milestone(&mut self, now: Instant, step: RTCMilestoneStep) {
        if let Some(slot @ None) = self.taken.get_mut(step as usize) {
            *slot = Some(now.saturating_since(self.born).as_millis() as u64);
            self.untold = true;
        }
    }

    pub(super) fn poll_states(&mut self) -> Option<RTCPeerConnectionEvent> {
        use RTCPeerConnectionEvent as Event;
        if let Some(state) = self.signaling.changed() {
            return Some(Event::OnSignalingStateChangeEvent(state));
        }
        if core::mem::take(&mut self.negotiation_needed) {
            return Some(Event::OnNegotiationNeededEvent);
        }
        if let Some(state) = self.connection.changed() {
            return Some(Event::OnConnectionStateChangeEvent(state));
        }
        None
    }

    pub(super) fn poll_milestone(&mut self) -> Option<RTCPeerConnectionEvent> {
        if !self.untold {
            return None;
        }
        for (i, (step, taken)) in RTCMilestoneStep::ALL.into_iter().zip(self.taken).enumerate() {
            if let (Some(millis), 0) = (taken, self.told & 1 << i) {
                self.told |= 1 << i;
                return Some(RTCPeerConnectionEvent::OnMilestone(RTCMilestone { step, millis }));
            }
        }
        self.untold = false;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_coalesce_to_the_last_and_steps_are_told_once() {
        let mut signals = Signals::new(Instant::from_millis(10));
        signals.set_connection(RTCPeerConnectionState::Connecting);
        signals.set_connection(RTCPeerConnectionState::Connected);
        signals.milestone(Instant::from_millis(25), RTCMilestoneStep::PairValid);
        signals.milestone(Instant::from_millis(99), RTCMilestoneStep::PairValid);
        assert_eq!(
            signals.poll_states(),
            Some(RTCPeerConnectionEvent::OnConnectionStateChangeEvent(RTCPeerConnectionState::Connected))
        );
        let step = RTCMilestone { step: RTCMilestoneStep::PairValid, millis: 15 };
        assert_eq!(signals.poll_milestone(), Some(RTCPeerConnectionEvent::OnMilestone(step)));
        assert_eq!(signals.poll_milestone(), None);
    }
}
