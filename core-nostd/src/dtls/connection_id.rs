//! Connection IDs (RFC 9146 for DTLS 1.2; RFC 9147, Section 9, for 1.3): by
//! them a record tells whose it is, whichever address it comes from.

use super::machine::{Machine, extension, unexpected};
use super::{Error, Role};
use crate::wire::dtls::{
    AlertDescription, ExtensionType, Extensions, HandshakeType, MAX_CONNECTION_ID, NewConnectionId,
};
use crate::wire::{Reader, ShortBuffer, Writer};

/// A connection ID, of up to 20 octets.
///
/// Whoever sees the records can tell by it that they belong together, also
/// after a change of address: "Deployments that use DTLS in multihoming
/// environments and are concerned about these aspects SHOULD refuse to use
/// CIDs in DTLS 1.2" (RFC 9146, Section 8).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cid {
    len: u8,
    octets: [u8; MAX_CONNECTION_ID],
}

impl Cid {
    /// The ID with no octets: the peer's ID is used, and none of ours.
    pub const EMPTY: Self = Self { len: 0, octets: [0; MAX_CONNECTION_ID] };

    /// An ID of these octets; `None` when there are more than 20.
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut id = Self { len: u8::try_from(octets.len()).ok()?, ..Self::EMPTY };
        id.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(id)
    }

    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len()).unwrap_or_default()
    }

    /// How many octets there are.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl core::fmt::Debug for Cid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Cid(")?;
        for octet in self.as_slice() {
            write!(f, "{octet:02x}")?;
        }
        f.write_str(")")
    }
}

/// The connection IDs of an association. Only protected records have them.
#[derive(Debug, Default)]
pub(super) struct Cids {
    /// In records of the peer; before the hellos, what we would like it to be.
    pub(super) own: Cid,
    /// In records of ours.
    pub(super) peer: Cid,
    /// Whether both ends sent the extension.
    negotiated: bool,
    /// Whether the peer asked for IDs and has no answer yet.
    owes: bool,
}

impl Cids {
    pub(super) fn wishing(own: Option<Cid>) -> Self {
        Self { own: own.unwrap_or_default(), ..Self::default() }
    }

    /// Whether a protected record with this ID, or with none, is for us.
    pub(super) fn admits(&self, id: &[u8]) -> bool {
        self.own.as_slice() == id
    }
}

impl Machine {
    /// Writes the extension, if we use connection IDs and, as server, the
    /// client does.
    pub(super) fn connection_id_extension(wish: Option<Cid>, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        let Some(own) = wish else { return Ok(()) };
        extension(w, ExtensionType::CONNECTION_ID, |w| {
            let open = w.open8()?;
            w.bytes(own.as_slice())?;
            w.close(open)
        })
    }

    /// What our ServerHello says: our ID, once the client has said its own.
    pub(super) fn agreed_connection_id(&self) -> Option<Cid> {
        self.config.connection_id.filter(|_| self.records.cids.negotiated)
    }

    /// Settles by the extensions of the peer's hello which IDs are used.
    pub(super) fn settle_connection_ids(&mut self, extensions: &Extensions<'_>) -> Result<(), Error> {
        let offered = extensions.get(ExtensionType::CONNECTION_ID);
        let cids = &mut self.records.cids;
        let (Some(own), Some(content)) = (self.config.connection_id, offered) else {
            // A client that did not ask does not get here with an answer.
            *cids = Cids::default();
            return Ok(());
        };
        let mut r = Reader::new(content);
        let theirs = r.vec8()?;
        r.finish()?;
        match Cid::new(theirs) {
            Some(peer) => *cids = Cids { own, peer, negotiated: true, owes: false },
            // A server may do without; a client that asked may not.
            None if self.role == Role::Server => *cids = Cids::default(),
            None => return Err(Error::PeerMisbehaved(AlertDescription::HANDSHAKE_FAILURE)),
        }
        Ok(())
    }

    /// The peer has other IDs for us to use. What is spare is not kept: "MAY
    /// simply discard any extra CIDs".
    pub(super) fn read_new_connection_id(&mut self, body: &[u8]) -> Result<(), Error> {
        let cids = &mut self.records.cids;
        // "Implementations which either did not negotiate the "connection_id"
        // extension or which have negotiated receiving an empty CID MUST NOT
        // send NewConnectionId."
        if !cids.negotiated || cids.peer.is_empty() {
            return Err(unexpected());
        }
        let message = NewConnectionId::parse(body)?;
        if message.is_immediate {
            let illegal = Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER);
            // "one of the new CIDs MUST be used immediately": the first that
            // we have room for.
            let usable = |id: &[u8]| Cid::new(id).filter(|id| !id.is_empty());
            cids.peer = message.ids().find_map(usable).ok_or(illegal)?;
        }
        Ok(())
    }

    /// The peer wants IDs. It gets an answer without any, which RFC 9147
    /// allows: one is all that a connection here is found by.
    pub(super) fn read_request_connection_id(&mut self, body: &[u8]) -> Result<(), Error> {
        let cids = &mut self.records.cids;
        // "Implementations MUST NOT send RequestConnectionId when sending an
        // empty Connection ID."
        if !cids.negotiated || cids.own.is_empty() {
            return Err(unexpected());
        }
        let [_num_cids] = body else {
            return Err(Error::PeerMisbehaved(AlertDescription::DECODE_ERROR));
        };
        // One answer does for all requests that came meanwhile.
        cids.owes = true;
        Ok(())
    }

    /// Answers a RequestConnectionId, when nothing of ours is outstanding.
    pub(super) fn progress_connection_ids(&mut self) -> Result<(), Error> {
        if !self.records.cids.owes || self.flight.is_outstanding() {
            return Ok(());
        }
        self.records.cids.owes = false;
        self.flight.begin();
        let epoch = self.records.write_epoch();
        self.flight.push(HandshakeType::NEW_CONNECTION_ID, epoch, NewConnectionId::emit_none)?;
        self.flight.ready(true, self.config.retransmission_timeout);
        Ok(())
    }
}
