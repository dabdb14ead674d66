use super::{SdpError, SdpErrorKind};

/// A session description that is well formed line by line: a session section
/// and media sections, in the sender's text.
///
/// Tolerated, because peers send it: lines that end in LF alone, a last line
/// without an end, empty lines, letters that RFC 8866 does not know, a missing
/// `s=` or `t=`, and session lines in any order.
#[derive(Debug, Clone, Copy)]
pub struct Description<'a> {
    text: &'a str,
    session: &'a str,
    first_media_line: u32,
    medias: usize,
}

/// One line, without its end, and where it stands.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    number: u32,
    /// Where the line begins in the text that is being read.
    start: usize,
    text: &'a str,
}

/// The lines that are not empty.
#[derive(Debug, Clone)]
struct Lines<'a> {
    rest: &'a str,
    at: usize,
    number: u32,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        // "[...] the sequence CRLF (0x0d0a) is used to end a line, although
        // parsers SHOULD be tolerant and also accept lines terminated with a
        // single newline character." (RFC 8866, Section 5)
        while !self.rest.is_empty() {
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            let start = self.at;
            self.at += self.rest.len() - rest.len();
            self.rest = rest;
            self.number += 1;
            let text = line.strip_suffix('\r').unwrap_or(line);
            if !text.is_empty() {
                return Some(Line { number: self.number, start, text });
            }
        }
        None
    }
}

fn lines(text: &str, before: u32) -> Lines<'_> {
    Lines { rest: text, at: 0, number: before }
}

impl<'a> Description<'a> {
    /// Checks every line of `text`, which may hold up to `max_media` media
    /// sections.
    ///
    /// # Errors
    /// The first line that is not understood, see [`SdpErrorKind`].
    pub fn parse(text: &'a str, max_media: usize) -> Result<Self, SdpError> {
        let mut session_end = text.len();
        let mut first_media_line = 0;
        let mut medias = 0;
        let mut origin = false;
        let mut first = true;
        for line in lines(text, 0) {
            let error = |kind| Err(SdpError { line: line.number, kind });
            if first && line.text.trim_end() != "v=0" {
                return error(SdpErrorKind::Version);
            }
            first = false;
            if line.text.bytes().any(|b| b == 0 || b == b'\r') {
                return error(SdpErrorKind::ControlOctet);
            }
            match line.text.split_at_checked(2) {
                Some(("m=", value)) => {
                    if medias == max_media {
                        return error(SdpErrorKind::TooManyMediaSections);
                    }
                    if MediaLine::parse(value).is_none() {
                        return error(SdpErrorKind::MediaLine);
                    }
                    if medias == 0 {
                        session_end = line.start;
                        first_media_line = line.number;
                    }
                    medias += 1;
                }
                Some(("a=", value)) if value.is_empty() || value.starts_with(':') => {
                    return error(SdpErrorKind::AttributeName);
                }
                Some(("o=", value)) => {
                    if value.split_ascii_whitespace().count() != 6 {
                        return error(SdpErrorKind::Origin);
                    }
                    origin = true;
                }
                Some((letter, _)) if is_letter(letter) => {}
                _ => return error(SdpErrorKind::NotALine),
            }
        }
        if first {
            return Err(SdpError { line: 0, kind: SdpErrorKind::Empty });
        }
        if !origin {
            return Err(SdpError { line: 0, kind: SdpErrorKind::Origin });
        }
        let session = text.get(..session_end).unwrap_or(text);
        Ok(Self { text, session, first_media_line, medias })
    }

    /// The text that was parsed.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The text before the first media section.
    pub fn session(&self) -> &'a str {
        self.session
    }

    /// How many media sections there are.
    pub fn len(&self) -> usize {
        self.medias
    }

    /// Whether there is no media section.
    pub fn is_empty(&self) -> bool {
        self.medias == 0
    }

    /// The attributes of the session section.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { lines: lines(self.session, 0) }
    }

    /// The first session attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<Attribute<'a>> {
        self.attributes().find(|a| a.name == name)
    }

    /// The media sections, in order.
    pub fn medias(&self) -> Medias<'a> {
        let rest = self.text.get(self.session.len()..).unwrap_or("");
        Medias { rest, line: self.first_media_line, index: 0 }
    }

    /// The media section at `index`.
    pub fn media(&self, index: usize) -> Option<Media<'a>> {
        self.medias().nth(index)
    }

    /// The media section whose `a=mid` is `mid`.
    pub fn media_by_mid(&self, mid: &str) -> Option<Media<'a>> {
        self.medias().find(|m| m.mid() == Some(mid))
    }

    /// Whether ICE option `option` is there, at session level or in `media`
    /// (RFC 8839, Section 5.6).
    pub fn ice_option(&self, media: Option<&Media<'a>>, option: &str) -> bool {
        let has = |a: Attribute<'_>| {
            a.name == "ice-options" && a.value.split_ascii_whitespace().any(|o| o == option)
        };
        self.attributes().any(has) || media.is_some_and(|m| m.attributes().any(has))
    }

    /// The mids of the BUNDLE group that `mid` is in (RFC 9143): the first is
    /// the tag.
    pub fn bundle_of(&self, mid: &str) -> Option<impl Iterator<Item = &'a str> + Clone + use<'a>> {
        self.attributes().filter(|a| a.name == "group").find_map(|group| {
            let mut words = group.value.split_ascii_whitespace();
            (words.next() == Some("BUNDLE") && words.clone().any(|m| m == mid)).then_some(words)
        })
    }
}

