//! INIT and INIT ACK (RFC 9260, Sections 3.3.2 and 3.3.3).
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Type = 1, 2  |  Chunk Flags  |         Chunk Length          |
//! |                         Initiate Tag                          |
//! |           Advertised Receiver Window Credit (a_rwnd)          |
//! |  Number of Outbound Streams   |   Number of Inbound Streams   |
//! |                          Initial TSN                          |
//! \              Optional/Variable-Length Parameters              /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{ChunkType, Malformed, Param, Params, Reader, ShortBuffer, Tsn, Writer, emit_chunk, emit_tlv};

const STATE_COOKIE: u16 = 7;
const UNRECOGNIZED: u16 = 8;
const ZERO_CHECKSUM: u16 = 0x8001;
const SUPPORTED_EXTENSIONS: u16 = 0x8008;
const FORWARD_TSN: u16 = 0xc000;

/// "The error detection method identifier" of DTLS (RFC 9653, Section 4).
const EDMID_DTLS: u32 = 1;

/// Extensions that an end says it supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Features {
    /// Partial reliability (RFC 3758).
    pub forward_tsn: bool,
    /// Message interleaving (RFC 8260).
    pub interleaving: bool,
    /// Stream re-configuration (RFC 6525).
    pub reconfig: bool,
    /// Packets without a checksum are welcome (RFC 9653).
    pub zero_checksum: bool,
}

impl Features {
    /// As the octet of a cookie.
    pub const fn to_bits(self) -> u8 {
        self.forward_tsn as u8
            | (self.interleaving as u8) << 1
            | (self.reconfig as u8) << 2
            | (self.zero_checksum as u8) << 3
    }

    /// From the octet of a cookie.
    pub const fn from_bits(bits: u8) -> Self {
        Self {
            forward_tsn: bits & 1 != 0,
            interleaving: bits & 2 != 0,
            reconfig: bits & 4 != 0,
            zero_checksum: bits & 8 != 0,
        }
    }
}

/// An INIT or INIT ACK chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Init<'a> {
    /// The tag that packets to its sender carry.
    pub tag: u32,
    /// The receive window, in octets.
    pub window: u32,
    /// How many streams its sender sends on.
    pub outbound: u16,
    /// How many streams its sender can receive on.
    pub inbound: u16,
    /// Its sender's first TSN.
    pub tsn: Tsn,
    /// Its sender's extensions.
    pub features: Features,
    /// The state cookie of an INIT ACK.
    pub cookie: Option<&'a [u8]>,
    /// All parameters as they stand, to find what must be reported.
    params: &'a [u8],
}

impl<'a> Init<'a> {
    /// An INIT without parameters other than `features`.
    pub const fn new(
        tag: u32,
        window: u32,
        outbound: u16,
        inbound: u16,
        tsn: Tsn,
        features: Features,
    ) -> Self {
        Self { tag, window, outbound, inbound, tsn, features, cookie: None, params: &[] }
    }

