use super::Limits;
use super::archive::{Archive, Place};
use super::create::{Gathered, Local, kept_lines};
use super::error::{Error, Operation};
use super::remote::Remote;
use super::section::{
    MediaKind, Section, SectionState, agreed_data, check_answer, check_offer, offered_data,
};
use super::types::{Changes, DataSection, DescriptionSlot, IceChange, RTCSdpType, RTCSignalingState};
use crate::mem::OutOfMemory;
use crate::wire::sdp::{Description, Setup};
use core::fmt::Display;

/// Whose description it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Local,
    Remote,
}

/// The state after a description of `sdp_type` is applied (RFC 8829,
/// Section 3.2; W3C WebRTC, Section 4.4.1.5). `None` when it may not be.
pub(super) const fn transition(
    state: RTCSignalingState,
    side: Side,
    sdp_type: RTCSdpType,
) -> Option<RTCSignalingState> {
    use RTCSdpType::{Answer, Offer, Pranswer, Rollback};
    use RTCSignalingState::{HaveLocalOffer, HaveLocalPranswer, HaveRemoteOffer, HaveRemotePranswer, Stable};
    match (side, sdp_type, state) {
        (Side::Local, Offer, Stable | HaveLocalOffer) => Some(HaveLocalOffer),
        (Side::Local, Pranswer, HaveRemoteOffer | HaveLocalPranswer) => Some(HaveLocalPranswer),
        (Side::Local, Answer, HaveRemoteOffer | HaveLocalPranswer) => Some(Stable),
        // From have-local-offer with an implicit rollback.
        (Side::Remote, Offer, Stable | HaveRemoteOffer | HaveLocalOffer) => Some(HaveRemoteOffer),
        (Side::Remote, Pranswer, HaveLocalOffer | HaveRemotePranswer) => Some(HaveRemotePranswer),
        (Side::Remote, Answer, HaveLocalOffer | HaveRemotePranswer) => Some(Stable),
        (_, Rollback, HaveLocalOffer | HaveRemoteOffer) => Some(Stable),
        _ => None,
    }
}

const fn operation(side: Side, sdp_type: RTCSdpType) -> Operation {
    use RTCSdpType::{Answer, Offer, Pranswer, Rollback};
    match (side, sdp_type) {
        (_, Rollback) => Operation::Rollback,
        (Side::Local, Offer) => Operation::SetLocalOffer,
        (Side::Local, Pranswer) => Operation::SetLocalPranswer,
        (Side::Local, Answer) => Operation::SetLocalAnswer,
        (Side::Remote, Offer) => Operation::SetRemoteOffer,
        (Side::Remote, Pranswer) => Operation::SetRemotePranswer,
        (Side::Remote, Answer) => Operation::SetRemoteAnswer,
    }
}

/// A description that `create_offer` or `create_answer` returned: as much of
/// it as tells it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Created {
    offer: bool,
    length: usize,
    hash: u64,
}

impl Created {
    fn new(sdp_type: RTCSdpType, text: &str) -> Self {
        // FNV-1a: the caller may err, but does not attack itself.
        let hash = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Self { offer: sdp_type == RTCSdpType::Offer, length: text.len(), hash }
    }
}

/// The negotiation of one connection.
#[derive(Debug)]
pub struct Jsep {
    limits: Limits,
    state: RTCSignalingState,
    session_id: u64,
    /// Of the next description that is made.
    version: u64,
    created: Option<Created>,
    /// Our DTLS role in the standing association.
    role: Option<Setup>,
    /// Whether `sctp-init` has a meaning.
    #[cfg(feature = "snap")]
    snap: bool,
    kept: Archive,
}

impl Jsep {
    /// A negotiation in `stable`, with all its memory. `session_id` is random;
    /// 62 bits of it are used.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator refuses.
    pub fn new(limits: Limits, session_id: u64) -> Result<Self, OutOfMemory> {
        Ok(Self {
            limits,
            state: RTCSignalingState::Stable,
            // "the value MUST be less than 2^(63)-1" (RFC 8829, Section 5.2.1)
            session_id: session_id & (u64::MAX >> 2),
            version: 1,
            created: None,
            role: None,
            #[cfg(feature = "snap")]
            snap: false,
            kept: Archive::new(limits.description_bytes)?,
        })
    }

    /// Whether `sctp-init` has a meaning; not unless
    /// [set](Self::set_snap).
    #[cfg(feature = "snap")]
    pub fn snap(&self) -> bool {
        self.snap
    }

    /// Gives `sctp-init` its meaning (draft-hancke-tsvwg-snap), or takes it.
    #[cfg(feature = "snap")]
    pub fn set_snap(&mut self, snap: bool) {
        self.snap = snap;
    }

