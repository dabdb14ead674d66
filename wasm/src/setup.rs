//! What a connection is told at construction, and certificates.

use crate::provider::PROVIDER;
use crate::{exception, instant};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use picortc::env::Rng;
use picortc::peer::{
    BuildError, Limits, RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection,
    RTCPeerConnectionBuilder, SettingEngine,
};
use picortc::{channel, dtls};
use wasm_bindgen::prelude::*;

/// A seed must have 32 octets.
pub(crate) fn seed_of(seed: &[u8]) -> Result<[u8; 32], JsValue> {
    seed.try_into().map_err(|_| exception("TypeError", &"the seed must have 32 octets"))
}

/// An ECDSA P-256 identity.
#[wasm_bindgen]
#[derive(Debug, Clone)]
pub struct Certificate {
    pub(crate) inner: dtls::Certificate,
}

#[wasm_bindgen]
impl Certificate {
    /// Makes a key and a certificate for it; `seed` has 32 random octets.
    ///
    /// # Errors
    /// `OperationError`.
    pub fn generate(seed: &[u8]) -> Result<Certificate, JsValue> {
        let inner = dtls::Certificate::generate(&PROVIDER, &mut Rng::new(seed_of(seed)?));
        Ok(Self { inner: inner.map_err(|e| exception("OperationError", &e))? })
    }

    /// An identity from storage: the private key (32 octets) and the
    /// certificate in DER.
    ///
    /// # Errors
    /// `InvalidAccessError`, when they do not belong together.
    pub fn import(private_key: &[u8], der: &[u8]) -> Result<Certificate, JsValue> {
        let key = private_key
            .try_into()
            .map_err(|_| exception("InvalidAccessError", &"the private key must have 32 octets"))?;
        let inner = dtls::Certificate::import(&PROVIDER, key, der);
        Ok(Self { inner: inner.map_err(|e| exception("InvalidAccessError", &e))? })
    }

    /// The certificate in DER.
    pub fn der(&self) -> Vec<u8> {
        self.inner.der().to_vec()
    }

    /// The private key, 32 octets. Keep it secret.
    pub fn private_key(&self) -> Vec<u8> {
        self.inner.private_key().to_vec()
    }

    /// `sha-256 12:34:…`.
    pub fn fingerprint(&self) -> String {
        self.inner.fingerprint().to_string()
    }
}

/// What a connection is told at construction: set what differs from the
/// defaults, then give it to `Connection`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Setup {
    settings: SettingEngine,
    limits: Limits,
    certificates: Vec<dtls::Certificate>,
    servers: Vec<Server>,
    policy: RTCIceTransportPolicy,
    pool_size: u8,
}

/// A STUN or TURN server under one URL.
#[derive(Debug)]
struct Server {
    url: String,
    username: String,
    credential: String,
}

/// The W3C's interface takes labels and protocols of 65,535 octets: there is
/// room for one channel with both, and for the labels of a thousand others.
const DEFAULT: Limits = Limits {
    channel: channel::Limits { text_bytes: 160 * 1024, ..channel::Limits::DEFAULT },
    ..Limits::DEFAULT
};

#[wasm_bindgen]
impl Setup {
    /// The defaults of browsers.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::new_without_default, reason = "JavaScript has no Default")]
    pub fn new() -> Self {
        Self {
            settings: SettingEngine::default(),
            limits: DEFAULT,
            certificates: Vec::new(),
            servers: Vec::new(),
            policy: RTCIceTransportPolicy::All,
            pool_size: 0,
        }
    }

    /// A preset of limits: `tiny`, `default` or `server`.
    ///
    /// # Errors
    /// `TypeError` for another name.
    pub fn set_limits(&mut self, preset: &str) -> Result<(), JsValue> {
        self.limits = match preset {
            "tiny" => Limits::TINY,
            "default" => DEFAULT,
            "server" => Limits {
                // JavaScript may ask for it.
                dtls: dtls::Limits { certificate: 1024, ..Limits::SERVER.dtls },
                ..Limits::SERVER
            },
            _ => return Err(exception("TypeError", &"limits are \"tiny\", \"default\" or \"server\"")),
        };
        Ok(())
    }

