//! The other handshake messages (RFC 5246, Section 7.4; RFC 8422, Section 5;
//! RFC 8446, Section 4.3 and 4.4).

use super::Extensions;
use crate::crypto::{NamedGroup, SignatureScheme};
use crate::wire::{Malformed, Reader, ShortBuffer, Writer};

/// A Certificate message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateChain<'a> {
    /// The end-entity certificate; `None` when the list is empty.
    pub leaf: Option<&'a [u8]>,
}

impl<'a> CertificateChain<'a> {
    /// Reads the body as DTLS 1.2 has it: `ASN.1Cert certificate_list<0..2^24-1>`.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse_12(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let mut list = Reader::new(r.vec24()?);
        r.finish()?;
        let leaf = if list.is_empty() { None } else { Some(list.vec24()?) };
        while !list.is_empty() {
            list.vec24()?;
        }
        Ok(Self { leaf })
    }

    /// Reads the body as DTLS 1.3 has it: with a request context, which must
    /// be empty in a handshake, and extensions per entry.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse_13(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        if !r.vec8()?.is_empty() {
            return Err(Malformed);
        }
        let mut list = Reader::new(r.vec24()?);
        r.finish()?;
        let mut leaf = None;
        while !list.is_empty() {
            let certificate = list.vec24()?;
            list.vec16()?;
            leaf.get_or_insert(certificate);
        }
        Ok(Self { leaf })
    }

    /// Writes the body as DTLS 1.2 has it.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit_12(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        let list = w.open24()?;
        if let Some(leaf) = self.leaf {
            let open = w.open24()?;
            w.bytes(leaf)?;
            w.close(open)?;
        }
        w.close(list)
    }

    /// Writes the body as DTLS 1.3 has it.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit_13(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        w.u8(0)?;
        let list = w.open24()?;
        if let Some(leaf) = self.leaf {
            let open = w.open24()?;
            w.bytes(leaf)?;
            w.close(open)?;
            w.u16(0)?;
        }
        w.close(list)
    }
}

/// The server's signed share of an ECDHE exchange (RFC 8422, Section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerKeyExchange<'a> {
    /// The group: `curve_type` is always `named_curve`.
    pub group: NamedGroup,
    /// The share.
    pub public: &'a [u8],
    /// `params`: the octets that are signed, behind both randoms.
    pub params: &'a [u8],
    /// How it is signed.
    pub scheme: SignatureScheme,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> ServerKeyExchange<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        if r.u8()? != 3 {
            return Err(Malformed);
        }
        let group = NamedGroup(r.u16()?);
        let public = r.vec8()?;
        let params = body.get(..body.len() - r.len()).ok_or(Malformed)?;
        let scheme = SignatureScheme(r.u16()?);
        let signature = r.vec16()?;
        r.finish()?;
        Ok(Self { group, public, params, scheme, signature })
    }

    /// Writes the part that is signed.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit_params(w: &mut Writer<'_>, group: NamedGroup, public: &[u8]) -> Result<(), ShortBuffer> {
        w.u8(3)?;
        w.u16(group.0)?;
        let open = w.open8()?;
        w.bytes(public)?;
        w.close(open)
    }
}

/// The server's wish for a certificate (RFC 5246, Section 7.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateRequest<'a> {
    /// Kinds of certificate, 8-bit numbers.
    pub certificate_types: &'a [u8],
    /// Signature schemes, 16-bit numbers.
    pub signature_algorithms: &'a [u8],
}

impl<'a> CertificateRequest<'a> {
    /// Reads the body as DTLS 1.2 has it.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse_12(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let request = Self { certificate_types: r.vec8()?, signature_algorithms: r.vec16()? };
        r.vec16()?; // certificate_authorities: nobody has one here
        r.finish()?;
        Ok(request)
    }

    /// Writes the body as DTLS 1.2 has it.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit_12(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        let open = w.open8()?;
        w.bytes(self.certificate_types)?;
        w.close(open)?;
        let open = w.open16()?;
        w.bytes(self.signature_algorithms)?;
        w.close(open)?;
        w.u16(0)
    }
}

/// Reads the body of a CertificateRequest as DTLS 1.3 has it, and returns its
/// extensions (RFC 8446, Section 4.3.2). The context "SHALL be zero length
/// unless used for the post-handshake authentication exchanges".
///
/// # Errors
/// [`Malformed`].
pub fn parse_certificate_request_13(body: &[u8]) -> Result<Extensions<'_>, Malformed> {
    let mut r = Reader::new(body);
    if !r.vec8()?.is_empty() {
        return Err(Malformed);
    }
    let extensions = Extensions::parse(r.vec16()?)?;
    r.finish()?;
    Ok(extensions)
}

/// Which records arrived (RFC 9147, Section 7): an epoch and a sequence
/// number, 64 bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<'a>(&'a [[u8; 16]]);

impl<'a> Ack<'a> {
    /// Reads the content of an ACK record.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let (records, rest) = r.vec16()?.as_chunks::<16>();
        r.finish()?;
        if rest.is_empty() { Ok(Self(records)) } else { Err(Malformed) }
    }

    /// Epochs and sequence numbers, as they came.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + 'a {
        self.0.iter().map(|pair| {
            let pair = u128::from_be_bytes(*pair);
            ((pair >> 64) as u64, pair as u64)
        })
    }

    /// Writes the content of an ACK record.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit(w: &mut Writer<'_>, records: impl Iterator<Item = (u64, u64)>) -> Result<(), ShortBuffer> {
        let open = w.open16()?;
        for (epoch, sequence) in records {
            w.u64(epoch)?;
            w.u64(sequence)?;
        }
        w.close(open)
    }
}

