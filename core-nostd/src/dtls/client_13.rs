//! The client's side of a DTLS 1.3 handshake, behind its hello (RFC 9147,
//! Section 5.7):
//!
//! ```text
//!  Client                                             Server
//!  ClientHello              -------->                          Flight 1
//!                           <--------        HelloRetryRequest (Flight 2)
//!  ClientHello              -------->                          (Flight 3)
//!                                                  ServerHello \
//!                                          EncryptedExtensions  \
//!                                           CertificateRequest   Flight 4
//!                                                  Certificate  /
//!                                            CertificateVerify /
//!                           <--------                 Finished
//!  Certificate                                                 \
//!  CertificateVerify                                            Flight 5
//!  Finished                 -------->                          /
//!                           <--------                    [ACK]
//! ```

use super::keys::Suite;
use super::machine::{Machine, State, unexpected};
use super::operation::{Groups, Job, KxSecrets, Share};
use super::reassembly::Message;
use super::{Error, Role};
use crate::crypto::{HashAlgorithm, KxShared, NamedGroup, P256Signature, SignatureScheme};
use crate::env::Env;
use crate::wire::dtls::{
    AlertDescription, CertificateVerify, ExtensionType, Extensions, HELLO_RETRY_REQUEST, HandshakeType,
    KeyShareEntry, ProtocolVersion, ServerHello, list16 as numbers, parse_certificate_request_13,
};
use crate::wire::{Reader, Writer};

const ILLEGAL: Error = Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER);

impl Machine {
    /// The groups to make shares of before it is known what the server has:
    /// the most preferred, and behind a hybrid one the first that every server
    /// of DTLS 1.3 knows, so that no second round is needed.
    pub(super) fn groups_to_share(&self) -> Groups {
        let mut all = self.groups_13();
        let first = all.next();
        let second = all.next().filter(|_| first == Some(NamedGroup::X25519MLKEM768));
        let mut groups = Groups::new();
        for group in first.into_iter().chain(second) {
            // There is room for as many as there can be.
            let _ = groups.push(group);
        }
        groups
    }

    pub(super) fn generated_shares(&mut self, secrets: KxSecrets, shares: Share) -> Result<(), Error> {
        // What was there is the cookie of a HelloRetryRequest that also wants
        // another group.
        let (_, cookie) = self.exchange.replace(secrets, shares);
        self.send_client_hello(&[], &cookie)?;
        self.state = State::AwaitServerHello;
        Ok(())
    }

    pub(super) fn await_server_hello_13(
        &mut self,
        env: &mut Env<'_>,
        message: &Message<'_>,
        hello: &ServerHello<'_>,
        suite: Suite,
    ) -> Result<(), Error> {
        // After a HelloVerifyRequest, which is of DTLS 1.2, and with a session
        // that we did not name, there is no 1.3.
        if self.cookie.is_some() || !hello.session_id.is_empty() {
            return Err(ILLEGAL);
        }
        // "the cipher suite ... in the ServerHello MUST be the same" as in the
        // HelloRetryRequest.
        if self.suite.is_some_and(|s| s.id != suite.id) {
            return Err(ILLEGAL);
        }
        self.suite = Some(suite);
        if self.retried.is_none() {
            self.transcript.start(suite.hash, true)?;
        }
        if let Some((header, body)) = self.flight.first() {
            self.transcript.add(header, body);
        }
        self.version = Some(ProtocolVersion::DTLS_1_3);
        if hello.random == HELLO_RETRY_REQUEST {
            return self.retry_hello(env, message, hello, suite);
        }
        for (kind, _) in hello.extensions.iter() {
            let known = match kind {
                ExtensionType::SUPPORTED_VERSIONS | ExtensionType::KEY_SHARE => true,
                ExtensionType::CONNECTION_ID => self.config.connection_id.is_some(),
                _ => false,
            };
            if !known {
                return Err(Error::PeerMisbehaved(AlertDescription::UNSUPPORTED_EXTENSION));
            }
        }
        self.settle_connection_ids(&hello.extensions)?;
        let missing = Error::PeerMisbehaved(AlertDescription::MISSING_EXTENSION);
        let mut r = Reader::new(hello.extensions.get(ExtensionType::KEY_SHARE).ok_or(missing)?);
        let entry = KeyShareEntry::parse(&mut r)?;
        r.finish()?;
        let (secrets, _) = self.exchange.take();
        let (group, secret) = secrets.into_iter().find(|(of, _)| *of == entry.group).ok_or(ILLEGAL)?;
        let peer = Share::from_slice(entry.key_exchange).map_err(|_| ILLEGAL)?;
        self.group = group;
        self.add(message);
        self.begin_operation(Job::Agree { group, secret, peer }, State::AgreeingWithServer13);
        Ok(())
    }

