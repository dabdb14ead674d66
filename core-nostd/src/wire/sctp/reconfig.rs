//! RE-CONFIG and its parameters (RFC 6525).
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     Parameter Type = 13       | Parameter Length = 16 + 2 * N |
//! |           Re-configuration Request Sequence Number            |
//! |           Re-configuration Response Sequence Number           |
//! |                Sender's Last Assigned TSN                     |
//! |  Stream Number 1 (optional)   |    Stream Number 2 (optional) |
//! \                            ......                             /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{Malformed, Param, Params, Reader, ShortBuffer, Tsn, Writer, emit_tlv};

const OUTGOING_RESET: u16 = 13;
const INCOMING_RESET: u16 = 14;
const TSN_RESET: u16 = 15;
const RESPONSE: u16 = 16;
const ADD_OUTGOING: u16 = 17;
const ADD_INCOMING: u16 = 18;

/// The result of a request (RFC 6525, Section 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ResetResult(pub u32);

impl ResetResult {
    /// Success: there was nothing to do.
    pub const NOTHING_TO_DO: Self = Self(0);
    /// Success: done.
    pub const PERFORMED: Self = Self(1);
    /// Denied.
    pub const DENIED: Self = Self(2);
    /// Error: wrong stream number.
    pub const WRONG_STREAM: Self = Self(3);
    /// Error: another request is in progress.
    pub const REQUEST_IN_PROGRESS: Self = Self(4);
    /// Error: bad sequence number.
    pub const BAD_SEQUENCE: Self = Self(5);
    /// In progress: ask again.
    pub const IN_PROGRESS: Self = Self(6);
}

/// A parameter of a received RE-CONFIG chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconfig<'a> {
    /// The peer resets streams that it sends on.
    OutgoingReset {
        /// The request's number.
        request: u32,
        /// The peer's last TSN before the reset.
        last_tsn: Tsn,
        /// The streams; none means all.
        streams: Streams<'a>,
    },
    /// The peer asks us to reset streams that we send on.
    IncomingReset {
        /// The request's number.
        request: u32,
        /// The streams; none means all.
        streams: Streams<'a>,
    },
    /// The peer wants all TSNs and SSNs to start over.
    TsnReset {
        /// The request's number.
        request: u32,
    },
    /// The peer adds streams that it sends on.
    AddOutgoing {
        /// The request's number.
        request: u32,
        /// How many.
        count: u16,
    },
    /// The peer asks us to add streams that we send on.
    AddIncoming {
        /// The request's number.
        request: u32,
        /// How many.
        count: u16,
    },
    /// The answer to a request of ours.
    Response {
        /// The number of our request.
        request: u32,
        /// How it went.
        result: ResetResult,
    },
    /// Something else, to be skipped.
    Unknown,
}

/// Stream numbers of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams<'a>(&'a [[u8; 2]]);

impl<'a> Streams<'a> {
    /// Whether none is listed, which means all.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The stream numbers.
    pub fn iter(&self) -> impl Iterator<Item = u16> + Clone + use<'a> {
        self.0.iter().map(|&s| u16::from_be_bytes(s))
    }
}

impl<'a> Reconfig<'a> {
    /// The parameters of a RE-CONFIG chunk, of which there are at most two
    /// that mean something.
    pub fn iter(value: &'a [u8]) -> impl Iterator<Item = Result<Self, Malformed>> + use<'a> {
        Params::new(value).take(2).map(|p| Self::parse(&p?))
    }

    fn parse(param: &Param<'a>) -> Result<Self, Malformed> {
        let mut r = Reader::new(param.value);
        Ok(match param.kind {
            OUTGOING_RESET => {
                let request = r.u32()?;
                r.u32()?;
                let last_tsn = Tsn(r.u32()?);
                Self::OutgoingReset { request, last_tsn, streams: Streams(r.take_rest().as_chunks().0) }
            }
            INCOMING_RESET => {
                Self::IncomingReset { request: r.u32()?, streams: Streams(r.take_rest().as_chunks().0) }
            }
            TSN_RESET => Self::TsnReset { request: r.u32()? },
            RESPONSE => Self::Response { request: r.u32()?, result: ResetResult(r.u32()?) },
            ADD_OUTGOING => Self::AddOutgoing { request: r.u32()?, count: r.u16()? },
            ADD_INCOMING => Self::AddIncoming { request: r.u32()?, count: r.u16()? },
            _ => Self::Unknown,
        })
    }
}

/// Writes an Outgoing SSN Reset Request parameter.
///
/// # Errors
/// [`ShortBuffer`].
pub fn emit_outgoing_reset(
    w: &mut Writer<'_>,
    request: u32,
    response: u32,
    last_tsn: Tsn,
    streams: impl Iterator<Item = u16>,
) -> Result<(), ShortBuffer> {
    emit_tlv(w, OUTGOING_RESET, |w| {
        w.u32(request)?;
        w.u32(response)?;
        w.u32(last_tsn.0)?;
        for stream in streams {
            w.u16(stream)?;
        }
        Ok(())
    })
}

/// Writes a Re-configuration Response parameter.
///
/// # Errors
/// [`ShortBuffer`].
pub fn emit_response(w: &mut Writer<'_>, request: u32, result: ResetResult) -> Result<(), ShortBuffer> {
    emit_tlv(w, RESPONSE, |w| {
        w.u32(request)?;
        w.u32(result.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn requests_and_responses_read_as_they_were_written() {
        let mut buf = [0; 64];
        let mut w = Writer::new(&mut buf);
        emit_outgoing_reset(&mut w, 1, 2, Tsn(3), [7, 9, 11].into_iter()).unwrap();
        emit_response(&mut w, 4, ResetResult::IN_PROGRESS).unwrap();
        let found: Vec<_> = Reconfig::iter(w.written()).map(Result::unwrap).collect();
        let Reconfig::OutgoingReset { request: 1, last_tsn: Tsn(3), streams } = found[0] else {
            panic!("{:?}", found[0])
        };
        assert_eq!(streams.iter().collect::<Vec<_>>(), [7, 9, 11]);
        assert_eq!(found[1], Reconfig::Response { request: 4, result: ResetResult::IN_PROGRESS });
    }

    #[test]
    fn the_other_requests_are_known() {
        let mut buf = [0; 64];
        for (kind, want) in [
            (TSN_RESET, Reconfig::TsnReset { request: 5 }),
            (ADD_OUTGOING, Reconfig::AddOutgoing { request: 5, count: 6 }),
            (ADD_INCOMING, Reconfig::AddIncoming { request: 5, count: 6 }),
            (0x1234, Reconfig::Unknown),
        ] {
            let mut w = Writer::new(&mut buf);
            emit_tlv(&mut w, kind, |w| w.bytes(&[0, 0, 0, 5, 0, 6, 0, 0])).unwrap();
            assert_eq!(Reconfig::iter(w.written()).next(), Some(Ok(want)));
            let mut w = Writer::new(&mut buf);
            emit_tlv(&mut w, kind, |w| w.bytes(&[0, 0])).unwrap();
            assert_eq!(Reconfig::iter(w.written()).next().unwrap().is_err(), want != Reconfig::Unknown);
        }
    }
}
