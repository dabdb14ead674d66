//! The descriptions that are kept: in one text, one behind the other, so that
//! what a short one leaves is there for a long one.

use super::error::Error;
use super::types::RTCSdpType;
use crate::mem::{OutOfMemory, Text};

/// Which description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    CurrentLocal,
    CurrentRemote,
    PendingLocal,
    PendingRemote,
}

/// A description, and where it lies in the text.
#[derive(Debug, Clone, Copy)]
struct Entry {
    place: Place,
    sdp_type: RTCSdpType,
    start: usize,
    length: usize,
}

#[derive(Debug)]
pub(super) struct Archive {
    text: Text,
    /// In the order of the text.
    entries: heapless::Vec<Entry, 4>,
}

impl Archive {
    pub(super) fn new(bytes: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { text: Text::new(bytes)?, entries: heapless::Vec::new() })
    }

    pub(super) fn get(&self, place: Place) -> Option<(RTCSdpType, &str)> {
        let entry = self.entries.iter().find(|entry| entry.place == place)?;
        let text = self.text.as_str().get(entry.start..)?.get(..entry.length)?;
        Some((entry.sdp_type, text))
    }

    /// How long a description of `sdp_type` can be in a place.
    pub(super) fn room(&self, place: Place, sdp_type: RTCSdpType) -> usize {
        let gone = replaced(place, sdp_type);
        let stays = self.entries.iter().filter(|entry| !gone.contains(&entry.place));
        self.text.capacity() - stays.map(|entry| entry.length).sum::<usize>()
    }

    /// Keeps `lines` in a place, instead of the descriptions that they replace.
    pub(super) fn set<'a>(
        &mut self,
        place: Place,
        sdp_type: RTCSdpType,
        lines: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), Error> {
        let length = lines.clone().map(str::len).sum();
        let max = self.room(place, sdp_type);
        if length > max {
            return Err(Error::TooLong { length, max });
        }
        for gone in replaced(place, sdp_type) {
            self.clear(gone);
        }
        let start = self.text.as_str().len();
        let entry = Entry { place, sdp_type, start, length };
        // There are no more places than that.
        let _ = self.entries.push(entry);
        for line in lines {
            self.text.push_str(line).map_err(|_| Error::TooLong { length, max })?;
        }
        Ok(())
    }

    pub(super) fn clear(&mut self, place: Place) {
        let Some(at) = self.entries.iter().position(|entry| entry.place == place) else { return };
        let gone = self.entries.remove(at);
        self.text.remove(gone.start, gone.length);
        for behind in self.entries.iter_mut().skip(at) {
            behind.start -= gone.length;
        }
    }

    /// What was pending is what stands, now that there is an answer.
    pub(super) fn settle(&mut self) {
        for entry in &mut self.entries {
            entry.place = match entry.place {
                Place::CurrentLocal | Place::PendingLocal => Place::CurrentLocal,
                Place::CurrentRemote | Place::PendingRemote => Place::CurrentRemote,
            };
        }
    }
}

/// The places whose descriptions end when one of `sdp_type` is put in `place`.
const fn replaced(place: Place, sdp_type: RTCSdpType) -> [Place; 3] {
    match sdp_type {
        RTCSdpType::Answer => [place, Place::CurrentLocal, Place::CurrentRemote],
        // An offer of the peer takes ours back.
        RTCSdpType::Offer => [place, Place::PendingLocal, Place::PendingRemote],
        _ => [place; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(archive: &mut Archive, place: Place, sdp_type: RTCSdpType, text: &str) -> Result<(), Error> {
        archive.set(place, sdp_type, core::iter::once(text))
    }

    fn free(archive: &Archive) -> usize {
        archive.text.capacity() - archive.text.as_str().len()
    }

    #[test]
    fn descriptions_share_their_room() {
        use Place::{CurrentLocal, CurrentRemote, PendingLocal, PendingRemote};
        use RTCSdpType::{Answer, Offer};
        let mut archive = Archive::new(12).unwrap();
        set(&mut archive, PendingRemote, Offer, "offer").unwrap();
        assert_eq!(
            set(&mut archive, PendingLocal, Answer, "much more"),
            Err(Error::TooLong { length: 9, max: 7 })
        );
        set(&mut archive, PendingLocal, Answer, "answer").unwrap();
        archive.settle();
        assert_eq!(archive.get(CurrentRemote), Some((Offer, "offer")));
        assert_eq!(archive.get(CurrentLocal), Some((Answer, "answer")));
        assert_eq!((archive.get(PendingLocal), archive.get(PendingRemote)), (None, None));

        // An offer stands beside what was agreed on; its answer replaces that.
        set(&mut archive, PendingLocal, Offer, "1").unwrap();
        assert_eq!(free(&archive), 0);
        set(&mut archive, PendingRemote, Answer, "2345678").unwrap();
        archive.settle();
        assert_eq!(archive.get(CurrentLocal), Some((Offer, "1")));
        assert_eq!(archive.get(CurrentRemote), Some((Answer, "2345678")));

        archive.clear(CurrentLocal);
        assert_eq!(archive.get(CurrentRemote), Some((Answer, "2345678")));
        assert_eq!(free(&archive), 5);
    }
}
