//! The table of channels: slots by handle, handles by stream number, and a
//! queue of channels that have something to report.

use super::{Limits, RTCDataChannelId, RTCDataChannelState};
use crate::mem::{FixedDeque, FixedVec, OutOfMemory};
use crate::sctp::Reliability;
use crate::wire::dcep::OPEN_HEADER_LEN;

/// What can be reported of a channel, in the order in which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Announced,
    Open,
    BufferedAmountHigh,
    BufferedAmountLow,
    Closing,
    Error,
    Closed,
}

impl Signal {
    const ALL: [Self; 7] = [
        Self::Announced,
        Self::Open,
        Self::BufferedAmountHigh,
        Self::BufferedAmountLow,
        Self::Closing,
        Self::Error,
        Self::Closed,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A DCEP message that is owed to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Owed {
    #[default]
    Nothing,
    Open,
    Ack,
}

/// A channel's texts: room for the header of an OPEN message, then the label,
/// then the protocol, so that the whole is the message that announces it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Text {
    at: usize,
    pub(super) label_len: u16,
    pub(super) protocol_len: u16,
}

impl Text {
    const fn end(&self) -> usize {
        self.at + OPEN_HEADER_LEN + self.label_len as usize + self.protocol_len as usize
    }
}

/// One channel.
#[derive(Debug)]
pub(crate) struct Slot {
    generation: u16,
    used: bool,
    signals: u8,
    pub(crate) state: RTCDataChannelState,
    /// The stream number, once it is known.
    pub(crate) stream: Option<u16>,
    pub(crate) ordered: bool,
    pub(crate) reliability: Reliability,
    pub(crate) negotiated: bool,
    pub(crate) priority: u16,
    pub(super) owed: Owed,
    /// The peer knows of the channel, so that messages may overtake the OPEN.
    pub(super) acknowledged: bool,
    /// It was open at some time.
    pub(super) was_open: bool,
    /// Which halves of a close are done.
    pub(super) closed_out: bool,
    pub(super) closed_in: bool,
    pub(super) reset_requested: bool,
    /// Where in the table's texts the channel's own lie.
    pub(super) text: Text,
    pub(crate) low_threshold: usize,
    pub(crate) high_threshold: usize,
    pub(super) above_low: bool,
    pub(super) above_high: bool,
    pub(crate) messages_sent: u32,
    pub(crate) bytes_sent: u64,
    pub(crate) messages_received: u32,
    pub(crate) bytes_received: u64,
}

impl Slot {
    fn free(generation: u16) -> Self {
        Self {
            generation,
            used: false,
            signals: 0,
            state: RTCDataChannelState::Connecting,
            stream: None,
            ordered: true,
            reliability: Reliability::Reliable,
            negotiated: false,
            priority: 0,
            owed: Owed::Nothing,
            acknowledged: false,
            was_open: false,
            closed_out: false,
            closed_in: false,
            reset_requested: false,
            text: Text::default(),
            low_threshold: 0,
            high_threshold: 0,
            above_low: false,
            above_high: false,
            messages_sent: 0,
            bytes_sent: 0,
            messages_received: 0,
            bytes_received: 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct Table {
    slots: FixedVec<Slot>,
    /// The texts of all slots, back to back.
    text: FixedVec<u8>,
    /// Stream number and slot, sorted by stream number.
    streams: FixedVec<(u16, u16)>,
    /// Slots that have signals; each at most once.
    signalled: FixedDeque<u16>,
    /// How many slots owe a DCEP message.
    owing: usize,
}

impl Table {
    pub(super) fn new(limits: &Limits) -> Result<Self, OutOfMemory> {
        let channels = usize::from(limits.channels);
        Ok(Self {
            slots: FixedVec::new(channels)?,
            text: FixedVec::new(limits.text_bytes)?,
            streams: FixedVec::new(channels)?,
            signalled: FixedDeque::new(channels)?,
            owing: 0,
        })
    }

    pub(super) const fn heap_bytes(limits: &Limits) -> usize {
        let channels = limits.channels as usize;
        FixedVec::<Slot>::heap_bytes(channels)
            + limits.text_bytes
            + FixedVec::<(u16, u16)>::heap_bytes(channels)
            + FixedDeque::<u16>::heap_bytes(channels)
    }

    /// A fresh slot with a label and a protocol. `None` when there is no slot
    /// left, or no room for the texts.
    pub(super) fn insert(&mut self, label: &str, protocol: &str) -> Option<RTCDataChannelId> {
        let label_len = u16::try_from(label.len()).ok()?;
        let protocol_len = u16::try_from(protocol.len()).ok()?;
        let text = Text { at: self.text.len(), label_len, protocol_len };
        let full = self.slots.iter().all(|s| s.used) && self.slots.is_full();
        if full || text.end() > self.text.capacity() {
            return None;
        }
        self.text.extend_from_slice(&[0; OPEN_HEADER_LEN]).ok()?;
        self.text.extend_from_slice(label.as_bytes()).ok()?;
        self.text.extend_from_slice(protocol.as_bytes()).ok()?;
        let index = match self.slots.iter().position(|s| !s.used) {
            Some(index) => index,
            None => {
                self.slots.push(Slot::free(0)).ok()?;
                self.slots.len() - 1
            }
        };
        let slot = self.slots.get_mut(index)?;
        let generation = slot.generation;
        *slot = Slot { used: true, text, ..Slot::free(generation) };
        Some(RTCDataChannelId { index: index as u16, generation })
    }

    pub(super) fn remove(&mut self, id: RTCDataChannelId) {
        let Some(slot) = self.get_mut(id) else { return };
        let gone = core::mem::replace(slot, Slot::free(id.generation.wrapping_add(1)));
        self.owing -= usize::from(gone.owed != Owed::Nothing);
        if let Some(stream) = gone.stream {
            self.unbind(id, stream);
        }
        let (from, to) = (gone.text.at, gone.text.end());
        let len = self.text.len();
        if let Some(rest) = self.text.get_mut(from..) {
            rest.copy_within((to - from).min(rest.len()).., 0);
        }
        self.text.truncate(len.saturating_sub(to - from));
        for slot in self.slots.iter_mut().filter(|s| s.used && s.text.at >= to) {
            slot.text.at -= to - from;
        }
    }

    pub(super) fn get(&self, id: RTCDataChannelId) -> Option<&Slot> {
        self.slots.get(usize::from(id.index)).filter(|s| s.used && s.generation == id.generation)
    }

    pub(super) fn get_mut(&mut self, id: RTCDataChannelId) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(id.index)).filter(|s| s.used && s.generation == id.generation)
    }

    /// A channel's label.
    pub(super) fn label(&self, id: RTCDataChannelId) -> &str {
        let Some(text) = self.get(id).map(|s| s.text) else { return "" };
        let from = text.at + OPEN_HEADER_LEN;
        self.str(from, from + usize::from(text.label_len))
    }

    /// A channel's subprotocol.
    pub(super) fn protocol(&self, id: RTCDataChannelId) -> &str {
        let Some(text) = self.get(id).map(|s| s.text) else { return "" };
        self.str(text.end() - usize::from(text.protocol_len), text.end())
    }

    /// Header room, label and protocol: the octets of an OPEN message.
    pub(super) fn open_message(&mut self, id: RTCDataChannelId) -> Option<&mut [u8]> {
        let text = self.get(id)?.text;
        self.text.get_mut(text.at..text.end())
    }

    /// How many octets of texts are still free.
    pub(super) fn text_room(&self) -> usize {
        (self.text.capacity() - self.text.len()).saturating_sub(OPEN_HEADER_LEN)
    }

    fn str(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or_default()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = RTCDataChannelId> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, s)| s.used)
            .map(|(i, s)| RTCDataChannelId { index: i as u16, generation: s.generation })
    }