    /// How many data channels may exist at once.
    pub fn set_channels(&mut self, channels: u16) {
        self.limits.channel.channels = channels;
        self.limits.sctp.streams = self.limits.sctp.streams.max(channels);
    }

    /// Octets for messages that wait to be sent, and for received ones.
    pub fn set_buffers(&mut self, send: usize, receive: usize) {
        self.limits.sctp.send_buffer = send;
        self.limits.sctp.receive_buffer = receive;
    }

    /// The longest message to accept, in octets.
    pub fn set_max_message_size(&mut self, octets: usize) {
        self.limits.sctp.max_message_size = octets;
        self.settings.sctp_max_message_size = octets;
    }

    /// The largest datagram to send, in octets.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.settings.mtu = mtu;
    }

    /// The largest datagram where the path is seen to carry it, and to a peer
    /// on this machine, in octets; 0 is for none larger than `mtu`.
    pub fn set_max_mtu(&mut self, max: usize, within_host: usize) {
        self.settings.max_mtu = max;
        self.settings.max_mtu_within_host = within_host;
    }

    /// Whether loopback addresses become candidates.
    pub fn set_include_loopback(&mut self, include: bool) {
        self.settings.include_loopback_candidate = include;
    }

    /// Whether to be an ICE-lite agent.
    pub fn set_ice_lite(&mut self, lite: bool) {
        self.settings.ice_lite = lite;
    }

    /// The identity to use.
    pub fn add_certificate(&mut self, certificate: &Certificate) {
        self.certificates.push(certificate.inner.clone());
    }

    /// A STUN or TURN server; user name and credential are empty for the
    /// former.
    pub fn add_ice_server(&mut self, url: String, username: String, credential: String) {
        self.servers.push(Server { url, username, credential });
    }

    /// Whether only relayed candidates are told and used.
    pub fn set_relay_only(&mut self, relay_only: bool) {
        self.policy = if relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
    }

    /// Whether candidates are gathered before they are needed.
    pub fn set_ice_candidate_pool_size(&mut self, size: u8) {
        self.pool_size = size;
    }

    /// The octets of memory that a connection takes.
    pub fn heap_bytes(&self) -> usize {
        self.limits.heap_bytes()
    }
}

impl Setup {
    /// The largest datagram that is ever sent.
    pub(crate) fn largest_datagram(&self) -> usize {
        self.settings.mtu.max(self.settings.max_mtu).max(self.settings.max_mtu_within_host)
    }

    pub(crate) fn build(&self, now: f64, seed: &[u8]) -> Result<RTCPeerConnection, JsValue> {
        let seed = seed_of(seed)?;
        let built = self.with_configuration(|configuration| {
            RTCPeerConnectionBuilder::new()
                .with_crypto_provider(&PROVIDER)
                .with_configuration(configuration)
                .with_setting_engine(self.settings)
                .with_limits(self.limits)
                .build(instant(now), seed)
        });
        built.map_err(|e| match &e {
            BuildError::IceServer(server) => exception(server.name(), server),
            _ => exception("OperationError", &e),
        })
    }

    /// Gives a closure what of this is the W3C's configuration.
    pub(crate) fn with_configuration<T>(&self, call: impl FnOnce(RTCConfiguration<'_>) -> T) -> T {
        let urls: Vec<[&str; 1]> = self.servers.iter().map(|s| [s.url.as_str()]).collect();
        let servers: Vec<RTCIceServer<'_>> = self
            .servers
            .iter()
            .zip(&urls)
            .map(|(s, urls)| RTCIceServer { urls, username: &s.username, credential: &s.credential })
            .collect();
        call(RTCConfiguration {
            ice_servers: &servers,
            ice_transport_policy: self.policy,
            certificates: &self.certificates,
            ice_candidate_pool_size: self.pool_size,
            ..RTCConfiguration::default()
        })
    }
}