    /// The signalling state.
    pub fn state(&self) -> RTCSignalingState {
        self.state
    }

    /// Closes the negotiation; the descriptions stay readable.
    pub fn close(&mut self) {
        self.state = RTCSignalingState::Closed;
    }

    /// Applies a local description: what `create_offer` or `create_answer`
    /// returned last, or a rollback, whose text is not looked at.
    ///
    /// # Errors
    /// See [`Error`]; nothing has changed then.
    pub fn set_local(&mut self, sdp_type: RTCSdpType, text: &str) -> Result<Changes, Error> {
        let to = self.next(Side::Local, sdp_type)?;
        if sdp_type == RTCSdpType::Rollback {
            return Ok(self.roll_back());
        }
        if self.created != Some(Created::new(sdp_type, text)) {
            return Err(Error::InvalidModification);
        }
        let new = Description::parse(text, self.limits.media_sections)?;
        let section = offered_data(&new).map(|m| Remote::new(new, m, sdp_type));
        let mut changes = self.changes(to);
        if let Some(section) = section {
            changes.local_ice = section.ice_change(self.latest(Side::Local).as_ref());
        }
        match sdp_type {
            RTCSdpType::Offer => changes.data = self.offered(section.is_some()),
            _ => changes.data = self.answered(self.pending_remote(), Some(new)),
        }
        if sdp_type != RTCSdpType::Offer && changes.data == DataSection::Accepted {
            changes.setup = section.and_then(|s| s.setup());
            changes.remote_identity_changed = self
                .latest(Side::Remote)
                .is_some_and(|offer| offer.identity_changed(self.view(Place::CurrentRemote).as_ref()));
        }
        self.kept.set(Place::PendingLocal, sdp_type, kept_lines(text))?;
        // Each description that was applied has a version of its own, so that
        // no two that differ share one (RFC 8829, Section 5.2.2).
        self.version = self.version.saturating_add(1);
        self.finish(&changes, sdp_type);
        Ok(changes)
    }

    /// Applies a remote description. An offer in `have-local-offer` takes our
    /// own offer back first (RFC 9429, Section 4.1.8.2).
    ///
    /// # Errors
    /// See [`Error`]; nothing has changed then.
    pub fn set_remote(&mut self, sdp_type: RTCSdpType, text: &str) -> Result<Changes, Error> {
        let to = self.next(Side::Remote, sdp_type)?;
        if sdp_type == RTCSdpType::Rollback {
            return Ok(self.roll_back());
        }
        let max = self.kept.room(Place::PendingRemote, sdp_type);
        if text.len() > max {
            return Err(Error::TooLong { length: text.len(), max });
        }
        let new = Description::parse(text, self.limits.media_sections)?;
        match (sdp_type, self.parse(Place::PendingLocal)) {
            (RTCSdpType::Offer, _) => check_offer(&new, self.agreed())?,
            (_, Some(offer)) => check_answer(&new, &offer)?,
            (_, None) => {}
        }
        let section = offered_data(&new).map(|m| Remote::new(new, m, sdp_type));
        let mut changes = self.changes(to);
        changes.rolled_back =
            sdp_type == RTCSdpType::Offer && self.state == RTCSignalingState::HaveLocalOffer;
        if let Some(section) = section {
            section.check(sdp_type)?;
            #[cfg(feature = "snap")]
            if self.snap {
                section.check_init()?;
            }
            changes.remote_ice = section.ice_change(self.latest(Side::Remote).as_ref());
            changes.remote_identity_changed =
                section.identity_changed(self.view(Place::CurrentRemote).as_ref());
        }
        if changes.rolled_back {
            changes.local_ice = self.restored(Side::Local);
        }
        match sdp_type {
            RTCSdpType::Offer => changes.data = self.offered(section.is_some()),
            _ => changes.data = self.answered(self.parse(Place::PendingLocal), Some(new)),
        }
        if sdp_type != RTCSdpType::Offer && changes.data == DataSection::Accepted {
            changes.setup = section.map(|s| match s.setup() {
                Some(Setup::Active) => Setup::Passive,
                // "The default value of the setup attribute in an offer/answer
                // exchange is 'active' in the offer and 'passive' in the
                // answer." (RFC 4145, Section 4.1)
                _ => Setup::Active,
            });
        }
        self.kept.set(Place::PendingRemote, sdp_type, core::iter::once(text))?;
        self.created = None;
        self.finish(&changes, sdp_type);
        Ok(changes)
    }

