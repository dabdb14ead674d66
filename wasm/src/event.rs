//! Events as two numbers: what happened, and to what.

use picortc::peer::{RTCDataChannelEvent, RTCPeerConnectionEvent, RTCPeerConnectionIceEvent};

/// The end of candidates.
const NONE: u32 = u32::MAX;

/// What happened (JavaScript has the same numbers in `native.ts`), and the
/// state, the candidate, the channel or the milliseconds.
pub(crate) fn encode(event: RTCPeerConnectionEvent) -> (u32, u32) {
    use RTCDataChannelEvent as Channel;
    use RTCPeerConnectionEvent as Event;
    match event {
        Event::OnNegotiationNeededEvent => (1, 0),
        Event::OnIceCandidateEvent(RTCPeerConnectionIceEvent { candidate }) => {
            (2, candidate.map_or(NONE, u32::from))
        }
        Event::OnSignalingStateChangeEvent(state) => (3, state as u32),
        Event::OnIceConnectionStateChangeEvent(state) => (4, state as u32),
        Event::OnIceGatheringStateChangeEvent(state) => (5, state as u32),
        Event::OnConnectionStateChangeEvent(state) => (6, state as u32),
        Event::OnSelectedCandidatePairChangeEvent => (18, 0),
        Event::OnDataChannel(event) => match event {
            Channel::OnDataChannel(id) => (7, id.to_u32()),
            Channel::OnOpen(id) => (8, id.to_u32()),
            Channel::OnError(id) => (9, id.to_u32()),
            Channel::OnClosing(id) => (10, id.to_u32()),
            Channel::OnClose(id) => (11, id.to_u32()),
            Channel::OnBufferedAmountLow(id) => (12, id.to_u32()),
            Channel::OnBufferedAmountHigh(id) => (13, id.to_u32()),
            _ => (0, 0),
        },
        // The step in the upper half, from 32 on.
        Event::OnMilestone(m) => (32 + m.step as u32, u32::try_from(m.millis).unwrap_or(NONE)),
        // Those of `reach` have more to say than one number; what is added to
        // the core's events is not yet here.
        _ => (0, 0),
    }
}