    /// Reads the value of an INIT or INIT ACK chunk.
    ///
    /// # Errors
    /// [`Malformed`], also for parameters whose lengths are impossible.
    pub fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(value);
        let mut init = Self {
            tag: r.u32()?,
            window: r.u32()?,
            outbound: r.u16()?,
            inbound: r.u16()?,
            tsn: Tsn(r.u32()?),
            features: Features::default(),
            cookie: None,
            params: r.rest(),
        };
        for param in Params::new(r.rest()) {
            let param = param?;
            match param.kind {
                STATE_COOKIE => init.cookie = Some(param.value),
                FORWARD_TSN => init.features.forward_tsn = true,
                ZERO_CHECKSUM => {
                    let method = Reader::new(param.value).u32()?;
                    init.features.zero_checksum = method == EDMID_DTLS;
                }
                SUPPORTED_EXTENSIONS => {
                    let names = |kind: ChunkType| param.value.contains(&kind.0);
                    init.features.reconfig = names(ChunkType::RE_CONFIG);
                    init.features.forward_tsn |= names(ChunkType::FORWARD_TSN);
                    // "An endpoint that supports [...] I-DATA" lists it, and
                    // I-FORWARD-TSN too when it supports partial reliability
                    // (RFC 8260, Sections 2.2.1 and 2.3.1).
                    init.features.interleaving = names(ChunkType::I_DATA);
                }
                _ if !known(param.kind) && !param.skip_if_unknown() => break,
                _ => {}
            }
        }
        Ok(init)
    }

    /// The unknown parameters that its sender wants to be told of, up to the
    /// first that ends the processing.
    pub fn unrecognized(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut stopped = false;
        Params::new(self.params)
            .filter_map(Result::ok)
            .filter(|p| !known(p.kind))
            .take_while(move |p| !core::mem::replace(&mut stopped, !p.skip_if_unknown()))
            .filter(Param::report_if_unknown)
    }

    /// Writes the chunk: an INIT ACK when there is a cookie. `unrecognized`
    /// are parameters of the INIT that it answers, as they stood there.
    ///
    /// # Errors
    /// [`ShortBuffer`]; nothing is left of the chunk then.
    pub fn emit<'u>(
        &self,
        w: &mut Writer<'_>,
        unrecognized: impl Iterator<Item = Param<'u>>,
    ) -> Result<(), ShortBuffer> {
        let kind = if self.cookie.is_some() { ChunkType::INIT_ACK } else { ChunkType::INIT };
        emit_chunk(w, kind, 0, |w| {
            w.u32(self.tag)?;
            w.u32(self.window)?;
            w.u16(self.outbound)?;
            w.u16(self.inbound)?;
            w.u32(self.tsn.0)?;
            if let Some(cookie) = self.cookie {
                emit_tlv(w, STATE_COOKIE, |w| w.bytes(cookie))?;
            }
            let Features { forward_tsn, interleaving, reconfig, zero_checksum } = self.features;
            if forward_tsn {
                emit_tlv(w, FORWARD_TSN, |_| Ok(()))?;
            }
            if zero_checksum {
                emit_tlv(w, ZERO_CHECKSUM, |w| w.u32(EDMID_DTLS))?;
            }
            emit_tlv(w, SUPPORTED_EXTENSIONS, |w| {
                for (kind, supported) in [
                    (ChunkType::RE_CONFIG, reconfig),
                    (ChunkType::FORWARD_TSN, forward_tsn),
                    (ChunkType::I_DATA, interleaving),
                    (ChunkType::I_FORWARD_TSN, interleaving && forward_tsn),
                ] {
                    if supported {
                        w.u8(kind.0)?;
                    }
                }
                Ok(())
            })?;
            for param in unrecognized {
                emit_tlv(w, UNRECOGNIZED, |w| emit_tlv(w, param.kind, |w| w.bytes(param.value)))?;
            }
            Ok(())
        })
    }
}

/// Parameters that have a meaning, though not always one for us: addresses
/// (of no use over DTLS), cookie preservative, host name, ECN, and those of
/// RFC 4895 and RFC 5061.
const fn known(kind: u16) -> bool {
    matches!(
        kind,
        5 | 6 | STATE_COOKIE | UNRECOGNIZED | 9 | 11 | 12 | 0x8000 | ZERO_CHECKSUM | 0x8002
            ..=0x8004 | SUPPORTED_EXTENSIONS | FORWARD_TSN | 0xc006
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sctp::Chunks;
    use std::vec::Vec;

    #[test]
    fn an_init_ack_reads_as_it_was_written() {
        let features =
            Features { forward_tsn: true, interleaving: true, reconfig: true, zero_checksum: true };
        let mut init = Init::new(1, 0x20000, 65535, 2048, Tsn(77), features);
        init.cookie = Some(b"cookie");
        let report = [Param { kind: 0xc123, value: b"abc" }];
        let mut buf = [0; 256];
        let mut w = Writer::new(&mut buf);
        init.emit(&mut w, report.into_iter()).unwrap();
        let chunk = Chunks(Reader::new(w.written())).next().unwrap().unwrap();
        assert_eq!(chunk.kind, ChunkType::INIT_ACK);
        let back = Init::parse(chunk.value).unwrap();
        assert_eq!(back.cookie, Some(&b"cookie"[..]));
        assert_eq!(
            (back.tag, back.window, back.outbound, back.inbound, back.tsn, back.features),
            (1, 0x20000, 65535, 2048, Tsn(77), features)
        );
        assert_eq!(back.unrecognized().count(), 0);
        assert_eq!(Features::from_bits(features.to_bits()), features);
    }

    #[test]
    fn unknown_parameters_go_by_their_upper_bits() {
        let mut buf = [0; 128];
        let mut w = Writer::new(&mut buf);
        for n in [1, 2, 0x0003_0004, 5] {
            w.u32(n).unwrap();
        }
        for kind in [0x9abc, 0xdabc, 0x4abc, 0xdabd, FORWARD_TSN] {
            emit_tlv(&mut w, kind, |w| w.u8(9)).unwrap();
        }
        let init = Init::parse(w.written()).unwrap();
        let kinds: Vec<u16> = init.unrecognized().map(|p| p.kind).collect();
        assert_eq!(kinds, [0xdabc, 0x4abc]);
        assert!(!init.features.forward_tsn, "0x4abc ends the processing");
        for cut in 0..16 {
            assert!(Init::parse(&w.written()[..cut]).is_err());
        }
    }
}
