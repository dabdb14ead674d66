//! What both roles of a handshake share.

use super::ack::Acks;
use super::certificate::Fingerprints;
use super::exchange::Exchange;
use super::flight::Flight;
use super::keys::{self, MasterSecret, Suite, SuiteKind, VERIFY_DATA_LEN};
use super::operation::{Done, Job, KeyKind, Operation, Outcome, PeerKey, Signature};
use super::reassembly::Message;
use super::record::{Keying, RecordLayer};
use super::rekey::Rekey;
use super::schedule::Secrets;
use super::{Config, Counters, Error, Event, Limits, Negotiated, Role, SrtpProfile};
use crate::crypto::{
    CryptoError, CryptoProvider, Digest, HashAlgorithm, HashContext, NamedGroup, SignatureScheme,
    constant_time_eq,
};
use crate::env::{Env, Instant};
use crate::mem::{Boxed, FixedVec, OutOfMemory};
use crate::wire::dtls::{
    AlertDescription, CertificateChain, ContentType, ExtensionType, HandshakeHeader, HandshakeType,
    ProtocolVersion, RANDOM_LEN,
};
use crate::wire::{Malformed, Reader, ShortBuffer, Writer, x509};

/// Where a handshake stands, in protocol order, by what it awaits: a message
/// of the peer (`Await…`) or public-key work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Idle,

    // The client's: `12` and `13` are of one version only.
    GeneratingShares,
    AwaitServerHello,
    AgreeingWithServer13,
    AwaitEncryptedExtensions13,
    AwaitServerCertificate,
    AwaitServerVerify13,
    AwaitServerKeyExchange12,
    VerifyingServer,
    AwaitServerHelloDone12,
    AgreeingWithServer12,
    SigningAsClient12,
    AwaitServerFinished,
    SigningAsClient13,

    // The server's.
    AwaitClientHello,
    AgreeingWithClient13,
    SigningAsServer13,
    GeneratingShare12,
    SigningShare12,
    AwaitClientCertificate,
    AwaitClientKeyExchange12,
    AgreeingWithClient12,
    AwaitClientVerify,
    VerifyingClient,
    AwaitClientFinished,

    Connected,
    Closed,
    Failed,
}

/// The running hash of the handshake. The suite's hash keys the connection;
/// signatures in TLS 1.2 have a hash of their own, which is SHA-256 here.
pub(super) struct Transcript {
    /// Until the handshake is over.
    sha256: Option<Boxed<dyn HashContext>>,
    /// Only where the provider has a suite with this hash.
    sha384: Option<Boxed<dyn HashContext>>,
    is_13: bool,
}

impl Transcript {
    fn new(provider: &CryptoProvider) -> Result<Self, OutOfMemory> {
        let wants_384 = provider
            .cipher_suites
            .iter()
            .any(|id| Suite::of(*id).is_some_and(|s| s.hash == HashAlgorithm::Sha384));
        let sha384 = if wants_384 { Some(provider.hashes.context()?) } else { None };
        Ok(Self { sha256: Some(provider.hashes.context()?), sha384, is_13: false })
    }

    /// Starts over, for a connection whose suite has the hash `algorithm`.
    pub(super) fn start(&mut self, algorithm: HashAlgorithm, is_13: bool) -> Result<(), CryptoError> {
        self.is_13 = is_13;
        self.sha256.as_mut().ok_or(CryptoError::Unsupported)?.start(HashAlgorithm::Sha256)?;
        if algorithm == HashAlgorithm::Sha384 {
            self.sha384.as_mut().ok_or(CryptoError::Unsupported)?.start(algorithm)?;
        }
        Ok(())
    }

