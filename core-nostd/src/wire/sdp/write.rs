use core::fmt::{self, Display, Write};

/// Writes a description line by line, each ended by CRLF.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// A writer to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// The session's first lines: nothing in them is used by WebRTC but the
    /// origin's id and version (RFC 8829, Section 5.2.1).
    ///
    /// # Errors
    /// As `out`'s, here and below.
    pub fn session(&mut self, id: u64, version: u64) -> fmt::Result {
        write!(self.out, "v=0\r\no=- {id} {version} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")
    }

    /// An `m=` line and the `c=` line that follows it at once.
    ///
    /// # Errors
    /// As `out`'s.
    pub fn media(&mut self, kind: &str, port: u16, protocol: &str, formats: impl Display) -> fmt::Result {
        write!(self.out, "m={kind} {port} {protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\n")
    }

    /// An attribute without a value.
    ///
    /// # Errors
    /// As `out`'s.
    pub fn flag(&mut self, name: impl Display) -> fmt::Result {
        write!(self.out, "a={name}\r\n")
    }

    /// An attribute.
    ///
    /// # Errors
    /// As `out`'s.
    pub fn attribute(&mut self, name: &str, value: impl Display) -> fmt::Result {
        write!(self.out, "a={name}:{value}\r\n")
    }

    /// An attribute whose value is a list.
    ///
    /// # Errors
    /// As `out`'s.
    pub fn list(&mut self, name: &str, values: impl Iterator<Item: Display>) -> fmt::Result {
        write!(self.out, "a={name}")?;
        for (i, value) in values.enumerate() {
            write!(self.out, "{}{value}", if i == 0 { ':' } else { ' ' })?;
        }
        self.out.write_str("\r\n")
    }

    /// A SHA-256 fingerprint (RFC 8122).
    ///
    /// # Errors
    /// As `out`'s.
    pub fn fingerprint(&mut self, sha256: &[u8; 32]) -> fmt::Result {
        self.out.write_str("a=fingerprint:sha-256 ")?;
        for (i, octet) in sha256.iter().enumerate() {
            write!(self.out, "{}{octet:02X}", if i == 0 { "" } else { ":" })?;
        }
        self.out.write_str("\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Description, Fingerprint};
    use super::*;
    use std::string::String;

    #[test]
    fn what_is_written_is_read() {
        let mut text = String::new();
        let mut w = Writer::new(&mut text);
        let hash: [u8; 32] = core::array::from_fn(|i| i as u8 * 7);
        w.session(7, 2).unwrap();
        w.list("group", ["BUNDLE", "0"].iter()).unwrap();
        w.media("application", 9, "UDP/DTLS/SCTP", "webrtc-datachannel").unwrap();
        w.attribute("mid", 0).unwrap();
        w.fingerprint(&hash).unwrap();
        w.flag("end-of-candidates").unwrap();
        assert!(text.starts_with("v=0\r\no=- 7 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"));
        let d = Description::parse(&text, 1).unwrap();
        let m = d.media(0).unwrap();
        assert!(m.is_data() && m.attribute("end-of-candidates").is_some());
        let read = Fingerprint::parse(m.attribute("fingerprint").unwrap().value).unwrap();
        assert_eq!(read.octets(), Some(hash));
    }
}
