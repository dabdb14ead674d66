#[cfg(feature = "path-mtu")]
use super::create::MAX_DATAGRAM_SIZE;
use super::error::{Error, Problem, content};
use super::types::{IceChange, RTCSdpType};
#[cfg(feature = "snap")]
use crate::wire::sctp::SignalledInit;
use crate::wire::sdp::{Attribute, Description, Fingerprint, Media, Setup};
use core::ops::RangeInclusive;

/// What the peer's description says about the transport of data channels,
/// read from its text.
#[derive(Debug, Clone, Copy)]
pub struct Remote<'a> {
    description: Description<'a>,
    /// The section for data channels.
    own: Media<'a>,
    /// The section whose transport it uses.
    transport: Media<'a>,
}

impl<'a> Remote<'a> {
    /// The view of the data section `own`.
    pub(super) fn new(description: Description<'a>, own: Media<'a>, sdp_type: RTCSdpType) -> Self {
        let transport = transport_of(&description, &own, sdp_type).unwrap_or(own);
        Self { description, own, transport }
    }

    /// An attribute of the transport: as the bundle's tagged section has it,
    /// or else the section itself, or else the session.
    fn attribute(&self, name: &str) -> Option<Attribute<'a>> {
        self.transport
            .attribute(name)
            .or_else(|| self.own.attribute(name))
            .or_else(|| self.description.attribute(name))
    }

    fn text(&self, name: &str) -> &'a str {
        self.attribute(name).map_or("", |a| a.value.trim())
    }

    /// The mid of the data section.
    pub fn mid(&self) -> Option<&'a str> {
        self.own.mid()
    }

    /// The place of the data section.
    pub fn index(&self) -> usize {
        self.own.index
    }

    /// `ice-ufrag`.
    pub fn ufrag(&self) -> &'a str {
        self.text("ice-ufrag")
    }

    /// `ice-pwd`.
    pub fn password(&self) -> &'a str {
        self.text("ice-pwd")
    }

    /// Whether the peer is ICE-lite.
    pub fn lite(&self) -> bool {
        self.description.attribute("ice-lite").is_some()
    }

    /// Whether the peer has an ICE option, such as `trickle`, `ice2` or
    /// `renomination`.
    pub fn ice_option(&self, option: &str) -> bool {
        self.description.ice_option(Some(&self.transport), option)
            || self.description.ice_option(Some(&self.own), option)
    }

    /// The candidates in the description: what stands behind `a=candidate:`.
    pub fn candidates(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.transport.candidates()
    }

    /// Whether there will be no more candidates (RFC 8840, Section 8.2).
    pub fn end_of_candidates(&self) -> bool {
        self.attribute("end-of-candidates").is_some()
    }

    /// Whether candidates for `media` are for this transport.
    pub(super) fn takes_candidates_of(&self, media: &Media<'_>) -> bool {
        media.index == self.own.index || media.index == self.transport.index
    }

    /// The SHA-256 fingerprints; the certificate must match one of them.
    /// Those of other hash functions are passed over (RFC 8122, Section 5.1).
    pub fn fingerprints(&self) -> impl Iterator<Item = [u8; 32]> + Clone + use<'a> {
        self.fingerprint_attributes()
            .filter_map(|a| Fingerprint::parse(a.value))
            .filter(Fingerprint::is_sha256)
            .filter_map(|f| f.octets())
    }

    /// The fingerprint lines of the first level that has any.
    fn fingerprint_attributes(&self) -> impl Iterator<Item = Attribute<'a>> + Clone + use<'a> {
        let of = |a: &Attribute<'_>| a.name == "fingerprint";
        let [transport, own, session] =
            [self.transport.attributes(), self.own.attributes(), self.description.attributes()];
        let level = if transport.clone().any(|a| of(&a)) {
            transport
        } else if own.clone().any(|a| of(&a)) {
            own
        } else {
            session
        };
        level.filter(of)
    }

    /// `setup`, if there is one.
    pub fn setup(&self) -> Option<Setup> {
        self.attribute("setup").and_then(|a| Setup::parse(a.value))
    }

    /// The SCTP port. RFC 8841 has no default; 5000 is what everybody uses.
    pub fn sctp_port(&self) -> u16 {
        let port = self.own.attribute("sctp-port").and_then(|a| a.value.trim().parse().ok());
        port.or_else(|| self.own.legacy_sctp_port()).unwrap_or(5000)
    }

    /// The largest message that the peer accepts, in octets; `usize::MAX` when
    /// it sets no bound.
    pub fn max_message_size(&self) -> usize {
        // "If the SDP 'max-message-size' attribute is not present, the default
        // value is 64K." (RFC 8841, Section 6.1)
        let Some(size) = self.own.attribute("max-message-size") else { return 64 * 1024 };
        match size.value.trim().parse::<u64>() {
            // "a maximum message size value of zero [...] indicates that the
            // SCTP endpoint will handle messages of any size" (same section)
            Ok(0) => usize::MAX,
            Ok(size) => usize::try_from(size).unwrap_or(usize::MAX),
            Err(_) => 64 * 1024,
        }
    }

    /// The largest datagram that the peer takes in, in octets, if it says so.
    #[cfg(feature = "path-mtu")]
    pub fn max_datagram_size(&self) -> Option<usize> {
        let (octets, ufrag) = self.own.attribute(MAX_DATAGRAM_SIZE)?.value.trim().split_once(' ')?;
        if ufrag == self.ufrag() { octets.parse().ok() } else { None }
    }

    /// `sctp-init`: the peer's INIT (draft-hancke-tsvwg-snap).
    #[cfg(feature = "snap")]
    pub fn sctp_init(&self) -> Option<SignalledInit> {
        self.own.attribute("sctp-init").and_then(|a| SignalledInit::parse(a.value).ok())
    }

    /// "If the data is not properly base64-encoded this results in an error.
    /// [...] If the series of bytes is not a valid SCTP INIT chunk this
    /// results in an error." (draft-hancke-tsvwg-snap-00, Section 5.3)
    #[cfg(feature = "snap")]
    pub(super) fn check_init(&self) -> Result<(), Error> {
        match self.own.attribute("sctp-init") {
            Some(a) if SignalledInit::parse(a.value).is_err() => content(a.line, Problem::BadSctpInit),
            _ => Ok(()),
        }
    }

    /// Checks that everything a transport needs is there.
    pub(super) fn check(&self, sdp_type: RTCSdpType) -> Result<(), Error> {
        self.check_length("ice-ufrag", 4..=64, Problem::MissingUfrag, Problem::BadUfrag)?;
        self.check_length("ice-pwd", 22..=128, Problem::MissingPassword, Problem::BadPassword)?;
        self.check_fingerprints()?;
        self.check_setup(sdp_type)?;
        self.check_number("sctp-port", u64::from(u16::MAX), Problem::BadSctpPort)?;
        self.check_number("max-message-size", u64::MAX, Problem::BadMaxMessageSize)
    }

    fn check_length(
        &self,
        name: &str,
        lengths: RangeInclusive<usize>,
        missing: Problem,
        bad: Problem,
    ) -> Result<(), Error> {
        let Some(a) = self.attribute(name) else { return content(self.own.line, missing) };
        let value = a.value.trim();
        if lengths.contains(&value.len()) && !value.contains(char::is_whitespace) {
            return Ok(());
        }
        content(a.line, bad)
    }

    fn check_fingerprints(&self) -> Result<(), Error> {
        let mut line = None;
        let mut supported = false;
        for a in self.fingerprint_attributes() {
            line = line.or(Some(a.line));
            match Fingerprint::parse(a.value) {
                Some(f) if f.is_sha256() => match f.octets::<32>() {
                    Some(_) => supported = true,
                    None => return content(a.line, Problem::BadFingerprint),
                },
                _ => {}
            }
        }
        match line {
            Some(_) if supported => Ok(()),
            Some(line) => content(line, Problem::UnsupportedFingerprint),
            None => content(self.own.line, Problem::MissingFingerprint),
        }
    }

    fn check_setup(&self, sdp_type: RTCSdpType) -> Result<(), Error> {
        let Some(a) = self.attribute("setup") else { return Ok(()) };
        match (Setup::parse(a.value), sdp_type) {
            (Some(Setup::Active | Setup::Passive), _) | (Some(Setup::Actpass), RTCSdpType::Offer) => Ok(()),
            _ => content(a.line, Problem::BadSetup),
        }
    }

    fn check_number(&self, name: &str, max: u64, bad: Problem) -> Result<(), Error> {
        match self.own.attribute(name) {
            Some(a) if a.value.trim().parse::<u64>().is_ok_and(|n| n <= max) => Ok(()),
            Some(a) => content(a.line, bad),
            None => Ok(()),
        }
    }

    /// How the credentials compare with those of `before`.
    pub(super) fn ice_change(&self, before: Option<&Remote<'_>>) -> IceChange {
        match before {
            None => IceChange::New,
            Some(b) if b.ufrag() == self.ufrag() && b.password() == self.password() => IceChange::Unchanged,
            Some(_) => IceChange::Restart,
        }
    }

    /// Whether none of the fingerprints is among those of `before`.
    pub(super) fn identity_changed(&self, before: Option<&Remote<'_>>) -> bool {
        before.is_some_and(|b| self.fingerprints().all(|f| b.fingerprints().all(|old| old != f)))
    }
}

/// The section whose transport `own` uses. In an offer each section may have
/// its own until BUNDLE is agreed on, unless it is `bundle-only`; in an answer
/// the tagged section speaks for all (RFC 9143, Section 7.1.3).
fn transport_of<'a>(d: &Description<'a>, own: &Media<'a>, sdp_type: RTCSdpType) -> Option<Media<'a>> {
    let complete = own.port != 0 && own.attribute("ice-ufrag").is_some();
    if sdp_type == RTCSdpType::Offer && complete {
        return None;
    }
    let tag = d.bundle_of(own.mid()?)?.next()?;
    d.media_by_mid(tag).filter(|m| !m.is_rejected() && m.attribute("ice-ufrag").is_some())
}
