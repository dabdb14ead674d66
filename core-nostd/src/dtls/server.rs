//! The server's side: what it makes of a ClientHello, whichever version it is
//! for, and the rest of a DTLS 1.2 handshake; the picture is in `client`.

use super::keys::{Suite, SuiteKind};
use super::machine::{Machine, State, extension, list16, read_srtp_profiles};
use super::operation::{Groups, Job, KxSecrets, Share};
use super::reassembly::Message;
use super::{DOWNGRADE_TO_12, Error, Role, SrtpProfile};
use crate::crypto::{
    CryptoError, HashAlgorithm, KxShared, NamedGroup, P256Signature, SignatureScheme, constant_time_eq,
};
use crate::env::Env;
use crate::wire::dtls::{
    AlertDescription, CertificateRequest, CertificateVerify, ClientHello, ClientKeyExchange, ExtensionType,
    Extensions, HandshakeType, HelloVerifyRequest, KeyShareEntry, ProtocolVersion, ServerHello,
    ServerKeyExchange, list16 as numbers,
};
use crate::wire::{Reader, ShortBuffer, Writer};

/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV` (RFC 5746, Section 3.3).
const RENEGOTIATION_SCSV: u16 = 0x00ff;
/// `ecdsa_sign` and `rsa_sign` (RFC 8422, Section 5.5; RFC 5246, Section 7.4.4).
const CERTIFICATE_TYPES: &[u8] = &[64, 1];

impl Machine {
    pub(super) fn start_server(&mut self, env: &mut Env<'_>) -> Result<(), Error> {
        self.role = Role::Server;
        self.server_random = env.rng.array();
        if self.config.hello_verify {
            self.cookie = Some(env.rng.array());
        }
        self.state = State::AwaitClientHello;
        Ok(())
    }

    pub(super) fn await_client_hello(
        &mut self,
        env: &mut Env<'_>,
        message: &Message<'_>,
    ) -> Result<(), Error> {
        let hello = ClientHello::parse(message.body)?;
        if !hello.compression_methods.contains(&0) {
            return Err(Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER));
        }
        // After a HelloRetryRequest the version stands.
        if self.is_13()
            || self.speaks(ProtocolVersion::DTLS_1_3) && offers(&hello, ProtocolVersion::DTLS_1_3)?
        {
            return self.await_client_hello_13(env, message, &hello);
        }
        if !self.speaks(ProtocolVersion::DTLS_1_2) || !offers(&hello, ProtocolVersion::DTLS_1_2)? {
            return Err(Error::PeerMisbehaved(AlertDescription::PROTOCOL_VERSION));
        }
        self.await_client_hello_12(env, message, &hello)
    }

    fn await_client_hello_12(
        &mut self,
        env: &mut Env<'_>,
        message: &Message<'_>,
        hello: &ClientHello<'_>,
    ) -> Result<(), Error> {
        if let Some(cookie) = self.cookie
            && !constant_time_eq(&cookie, hello.cookie)
        {
            return self.request_cookie(&cookie, hello.cookie);
        }
        let failure = Error::PeerMisbehaved(AlertDescription::HANDSHAKE_FAILURE);
        Self::check_security_extensions(&hello.extensions)?;
        let suite = self.choose_suite(hello, SuiteKind::Ecdsa)?.ok_or(failure)?;
        self.group = self.choose_group(&hello.extensions)?.ok_or(failure)?;
        if !signs_like_us(&hello.extensions)? {
            return Err(failure);
        }
        self.srtp_profile = self.choose_srtp_profile(&hello.extensions)?;
        self.settle_connection_ids(&hello.extensions)?;
        self.client_random = hello.random;
        self.version = Some(ProtocolVersion::DTLS_1_2);
        self.suite = Some(suite);
        self.transcript.start(suite.hash, false)?;
        self.add(message);

        let renegotiation = hello.extensions.get(ExtensionType::RENEGOTIATION_INFO).is_some()
            || numbers(hello.cipher_suites)?.any(|id| id == RENEGOTIATION_SCSV);
        let point_formats = hello.extensions.get(ExtensionType::EC_POINT_FORMATS).is_some();
        self.push_server_hello(renegotiation, point_formats)?;
        self.push_certificate()?;
        let group = self.group;
        if let Some((secret, share)) = self.take_made_ahead(group) {
            return self.sign_share(KxSecrets::from_iter([(group, secret)]), share);
        }
        let groups = Groups::from_iter([group]);
        self.begin_operation(Job::Generate { groups, rng: env.rng.fork() }, State::GeneratingShare12);
        Ok(())
    }

    /// The suite of ours that comes first, of those that the client offers.
    pub(super) fn choose_suite(
        &self,
        hello: &ClientHello<'_>,
        kind: SuiteKind,
    ) -> Result<Option<Suite>, Error> {
        let offered = numbers(hello.cipher_suites)?;
        Ok(self.config.provider.cipher_suites.iter().find_map(|&id| {
            let suite = Suite::of(id).filter(|s| s.kind == kind)?;
            offered.clone().any(|o| o == id).then_some(suite)
        }))
    }

    /// Asks for the hello again with a cookie, once; a client that repeats it
    /// without is not answered.
    fn request_cookie(&mut self, cookie: &[u8], theirs: &[u8]) -> Result<(), Error> {
        if !theirs.is_empty() {
            return Err(Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER));
        }
        let request = HelloVerifyRequest { version: ProtocolVersion::DTLS_1_0.0, cookie };
        self.begin_flight();
        self.flight.push(HandshakeType::HELLO_VERIFY_REQUEST, 0, |w| request.emit(w))?;
        // "the server ... SHOULD NOT" keep a timer for it: the client has one.
        self.flight.ready(false, self.config.retransmission_timeout);
        Ok(())
    }

    fn choose_group(&self, extensions: &Extensions<'_>) -> Result<Option<NamedGroup>, Error> {
        let Some(content) = extensions.get(ExtensionType::SUPPORTED_GROUPS) else {
            // RFC 8422, Section 4: no extension, no restriction; every client
            // has P-256.
            return Ok(Some(NamedGroup::SECP256R1));
        };
        let mut r = Reader::new(content);
        let theirs = numbers(r.vec16()?)?;
        r.finish()?;
        Ok(self.groups_12().find(|g| theirs.clone().any(|t| t == g.0)))
    }

    pub(super) fn choose_srtp_profile(
        &self,
        extensions: &Extensions<'_>,
    ) -> Result<Option<SrtpProfile>, Error> {
        let Some(content) = extensions.get(ExtensionType::USE_SRTP) else { return Ok(None) };
        let theirs = numbers(read_srtp_profiles(content)?)?;
        Ok(self.config.srtp_profiles.iter().copied().find(|p| theirs.clone().any(|t| t == p.0)))
    }

    fn push_server_hello(&mut self, renegotiation: bool, point_formats: bool) -> Result<(), Error> {
        self.begin_flight();
        // "TLS 1.3 servers which negotiate TLS 1.2 or below in response to a
        // ClientHello MUST set the last 8 bytes of their Random value
        // specially" (RFC 8446, Section 4.1.3).
        if self.speaks(ProtocolVersion::DTLS_1_3)
            && let Some(end) = self.server_random.last_chunk_mut()
        {
            *end = *DOWNGRADE_TO_12;
        }
        let hello = ServerHello {
            version: ProtocolVersion::DTLS_1_2.0,
            random: self.server_random,
            session_id: &[],
            cipher_suite: self.suite.ok_or(Error::Internal)?.id,
            compression_method: 0,
            extensions: Extensions::default(),
        };
        let srtp_profile = self.srtp_profile;
        let connection_id = self.agreed_connection_id();
        let write = |w: &mut Writer<'_>| -> Result<(), ShortBuffer> {
            hello.emit_head(w)?;
            let extensions = w.open16()?;
            extension(w, ExtensionType::EXTENDED_MASTER_SECRET, |_| Ok(()))?;
            if renegotiation {
                extension(w, ExtensionType::RENEGOTIATION_INFO, |w| w.u8(0))?;
            }
            if point_formats {
                extension(w, ExtensionType::EC_POINT_FORMATS, |w| w.bytes(&[1, 0]))?;
            }
            if let Some(profile) = srtp_profile {
                extension(w, ExtensionType::USE_SRTP, |w| {
                    list16(w, core::iter::once(profile.0))?;
                    w.u8(0)
                })?;
            }
            Self::connection_id_extension(connection_id, w)?;
            w.close(extensions)
        };
        self.push(HandshakeType::SERVER_HELLO, 0, write)
    }

    pub(super) fn generated_share(&mut self, secrets: KxSecrets, share: Share) -> Result<(), Error> {
        let entry = KeyShareEntry::parse(&mut Reader::new(&share))?;
        let share = Share::from_slice(entry.key_exchange).map_err(|_| Error::Internal)?;
        self.sign_share(secrets, share)
    }

    fn sign_share(&mut self, secrets: KxSecrets, share: Share) -> Result<(), Error> {
        self.exchange.replace(secrets, share);
        let mut params = [0; 4 + 255];
        let mut w = Writer::new(&mut params);
        ServerKeyExchange::emit_params(&mut w, self.group, self.exchange.share())?;
        let parts = [&self.client_random[..], &self.server_random, w.written()];
        let digest = self.config.provider.hashes.hash(HashAlgorithm::Sha256, &parts)?;
        let digest = *digest.first_chunk().ok_or(CryptoError::Unsupported)?;
        let job = Job::Sign { key: self.config.certificate.key().clone(), digest };
        self.begin_operation(job, State::SigningShare12);
        Ok(())
    }

    pub(super) fn signed_share(&mut self, signature: &P256Signature) -> Result<(), Error> {
        let scheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
        let (group, (secrets, share)) = (self.group, self.exchange.take());
        self.push(HandshakeType::SERVER_KEY_EXCHANGE, 0, |w| {
            ServerKeyExchange::emit_params(w, group, &share)?;
            CertificateVerify { scheme, signature }.emit(w)
        })?;
        self.exchange.replace(secrets, Share::new());
        // The transcript's SHA-256 is what a CertificateVerify can be checked
        // against, so that no scheme with another hash is asked for.
        let mut schemes = heapless::Vec::<u8, 32>::new();
        for verifier in self.config.provider.verifiers {
            if verifier.hash() == HashAlgorithm::Sha256 {
                schemes.extend_from_slice(&verifier.scheme().0.to_be_bytes()).map_err(|_| Error::Internal)?;
            }
        }
        let request =
            CertificateRequest { certificate_types: CERTIFICATE_TYPES, signature_algorithms: &schemes };
        self.push(HandshakeType::CERTIFICATE_REQUEST, 0, |w| request.emit_12(w))?;
        self.push(HandshakeType::SERVER_HELLO_DONE, 0, |_| Ok(()))?;
        self.flight.ready(true, self.config.retransmission_timeout);
        self.state = State::AwaitClientCertificate;
        Ok(())
    }

    pub(super) fn await_client_key_exchange(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let exchange = ClientKeyExchange::parse(message.body)?;
        let illegal = Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER);
        let peer = Share::from_slice(exchange.public).map_err(|_| illegal)?;
        self.add(message);
        let (group, secret) = self.exchange.take().0.pop().ok_or(Error::Internal)?;
        self.begin_operation(Job::Agree { group, secret, peer }, State::AgreeingWithClient12);
        Ok(())
    }

    pub(super) fn agreed_with_client(&mut self, shared: &KxShared) -> Result<(), Error> {
        self.derive_keys(shared.as_slice())?;
        self.state = State::AwaitClientVerify;
        Ok(())
    }

    pub(super) fn await_certificate_verify(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let verify = CertificateVerify::parse(message.body)?;
        self.verify(verify.scheme, verify.signature, State::VerifyingClient, |m, hash| match hash {
            HashAlgorithm::Sha256 => Ok(m.transcript.current(hash)),
            _ => Err(Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER)),
        })?;
        self.add(message);
        Ok(())
    }

    pub(super) fn await_client_finished(&mut self, message: &Message<'_>) -> Result<(), Error> {
        self.check_finished(message)?;
        self.begin_flight();
        self.push_finished()?;
        // The last flight has no answer; it is kept, and sent again when the
        // client's comes again.
        self.flight.ready(false, self.config.retransmission_timeout);
        self.complete();
        Ok(())
    }
}

/// Whether a client offers a version, by the extension if it has one.
fn offers(hello: &ClientHello<'_>, wanted: ProtocolVersion) -> Result<bool, Error> {
    match hello.extensions.get(ExtensionType::SUPPORTED_VERSIONS) {
        Some(content) => {
            let mut r = Reader::new(content);
            let versions = r.vec8()?;
            r.finish()?;
            Ok(numbers(versions)?.any(|v| v == wanted.0))
        }
        // Versions are complements: a lower number is a later version. By
        // this field none later than 1.2 is negotiated.
        None => {
            Ok(wanted == ProtocolVersion::DTLS_1_2 && hello.version >> 8 == 0xfe && hello.version <= wanted.0)
        }
    }
}

/// Whether a client can check our signatures.
pub(super) fn signs_like_us(extensions: &Extensions<'_>) -> Result<bool, Error> {
    let content = extensions.get(ExtensionType::SIGNATURE_ALGORITHMS).ok_or(unexpected_absence())?;
    let mut r = Reader::new(content);
    let schemes = r.vec16()?;
    r.finish()?;
    Ok(numbers(schemes)?.any(|s| s == SignatureScheme::ECDSA_SECP256R1_SHA256.0))
}

/// Without the extension a client can only check SHA-1 signatures.
const fn unexpected_absence() -> Error {
    Error::PeerMisbehaved(AlertDescription::MISSING_EXTENSION)
}
