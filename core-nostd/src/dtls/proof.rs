//! What both ends of a DTLS 1.3 handshake prove to each other, and the keys
//! that come of it (RFC 8446, Section 4.4).

use super::machine::{Machine, State};
use super::operation::KeyKind;
use super::reassembly::Message;
use super::schedule::{Hkdf, Secrets};
use super::{Error, Role};
use crate::crypto::{Digest, HashAlgorithm, KxShared, SignatureScheme, constant_time_eq};
use crate::wire::dtls::{AlertDescription, CertificateVerify, HandshakeType};

impl Machine {
    /// HKDF with the hash of the suite.
    pub(super) fn hkdf(&self) -> Result<Hkdf, Error> {
        let algorithm = self.suite.ok_or(Error::Internal)?.hash;
        Ok(Hkdf { hashes: self.config.provider.hashes, algorithm })
    }

    /// Derives the secrets from the transcript up to the ServerHello, and
    /// installs the keys of the handshake.
    pub(super) fn install_handshake_keys(&mut self, shared: &KxShared) -> Result<(), Error> {
        let suite = self.suite.ok_or(Error::Internal)?;
        let secrets = Secrets::new(self.hkdf()?, shared.as_slice(), &self.transcript_hash()?)?;
        let client = secrets.hkdf.keying(suite, &secrets.client_handshake, 2)?;
        let server = secrets.hkdf.keying(suite, &secrets.server, 2)?;
        self.install(client, server)?;
        self.secrets = Some(secrets);
        Ok(())
    }

    /// The transcript so far, by the suite's hash.
    pub(super) fn transcript_hash(&self) -> Result<Digest, Error> {
        Ok(self.transcript.current(self.suite.ok_or(Error::Internal)?.hash))
    }

    /// The hash of what a CertificateVerify signs at this point: "A string
    /// that consists of octet 32 (0x20) repeated 64 times", the context
    /// string, "A single 0 byte which serves as the separator", and the
    /// transcript's hash.
    pub(super) fn signed_digest_13(&self, signer: Role, algorithm: HashAlgorithm) -> Result<Digest, Error> {
        let context: &[u8] = match signer {
            Role::Client => b"TLS 1.3, client CertificateVerify",
            Role::Server => b"TLS 1.3, server CertificateVerify",
        };
        let transcript = self.transcript_hash()?;
        let parts = [&[0x20; 64][..], context, &[0], &transcript];
        Ok(self.config.provider.hashes.hash(algorithm, &parts)?)
    }

    pub(super) fn read_certificate_verify_13(
        &mut self,
        message: &Message<'_>,
        state: State,
    ) -> Result<(), Error> {
        let verify = CertificateVerify::parse(message.body)?;
        // In 1.3 the scheme names the curve, and PKCS #1 v1.5 is not allowed.
        let fitting = match verify.scheme {
            SignatureScheme::ECDSA_SECP256R1_SHA256 => KeyKind::P256,
            SignatureScheme::ECDSA_SECP384R1_SHA384 => KeyKind::P384,
            SignatureScheme::RSA_PSS_RSAE_SHA256 => KeyKind::Rsa,
            _ => return Err(Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER)),
        };
        if self.peer_key.first().is_none_or(|key| key.kind() != fitting) {
            return Err(Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER));
        }
        let signer = self.peer_role();
        self.verify(verify.scheme, verify.signature, state, |m, hash| m.signed_digest_13(signer, hash))?;
        self.add(message);
        Ok(())
    }

    /// Which end the peer is.
    pub(super) fn peer_role(&self) -> Role {
        match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        }
    }

    fn verify_data_13(&self, sender: Role) -> Result<Digest, Error> {
        let secrets = self.secrets.as_ref().ok_or(Error::Internal)?;
        let secret = match sender {
            Role::Client => &secrets.client_handshake,
            Role::Server => &secrets.server,
        };
        Ok(secrets.hkdf.finished(secret, &self.transcript_hash()?)?)
    }

    pub(super) fn push_finished_13(&mut self) -> Result<(), Error> {
        let data = self.verify_data_13(self.role)?;
        self.push(HandshakeType::FINISHED, 2, |w| w.bytes(&data))
    }

    pub(super) fn check_finished_13(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let expected = self.verify_data_13(self.peer_role())?;
        if message.body.len() != expected.len() {
            return Err(Error::PeerMisbehaved(AlertDescription::DECODE_ERROR));
        }
        if !constant_time_eq(message.body, &expected) {
            return Err(Error::PeerMisbehaved(AlertDescription::DECRYPT_ERROR));
        }
        self.add(message);
        Ok(())
    }

    /// Installs the keys of epoch 3, in both directions.
    pub(super) fn install_application_keys(&mut self) -> Result<(), Error> {
        let suite = self.suite.ok_or(Error::Internal)?;
        let secrets = self.secrets.as_mut().ok_or(Error::Internal)?;
        let client = secrets.hkdf.keying(suite, &secrets.client, 3)?;
        let server = secrets.hkdf.keying(suite, &secrets.server, 3)?;
        secrets.complete();
        self.install(client, server)
    }
}
