//! The client's side: its hello, which is for DTLS 1.3 and 1.2 alike, and the
//! rest of a DTLS 1.2 handshake (RFC 6347, Section 4.2):
//!
//! ```text
//!  Client                                   Server
//!  ------                                   ------
//!  ClientHello             -------->                           Flight 1
//!                          <--------    HelloVerifyRequest    (Flight 2)
//!  ClientHello             -------->                          (Flight 3)
//!                                              ServerHello  \
//!                                              Certificate   \ Flight 4
//!                                        ServerKeyExchange   /
//!                                       CertificateRequest  /
//!                          <--------      ServerHelloDone
//!  Certificate                                              \
//!  ClientKeyExchange                                         \ Flight 5
//!  CertificateVerify                                         /
//!  [ChangeCipherSpec]
//!  Finished                -------->                        /
//!                                       [ChangeCipherSpec]  \ Flight 6
//!                          <--------             Finished   /
//! ```

use super::keys::{Suite, SuiteKind};
use super::machine::{Machine, State, extension, list16, read_srtp_profiles, unexpected};
use super::operation::{Job, KxSecrets, Share};
use super::reassembly::Message;
use super::{DOWNGRADE_TO_12, Error, Role, SrtpProfile};
use crate::crypto::{KxShared, NamedGroup, P256Signature, SignatureScheme};
use crate::env::Env;
use crate::wire::dtls::{
    AlertDescription, CertificateRequest, CertificateVerify, ClientKeyExchange, ExtensionType, Extensions,
    HandshakeType, HelloVerifyRequest, ProtocolVersion, ServerHello, ServerKeyExchange, list16 as numbers,
};
use crate::wire::{ShortBuffer, Writer};

impl Machine {
    pub(super) fn start_client(&mut self, env: &mut Env<'_>) -> Result<(), Error> {
        self.role = Role::Client;
        self.client_random = env.rng.array();
        if self.speaks(ProtocolVersion::DTLS_1_3) {
            if !self.exchange.is_empty() {
                self.send_client_hello(&[], &[])?;
                self.state = State::AwaitServerHello;
                return Ok(());
            }
            if !self.operation.is_empty() || self.operation_out {
                // They are being made.
                self.state = State::GeneratingShares;
                return Ok(());
            }
            let groups = self.groups_to_share();
            self.begin_operation(Job::Generate { groups, rng: env.rng.fork() }, State::GeneratingShares);
            return Ok(());
        }
        self.send_client_hello(&[], &[])?;
        self.state = State::AwaitServerHello;
        Ok(())
    }