    /// The first channel whose place is `index` or a later one.
    pub(super) fn next_id(&self, index: u16) -> Option<RTCDataChannelId> {
        self.ids().find(|id| id.index >= index)
    }

    pub(super) fn by_stream(&self, stream: u16) -> Option<RTCDataChannelId> {
        let at = self.streams.binary_search_by_key(&stream, |&(s, _)| s).ok()?;
        let &(_, index) = self.streams.get(at)?;
        let slot = self.slots.get(usize::from(index))?;
        Some(RTCDataChannelId { index, generation: slot.generation })
    }

    /// Gives a channel its stream number. `false` when the number is taken.
    pub(super) fn bind(&mut self, id: RTCDataChannelId, stream: u16) -> bool {
        let Err(at) = self.streams.binary_search_by_key(&stream, |&(s, _)| s) else { return false };
        if self.get(id).is_none() || self.streams.insert(at, (stream, id.index)).is_err() {
            return false;
        }
        if let Some(slot) = self.get_mut(id) {
            slot.stream = Some(stream);
        }
        true
    }

    /// The channel is over: its number is free at once, whether or not its
    /// signal was looked at, since the peer may use it at once.
    pub(super) fn unbind(&mut self, id: RTCDataChannelId, stream: u16) {
        if let Ok(at) = self.streams.binary_search_by_key(&stream, |&(s, _)| s)
            && self.streams.get(at).is_some_and(|&(_, index)| index == id.index)
        {
            self.streams.remove(at);
        }
    }