    /// Adds a message. "message_seq, fragment_offset, and fragment_length"
    /// are those of the message in one piece (RFC 6347, Section 4.2.6), and
    /// "not included" in DTLS 1.3 (RFC 9147, Section 5.2).
    pub(super) fn add(&mut self, header: HandshakeHeader, body: &[u8]) {
        let [a, b, c, d, ..] = header.to_bytes();
        let (short, whole) = ([a, b, c, d], header.to_bytes());
        let header = if self.is_13 { &short[..] } else { &whole[..] };
        for part in [header, body] {
            for context in [&mut self.sha256, &mut self.sha384].into_iter().flatten() {
                context.update(part);
            }
        }
    }

    /// Replaces the first ClientHello by its hash, because the server asks
    /// for another (RFC 8446, Section 4.4.1).
    pub(super) fn replace_hello(&mut self, algorithm: HashAlgorithm) -> Result<(), CryptoError> {
        let digest = self.current(algorithm);
        self.start(algorithm, true)?;
        let header = HandshakeHeader::whole(HandshakeType::MESSAGE_HASH, 0, digest.len() as u32);
        self.add(header, &digest);
        Ok(())
    }

    pub(super) fn current(&self, algorithm: HashAlgorithm) -> Digest {
        let contexts = match algorithm {
            HashAlgorithm::Sha384 => [&self.sha384, &self.sha256],
            _ => [&self.sha256, &None],
        };
        contexts.into_iter().flatten().next().map(|context| context.current()).unwrap_or_default()
    }

    /// Gives back its memory, when the handshake is over.
    fn release(&mut self) {
        (self.sha256, self.sha384) = (None, None);
    }

    /// The SHA-256 digest that our CertificateVerify signs.
    pub(super) fn sha256(&self) -> Result<[u8; 32], CryptoError> {
        self.current(HashAlgorithm::Sha256).first_chunk().copied().ok_or(CryptoError::Unsupported)
    }
}

/// The handshake of either role, and what it leaves behind.
pub(super) struct Machine {
    pub(super) config: Config,
    pub(super) state: State,
    pub(super) role: Role,
    pub(super) records: RecordLayer,
    pub(super) flight: Flight,
    pub(super) transcript: Transcript,
    /// One at most, until the handshake is over.
    pub(super) operation: FixedVec<Operation>,
    /// Whether an operation was handed out.
    pub(super) operation_out: bool,

    pub(super) fingerprints: Fingerprints,
    pub(super) peer_fingerprint: Option<usize>,
    /// The peer's certificate; empty when there is none, or no room for it.
    certificate: FixedVec<u8>,
    pub(super) client_random: [u8; RANDOM_LEN],
    pub(super) server_random: [u8; RANDOM_LEN],
    pub(super) suite: Option<Suite>,
    pub(super) group: NamedGroup,
    pub(super) srtp_profile: Option<SrtpProfile>,
    /// One at most, until the handshake is over.
    pub(super) peer_key: FixedVec<PeerKey>,
    pub(super) exchange: Exchange,
    pub(super) certificate_requested: bool,
    /// As server: what a client must repeat. As client: that a server asked.
    pub(super) cookie: Option<[u8; 16]>,
    /// Whether the server asked for a second ClientHello, by the rules of
    /// DTLS 1.3, and for which group.
    pub(super) retried: Option<NamedGroup>,
    /// What was agreed; `None` before a version was.
    pub(super) version: Option<ProtocolVersion>,
    /// Of DTLS 1.2.
    pub(super) master: Option<MasterSecret>,
    /// Of DTLS 1.3.
    pub(super) secrets: Option<Secrets>,
    pub(super) acks: Acks,
    pub(super) rekey: Rekey,
    /// Whether the limits have room for shares of more than a kilobyte.
    has_room_for_hybrid: bool,

    alert: Option<(u8, AlertDescription)>,
    unproven_alert: Option<AlertDescription>,
    pub(super) connected: bool,
    pub(super) ended: Option<Event>,
    pub(super) counters: Counters,
}

/// What a flight with an ML-KEM share takes.
const HYBRID_ROOM: usize = 2048;
const ALERT_WARNING: u8 = 1;
const ALERT_FATAL: u8 = 2;