    fn next(&self, side: Side, sdp_type: RTCSdpType) -> Result<RTCSignalingState, Error> {
        transition(self.state, side, sdp_type)
            .ok_or(Error::InvalidState { operation: operation(side, sdp_type), state: self.state })
    }

    fn changes(&self, to: RTCSignalingState) -> Changes {
        Changes {
            from: self.state,
            to,
            rolled_back: false,
            local_ice: IceChange::Unchanged,
            remote_ice: IceChange::Unchanged,
            remote_identity_changed: false,
            setup: None,
            data: DataSection::Absent,
        }
    }

    fn roll_back(&mut self) -> Changes {
        let mut changes = self.changes(RTCSignalingState::Stable);
        changes.rolled_back = true;
        changes.data = self.offered(false);
        changes.local_ice = self.restored(Side::Local);
        changes.remote_ice = self.restored(Side::Remote);
        self.kept.clear(Place::PendingLocal);
        self.kept.clear(Place::PendingRemote);
        self.created = None;
        self.state = changes.to;
        changes
    }

    /// How the current credentials compare with the pending ones that are being
    /// taken back.
    fn restored(&self, side: Side) -> IceChange {
        let (current, pending) = Self::places(side);
        match (self.view(current), self.view(pending)) {
            (Some(current), Some(pending)) => current.ice_change(Some(&pending)),
            _ => IceChange::Unchanged,
        }
    }

    /// The current and the pending description of one side.
    fn places(side: Side) -> (Place, Place) {
        match side {
            Side::Local => (Place::CurrentLocal, Place::PendingLocal),
            Side::Remote => (Place::CurrentRemote, Place::PendingRemote),
        }
    }

    /// The data section of a side's latest description.
    fn latest(&self, side: Side) -> Option<Remote<'_>> {
        self.view(self.pick(DescriptionSlot::Latest, side)?)
    }

    /// The description is in its pending place: moves the state on.
    fn finish(&mut self, changes: &Changes, sdp_type: RTCSdpType) {
        if changes.setup.is_some() {
            self.role = changes.setup;
        }
        if changes.data == DataSection::Closed {
            self.role = None;
        }
        if sdp_type == RTCSdpType::Answer {
            self.kept.settle();
            self.created = None;
        }
        debug!("signaling: {} to {}", changes.from.as_str(), changes.to.as_str());
        self.state = changes.to;
    }

    /// How the data section stands after an offer; an answer alone takes away
    /// what was accepted.
    fn offered(&self, offered: bool) -> DataSection {
        match self.accepted() {
            true => DataSection::Accepted,
            false if offered => DataSection::Offered,
            false => DataSection::Absent,
        }
    }

    /// How the data section stands after `answer` to `offer`.
    fn answered(&self, offer: Option<Description<'_>>, answer: Option<Description<'_>>) -> DataSection {
        let (Some(offer), Some(answer)) = (offer, answer) else { return DataSection::Absent };
        if agreed_data(&offer, &answer).is_some() {
            DataSection::Accepted
        } else if self.accepted() {
            DataSection::Closed
        } else if offered_data(&offer).is_some() {
            DataSection::Rejected
        } else {
            DataSection::Absent
        }
    }

    fn accepted(&self) -> bool {
        self.agreed().is_some_and(|(ours, theirs)| agreed_data(&ours, &theirs).is_some())
    }

    fn parse(&self, place: Place) -> Option<Description<'_>> {
        let (_, text) = self.kept.get(place)?;
        Description::parse(text, self.limits.media_sections).ok()
    }

    fn view(&self, place: Place) -> Option<Remote<'_>> {
        let (sdp_type, _) = self.kept.get(place)?;
        let description = self.parse(place)?;
        let own = offered_data(&description)?;
        Some(Remote::new(description, own, sdp_type))
    }

    /// Where the description of a slot is, if there is one.
    fn pick(&self, slot: DescriptionSlot, side: Side) -> Option<Place> {
        let (current, pending) = Self::places(side);
        let places = match slot {
            DescriptionSlot::Current => [current; 2],
            DescriptionSlot::Pending => [pending; 2],
            DescriptionSlot::Latest => [pending, current],
        };
        places.into_iter().find(|place| self.kept.get(*place).is_some())
    }
}

