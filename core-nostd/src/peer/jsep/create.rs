use super::error::{Error, Operation};
use super::machine::Jsep;
use super::remote::Remote;
use super::section::{agreed_data, free_mid, offered_data};
use super::types::{RTCSdpType, RTCSignalingState};
use crate::mem::{String, string};
#[cfg(feature = "snap")]
use crate::wire::sctp::SignalledInit;
use crate::wire::sdp::{Description, Media, Setup, Writer};
use core::fmt::{self, Display};

/// What this end puts into its descriptions. `C` gives the local candidates;
/// each displays as `candidate:…`.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a, C> {
    /// `ice-ufrag`. Other credentials than in the current description are an
    /// ICE restart.
    pub ufrag: &'a str,
    /// `ice-pwd`.
    pub password: &'a str,
    /// The SHA-256 hash of our certificate.
    pub fingerprint: [u8; 32],
    /// The candidates known so far, of the generation of `ufrag`.
    pub candidates: C,
    /// Whether there will be no more candidates of this generation.
    pub end_of_candidates: bool,
    /// Whether we are ICE-lite.
    pub lite: bool,
    /// Whether we follow a nomination after the first.
    pub renomination: bool,
    /// What to answer to `actpass` when no DTLS association stands yet:
    /// `Active` to be the client, `Passive` to be the server.
    pub answer_setup: Setup,
    /// Whether offers ask for data channels; what is accepted stays.
    pub data: bool,
    /// The SCTP port.
    pub sctp_port: u16,
    /// Our INIT, when it is to be signalled (draft-hancke-tsvwg-snap).
    #[cfg(feature = "snap")]
    pub sctp_init: Option<SignalledInit>,
    /// The largest message that we accept, in octets; 0 is any.
    pub max_message_size: usize,
    /// The largest datagram that we take in, when the peer is to know.
    #[cfg(feature = "path-mtu")]
    pub max_datagram_size: Option<usize>,
}

/// How large a datagram an agent takes in, and the agent's `ice-ufrag`: an
/// attribute of ours, which no one else needs to know. Peers exist that return
/// attributes which they do not know; theirs has another's `ice-ufrag`.
#[cfg(feature = "path-mtu")]
pub(super) const MAX_DATAGRAM_SIZE: &str = "picortc-max-datagram-size";

/// A session description about to be written: refused sections in their
/// places, and the data section.
struct Draft<'a, 'l, C> {
    local: &'l Local<'l, C>,
    session_id: u64,
    version: u64,
    trickle: bool,
    ice2: bool,
    renomination: bool,
    /// The description whose sections are kept in their places.
    base: Option<Description<'a>>,
    data: Option<DataDraft<'a>>,
}

/// The data section of a [`Draft`].
#[derive(Clone, Copy)]
struct DataDraft<'a> {
    /// Its place; one past the last section to append it.
    index: usize,
    mid: Mid<'a>,
    bundled: bool,
    protocol: &'a str,
    setup: Setup,
}

#[derive(Clone, Copy)]
enum Mid<'a> {
    Name(&'a str),
    Number(u32),
    None,
}

impl Display for Mid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => write!(f, "{number}"),
            Self::None => Ok(()),
        }
    }
}

impl<'a> From<Option<&'a str>> for Mid<'a> {
    fn from(mid: Option<&'a str>) -> Self {
        mid.map_or(Self::None, Self::Name)
    }
}

const PROTOCOL: &str = "UDP/DTLS/SCTP";