    /// The lowest free number of the given parity (0 or 1), up to `max`.
    pub(super) fn free_stream(&self, parity: u16, max: u16) -> Option<u16> {
        let mut next = parity;
        for &(stream, _) in self.streams.iter().filter(|(s, _)| s % 2 == parity) {
            if stream > next {
                break;
            }
            next = stream.checked_add(2)?;
        }
        (next <= max).then_some(next)
    }

    pub(super) fn owe(&mut self, id: RTCDataChannelId, owed: Owed) {
        let Some(slot) = self.get_mut(id) else { return };
        let before = core::mem::replace(&mut slot.owed, owed);
        self.owing += usize::from(owed != Owed::Nothing);
        self.owing -= usize::from(before != Owed::Nothing);
    }

    pub(super) fn has_pending(&self) -> bool {
        self.owing > 0
    }

    pub(super) fn signal(&mut self, id: RTCDataChannelId, signal: Signal) {
        let Some(slot) = self.get_mut(id) else { return };
        let was_quiet = slot.signals == 0;
        slot.signals |= signal.bit();
        if was_quiet {
            // There are as many places as slots, and a slot queues once.
            let _ = self.signalled.push_back(id.index);
        }
    }

    pub(super) fn next_signal(&mut self) -> Option<(RTCDataChannelId, Signal)> {
        loop {
            let &index = self.signalled.front()?;
            let slot = self.slots.get_mut(usize::from(index))?;
            let signal = Signal::ALL.into_iter().find(|s| slot.signals & s.bit() != 0);
            slot.signals &= !signal.map_or(0, Signal::bit);
            if slot.signals == 0 {
                self.signalled.pop_front();
            }
            if let Some(signal) = signal {
                return Some((RTCDataChannelId { index, generation: slot.generation }, signal));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { channels: 3, text_bytes: 3 * OPEN_HEADER_LEN + 8 };

    #[test]
    fn a_handle_names_nothing_after_its_channel_is_gone() {
        let mut table = Table::new(&LIMITS).unwrap();
        let a = table.insert("a", "").unwrap();
        let kept = table.insert("k", "p").unwrap();
        assert!(table.bind(a, 4));
        table.remove(a);
        let b = table.insert("b", "proto").unwrap();
        assert_eq!(a.index, b.index);
        assert!(table.get(a).is_none() && table.get(b).is_some());
        assert_eq!(table.by_stream(4), None);
        assert_eq!((table.label(a), table.label(b), table.protocol(b)), ("", "b", "proto"));
        assert_eq!((table.label(kept), table.protocol(kept)), ("k", "p"));
        assert!(table.insert("!", "").is_none(), "the texts are full");
    }

    #[test]
    fn stream_numbers_are_the_lowest_free_ones_of_a_parity() {
        let mut table = Table::new(&LIMITS).unwrap();
        for (want, parity) in [(0, 0), (2, 0), (1, 1)] {
            let id = table.insert("", "").unwrap();
            assert_eq!(table.free_stream(parity, 9), Some(want));
            assert!(table.bind(id, want));
            assert!(!table.bind(id, want));
        }
        assert_eq!(table.free_stream(0, 3), None);
        let first = table.by_stream(0).unwrap();
        table.remove(first);
        assert_eq!(table.free_stream(0, 9), Some(0));
    }

    /// The peer opened a channel with the number of one that had just closed,
    /// in the very packet that ended the close: its OPEN was dropped, since the
    /// close had not been looked at yet.
    #[test]
    fn a_closed_channels_number_is_free_before_its_signal_is_polled() {
        let mut table = Table::new(&LIMITS).unwrap();
        let first = table.insert("", "").unwrap();
        assert!(table.bind(first, 0));
        table.unbind(first, 0);
        let second = table.insert("", "").unwrap();
        assert!(table.bind(second, 0));
        table.remove(first);
        assert_eq!(table.by_stream(0), Some(second));
    }

    #[test]
    fn signals_come_in_order_and_coalesce() {
        let mut table = Table::new(&LIMITS).unwrap();
        let id = table.insert("", "").unwrap();
        for signal in [Signal::Closed, Signal::Open, Signal::Announced, Signal::Open] {
            table.signal(id, signal);
        }
        for want in [Signal::Announced, Signal::Open, Signal::Closed] {
            assert_eq!(table.next_signal(), Some((id, want)));
        }
        assert_eq!(table.next_signal(), None);
    }
}