/// What can be read.
impl Jsep {
    /// What the latest remote description says about the transport of data
    /// channels; `None` when there is none, or no data section in it.
    pub fn remote(&self) -> Option<Remote<'_>> {
        self.latest(Side::Remote)
    }

    /// Where the data section is in the latest local description, or else in
    /// the remote offer: `sdpMLineIndex` and `sdpMid` of our candidates.
    pub fn data_section(&self) -> Option<(usize, Option<&str>)> {
        [Place::PendingLocal, Place::PendingRemote, Place::CurrentLocal]
            .into_iter()
            .find_map(|place| self.view(place))
            .map(|view| (view.index(), view.mid()))
    }

    /// The sections of the exchange under way, or else those agreed on.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        let pending = self.parse(Place::PendingLocal).or(self.parse(Place::PendingRemote));
        let (first, second) = match (pending, self.parse(Place::PendingRemote)) {
            (Some(first), Some(second)) if self.state != RTCSignalingState::HaveRemoteOffer => {
                (Some(first), Some(second))
            }
            (Some(first), _) => (Some(first), None),
            (None, _) => self.agreed().unzip(),
        };
        first.into_iter().flat_map(|d| d.medias()).map(move |media| {
            let other = second.and_then(|d| d.media(media.index));
            let state = match other {
                _ if media.is_rejected() => SectionState::Rejected,
                Some(other) if other.is_rejected() => SectionState::Rejected,
                Some(_) => SectionState::Accepted,
                None => SectionState::Offered,
            };
            Section { index: media.index, kind: MediaKind::of(&media), mid: media.mid(), state }
        })
    }

    /// A local description with the candidates that `local` has now: displays
    /// as its text.
    pub fn local_description<'a, C>(
        &'a self,
        slot: DescriptionSlot,
        local: &'a Local<'a, C>,
    ) -> Option<(RTCSdpType, impl Display + 'a)>
    where
        C: IntoIterator<Item: Display> + Clone,
    {
        let place = self.pick(slot, Side::Local)?;
        let (sdp_type, _) = self.kept.get(place)?;
        Some((sdp_type, Gathered { description: self.parse(place)?, local }))
    }

    /// A remote description as it was applied.
    pub fn remote_description(&self, slot: DescriptionSlot) -> Option<(RTCSdpType, &str)> {
        self.kept.get(self.pick(slot, Side::Remote)?)
    }

    /// Whether a trickled candidate is for the transport in use. `false` is
    /// for one of a section that was refused, or of credentials that are no
    /// longer the latest: nothing is to be done about it.
    ///
    /// # Errors
    /// [`Error::InvalidState`] without a remote description,
    /// [`Error::UnknownCandidateTarget`] when it has no such section or ufrag.
    pub fn accepts_candidate(
        &self,
        mid: Option<&str>,
        index: Option<u16>,
        ufrag: Option<&str>,
    ) -> Result<bool, Error> {
        let latest = self
            .pick(DescriptionSlot::Latest, Side::Remote)
            .filter(|_| self.state != RTCSignalingState::Closed)
            .ok_or(Error::InvalidState { operation: Operation::AddCandidate, state: self.state })?;
        let media = self.parse(latest).and_then(|d| match (mid, index) {
            (Some(mid), _) => d.media_by_mid(mid),
            (None, Some(index)) => d.media(usize::from(index)),
            (None, None) => None,
        });
        let media = media.ok_or(Error::UnknownCandidateTarget)?;
        let Some(view) = self.view(latest) else { return Ok(false) };
        match ufrag {
            Some(ufrag) if ufrag != view.ufrag() => {
                let before = self.view(Place::CurrentRemote);
                match before.is_some_and(|b| b.ufrag() == ufrag) {
                    true => Ok(false),
                    false => Err(Error::UnknownCandidateTarget),
                }
            }
            _ => Ok(view.takes_candidates_of(&media)),
        }
    }
}

/// What making descriptions needs.
impl Jsep {
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn session_id(&self) -> u64 {
        self.session_id
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn expect_state(
        &self,
        operation: Operation,
        states: &[RTCSignalingState],
    ) -> Result<(), Error> {
        match states.contains(&self.state) {
            true => Ok(()),
            false => Err(Error::InvalidState { operation, state: self.state }),
        }
    }

    pub(super) fn created(&mut self, sdp_type: RTCSdpType, text: &str) {
        self.created = Some(Created::new(sdp_type, text));
    }

    /// What was agreed on: ours and theirs.
    pub(super) fn agreed(&self) -> Option<(Description<'_>, Description<'_>)> {
        Some((self.parse(Place::CurrentLocal)?, self.parse(Place::CurrentRemote)?))
    }

    pub(super) fn pending_remote(&self) -> Option<Description<'_>> {
        self.parse(Place::PendingRemote)
    }

    /// Our role in the DTLS association that `offer` lets stand.
    pub(super) fn standing_role(&self, offer: &Remote<'_>) -> Option<Setup> {
        self.role.filter(|_| !offer.identity_changed(self.view(Place::CurrentRemote).as_ref()))
    }
}
