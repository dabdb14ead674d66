//! The server's side of a DTLS 1.3 handshake; the picture is in `client_13`.

use super::keys::SuiteKind;
use super::machine::{Machine, State, extension, list16};
use super::operation::{Job, KxSecrets, Share};
use super::reassembly::Message;
use super::server::signs_like_us;
use super::{Error, Role};
use crate::crypto::{HashAlgorithm, KxShared, NamedGroup, P256Signature, SignatureScheme, constant_time_eq};
use crate::env::Env;
use crate::wire::dtls::{
    AlertDescription, CertificateVerify, ClientHello, ExtensionType, Extensions, HELLO_RETRY_REQUEST,
    HandshakeType, KeyShares, ProtocolVersion, ServerHello, list16 as numbers,
};
use crate::wire::{Reader, ShortBuffer, Writer};

const ILLEGAL: Error = Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER);
const MISSING: Error = Error::PeerMisbehaved(AlertDescription::MISSING_EXTENSION);

impl Machine {
    pub(super) fn await_client_hello_13(
        &mut self,
        env: &mut Env<'_>,
        message: &Message<'_>,
        hello: &ClientHello<'_>,
    ) -> Result<(), Error> {
        let failure = Error::PeerMisbehaved(AlertDescription::HANDSHAKE_FAILURE);
        // "If a DTLS 1.3 ClientHello is received with any other value in this
        // field [legacy_cookie], the server MUST abort the handshake with an
        // "illegal_parameter" alert."
        if !hello.cookie.is_empty() {
            return Err(ILLEGAL);
        }
        let suite = self.choose_suite(hello, SuiteKind::V13)?.ok_or(failure)?;
        if !signs_like_us(&hello.extensions)? {
            return Err(failure);
        }
        let shares = KeyShares::parse(hello.extensions.get(ExtensionType::KEY_SHARE).ok_or(MISSING)?)?;
        let mut r = Reader::new(hello.extensions.get(ExtensionType::SUPPORTED_GROUPS).ok_or(MISSING)?);
        let groups = numbers(r.vec16()?)?;
        r.finish()?;
        match self.retried {
            None => {
                self.client_random = hello.random;
                self.transcript.start(suite.hash, true)?;
            }
            // "the server MUST ... the client MUST send the same ClientHello
            // without modification, except" for share and cookie.
            Some(_) if hello.random != self.client_random || self.suite.is_none_or(|s| s.id != suite.id) => {
                return Err(ILLEGAL);
            }
            Some(_) => {}
        }
        self.version = Some(ProtocolVersion::DTLS_1_3);
        self.suite = Some(suite);
        self.add(message);

        // A share that is there beats a group that we would rather have: no
        // second round for that.
        let shared = self.groups_13().find(|g| shares.get(*g).is_some());
        if let Some(wanted) = self.retried {
            // A client answers a wish for a share with that one alone.
            if shared != Some(wanted) || !self.cookie_matches(&hello.extensions)? {
                return Err(ILLEGAL);
            }
        } else if shared.is_none() || self.cookie.is_some() {
            let group = shared.or_else(|| self.groups_13().find(|g| groups.clone().any(|t| t == g.0)));
            return self.request_retry(group.ok_or(failure)?, shared.is_none());
        }
        self.group = shared.ok_or(failure)?;
        self.srtp_profile = self.choose_srtp_profile(&hello.extensions)?;
        self.settle_connection_ids(&hello.extensions)?;
        let peer = shares.get(self.group).ok_or(failure)?;
        let peer = Share::from_slice(peer).map_err(|_| ILLEGAL)?;
        let group = self.group;
        let job = match self.take_made_ahead(group) {
            Some((secret, share)) => {
                self.exchange.replace(KxSecrets::new(), share);
                Job::Agree { group, secret, peer }
            }
            None => Job::Respond { group, peer, rng: env.rng.fork() },
        };
        self.begin_operation(job, State::AgreeingWithClient13);
        Ok(())
    }

    fn cookie_matches(&self, extensions: &Extensions<'_>) -> Result<bool, Error> {
        let Some(cookie) = self.cookie else { return Ok(true) };
        let mut r = Reader::new(extensions.get(ExtensionType::COOKIE).ok_or(MISSING)?);
        let theirs = r.vec16()?;
        r.finish()?;
        Ok(constant_time_eq(&cookie, theirs))
    }