impl Jsep {
    /// An offer (RFC 8829, Section 5.2). The same state gives the same octets.
    ///
    /// # Errors
    /// [`Error::InvalidState`] but in `stable` and `have-local-offer`,
    /// [`Error::TooManyMediaSections`], [`Error::OutOfMemory`].
    pub fn create_offer<C>(&mut self, local: &Local<'_, C>) -> Result<String, Error>
    where
        C: IntoIterator<Item: Display> + Clone,
    {
        use RTCSignalingState::{HaveLocalOffer, Stable};
        self.expect_state(Operation::CreateOffer, &[Stable, HaveLocalOffer])?;
        let base = self.agreed();
        let sections = base.map_or(0, |(ours, _)| ours.len());
        let data = match base.and_then(|(ours, theirs)| agreed_data(&ours, &theirs)) {
            Some((ours, _)) => Some(offer_again(&ours)),
            None if local.data => {
                // "[A] section with a zero port in the current local
                // description or the current remote description [...] MUST be
                // recycled by generating an 'm=' section [...] (including a
                // new MID value)" (RFC 8829, Section 5.2.2)
                let recycled = base.and_then(|(ours, theirs)| {
                    super::section::pairs(&ours, &theirs)
                        .position(|(a, b)| a.is_rejected() || b.is_rejected())
                });
                let descriptions = base.into_iter().flat_map(|(a, b)| [a, b]);
                Some(DataDraft {
                    index: recycled.unwrap_or(sections),
                    mid: Mid::Number(free_mid(descriptions)),
                    bundled: true,
                    protocol: PROTOCOL,
                    setup: Setup::Actpass,
                })
            }
            None => None,
        };
        let max = self.limits().media_sections;
        if data.is_some_and(|d| d.index >= max) {
            return Err(Error::TooManyMediaSections { max });
        }
        let draft = Draft {
            local,
            session_id: self.session_id(),
            version: self.version(),
            trickle: true,
            ice2: true,
            renomination: local.renomination,
            base: base.map(|(ours, _)| ours),
            data,
        };
        let text = string(&draft)?;
        self.created(RTCSdpType::Offer, &text);
        Ok(text)
    }

    /// An answer to the remote offer (RFC 8829, Section 5.3); it may be applied
    /// as `pranswer` as well. The same state gives the same octets.
    ///
    /// # Errors
    /// [`Error::InvalidState`] but in `have-remote-offer` and
    /// `have-local-pranswer`, [`Error::OutOfMemory`].
    pub fn create_answer<C>(&mut self, local: &Local<'_, C>) -> Result<String, Error>
    where
        C: IntoIterator<Item: Display> + Clone,
    {
        use RTCSignalingState::{HaveLocalPranswer, HaveRemoteOffer};
        self.expect_state(Operation::CreateAnswer, &[HaveRemoteOffer, HaveLocalPranswer])?;
        let base = self.pending_remote();
        let data = base.and_then(|d| Some((d, offered_data(&d)?))).map(|(d, media)| DataDraft {
            index: media.index,
            mid: media.mid().into(),
            bundled: media.mid().is_some_and(|mid| d.bundle_of(mid).is_some()),
            protocol: media.protocol,
            setup: self.answer_setup(&Remote::new(d, media, RTCSdpType::Offer), local.answer_setup),
        });
        // "[...] is only included if such an option was present in the offer."
        // (RFC 8829, Section 5.3.1)
        let option = |name| {
            base.is_some_and(|d| d.ice_option(data.and_then(|data| d.media(data.index)).as_ref(), name))
        };
        let draft = Draft {
            local,
            session_id: self.session_id(),
            version: self.version(),
            trickle: option("trickle"),
            ice2: option("ice2"),
            renomination: local.renomination && option("renomination"),
            base,
            data,
        };
        let text = string(&draft)?;
        self.created(RTCSdpType::Answer, &text);
        Ok(text)
    }

    /// The `setup` of an answer: the opposite of the offer's, and of its choice
    /// the role that the standing association has.
    fn answer_setup(&self, offer: &Remote<'_>, preferred: Setup) -> Setup {
        match offer.setup() {
            Some(Setup::Active) => Setup::Passive,
            Some(Setup::Passive) => Setup::Active,
            _ => self.standing_role(offer).unwrap_or(match preferred {
                Setup::Passive => Setup::Passive,
                _ => Setup::Active,
            }),
        }
    }
}

/// The accepted section once more: "Each 'a=mid' line MUST stay the same."
/// (RFC 8829, Section 5.2.2)
fn offer_again<'a>(ours: &Media<'a>) -> DataDraft<'a> {
    DataDraft {
        index: ours.index,
        mid: ours.mid().into(),
        bundled: ours.mid().is_some(),
        protocol: ours.protocol,
        setup: Setup::Actpass,
    }
}

