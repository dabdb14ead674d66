/// The `setup` attribute (RFC 4145, RFC 8842): who sends the ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Setup {
    /// The sender of the attribute is the DTLS client.
    Active,
    /// The sender of the attribute is the DTLS server.
    Passive,
    /// An offerer that leaves the choice to the answerer.
    Actpass,
    /// No connection for the time being.
    Holdconn,
}

impl Setup {
    /// Reads the attribute's value.
    pub fn parse(value: &str) -> Option<Self> {
        const ALL: [Setup; 4] = [Setup::Active, Setup::Passive, Setup::Actpass, Setup::Holdconn];
        let value = value.trim();
        ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(value))
    }

    /// The attribute's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Actpass => "actpass",
            Self::Holdconn => "holdconn",
        }
    }
}

impl core::fmt::Display for Setup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `fingerprint` attribute (RFC 8122): the hash of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint<'a> {
    /// The hash function's name, in either case.
    pub hash: &'a str,
    /// Pairs of hexadecimal digits, separated by colons.
    pub digits: &'a str,
}

impl<'a> Fingerprint<'a> {
    /// Reads the attribute's value.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (hash, digits) = value.trim().split_once(' ')?;
        Some(Self { hash, digits: digits.trim_start() })
    }

    /// Whether the hash function is SHA-256.
    pub fn is_sha256(&self) -> bool {
        self.hash.eq_ignore_ascii_case("sha-256")
    }

    /// The hash of `N` octets. `None` when it is not written as RFC 8122 says,
    /// or has another length.
    pub fn octets<const N: usize>(&self) -> Option<[u8; N]> {
        let mut out = [0; N];
        let mut pairs = self.digits.split(':');
        for octet in &mut out {
            let [high, low] = pairs.next()?.as_bytes().try_into().ok()?;
            let digit = |b: u8| char::from(b).to_digit(16);
            *octet = (digit(high)? << 4 | digit(low)?) as u8;
        }
        pairs.next().is_none().then_some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_exactly_as_long_as_its_hash() {
        let f = Fingerprint::parse("SHA-256 00:aF:10 ").unwrap();
        assert!(f.is_sha256());
        assert_eq!(f.octets(), Some([0, 0xaf, 0x10]));
        assert_eq!(f.octets::<2>(), None);
        assert_eq!(f.octets::<4>(), None);
        for bad in ["0", "000", "0g", "+1", "", "00:", ":00", "é"] {
            assert_eq!(Fingerprint { hash: "sha-256", digits: bad }.octets::<1>(), None, "{bad}");
        }
        assert_eq!(Fingerprint::parse("sha-256"), None);
    }

    #[test]
    fn setup_reads_what_it_writes() {
        for setup in [Setup::Active, Setup::Passive, Setup::Actpass, Setup::Holdconn] {
            assert_eq!(Setup::parse(setup.as_str()), Some(setup));
        }
        assert_eq!(Setup::parse("ACTIVE "), Some(Setup::Active));
        assert_eq!(Setup::parse("activ"), None);
    }
}