    /// Asks for another ClientHello: with a share of `group`, when there was
    /// none that we know, and with our cookie, if we have one.
    fn request_retry(&mut self, group: NamedGroup, wants_share: bool) -> Result<(), Error> {
        let suite = self.suite.ok_or(Error::Internal)?;
        self.transcript.replace_hello(suite.hash)?;
        self.retried = Some(group);
        let cookie = self.cookie;
        self.begin_flight();
        self.push_hello(HELLO_RETRY_REQUEST, |w| {
            if wants_share {
                extension(w, ExtensionType::KEY_SHARE, |w| w.u16(group.0))?;
            }
            if let Some(cookie) = cookie {
                extension(w, ExtensionType::COOKIE, |w| {
                    let open = w.open16()?;
                    w.bytes(&cookie)?;
                    w.close(open)
                })?;
            }
            Ok(())
        })?;
        // The client has a timer for it, and says the same again.
        self.flight.ready(false, self.config.retransmission_timeout);
        Ok(())
    }

    /// Pushes a ServerHello, or a HelloRetryRequest in its form.
    fn push_hello(
        &mut self,
        random: [u8; 32],
        extensions: impl FnOnce(&mut Writer<'_>) -> Result<(), ShortBuffer>,
    ) -> Result<(), Error> {
        let hello = ServerHello {
            version: ProtocolVersion::DTLS_1_2.0,
            random,
            // "DTLS servers MUST NOT echo the "legacy_session_id" value".
            session_id: &[],
            cipher_suite: self.suite.ok_or(Error::Internal)?.id,
            compression_method: 0,
            extensions: Extensions::default(),
        };
        self.push(HandshakeType::SERVER_HELLO, 0, |w| {
            hello.emit_head(w)?;
            let open = w.open16()?;
            extension(w, ExtensionType::SUPPORTED_VERSIONS, |w| w.u16(ProtocolVersion::DTLS_1_3.0))?;
            extensions(w)?;
            w.close(open)
        })
    }

    pub(super) fn agreed_with_client_13(&mut self, share: &Share, shared: &KxShared) -> Result<(), Error> {
        self.begin_flight();
        let (random, group) = (self.server_random, self.group);
        let connection_id = self.agreed_connection_id();
        self.push_hello(random, |w| {
            extension(w, ExtensionType::KEY_SHARE, |w| {
                w.u16(group.0)?;
                let open = w.open16()?;
                w.bytes(share)?;
                w.close(open)
            })?;
            Self::connection_id_extension(connection_id, w)
        })?;
        self.install_handshake_keys(shared)?;
        let srtp_profile = self.srtp_profile;
        self.push(HandshakeType::ENCRYPTED_EXTENSIONS, 2, |w| {
            let open = w.open16()?;
            if let Some(profile) = srtp_profile {
                extension(w, ExtensionType::USE_SRTP, |w| {
                    list16(w, core::iter::once(profile.0))?;
                    w.u8(0)
                })?;
            }
            w.close(open)
        })?;
        let verifiers = self.config.provider.verifiers;
        self.push(HandshakeType::CERTIFICATE_REQUEST, 2, |w| {
            w.u8(0)?; // certificate_request_context
            let open = w.open16()?;
            extension(w, ExtensionType::SIGNATURE_ALGORITHMS, |w| {
                let schemes = verifiers.iter().map(|v| v.scheme());
                list16(w, schemes.filter(|s| *s != SignatureScheme::RSA_PKCS1_SHA256).map(|s| s.0))
            })?;
            w.close(open)
        })?;
        self.push_certificate()?;
        let digest = self.signed_digest_13(Role::Server, HashAlgorithm::Sha256)?;
        let digest = *digest.first_chunk().ok_or(Error::Internal)?;
        let job = Job::Sign { key: self.config.certificate.key().clone(), digest };
        self.begin_operation(job, State::SigningAsServer13);
        Ok(())
    }

    pub(super) fn signed_as_server_13(&mut self, signature: &P256Signature) -> Result<(), Error> {
        let verify = CertificateVerify { scheme: SignatureScheme::ECDSA_SECP256R1_SHA256, signature };
        self.push(HandshakeType::CERTIFICATE_VERIFY, 2, |w| verify.emit(w))?;
        self.push_finished_13()?;
        let transcript = self.transcript_hash()?;
        self.secrets.as_mut().ok_or(Error::Internal)?.advance(&transcript)?;
        self.flight.ready(true, self.config.retransmission_timeout);
        self.state = State::AwaitClientCertificate;
        Ok(())
    }

    pub(super) fn await_client_finished_13(&mut self, message: &Message<'_>) -> Result<(), Error> {
        self.check_finished_13(message)?;
        self.flight.begin();
        self.install_application_keys()?;
        self.complete();
        // The client's flight was the last; it gets an ACK for it, also where
        // its signature was verified elsewhere, and no record comes now.
        self.acks.hurry();
        Ok(())
    }
}
