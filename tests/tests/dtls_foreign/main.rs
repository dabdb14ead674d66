//! Handshakes of our DTLS with engines that others wrote. Two ends of one
//! stack agree even about what is wrong; these do not.

#![allow(clippy::disallowed_methods, reason = "foreign engines live by a real clock")]

mod certificates;
mod dimpl;
mod nss;
mod process;

use picortc::crypto::rust_crypto::{CHIP, PROVIDER};
use picortc::crypto::{CryptoProvider, NamedGroup};
use picortc::dtls::{
    Certificate, Config, Connection, Event, Fingerprint, Fingerprints, Limits, Negotiated, ProtocolVersion,
    Records, Role, SrtpProfile,
};
use picortc::env::{Env, Instant, Rng};
use picortc::mem::Datagram;

const LABEL: &[u8] = b"EXTRACTOR-dtls_srtp";
const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;

/// A provider with one suite and one group.
fn only(suite: u16, group: NamedGroup) -> &'static CryptoProvider {
    let group = PROVIDER.key_exchange(group).expect("the provider has it");
    Box::leak(Box::new(CryptoProvider {
        cipher_suites: Box::leak(Box::new([suite])),
        key_exchanges: Box::leak(Box::new([group])),
        ..PROVIDER
    }))
}

fn identity(seed: u8) -> Certificate {
    Certificate::generate(&PROVIDER, &mut Rng::new([seed; 32])).expect("a certificate")
}

/// An identity's private key as PKCS #8 in DER.
fn pkcs8(certificate: &Certificate) -> Vec<u8> {
    const FRONT: &[u8] =
        b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\
        \x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20";
    [FRONT, certificate.private_key()].concat()
}

/// The random value of a ServerHello that is a HelloRetryRequest (RFC 8446,
/// Section 4.1.3).
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Our end.
struct Ours {
    dtls: Connection,
    /// What the peer's certificate has to be.
    peer: Fingerprints,
    /// HelloRetryRequests that went by.
    retries: usize,
    rng: Rng,
    received: Vec<Vec<u8>>,
    events: Vec<Event>,
}

impl Ours {
    /// Certificate 1; the peer has certificate 2.
    fn new(adapt: impl FnOnce(&mut Config), provider: &'static CryptoProvider) -> Self {
        let mut config = Config::new(provider, identity(1));
        config.srtp_profiles.push(SrtpProfile::AEAD_AES_128_GCM).expect("room for one");
        adapt(&mut config);
        let dtls = Connection::new(config, &Limits::DEFAULT).expect("memory");
        let peer = Fingerprints::from_iter([identity(2).fingerprint().clone()]);
        Self { dtls, peer, retries: 0, rng: Rng::new([7; 32]), received: Vec::new(), events: Vec::new() }
    }

    fn start(&mut self, now: Instant, role: Role) {
        self.dtls.start(&mut Env::new(now, &mut self.rng), role, self.peer.clone());
        self.start_with(now, role, identity(2).fingerprint().clone());
    }

    fn start_with(&mut self, now: Instant, role: Role, peer: Fingerprint) {
        self.dtls.start(&mut Env::new(now, &mut self.rng), role, Fingerprints::from_iter([peer]));
    }

    fn read(&mut self, now: Instant, datagram: &mut [u8]) {
        self.retries += usize::from(is_retry(datagram));
        let env = &mut Env::new(now, &mut self.rng);
        let mut records = Records::new(datagram);
        while let Some(data) = self.dtls.handle_read(env, &mut records) {
            self.received.push(data.to_vec());
        }
        while let Some(data) = self.dtls.poll_held(env) {
            self.received.push(data.to_vec());
        }
        while let Some(event) = self.dtls.poll_event() {
            self.events.push(event);
        }
    }

    fn write(&mut self, now: Instant) -> Option<Vec<u8>> {
        let mut buf = [0; 1500];
        let len = self.dtls.poll_write(&mut Env::new(now, &mut self.rng), &mut buf)?;
        self.retries += usize::from(is_retry(&buf[..len]));
        Some(buf[..len].to_vec())
    }

    fn timeout(&mut self, now: Instant) {
        if self.dtls.poll_timeout().is_some_and(|at| at <= now) {
            self.dtls.handle_timeout(&mut Env::new(now, &mut self.rng));
        }
        while let Some(event) = self.dtls.poll_event() {
            self.events.push(event);
        }
    }

    fn seal(&mut self, data: &[u8]) -> Vec<u8> {
        let mut buf = [0; 1500];
        let (head, tail) = self.dtls.overhead();
        let mut datagram = Datagram::new(&mut buf, head).expect("room");
        datagram.payload_room(tail, 1400)[..data.len()].copy_from_slice(data);
        assert!(datagram.set_payload_len(data.len()) && self.dtls.seal(&mut datagram), "connected");
        datagram.bytes().to_vec()
    }

    fn exported(&self) -> Vec<u8> {
        let mut out = vec![0; 56];
        self.dtls.export_keying_material(LABEL, &mut out).expect("connected");
        out
    }

    fn negotiated(&self) -> Negotiated {
        self.dtls.negotiated().expect("connected")
    }
}

fn is_retry(datagram: &[u8]) -> bool {
    datagram.windows(HELLO_RETRY_REQUEST.len()).any(|w| w == HELLO_RETRY_REQUEST)
}