fn is_letter(head: &str) -> bool {
    matches!(head.as_bytes(), [letter, b'='] if letter.is_ascii_alphabetic())
}

/// One `a=` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The name, before the colon.
    pub name: &'a str,
    /// What stands behind the colon, as sent; empty for a property attribute.
    pub value: &'a str,
    /// The line's number in the description, from 1.
    pub line: u32,
}

/// The attributes of one section, in order.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    lines: Lines<'a>,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        loop {
            let line = self.lines.next()?;
            if let Some(text) = line.text.strip_prefix("a=") {
                let (name, value) = text.split_once(':').unwrap_or((text, ""));
                return Some(Attribute { name: name.trim_end(), value, line: line.number });
            }
        }
    }
}

/// The fields of an `m=` line (RFC 8866, Section 5.14).
struct MediaLine<'a> {
    kind: &'a str,
    port: u16,
    protocol: &'a str,
    formats: &'a str,
}

impl<'a> MediaLine<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let (kind, rest) = value.split_once(' ')?;
        let (port, rest) = rest.trim_start().split_once(' ')?;
        let (protocol, formats) = rest.trim_start().split_once(' ')?;
        // `<port>/<number of ports>`
        let port = port.split_once('/').map_or(port, |(port, _)| port).parse().ok()?;
        let formats = formats.trim();
        let whole = !kind.is_empty() && !protocol.is_empty() && !formats.is_empty();
        whole.then_some(Self { kind, port, protocol, formats })
    }
}

/// The media sections of a description, in order.
#[derive(Debug, Clone)]
pub struct Medias<'a> {
    /// Begins with `m=`, or is empty.
    rest: &'a str,
    line: u32,
    index: usize,
}

impl<'a> Iterator for Medias<'a> {
    type Item = Media<'a>;

    fn next(&mut self) -> Option<Media<'a>> {
        let mut all = lines(self.rest, self.line.saturating_sub(1));
        let head = all.next()?;
        let next = all.find(|l| l.text.starts_with("m="));
        let end = next.map_or(self.rest.len(), |l| l.start);
        let (text, rest) = self.rest.split_at_checked(end)?;
        let m = MediaLine::parse(head.text.strip_prefix("m=")?)?;
        let media = Media {
            index: self.index,
            line: head.number,
            kind: m.kind,
            port: m.port,
            protocol: m.protocol,
            formats: m.formats,
            text,
        };
        self.rest = rest;
        self.line = next.map_or(0, |l| l.number);
        self.index += 1;
        Some(media)
    }
}

/// A media section: an `m=` line and what belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Media<'a> {
    /// Its place in the description, from 0.
    pub index: usize,
    /// The number of its `m=` line, from 1.
    pub line: u32,
    /// `audio`, `video`, `application`, …
    pub kind: &'a str,
    /// The port; 0 rejects the section unless it is `bundle-only`.
    pub port: u16,
    /// The protocol, such as `UDP/DTLS/SCTP`.
    pub protocol: &'a str,
    /// The formats, separated by spaces.
    pub formats: &'a str,
    text: &'a str,
}