impl Machine {
    pub(super) fn new(config: Config, limits: &Limits) -> Result<Self, OutOfMemory> {
        let provider = config.provider;
        Ok(Self {
            state: State::Idle,
            role: Role::Server,
            records: RecordLayer::new(provider, config.connection_id)?,
            flight: Flight::new(limits.flight)?,
            transcript: Transcript::new(provider)?,
            operation: FixedVec::new(1)?,
            operation_out: false,
            fingerprints: Fingerprints::new(),
            peer_fingerprint: None,
            certificate: FixedVec::new(limits.certificate)?,
            client_random: [0; RANDOM_LEN],
            server_random: [0; RANDOM_LEN],
            suite: None,
            group: NamedGroup::SECP256R1,
            srtp_profile: None,
            peer_key: FixedVec::new(1)?,
            exchange: Exchange::new()?,
            certificate_requested: false,
            cookie: None,
            retried: None,
            version: None,
            master: None,
            secrets: None,
            acks: Acks::default(),
            rekey: Rekey::None,
            has_room_for_hybrid: limits.flight >= HYBRID_ROOM && limits.reassembly >= HYBRID_ROOM,
            alert: None,
            unproven_alert: None,
            connected: false,
            ended: None,
            counters: Counters::default(),
            config,
        })
    }

