//! The INIT chunk that a session description carries: `a=sctp-init`
//! (draft-hancke-tsvwg-snap-00, Section 4).

use super::{ChunkType, Chunks, Init, Malformed, Reader, ShortBuffer, Writer};
use base64ct::{Base64, Encoding as _};
use core::fmt;

/// The longest chunk that is taken, in octets: ours has 38.
const MAX_LEN: usize = 192;
/// As base64.
const MAX_TEXT: usize = MAX_LEN / 3 * 4;

/// A whole INIT chunk. `Display` writes the value of the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalledInit {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl SignalledInit {
    /// The chunk that an association would send.
    ///
    /// # Errors
    /// [`ShortBuffer`] when it is too long.
    pub fn new(init: &Init<'_>) -> Result<Self, ShortBuffer> {
        let mut bytes = [0; MAX_LEN];
        let mut w = Writer::new(&mut bytes);
        init.emit(&mut w, core::iter::empty())?;
        // Padding is the packet's, not the chunk's.
        let len = match w.written() {
            [_, _, a, b, ..] => usize::from(u16::from_be_bytes([*a, *b])),
            _ => return Err(ShortBuffer),
        };
        Ok(Self { bytes, len })
    }

    /// Reads the value of the attribute.
    ///
    /// # Errors
    /// [`Malformed`] when it is not base64, or not an INIT chunk that could
    /// set up an association, or longer than any that is known.
    pub fn parse(value: &str) -> Result<Self, Malformed> {
        let mut bytes = [0; MAX_LEN];
        let len = Base64::decode(value.trim(), &mut bytes).map_err(|_| Malformed)?.len();
        let this = Self { bytes, len };
        let init = this.init()?;
        // RFC 9260, Section 3.3.2.
        if init.tag == 0 || init.outbound == 0 || init.inbound == 0 {
            return Err(Malformed);
        }
        Ok(this)
    }

    /// What the chunk says.
    ///
    /// # Errors
    /// [`Malformed`], never for what [`parse`](Self::parse) took.
    pub fn init(&self) -> Result<Init<'_>, Malformed> {
        let mut chunks = Chunks(Reader::new(self.bytes.get(..self.len).ok_or(Malformed)?));
        match (chunks.next(), chunks.next()) {
            (Some(Ok(chunk)), None) if chunk.kind == ChunkType::INIT => Init::parse(chunk.value),
            _ => Err(Malformed),
        }
    }
}

impl fmt::Display for SignalledInit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; MAX_TEXT];
        let bytes = self.bytes.get(..self.len).ok_or(fmt::Error)?;
        f.write_str(Base64::encode(bytes, &mut text).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sctp::{Features, Tsn};
    use std::string::ToString;

    /// draft-hancke-tsvwg-snap-00, Section 4.1.
    const EXAMPLE: &str = "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA";

    #[test]
    fn the_example_of_the_draft() {
        let signalled = SignalledInit::parse(EXAMPLE).unwrap();
        let init = signalled.init().unwrap();
        assert_eq!((init.tag, init.window), (0x896c_dd1d, 0x0050_0000));
        assert_eq!((init.outbound, init.inbound, init.tsn), (65535, 65535, Tsn(0xe079_651d)));
        let features = Features { forward_tsn: true, reconfig: true, ..Features::default() };
        assert_eq!(init.features, features);
        let ours = Init::new(init.tag, init.window, init.outbound, init.inbound, init.tsn, features);
        let text = SignalledInit::new(&ours).unwrap().to_string();
        let back = SignalledInit::parse(&text).unwrap();
        let back = back.init().unwrap();
        assert_eq!((back.tag, back.window, back.tsn), (init.tag, init.window, init.tsn));
        assert_eq!(back.features, features);
        // A packet would pad it.
        assert_eq!(
            SignalledInit::parse("AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLAAAA=").unwrap().init(),
            Ok(init)
        );
    }

    #[test]
    fn what_is_no_init_chunk_is_refused() {
        let long = "A".repeat(260);
        for bad in [
            "",
            "?",
            // Not padded, then cut short.
            "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoL",
            "AQAAHols3R0AUAAA/////w==",
            // An INIT ACK; no tag; no streams.
            "AgAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA",
            "AQAAHgAAAAAAUAAA/////+B5ZR3AAAAEgAgABoLA",
            "AQAAHols3R0AUAAAAAD//+B5ZR3AAAAEgAgABoLA",
            &long,
        ] {
            assert_eq!(SignalledInit::parse(bad), Err(Malformed), "{bad}");
        }
    }
}
