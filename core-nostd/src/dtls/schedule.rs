//! The key schedule of DTLS 1.3 (RFC 8446, Section 7.1): HKDF with labels
//! that begin with `dtls13`.

use super::keys::Suite;
use super::record::Keying;
use crate::crypto::{AEAD_NONCE_LEN, CryptoError, Digest, HashAlgorithm, Hashes, MAX_HASH_LEN, Secret};

/// A secret of the schedule: as long as the suite's hash.
pub(super) type ScheduleSecret = Secret<MAX_HASH_LEN>;

/// "For DTLS 1.3, that label SHALL be "dtls13"." (RFC 9147, Section 5.9)
const PREFIX: &[u8] = b"dtls13";

/// HKDF (RFC 5869) with a suite's hash.
#[derive(Clone, Copy)]
pub(super) struct Hkdf {
    pub(super) hashes: &'static dyn Hashes,
    pub(super) algorithm: HashAlgorithm,
}

impl Hkdf {
    fn extract(self, salt: &[u8], ikm: &[u8]) -> Result<ScheduleSecret, CryptoError> {
        let extracted = self.hashes.hmac(self.algorithm, salt, &[ikm])?;
        ScheduleSecret::new(&extracted).ok_or(CryptoError::ShortBuffer)
    }

    /// HKDF-Expand-Label(secret, label, context, length of `out`).
    pub(super) fn expand_label(
        self,
        secret: &[u8],
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        let short = |_| CryptoError::ShortBuffer;
        let length = u16::try_from(out.len()).map_err(short)?.to_be_bytes();
        let label_len = [u8::try_from(PREFIX.len() + label.len()).map_err(short)?];
        let context_len = [u8::try_from(context.len()).map_err(short)?];
        let mut before = Digest::new();
        for (n, chunk) in out.chunks_mut(self.algorithm.output_len()).enumerate() {
            let counter = [u8::try_from(n + 1).map_err(short)?];
            let info = [&before[..], &length, &label_len, PREFIX, label, &context_len, context, &counter];
            let block = self.hashes.hmac(self.algorithm, secret, &info)?;
            for (to, from) in chunk.iter_mut().zip(&block) {
                *to = *from;
            }
            before = block;
        }
        Ok(())
    }

    fn expand(self, secret: &[u8], label: &[u8], context: &[u8]) -> Result<ScheduleSecret, CryptoError> {
        let mut out = ScheduleSecret::zeroed(self.algorithm.output_len());
        self.expand_label(secret, label, context, out.as_mut_slice())?;
        Ok(out)
    }

    /// The keys under which one side sends in `epoch` (RFC 8446, Section 7.3;
    /// RFC 9147, Section 4.2.3).
    pub(super) fn keying(
        self,
        suite: Suite,
        secret: &ScheduleSecret,
        epoch: u64,
    ) -> Result<Keying, CryptoError> {
        let mut key = Secret::zeroed(suite.aead.key_len());
        let mut number_key = Secret::zeroed(suite.aead.key_len());
        let mut iv = [0; AEAD_NONCE_LEN];
        self.expand_label(secret.as_slice(), b"key", &[], key.as_mut_slice())?;
        self.expand_label(secret.as_slice(), b"iv", &[], &mut iv)?;
        self.expand_label(secret.as_slice(), b"sn", &[], number_key.as_mut_slice())?;
        Ok(Keying { epoch, algorithm: suite.aead, key, iv, number_key: Some(number_key) })
    }

    /// The content of the Finished of the side whose handshake traffic secret
    /// is `secret` (RFC 8446, Section 4.4.4).
    pub(super) fn finished(
        self,
        secret: &ScheduleSecret,
        transcript: &Digest,
    ) -> Result<Digest, CryptoError> {
        let key = self.expand(secret.as_slice(), b"finished", &[])?;
        self.hashes.hmac(self.algorithm, key.as_slice(), &[transcript])
    }

    /// "application_traffic_secret_N+1 = HKDF-Expand-Label(
    /// application_traffic_secret_N, "traffic upd", "", Hash.length)"
    pub(super) fn next(self, secret: &ScheduleSecret) -> Result<ScheduleSecret, CryptoError> {
        self.expand(secret.as_slice(), b"traffic upd", &[])
    }

    /// "TLS-Exporter(label, context_value, key_length) = HKDF-Expand-Label(
    /// Derive-Secret(Secret, label, ""), "exporter", Hash(context_value),
    /// key_length)"
    pub(super) fn export(
        self,
        exporter: &ScheduleSecret,
        label: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        let empty = self.hashes.hash(self.algorithm, &[])?;
        let secret = self.expand(exporter.as_slice(), label, &empty)?;
        self.expand_label(secret.as_slice(), b"exporter", &empty, out)
    }
}

/// The secrets of an association at one point of its life.
pub(super) struct Secrets {
    pub(super) hkdf: Hkdf,
    /// The Handshake Secret, then the exporter's.
    chain: ScheduleSecret,
    /// The client's handshake traffic secret, until the handshake is complete.
    pub(super) client_handshake: ScheduleSecret,
    /// The client's application traffic secret; empty before there is one.
    pub(super) client: ScheduleSecret,
    /// The server's traffic secret: the handshake's until its Finished, then
    /// the application's.
    pub(super) server: ScheduleSecret,
}

impl Secrets {
    /// From the (EC)DHE shared secret and the transcript up to the
    /// ServerHello. There is no PSK: the Early Secret is that of zeros.
    pub(super) fn new(hkdf: Hkdf, shared: &[u8], transcript: &Digest) -> Result<Self, CryptoError> {
        let zeros = [0; MAX_HASH_LEN];
        let zeros = zeros.get(..hkdf.algorithm.output_len()).unwrap_or_default();
        let early = hkdf.extract(&[], zeros)?;
        let empty = hkdf.hashes.hash(hkdf.algorithm, &[])?;
        let salt = hkdf.expand(early.as_slice(), b"derived", &empty)?;
        let chain = hkdf.extract(salt.as_slice(), shared)?;
        Ok(Self {
            hkdf,
            client_handshake: hkdf.expand(chain.as_slice(), b"c hs traffic", transcript)?,
            server: hkdf.expand(chain.as_slice(), b"s hs traffic", transcript)?,
            chain,
            client: ScheduleSecret::zeroed(0),
        })
    }

    /// Goes on to the application's secrets, with the transcript up to the
    /// server's Finished.
    pub(super) fn advance(&mut self, transcript: &Digest) -> Result<(), CryptoError> {
        let hkdf = self.hkdf;
        let zeros = [0; MAX_HASH_LEN];
        let zeros = zeros.get(..hkdf.algorithm.output_len()).unwrap_or_default();
        let empty = hkdf.hashes.hash(hkdf.algorithm, &[])?;
        let salt = hkdf.expand(self.chain.as_slice(), b"derived", &empty)?;
        let master = hkdf.extract(salt.as_slice(), zeros)?;
        self.client = hkdf.expand(master.as_slice(), b"c ap traffic", transcript)?;
        self.server = hkdf.expand(master.as_slice(), b"s ap traffic", transcript)?;
        self.chain = hkdf.expand(master.as_slice(), b"exp master", transcript)?;
        Ok(())
    }

    /// The exporter_master_secret, after [`advance`](Self::advance).
    pub(super) fn exporter(&self) -> &ScheduleSecret {
        &self.chain
    }

    /// Wipes what only the handshake needed.
    pub(super) fn complete(&mut self) {
        self.client_handshake = ScheduleSecret::zeroed(0);
    }
}