    /// The peer's certificate, if there was room to keep it.
    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        Some(&*self.certificate).filter(|der| !der.is_empty())
    }

    /// Whether the association is neither closed nor failed.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, State::Closed | State::Failed)
    }

    /// Takes in a message of the peer.
    pub(super) fn handle_message(&mut self, env: &mut Env<'_>, message: Message<'_>) -> Result<(), Error> {
        let body = message.body;
        let is_13 = self.is_13();
        match (self.state, message.msg_type) {
            (State::AwaitServerHello, HandshakeType::HELLO_VERIFY_REQUEST) => self.await_verify_request(body),
            (State::AwaitServerHello, HandshakeType::SERVER_HELLO) => self.await_server_hello(env, &message),
            (State::AwaitEncryptedExtensions13, HandshakeType::ENCRYPTED_EXTENSIONS) => {
                self.await_encrypted_extensions(&message)
            }
            (State::AwaitServerCertificate, HandshakeType::CERTIFICATE_REQUEST) if is_13 => {
                self.await_certificate_request_13(&message)
            }
            (State::AwaitServerCertificate, HandshakeType::CERTIFICATE) => {
                let next = if is_13 { State::AwaitServerVerify13 } else { State::AwaitServerKeyExchange12 };
                self.read_certificate(&message, next)
            }
            (State::AwaitServerVerify13, HandshakeType::CERTIFICATE_VERIFY) => {
                self.read_certificate_verify_13(&message, State::VerifyingServer)
            }
            (State::AwaitServerKeyExchange12, HandshakeType::SERVER_KEY_EXCHANGE) => {
                self.await_server_key_exchange(&message)
            }
            (State::AwaitServerHelloDone12, HandshakeType::CERTIFICATE_REQUEST) => {
                self.await_certificate_request(&message)
            }
            (State::AwaitServerHelloDone12, HandshakeType::SERVER_HELLO_DONE) => {
                self.await_server_hello_done(env, &message)
            }
            (State::AwaitServerFinished, HandshakeType::FINISHED) if is_13 => {
                self.await_server_finished_13(&message)
            }
            (State::AwaitServerFinished, HandshakeType::FINISHED) => self.await_server_finished(&message),

            (State::AwaitClientHello, HandshakeType::CLIENT_HELLO) => self.await_client_hello(env, &message),
            (State::AwaitClientCertificate, HandshakeType::CERTIFICATE) => {
                let next = if is_13 { State::AwaitClientVerify } else { State::AwaitClientKeyExchange12 };
                self.read_certificate(&message, next)
            }
            (State::AwaitClientKeyExchange12, HandshakeType::CLIENT_KEY_EXCHANGE) => {
                self.await_client_key_exchange(&message)
            }
            (State::AwaitClientVerify, HandshakeType::CERTIFICATE_VERIFY) if is_13 => {
                self.read_certificate_verify_13(&message, State::VerifyingClient)
            }
            (State::AwaitClientVerify, HandshakeType::CERTIFICATE_VERIFY) => {
                self.await_certificate_verify(&message)
            }
            (State::AwaitClientFinished, HandshakeType::FINISHED) if is_13 => {
                self.await_client_finished_13(&message)
            }
            (State::AwaitClientFinished, HandshakeType::FINISHED) => self.await_client_finished(&message),

            (State::Connected, HandshakeType::KEY_UPDATE) => self.read_key_update(&message),
            (State::Connected, HandshakeType::NEW_CONNECTION_ID) => self.read_new_connection_id(body),
            (State::Connected, HandshakeType::REQUEST_CONNECTION_ID) => self.read_request_connection_id(body),
            // There are no sessions to resume here.
            (State::Connected, HandshakeType::NEW_SESSION_TICKET) if self.role == Role::Client => Ok(()),
            _ => Err(unexpected()),
        }
    }

    /// Whether we may agree on a version, and have what it takes.
    pub(super) fn speaks(&self, version: ProtocolVersion) -> bool {
        // Versions are complements: a lower number is a later version.
        let allowed = self.config.max_version.0 <= version.0 && version.0 <= self.config.min_version.0;
        let is_13 = version == ProtocolVersion::DTLS_1_3;
        let fits = |id: &u16| Suite::of(*id).is_some_and(|s| (s.kind == SuiteKind::V13) == is_13);
        allowed && self.config.provider.cipher_suites.iter().any(fits)
    }

    /// Whether DTLS 1.3 was agreed on.
    pub(super) fn is_13(&self) -> bool {
        self.version == Some(ProtocolVersion::DTLS_1_3)
    }

    /// Whether a handshake message that is new may come under the keys of
    /// `epoch`. In DTLS 1.2 all but Finished come before the keys; a Finished
    /// in the clear proves nothing.
    pub(super) fn admits(&self, msg_type: HandshakeType, epoch: u64) -> bool {
        match self.state {
            State::Idle | State::Closed | State::Failed => false,
            State::AwaitServerHello | State::AwaitClientHello => {
                epoch == 0 && msg_type != HandshakeType::FINISHED
            }
            // There is no second handshake on an association of WebRTC.
            State::Connected => self.is_13() && epoch > 2,
            _ if self.is_13() => epoch == 2,
            State::AwaitServerFinished | State::VerifyingClient | State::AwaitClientFinished => {
                epoch == 1 && msg_type == HandshakeType::FINISHED
            }
            _ => epoch == u64::from(msg_type == HandshakeType::FINISHED),
        }
    }

    /// Goes on with what came of public-key work.
    pub(super) fn handle_outcome(&mut self, outcome: Outcome) {
        let result = outcome.0.map_err(Error::from).and_then(|done| match (self.state, done) {
            (State::Idle | State::AwaitClientHello, Done::Generated { secrets, shares }) => {
                self.made_ahead(secrets, shares);
                Ok(())
            }
            (State::GeneratingShares, Done::Generated { secrets, shares }) => {
                self.generated_shares(secrets, shares)
            }
            (State::AgreeingWithServer13, Done::Agreed { shared }) => self.agreed_with_server_13(&shared),
            (State::VerifyingServer, Done::Verified) => {
                self.state =
                    if self.is_13() { State::AwaitServerFinished } else { State::AwaitServerHelloDone12 };
                Ok(())
            }
            (State::AgreeingWithServer12, Done::Responded { share, shared }) => {
                self.agreed_with_server(&share, &shared)
            }
            (State::SigningAsClient12, Done::Signed(signature)) => self.signed_transcript(&signature),
            (State::SigningAsClient13, Done::Signed(signature)) => self.signed_as_client_13(&signature),

            (State::AgreeingWithClient13, Done::Responded { share, shared }) => {
                self.agreed_with_client_13(&share, &shared)
            }
            (State::AgreeingWithClient13, Done::Agreed { shared }) => {
                let (_, share) = self.exchange.take();
                self.agreed_with_client_13(&share, &shared)
            }
            (State::SigningAsServer13, Done::Signed(signature)) => self.signed_as_server_13(&signature),
            (State::GeneratingShare12, Done::Generated { secrets, shares }) => {
                self.generated_share(secrets, shares)
            }
            (State::SigningShare12, Done::Signed(signature)) => self.signed_share(&signature),
            (State::AgreeingWithClient12, Done::Agreed { shared }) => self.agreed_with_client(&shared),
            (State::VerifyingClient, Done::Verified) => {
                self.state = State::AwaitClientFinished;
                Ok(())
            }
            // The association ended while the work was done elsewhere.
            _ => Ok(()),
        });
        if let Err(error) = result
            && self.is_alive()
        {
            self.fail(error);
        }
    }

    pub(super) fn begin_operation(&mut self, job: Job, state: State) {
        self.state = state;
        self.ask_for(job);
    }

    /// Has a public-key operation done.
    pub(super) fn ask_for(&mut self, job: Job) {
        self.operation.clear();
        if self.operation.push(Operation::new(self.config.provider, job)).is_err() {
            // There is room for one as long as there is a handshake.
            self.fail(Error::Internal);
        }
    }

    /// Pushes a message to the flight and the transcript.
    pub(super) fn push(
        &mut self,
        msg_type: HandshakeType,
        epoch: u64,
        body: impl FnOnce(&mut Writer<'_>) -> Result<(), ShortBuffer>,
    ) -> Result<(), Error> {
        let (header, body) = self.flight.push(msg_type, epoch, body)?;
        self.transcript.add(header, body);
        Ok(())
    }

    /// Pushes our certificate.
    pub(super) fn push_certificate(&mut self) -> Result<(), Error> {
        let chain = CertificateChain { leaf: Some(self.config.certificate.der()) };
        let (header, body) = if self.is_13() {
            self.flight.push(HandshakeType::CERTIFICATE, 2, |w| chain.emit_13(w))?
        } else {
            self.flight.push(HandshakeType::CERTIFICATE, 0, |w| chain.emit_12(w))?
        };
        self.transcript.add(header, body);
        Ok(())
    }

    /// Adds a message of the peer to the transcript.
    pub(super) fn add(&mut self, message: &Message<'_>) {
        let len = message.body.len() as u32;
        let header = HandshakeHeader::whole(message.msg_type, message.message_seq, len);
        self.transcript.add(header, message.body);
    }

    /// The peer's certificate: its fingerprint is what authenticates the peer
    /// (RFC 8122, Section 6.2), before anything else of it is believed.
    fn read_certificate(&mut self, message: &Message<'_>, next: State) -> Result<(), Error> {
        let (chain, absent) = if self.is_13() {
            (CertificateChain::parse_13(message.body)?, AlertDescription::CERTIFICATE_REQUIRED)
        } else {
            (CertificateChain::parse_12(message.body)?, AlertDescription::HANDSHAKE_FAILURE)
        };
        let leaf = chain.leaf.ok_or(Error::PeerMisbehaved(absent))?;
        let provider = self.config.provider;
        let matching = self.fingerprints.iter().position(|f| f.matches(provider, leaf));
        self.peer_fingerprint = Some(matching.ok_or(Error::FingerprintMismatch)?);
        self.certificate.clear();
        // One that is too long is not kept, as `Limits::certificate` says.
        let _ = self.certificate.extend_from_slice(leaf);
        let unsupported = Error::PeerMisbehaved(AlertDescription::UNSUPPORTED_CERTIFICATE);
        let key = x509::public_key(leaf).map_err(|_| unsupported)?;
        let key = PeerKey::new(key).ok_or(unsupported)?;
        if self.role == Role::Client && !self.is_13() {
            // The suite says how the server authenticates.
            let is_rsa = key.kind() == KeyKind::Rsa;
            if self.suite.is_some_and(|s| (s.kind == SuiteKind::Rsa) != is_rsa) {
                return Err(Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER));
            }
        }
        self.peer_key.clear();
        self.peer_key.push(key).map_err(|_| Error::Internal)?;
        self.add(message);
        self.state = next;
        Ok(())
    }

    /// Begins to check a signature of the peer over a message whose hash, by
    /// the scheme's hash function, `digest` computes.
    pub(super) fn verify(
        &mut self,
        scheme: SignatureScheme,
        signature: &[u8],
        state: State,
        digest: impl FnOnce(&Self, HashAlgorithm) -> Result<Digest, Error>,
    ) -> Result<(), Error> {
        let illegal = Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER);
        let verifier = self.config.provider.verifier(scheme).ok_or(illegal)?;
        let digest = digest(self, verifier.hash())?;
        let signature = Signature::from_slice(signature).map_err(|_| illegal)?;
        let key = self.peer_key.pop().ok_or(Error::Internal)?;
        self.begin_operation(Job::Verify { scheme, key, digest, signature }, state);
        Ok(())
    }

    /// Derives the master secret from the transcript up to the
    /// ClientKeyExchange, and installs the keys.
    pub(super) fn derive_keys(&mut self, pre_master: &[u8]) -> Result<(), Error> {
        let hashes = self.config.provider.hashes;
        let suite = self.suite.ok_or(Error::Internal)?;
        let session_hash = self.transcript.current(suite.hash);
        let master = keys::extended_master_secret(hashes, suite.hash, pre_master, &session_hash)?;
        let block = keys::key_block(hashes, suite, &master, &self.client_random, &self.server_random)?;
        let algorithm = suite.aead;
        let keying = |key, iv| Keying { epoch: 1, algorithm, key, iv, number_key: None };
        let client = keying(block.client_key, block.client_iv);
        let server = keying(block.server_key, block.server_iv);
        self.install(client, server)?;
        self.master = Some(master);
        Ok(())
    }

    /// Installs the keys of an epoch: those under which the client sends, and
    /// those of the server.
    pub(super) fn install(&mut self, client: Keying, server: Keying) -> Result<(), Error> {
        let (read, write) = match self.role {
            Role::Client => (server, client),
            Role::Server => (client, server),
        };
        self.records.install_read(read)?;
        self.records.install_write(write)?;
        Ok(())
    }

    /// The content of a Finished at this point of the transcript.
    fn verify_data(&self, sender: Role) -> Result<[u8; VERIFY_DATA_LEN], Error> {
        let suite = self.suite.ok_or(Error::Internal)?;
        let master = self.master.as_ref().ok_or(Error::Internal)?;
        let label: &[u8] = match sender {
            Role::Client => b"client finished",
            Role::Server => b"server finished",
        };
        let transcript = self.transcript.current(suite.hash);
        Ok(keys::verify_data(self.config.provider.hashes, suite.hash, master, label, &transcript)?)
    }

    /// Pushes ChangeCipherSpec and our Finished.
    pub(super) fn push_finished(&mut self) -> Result<(), Error> {
        let data = self.verify_data(self.role)?;
        self.flight.push_change_cipher_spec()?;
        self.push(HandshakeType::FINISHED, 1, |w| w.bytes(&data))
    }

    /// Checks the peer's Finished.
    pub(super) fn check_finished(&mut self, message: &Message<'_>) -> Result<(), Error> {
        if !constant_time_eq(message.body, &self.verify_data(self.peer_role())?) {
            return Err(Error::PeerMisbehaved(AlertDescription::DECRYPT_ERROR));
        }
        self.add(message);
        Ok(())
    }

    /// The handshake is complete.
    pub(super) fn complete(&mut self) {
        self.state = State::Connected;
        self.connected = true;
        self.exchange.release();
        self.peer_key.clear();
        self.acks.complete();
        debug!("dtls: connected");
    }

    /// Gives back what only the handshake needed: the peer has shown that it is
    /// through as well.
    pub(super) fn settle(&mut self) {
        self.flight.settle();
        self.transcript.release();
        self.operation.release();
        self.peer_key.release();
    }

    /// Whether extensions of a peer are compatible with RFC 5746 and RFC 7627.
    pub(super) fn check_security_extensions(
        extensions: &crate::wire::dtls::Extensions<'_>,
    ) -> Result<(), Error> {
        let failure = Error::PeerMisbehaved(AlertDescription::HANDSHAKE_FAILURE);
        // "the client/server MUST ... verify that the length of the
        // renegotiated_connection field is zero".
        if extensions.get(ExtensionType::RENEGOTIATION_INFO).is_some_and(|v| v != [0]) {
            return Err(failure);
        }
        // "If the client/server receives a ... without the extension, it MUST
        // abort the handshake if it does not wish to interoperate with legacy".
        extensions.get(ExtensionType::EXTENDED_MASTER_SECRET).ok_or(failure)?;
        Ok(())
    }

    /// Takes in an alert.
    pub(super) fn handle_alert(&mut self, epoch: u64, body: &[u8]) {
        let &[level, description] = body else {
            self.counters.noise += 1;
            return;
        };
        let description = AlertDescription(description);
        if epoch == 0 && self.records.has_read_keys() {
            // Anyone can send an alert in the clear. A server that refuses
            // our certificate has no other kind, though: it is remembered,
            // and believed when the handshake goes no further.
            self.counters.noise += 1;
            if level == ALERT_FATAL && self.state != State::Connected {
                self.unproven_alert = Some(description);
            }
            return;
        }
        if description == AlertDescription::CLOSE_NOTIFY && self.state == State::Connected {
            self.alert = Some((ALERT_WARNING, AlertDescription::CLOSE_NOTIFY));
            self.end(State::Closed, Event::Closed);
        } else if level == ALERT_FATAL
            || description == AlertDescription::CLOSE_NOTIFY
            // "The severity ... can be ignored": all but these two end it.
            || self.is_13() && description != AlertDescription::USER_CANCELED
        {
            self.end(State::Failed, Event::Failed(Error::PeerGaveUp(description)));
        }
    }

    /// Ends the association for a reason; the peer is told.
    pub(super) fn fail(&mut self, error: Error) {
        if self.is_alive() {
            debug!("dtls: failed: {:?}", error);
            self.alert = error.alert().map(|a| (ALERT_FATAL, a));
            self.end(State::Failed, Event::Failed(error));
        }
    }

    /// Ends the association in order.
    pub(super) fn close(&mut self) {
        if self.is_alive() {
            if self.state != State::Idle {
                self.alert = Some((ALERT_WARNING, AlertDescription::CLOSE_NOTIFY));
            }
            self.end(State::Closed, Event::Closed);
        }
    }

    fn end(&mut self, state: State, event: Event) {
        self.state = state;
        self.ended = Some(event);
        self.connected = false;
        self.flight.clear();
        self.acks.clear();
        self.operation.clear();
        self.operation_out = false;
        self.exchange.release();
        self.master = None;
        self.secrets = None;
        self.peer_key.clear();
        if self.alert.is_none() {
            self.records.clear();
        }
    }

    pub(super) fn poll_write(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<usize> {
        if let Some((level, description)) = self.alert.take() {
            let written = self.write_alert(level, description, out);
            if !self.is_alive() {
                self.records.clear();
            }
            return written;
        }
        if let Err(error) = self.progress_rekey().and_then(|()| self.progress_connection_ids()) {
            self.fail(error);
        }
        let acked = self.write_ack(out).unwrap_or(0);
        let sent = self.flight.poll_write(env.now, &mut self.records, out.get_mut(acked..)?).unwrap_or(0);
        (acked + sent > 0).then_some(acked + sent)
    }

    fn write_alert(&mut self, level: u8, description: AlertDescription, out: &mut [u8]) -> Option<usize> {
        let epoch = self.records.write_epoch();
        let (head, tail) = self.records.overhead(epoch);
        let record = out.get_mut(..head + 2 + tail)?;
        record.get_mut(head..head + 2)?.copy_from_slice(&[level, description.0]);
        self.records.seal(epoch, ContentType::ALERT, record)?;
        Some(record.len())
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.flight.poll_timeout(), self.acks.poll_timeout()].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, env: &mut Env<'_>) -> bool {
        if self.acks.handle_timeout(env.now, self.config.retransmission_timeout)
            >= self.config.max_transmissions
        {
            self.fail(Error::Timeout);
        }
        let due = self.flight.handle_timeout(env.now);
        if due {
            if let Some(description) = self.unproven_alert {
                self.fail(Error::PeerGaveUp(description));
            } else if self.flight.timeouts() >= self.config.max_transmissions
                // The peer need not have lost it: only its ACK may be late.
                && self.state != State::Connected
            {
                self.fail(Error::Timeout);
            } else {
                self.counters.retransmissions += 1;
            }
        }
        due
    }

    pub(super) fn retransmissions(&self) -> u64 {
        self.counters.retransmissions
    }

    pub(super) fn negotiated(&self) -> Option<Negotiated> {
        Some(Negotiated {
            version: self.version?.0,
            cipher_suite: self.suite?.id,
            group: self.group.0,
            srtp_profile: self.srtp_profile,
            connection_id: self.records.cids.own,
            peer_connection_id: self.records.cids.peer,
        })
    }

    pub(super) fn export(&self, label: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
        if let Some(secrets) = &self.secrets {
            return secrets.hkdf.export(secrets.exporter(), label, out);
        }
        let (Some(suite), Some(master)) = (self.suite, &self.master) else {
            return Err(CryptoError::Unsupported);
        };
        let seed = [&self.client_random[..], &self.server_random];
        keys::prf(self.config.provider.hashes, suite.hash, master.as_slice(), label, seed, out)
    }

    /// The groups that DTLS 1.2 can use.
    pub(super) fn groups_12(&self) -> impl Iterator<Item = NamedGroup> + Clone + use<> {
        let exchanges = self.config.provider.key_exchanges.iter();
        exchanges.map(|k| k.group()).filter(|g| *g != NamedGroup::X25519MLKEM768)
    }

    /// The groups that DTLS 1.3 can use.
    pub(super) fn groups_13(&self) -> impl Iterator<Item = NamedGroup> + Clone + use<> {
        let with_hybrid = self.has_room_for_hybrid;
        let exchanges = self.config.provider.key_exchanges.iter();
        exchanges.map(|k| k.group()).filter(move |g| with_hybrid || *g != NamedGroup::X25519MLKEM768)
    }
}