    /// The server wants another share, or a cookie, or both (RFC 8446,
    /// Section 4.1.4).
    fn retry_hello(
        &mut self,
        env: &mut Env<'_>,
        message: &Message<'_>,
        hello: &ServerHello<'_>,
        suite: Suite,
    ) -> Result<(), Error> {
        // "If a client receives a second HelloRetryRequest in the same
        // connection ..., it MUST abort the handshake with an
        // "unexpected_message" alert."
        if self.retried.is_some() {
            return Err(unexpected());
        }
        let (mut cookie, mut group) = (&[][..], None);
        for (kind, content) in hello.extensions.iter() {
            let mut r = Reader::new(content);
            match kind {
                ExtensionType::SUPPORTED_VERSIONS => continue,
                ExtensionType::COOKIE => cookie = r.vec16()?,
                ExtensionType::KEY_SHARE => group = Some(NamedGroup(r.u16()?)),
                _ => return Err(Error::PeerMisbehaved(AlertDescription::UNSUPPORTED_EXTENSION)),
            }
            r.finish()?;
        }
        // "Clients MUST abort the handshake with an "illegal_parameter" alert
        // if the HelloRetryRequest would not result in any change in the
        // ClientHello", or names a group that was not offered, or of which
        // there was a share.
        let useless = match group {
            Some(g) => self.exchange.has(g) || !self.groups_13().any(|ours| ours == g),
            None => cookie.is_empty(),
        };
        if useless {
            return Err(ILLEGAL);
        }
        self.transcript.replace_hello(suite.hash)?;
        self.add(message);
        self.retried = Some(group.unwrap_or(self.group));
        let Some(group) = group else {
            // Shares and secrets are as they were.
            return self.send_client_hello(&[], cookie);
        };
        // "Clients ... MUST copy the contents of the extension": one that is
        // longer than this is none that anybody sends.
        let cookie = Share::from_slice(cookie).map_err(|_| ILLEGAL)?;
        self.exchange.replace(KxSecrets::new(), cookie);
        let groups = Groups::from_iter([group]);
        self.begin_operation(Job::Generate { groups, rng: env.rng.fork() }, State::GeneratingShares);
        Ok(())
    }

    pub(super) fn agreed_with_server_13(&mut self, shared: &KxShared) -> Result<(), Error> {
        self.install_handshake_keys(shared)?;
        self.state = State::AwaitEncryptedExtensions13;
        Ok(())
    }

    pub(super) fn await_encrypted_extensions(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let mut r = Reader::new(message.body);
        let extensions = Extensions::parse(r.vec16()?)?;
        r.finish()?;
        for (kind, content) in extensions.iter() {
            match kind {
                // What the server would like the next time.
                ExtensionType::SUPPORTED_GROUPS => {}
                ExtensionType::USE_SRTP => self.read_srtp_choice(content)?,
                _ => return Err(Error::PeerMisbehaved(AlertDescription::UNSUPPORTED_EXTENSION)),
            }
        }
        self.add(message);
        self.state = State::AwaitServerCertificate;
        Ok(())
    }

    pub(super) fn await_certificate_request_13(&mut self, message: &Message<'_>) -> Result<(), Error> {
        if self.certificate_requested {
            return Err(unexpected());
        }
        let extensions = parse_certificate_request_13(message.body)?;
        let missing = Error::PeerMisbehaved(AlertDescription::MISSING_EXTENSION);
        let mut r = Reader::new(extensions.get(ExtensionType::SIGNATURE_ALGORITHMS).ok_or(missing)?);
        let mut schemes = numbers(r.vec16()?)?;
        r.finish()?;
        if !schemes.any(|s| s == SignatureScheme::ECDSA_SECP256R1_SHA256.0) {
            return Err(Error::PeerMisbehaved(AlertDescription::HANDSHAKE_FAILURE));
        }
        self.certificate_requested = true;
        self.add(message);
        Ok(())
    }

    pub(super) fn await_server_finished_13(&mut self, message: &Message<'_>) -> Result<(), Error> {
        self.check_finished_13(message)?;
        let transcript = self.transcript_hash()?;
        self.secrets.as_mut().ok_or(Error::Internal)?.advance(&transcript)?;
        self.begin_flight();
        if !self.certificate_requested {
            return self.finish_as_client_13();
        }
        self.push_certificate()?;
        let digest = self.signed_digest_13(Role::Client, HashAlgorithm::Sha256)?;
        let digest = *digest.first_chunk().ok_or(Error::Internal)?;
        let job = Job::Sign { key: self.config.certificate.key().clone(), digest };
        self.begin_operation(job, State::SigningAsClient13);
        Ok(())
    }

    pub(super) fn signed_as_client_13(&mut self, signature: &P256Signature) -> Result<(), Error> {
        let verify = CertificateVerify { scheme: SignatureScheme::ECDSA_SECP256R1_SHA256, signature };
        self.push(HandshakeType::CERTIFICATE_VERIFY, 2, |w: &mut Writer<'_>| verify.emit(w))?;
        self.finish_as_client_13()
    }

    fn finish_as_client_13(&mut self) -> Result<(), Error> {
        self.push_finished_13()?;
        // It is acknowledged, or else sent again under the handshake's keys.
        self.flight.ready(true, self.config.retransmission_timeout);
        self.install_application_keys()?;
        self.complete();
        Ok(())
    }
}