impl<C: IntoIterator<Item: Display> + Clone> Display for Draft<'_, '_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut w = Writer::new(f);
        w.session(self.session_id, self.version)?;
        if let Some(data) = self.data.filter(|d| d.bundled) {
            w.list("group", [Mid::Name("BUNDLE"), data.mid].into_iter())?;
        }
        let options = [(self.trickle, "trickle"), (self.ice2, "ice2"), (self.renomination, "renomination")];
        if options.iter().any(|(on, _)| *on) {
            w.list("ice-options", options.iter().filter(|(on, _)| *on).map(|(_, name)| name))?;
        }
        if self.local.lite {
            w.flag("ice-lite")?;
        }
        let mut sections = 0;
        for media in self.base.iter().flat_map(Description::medias) {
            match &self.data {
                Some(data) if data.index == media.index => self.data_section(&mut w, data)?,
                _ => refused_section(&mut w, &media)?,
            }
            sections += 1;
        }
        match &self.data {
            Some(data) if data.index >= sections => self.data_section(&mut w, data),
            _ => Ok(()),
        }
    }
}

impl<C: IntoIterator<Item: Display> + Clone> Draft<'_, '_, C> {
    fn data_section(&self, w: &mut Writer<impl fmt::Write>, data: &DataDraft<'_>) -> fmt::Result {
        let local = self.local;
        // Before RFC 8841 the format was the SCTP port.
        let legacy = data.protocol == "DTLS/SCTP";
        if legacy {
            w.media("application", 9, data.protocol, local.sctp_port)?;
        } else {
            w.media("application", 9, data.protocol, "webrtc-datachannel")?;
        }
        if !matches!(data.mid, Mid::None) {
            w.attribute("mid", data.mid)?;
        }
        w.attribute("ice-ufrag", local.ufrag)?;
        w.attribute("ice-pwd", local.password)?;
        w.fingerprint(&local.fingerprint)?;
        w.attribute("setup", data.setup)?;
        if legacy {
            w.attribute("sctpmap", format_args!("{} webrtc-datachannel 65535", local.sctp_port))?;
        } else {
            w.attribute("sctp-port", local.sctp_port)?;
        }
        w.attribute("max-message-size", local.max_message_size)?;
        #[cfg(feature = "snap")]
        if let (Some(init), false) = (local.sctp_init, legacy) {
            w.attribute("sctp-init", init)?;
        }
        #[cfg(feature = "path-mtu")]
        if let Some(octets) = local.max_datagram_size {
            w.attribute(MAX_DATAGRAM_SIZE, format_args!("{octets} {}", local.ufrag))?;
        }
        candidates(w, local)
    }
}

/// A section that stays refused: everything but the port is the peer's.
fn refused_section(w: &mut Writer<impl fmt::Write>, media: &Media<'_>) -> fmt::Result {
    w.media(media.kind, 0, media.protocol, media.formats)?;
    if let Some(mid) = media.mid() {
        w.attribute("mid", mid)?;
    }
    w.flag("inactive")
}

fn candidates<C: IntoIterator<Item: Display> + Clone>(
    w: &mut Writer<impl fmt::Write>,
    local: &Local<'_, C>,
) -> fmt::Result {
    for candidate in local.candidates.clone() {
        w.flag(candidate)?;
    }
    if local.end_of_candidates {
        w.flag("end-of-candidates")?;
    }
    Ok(())
}

/// The lines of a local description as it is kept: without candidates, which
/// change while it stands.
pub(super) fn kept_lines(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split_inclusive('\n')
        .filter(|line| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates"))
}

/// A kept local description with the candidates of today.
pub(super) struct Gathered<'a, C> {
    pub(super) description: Description<'a>,
    pub(super) local: &'a Local<'a, C>,
}

impl<C: IntoIterator<Item: Display> + Clone> Display for Gathered<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description.session())?;
        for media in self.description.medias() {
            f.write_str(media.text())?;
            // Candidates of another generation are not this description's.
            if media.attribute("ice-ufrag").is_some_and(|a| a.value == self.local.ufrag) {
                candidates(&mut Writer::new(&mut *f), self.local)?;
            }
        }
        Ok(())
    }
}