/// The alert for a message that does not belong there.
pub(super) const fn unexpected() -> Error {
    Error::PeerMisbehaved(AlertDescription::UNEXPECTED_MESSAGE)
}

/// The profiles of a use_srtp extension (RFC 5764, Section 4.1.1).
pub(super) fn read_srtp_profiles(extension: &[u8]) -> Result<&[u8], Malformed> {
    let mut r = Reader::new(extension);
    let profiles = r.vec16()?;
    r.vec8()?; // srtp_mki: never used in WebRTC
    r.finish()?;
    Ok(profiles)
}

/// Writes an extension whose content is written by `content`.
pub(super) fn extension(
    w: &mut Writer<'_>,
    kind: ExtensionType,
    content: impl FnOnce(&mut Writer<'_>) -> Result<(), ShortBuffer>,
) -> Result<(), ShortBuffer> {
    w.u16(kind.0)?;
    let open = w.open16()?;
    content(w)?;
    w.close(open)
}

/// Writes 16-bit numbers behind a 16-bit length.
pub(super) fn list16(w: &mut Writer<'_>, numbers: impl Iterator<Item = u16>) -> Result<(), ShortBuffer> {
    let open = w.open16()?;
    for n in numbers {
        w.u16(n)?;
    }
    w.close(open)
}