impl<'a> Media<'a> {
    /// The section's text, from its `m=` line to the next one.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The section's own attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { lines: lines(self.text, self.line.saturating_sub(1)) }
    }

    /// The first attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<Attribute<'a>> {
        self.attributes().find(|a| a.name == name)
    }

    /// The section's identification (RFC 5888).
    pub fn mid(&self) -> Option<&'a str> {
        self.attribute("mid").map(|a| a.value.trim()).filter(|m| !m.is_empty())
    }

    /// Whether the section is refused. Port 0 refuses it, unless the section
    /// is `bundle-only` (RFC 9143, Section 6).
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && self.attribute("bundle-only").is_none()
    }

    /// Whether it is for WebRTC data channels: `UDP/DTLS/SCTP` (RFC 8841), or
    /// `DTLS/SCTP` as it was sent before that.
    pub fn is_data(&self) -> bool {
        if self.kind != "application" {
            return false;
        }
        match self.protocol {
            "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP" => {
                self.formats.split_ascii_whitespace().next() == Some("webrtc-datachannel")
            }
            "DTLS/SCTP" => {
                self.formats.split_ascii_whitespace().next() == Some("webrtc-datachannel")
                    || self.legacy_sctp_port().is_some()
            }
            _ => false,
        }
    }

    /// The SCTP port of `a=sctpmap:<port> webrtc-datachannel` of old drafts.
    pub fn legacy_sctp_port(&self) -> Option<u16> {
        self.attributes().filter(|a| a.name == "sctpmap").find_map(|map| {
            let mut words = map.value.split_ascii_whitespace();
            let port = words.next()?.parse().ok()?;
            (words.next() == Some("webrtc-datachannel")).then_some(port)
        })
    }

    /// The candidates: what stands behind `a=candidate:`.
    pub fn candidates(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.attributes().filter(|a| a.name == "candidate").map(|a| a.value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn a_browsers_offer_reads_as_it_was_sent() {
        let d = Description::parse(vectors::FIREFOX_OFFER, 8).unwrap();
        assert_eq!(d.len(), 3);
        let kinds: Vec<_> = d.medias().map(|m| (m.kind, m.port, m.mid().unwrap(), m.is_rejected())).collect();
        assert_eq!(
            kinds,
            [("audio", 9, "0", false), ("video", 0, "1", false), ("application", 0, "2", false)]
        );
        assert_eq!(d.bundle_of("2").unwrap().collect::<Vec<_>>(), ["0", "1", "2"]);
        assert!(d.bundle_of("3").is_none());
        let data = d.media_by_mid("2").unwrap();
        assert!(data.is_data() && d.ice_option(Some(&data), "trickle"));
        assert_eq!(data.attribute("sctp-port").unwrap().value, "5000");
        assert!(data.attribute("fingerprint").is_none() && d.attribute("fingerprint").is_some());
        let line = data.attribute("sctp-port").unwrap().line as usize;
        assert_eq!(vectors::FIREFOX_OFFER.lines().nth(line - 1), Some("a=sctp-port:5000"));
        let whole: String = d.medias().map(|m| m.text()).collect();
        assert!(vectors::FIREFOX_OFFER.ends_with(&whole));
    }

    #[test]
    fn either_line_end_and_no_last_one() {
        let unix = "v=0\no=- 1 1 IN IP4 0.0.0.0\n\nm=application 9 DTLS/SCTP 5000\na=sctpmap:5000 webrtc-datachannel 1024\na=mid:d";
        let dos = unix.replace('\n', "\r\n");
        for text in [unix, &dos] {
            let d = Description::parse(text, 1).unwrap();
            let m = d.media(0).unwrap();
            assert_eq!((m.mid(), m.legacy_sctp_port(), m.is_data()), (Some("d"), Some(5000), true));
            assert_eq!(m.attribute("mid").unwrap().line, 6);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n";
        let with = |rest: &str| std::format!("{HEAD}{rest}");
        for (text, line, kind) in [
            (String::new(), 0, SdpErrorKind::Empty),
            ("\r\n\n".into(), 0, SdpErrorKind::Empty),
            ("v=1\r\n".into(), 1, SdpErrorKind::Version),
            ("v=0\r\n".into(), 0, SdpErrorKind::Origin),
            ("v=0\r\no=- 1 1 IN IP4\r\n".into(), 2, SdpErrorKind::Origin),
            (with("hello\r\n"), 3, SdpErrorKind::NotALine),
            (with("=x\r\n"), 3, SdpErrorKind::NotALine),
            (with("é=x\r\n"), 3, SdpErrorKind::NotALine),
            (with("a=x\ry\r\n"), 3, SdpErrorKind::ControlOctet),
            (with("a=\r\n"), 3, SdpErrorKind::AttributeName),
            (with("a=:x\r\n"), 3, SdpErrorKind::AttributeName),
            (with("\r\nm=audio 9 RTP/AVP\r\n"), 4, SdpErrorKind::MediaLine),
            (with("m=audio 65536 RTP/AVP 0\r\n"), 3, SdpErrorKind::MediaLine),
            (with("m=a 1 x 0\r\nm=a 1 x 0\r\nm=a 1 x 0\r\n"), 5, SdpErrorKind::TooManyMediaSections),
        ] {
            assert_eq!(Description::parse(&text, 2).err(), Some(SdpError { line, kind }), "{text:?}");
        }
        let error = SdpError { line: 4, kind: SdpErrorKind::MediaLine };
        assert_eq!(
            std::format!("{error}"),
            "line 4: the m= line is not <kind> <port> <protocol> <format>..."
        );
    }

    #[test]
    fn every_recorded_description_parses() {
        for (name, text) in vectors::ALL {
            let d = Description::parse(text, 16).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(d.medias().count(), text.matches("\nm=").count(), "{name}");
        }
    }
}
