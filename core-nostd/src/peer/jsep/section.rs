use super::error::{Error, Problem, content};
use crate::wire::sdp::{Description, Media};

/// A media section of the negotiation, derived from the descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Section<'a> {
    /// Its place, from 0: `sdpMLineIndex`.
    pub index: usize,
    /// What it is for.
    pub kind: MediaKind,
    /// Its identification, if it has one: `sdpMid`.
    pub mid: Option<&'a str>,
    /// How it stands.
    pub state: SectionState,
}

/// What a media section is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Data channels.
    Data,
    /// Anything else.
    Other,
}

impl MediaKind {
    pub(super) fn of(media: &Media<'_>) -> Self {
        match media.kind {
            "audio" => Self::Audio,
            "video" => Self::Video,
            _ if media.is_data() => Self::Data,
            _ => Self::Other,
        }
    }
}

/// How a media section stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SectionState {
    /// It is offered and not yet answered.
    Offered,
    /// Both ends accepted it.
    Accepted,
    /// One end refused it. Its place may be used for a new section.
    Rejected,
}

/// Whether the section asks for data channels; `sctp-port:0` asks for their
/// end (RFC 8841, Section 5.1).
pub(super) fn is_live_data(media: &Media<'_>) -> bool {
    let closed = || media.attribute("sctp-port").is_some_and(|p| p.value.trim() == "0");
    media.is_data() && !media.is_rejected() && !closed()
}

/// The section for data channels that an offer asks for: the first one.
pub(super) fn offered_data<'a>(offer: &Description<'a>) -> Option<Media<'a>> {
    offer.medias().find(is_live_data)
}

/// The sections of two descriptions that answer each other.
pub(super) fn pairs<'a>(
    one: &Description<'a>,
    other: &Description<'a>,
) -> impl Iterator<Item = (Media<'a>, Media<'a>)> + use<'a> {
    one.medias().zip(other.medias())
}

/// The section for data channels that offer and answer agree on, in either
/// order.
pub(super) fn agreed_data<'a>(
    one: &Description<'a>,
    other: &Description<'a>,
) -> Option<(Media<'a>, Media<'a>)> {
    pairs(one, other).find(|(a, b)| is_live_data(a) && is_live_data(b))
}

/// Checks that no two sections share a mid.
pub(super) fn check_mids(description: &Description<'_>) -> Result<(), Error> {
    let mut rest = description.medias();
    while let Some(media) = rest.next() {
        let Some(mid) = media.mid() else { continue };
        if let Some(other) = rest.clone().find(|m| m.mid() == Some(mid)) {
            return content(mid_line(&other), Problem::MidRepeated);
        }
    }
    Ok(())
}

/// Checks an offer against what was negotiated before it.
pub(super) fn check_offer(
    offer: &Description<'_>,
    agreed: Option<(Description<'_>, Description<'_>)>,
) -> Result<(), Error> {
    check_mids(offer)?;
    let Some((local, remote)) = agreed else { return Ok(()) };
    // Sections are refused, never left out (RFC 3264, Section 8).
    if offer.len() < local.len().max(remote.len()) {
        return content(0, Problem::SectionsMissing);
    }
    for (new, (a, b)) in offer.medias().zip(pairs(&local, &remote)) {
        // A refused section's place may be taken by another (RFC 8829,
        // Section 5.2.2).
        if a.is_rejected() || b.is_rejected() {
            continue;
        }
        check_same(&new, &b)?;
    }
    Ok(())
}

/// Checks an answer against the offer that it answers.
pub(super) fn check_answer(answer: &Description<'_>, offer: &Description<'_>) -> Result<(), Error> {
    check_mids(answer)?;
    // "For each 'm=' line in the offer, there MUST be a corresponding 'm='
    // line in the answer." (RFC 3264, Section 6)
    if answer.len() < offer.len() {
        return content(0, Problem::SectionsMissing);
    }
    if let Some(more) = answer.media(offer.len()) {
        return content(more.line, Problem::SectionsAdded);
    }
    for (new, old) in pairs(answer, offer) {
        check_same(&new, &old)?;
        if old.is_rejected() && new.port != 0 {
            return content(new.line, Problem::RejectedSectionAccepted);
        }
    }
    Ok(())
}

/// A section stays of its kind and keeps its name; one without a name, from an
/// endpoint that knows no `mid`, matches by its place.
fn check_same(new: &Media<'_>, old: &Media<'_>) -> Result<(), Error> {
    let refused = new.is_rejected();
    if new.kind != old.kind || (!refused && MediaKind::of(new) != MediaKind::of(old)) {
        return content(new.line, Problem::KindChanged);
    }
    match (new.mid(), old.mid()) {
        (Some(new_mid), Some(old_mid)) if new_mid != old_mid => content(mid_line(new), Problem::MidChanged),
        _ => Ok(()),
    }
}

fn mid_line(media: &Media<'_>) -> u32 {
    media.attribute("mid").map_or(media.line, |a| a.line)
}

/// The smallest number that is no mid in any of `descriptions`.
pub(super) fn free_mid<'a>(descriptions: impl Iterator<Item = Description<'a>> + Clone) -> u32 {
    let taken = |mid: u32| {
        descriptions
            .clone()
            .flat_map(|d| d.medias())
            .any(|m| m.mid().is_some_and(|name| name.parse() == Ok(mid)))
    };
    // There are fewer sections than numbers.
    (0..).find(|&mid| !taken(mid)).unwrap_or(u32::MAX)
}