/// The client's share of an ECDHE exchange (RFC 8422, Section 5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientKeyExchange<'a> {
    /// The share.
    pub public: &'a [u8],
}

impl<'a> ClientKeyExchange<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let public = r.vec8()?;
        r.finish()?;
        Ok(Self { public })
    }

    /// Writes the body.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        let open = w.open8()?;
        w.bytes(self.public)?;
        w.close(open)
    }
}

/// The proof that the sender has the certificate's private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateVerify<'a> {
    /// How it is signed.
    pub scheme: SignatureScheme,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> CertificateVerify<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let verify = Self { scheme: SignatureScheme(r.u16()?), signature: r.vec16()? };
        r.finish()?;
        Ok(verify)
    }

    /// Writes the body.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        w.u16(self.scheme.0)?;
        let open = w.open16()?;
        w.bytes(self.signature)?;
        w.close(open)
    }
}

/// A NewConnectionId (RFC 9147, Section 9).
///
/// ```text
///  ConnectionId cids<0..2^16-1>;
///  ConnectionIdUsage usage;     cid_immediate(0), cid_spare(1)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewConnectionId<'a> {
    /// IDs, each behind its length of one octet.
    ids: &'a [u8],
    /// Whether one of them is to be used from now on.
    pub is_immediate: bool,
}

impl<'a> NewConnectionId<'a> {
    const SPARE: u8 = 1;

    /// Reads the body.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let ids = r.vec16()?;
        let usage = r.u8()?;
        r.finish()?;
        let mut each = Reader::new(ids);
        while !each.is_empty() {
            each.vec8()?;
        }
        if usage > Self::SPARE {
            return Err(Malformed);
        }
        Ok(Self { ids, is_immediate: usage == 0 })
    }

    /// The IDs, in the order of the sender's preference.
    pub fn ids(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut r = Reader::new(self.ids);
        core::iter::from_fn(move || r.vec8().ok())
    }

    /// Writes the body of one without any IDs.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit_none(w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        w.u16(0)?;
        w.u8(Self::SPARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(emit: impl Fn(&mut Writer<'_>) -> Result<(), ShortBuffer>) -> std::vec::Vec<u8> {
        let mut buf = [0; 256];
        let mut w = Writer::new(&mut buf);
        emit(&mut w).unwrap();
        let written = w.written().to_vec();
        for short in 0..written.len() {
            assert_eq!(emit(&mut Writer::new(&mut buf[..short])), Err(ShortBuffer));
        }
        written
    }

    #[test]
    fn messages_round_trip_and_no_cut_one_parses() {
        let chain = CertificateChain { leaf: Some(b"certificate") };
        let twelve = emitted(|w| chain.emit_12(w));
        assert_eq!(CertificateChain::parse_12(&twelve), Ok(chain));
        let thirteen = emitted(|w| chain.emit_13(w));
        assert_eq!(CertificateChain::parse_13(&thirteen), Ok(chain));
        let request = CertificateRequest { certificate_types: &[64], signature_algorithms: &[4, 3] };
        let requested = emitted(|w| request.emit_12(w));
        assert_eq!(CertificateRequest::parse_12(&requested), Ok(request));
        let exchange = ClientKeyExchange { public: &[9; 32] };
        let exchanged = emitted(|w| exchange.emit(w));
        assert_eq!(ClientKeyExchange::parse(&exchanged), Ok(exchange));
        let verify =
            CertificateVerify { scheme: SignatureScheme::ECDSA_SECP256R1_SHA256, signature: &[5; 70] };
        let verified = emitted(|w| verify.emit(w));
        assert_eq!(CertificateVerify::parse(&verified), Ok(verify));
        for n in 0..200 {
            let cut = |bytes: &[u8]| bytes.get(..n).filter(|_| n < bytes.len()).map(<[u8]>::to_vec);
            assert!(cut(&twelve).is_none_or(|b| CertificateChain::parse_12(&b).is_err()));
            assert!(cut(&thirteen).is_none_or(|b| CertificateChain::parse_13(&b).is_err()));
            assert!(cut(&requested).is_none_or(|b| CertificateRequest::parse_12(&b).is_err()));
            assert!(cut(&exchanged).is_none_or(|b| ClientKeyExchange::parse(&b).is_err()));
            assert!(cut(&verified).is_none_or(|b| CertificateVerify::parse(&b).is_err()));
        }
    }

    #[test]
    fn acks_round_trip_and_no_cut_one_parses() {
        let records = [(2, 0), (2, 1), (3, 1 << 40)];
        let written = emitted(|w| Ack::emit(w, records.into_iter()));
        assert_eq!(Ack::parse(&written).unwrap().iter().collect::<std::vec::Vec<_>>(), records);
        for cut in 0..written.len() {
            assert_eq!(Ack::parse(&written[..cut]), Err(Malformed), "cut at {cut}");
        }
        assert_eq!(Ack::parse(&[0, 0]).unwrap().iter().count(), 0);
        assert_eq!(Ack::parse(&[0, 1, 0]), Err(Malformed), "half a number");
    }

    #[test]
    fn the_signed_part_of_a_key_exchange_is_what_was_sent() {
        let body = emitted(|w| {
            ServerKeyExchange::emit_params(w, NamedGroup::X25519, &[7; 32])?;
            CertificateVerify { scheme: SignatureScheme::RSA_PKCS1_SHA256, signature: &[1; 8] }.emit(w)
        });
        let parsed = ServerKeyExchange::parse(&body).unwrap();
        assert_eq!(
            (parsed.group, parsed.public, parsed.params),
            (NamedGroup::X25519, &[7; 32][..], &body[..36])
        );
        assert_eq!(parsed.signature, [1; 8]);
    }
}