    /// Writes the hello, with the cookie of a HelloVerifyRequest or of a
    /// HelloRetryRequest.
    pub(super) fn send_client_hello(&mut self, cookie_12: &[u8], cookie_13: &[u8]) -> Result<(), Error> {
        self.begin_flight();
        let provider = self.config.provider;
        let (with_12, with_13) =
            (self.speaks(ProtocolVersion::DTLS_1_2), self.speaks(ProtocolVersion::DTLS_1_3));
        let groups = self.groups_13().filter(|g| with_13 || *g != NamedGroup::X25519MLKEM768);
        let srtp_profiles = &self.config.srtp_profiles;
        let random = &self.client_random;
        let shares = self.exchange.share();
        let connection_id = self.config.connection_id;
        let write = |w: &mut Writer<'_>| -> Result<(), ShortBuffer> {
            w.u16(ProtocolVersion::DTLS_1_2.0)?;
            w.bytes(random)?;
            w.u8(0)?; // session_id
            let open = w.open8()?;
            w.bytes(cookie_12)?;
            w.close(open)?;
            let wanted = |s: Suite| if s.kind == SuiteKind::V13 { with_13 } else { with_12 };
            let suites = provider.cipher_suites.iter().copied();
            list16(w, suites.filter(|id| Suite::of(*id).is_some_and(wanted)))?;
            w.bytes(&[1, 0])?; // compression: none
            let extensions = w.open16()?;
            if with_13 {
                extension(w, ExtensionType::SUPPORTED_VERSIONS, |w| {
                    let open = w.open8()?;
                    w.u16(ProtocolVersion::DTLS_1_3.0)?;
                    if with_12 {
                        w.u16(ProtocolVersion::DTLS_1_2.0)?;
                    }
                    w.close(open)
                })?;
                extension(w, ExtensionType::KEY_SHARE, |w| {
                    let open = w.open16()?;
                    w.bytes(shares)?;
                    w.close(open)
                })?;
            }
            if !cookie_13.is_empty() {
                extension(w, ExtensionType::COOKIE, |w| {
                    let open = w.open16()?;
                    w.bytes(cookie_13)?;
                    w.close(open)
                })?;
            }
            if with_12 {
                extension(w, ExtensionType::EXTENDED_MASTER_SECRET, |_| Ok(()))?;
                extension(w, ExtensionType::RENEGOTIATION_INFO, |w| w.u8(0))?;
                extension(w, ExtensionType::EC_POINT_FORMATS, |w| w.bytes(&[1, 0]))?;
            }
            extension(w, ExtensionType::SUPPORTED_GROUPS, |w| list16(w, groups.map(|g| g.0)))?;
            extension(w, ExtensionType::SIGNATURE_ALGORITHMS, |w| {
                list16(w, provider.verifiers.iter().map(|v| v.scheme().0))
            })?;
            if !srtp_profiles.is_empty() {
                extension(w, ExtensionType::USE_SRTP, |w| {
                    list16(w, srtp_profiles.iter().map(|p| p.0))?;
                    w.u8(0)
                })?;
            }
            Self::connection_id_extension(connection_id, w)?;
            w.close(extensions)
        };
        self.flight.push(HandshakeType::CLIENT_HELLO, 0, write)?;
        self.flight.ready(true, self.config.retransmission_timeout);
        Ok(())
    }

    /// "the client MUST ... retransmit the ClientHello with the cookie added."
    /// Neither the first ClientHello nor this message is in the transcript.
    pub(super) fn await_verify_request(&mut self, body: &[u8]) -> Result<(), Error> {
        let request = HelloVerifyRequest::parse(body)?;
        if self.cookie.is_some() || self.version.is_some() {
            return Err(unexpected());
        }
        self.cookie = Some([0; 16]); // one round of this is enough
        self.send_client_hello(request.cookie, &[])
    }

    pub(super) fn await_server_hello(
        &mut self,
        env: &mut Env<'_>,
        message: &Message<'_>,
    ) -> Result<(), Error> {
        let illegal = Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER);
        let hello = ServerHello::parse(message.body)?;
        if hello.version != ProtocolVersion::DTLS_1_2.0 {
            return Err(Error::PeerMisbehaved(AlertDescription::PROTOCOL_VERSION));
        }
        let offered = self.config.provider.cipher_suites.contains(&hello.cipher_suite);
        let suite = Suite::of(hello.cipher_suite).filter(|_| offered).ok_or(illegal)?;
        if hello.compression_method != 0 {
            return Err(illegal);
        }
        if let Some(version) = hello.extensions.get(ExtensionType::SUPPORTED_VERSIONS) {
            // "If the "supported_versions" extension contains a version not
            // offered by the client or contains a version prior to TLS 1.3,
            // the client MUST abort the handshake with an "illegal_parameter"".
            let is_13 = version == ProtocolVersion::DTLS_1_3.0.to_be_bytes();
            if !is_13 || !self.speaks(ProtocolVersion::DTLS_1_3) || suite.kind != SuiteKind::V13 {
                return Err(illegal);
            }
            return self.await_server_hello_13(env, message, &hello, suite);
        }
        let is_downgrade = self.speaks(ProtocolVersion::DTLS_1_3) && hello.random.ends_with(DOWNGRADE_TO_12);
        if suite.kind == SuiteKind::V13 || is_downgrade || self.version.is_some() {
            return Err(illegal);
        }
        if !self.speaks(ProtocolVersion::DTLS_1_2) {
            return Err(Error::PeerMisbehaved(AlertDescription::PROTOCOL_VERSION));
        }
        Self::check_security_extensions(&hello.extensions)?;
        self.read_server_extensions(&hello.extensions)?;
        self.settle_connection_ids(&hello.extensions)?;
        self.version = Some(ProtocolVersion::DTLS_1_2);
        self.exchange.take();
        self.server_random = hello.random;
        self.suite = Some(suite);
        self.transcript.start(suite.hash, false)?;
        if let Some((header, body)) = self.flight.first() {
            self.transcript.add(header, body);
        }
        self.add(message);
        self.state = State::AwaitServerCertificate;
        Ok(())
    }

    fn read_server_extensions(&mut self, extensions: &Extensions<'_>) -> Result<(), Error> {
        for (kind, content) in extensions.iter() {
            match kind {
                ExtensionType::EXTENDED_MASTER_SECRET
                | ExtensionType::RENEGOTIATION_INFO
                | ExtensionType::EC_POINT_FORMATS => {}
                ExtensionType::CONNECTION_ID if self.config.connection_id.is_some() => {}
                ExtensionType::USE_SRTP => self.read_srtp_choice(content)?,
                _ => return Err(Error::PeerMisbehaved(AlertDescription::UNSUPPORTED_EXTENSION)),
            }
        }
        Ok(())
    }

    /// "the server ... MUST select one": one that we offered.
    pub(super) fn read_srtp_choice(&mut self, content: &[u8]) -> Result<(), Error> {
        if self.config.srtp_profiles.is_empty() {
            return Err(Error::PeerMisbehaved(AlertDescription::UNSUPPORTED_EXTENSION));
        }
        let mut chosen = numbers(read_srtp_profiles(content)?)?.map(SrtpProfile);
        let profile = chosen.next().filter(|p| self.config.srtp_profiles.contains(p));
        self.srtp_profile = match (profile, chosen.next()) {
            (Some(profile), None) => Some(profile),
            _ => return Err(Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER)),
        };
        Ok(())
    }

    pub(super) fn await_server_key_exchange(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let illegal = Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER);
        let exchange = ServerKeyExchange::parse(message.body)?;
        if !self.groups_12().any(|g| g == exchange.group) {
            return Err(illegal);
        }
        self.group = exchange.group;
        let share = Share::from_slice(exchange.public).map_err(|_| illegal)?;
        self.exchange.replace(KxSecrets::new(), share);
        self.add(message);
        // "signed_params: Hash(ClientHello.random + ServerHello.random +
        // ServerKeyExchange.params)" (RFC 8422, Section 5.4)
        self.verify(exchange.scheme, exchange.signature, State::VerifyingServer, |m, hash| {
            let parts = [&m.client_random[..], &m.server_random, exchange.params];
            Ok(m.config.provider.hashes.hash(hash, &parts)?)
        })
    }

    pub(super) fn await_certificate_request(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let request = CertificateRequest::parse_12(message.body)?;
        let ours = SignatureScheme::ECDSA_SECP256R1_SHA256.0;
        if self.certificate_requested || !numbers(request.signature_algorithms)?.any(|s| s == ours) {
            return Err(Error::PeerMisbehaved(AlertDescription::HANDSHAKE_FAILURE));
        }
        self.certificate_requested = true;
        self.add(message);
        Ok(())
    }

    pub(super) fn await_server_hello_done(
        &mut self,
        env: &mut Env<'_>,
        message: &Message<'_>,
    ) -> Result<(), Error> {
        if !message.body.is_empty() {
            return Err(Error::PeerMisbehaved(AlertDescription::DECODE_ERROR));
        }
        self.add(message);
        let job = Job::Respond { group: self.group, peer: self.exchange.take().1, rng: env.rng.fork() };
        self.begin_operation(job, State::AgreeingWithServer12);
        Ok(())
    }

    pub(super) fn agreed_with_server(&mut self, share: &Share, shared: &KxShared) -> Result<(), Error> {
        self.begin_flight();
        if self.certificate_requested {
            self.push_certificate()?;
        }
        let exchange = ClientKeyExchange { public: share };
        self.push(HandshakeType::CLIENT_KEY_EXCHANGE, 0, |w| exchange.emit(w))?;
        self.derive_keys(shared.as_slice())?;
        if !self.certificate_requested {
            return self.finish_as_client();
        }
        let job = Job::Sign { key: self.config.certificate.key().clone(), digest: self.transcript.sha256()? };
        self.begin_operation(job, State::SigningAsClient12);
        Ok(())
    }

    pub(super) fn signed_transcript(&mut self, signature: &P256Signature) -> Result<(), Error> {
        let verify = CertificateVerify { scheme: SignatureScheme::ECDSA_SECP256R1_SHA256, signature };
        self.push(HandshakeType::CERTIFICATE_VERIFY, 0, |w| verify.emit(w))?;
        self.finish_as_client()
    }

    fn finish_as_client(&mut self) -> Result<(), Error> {
        self.push_finished()?;
        self.flight.ready(true, self.config.retransmission_timeout);
        self.state = State::AwaitServerFinished;
        Ok(())
    }

    pub(super) fn await_server_finished(&mut self, message: &Message<'_>) -> Result<(), Error> {
        self.check_finished(message)?;
        // The server's flight was the last: nothing of ours is outstanding.
        self.flight.begin();
        self.complete();
        Ok(())
    }
}
