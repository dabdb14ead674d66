//! Construction: all memory that a connection will ever have.

use super::configuration::{RTCConfiguration, RTCDtlsRole, RTCIceTransportPolicy, SettingEngine};
#[cfg(feature = "path-mtu")]
use super::connection::PathMtu;
use super::connection::{AddressPolicy, Counters, Marks, RTCPeerConnection};
use super::gather::Gatherer;
use super::ice_servers::IceServerError;
use super::jsep::Jsep;
use super::limits::Limits;
use super::mdns::{MulticastDnsMode, Names};
use super::reconfigure::Policies;
use super::signals::Signals;
use super::streams::Streams;
use crate::channel::Channels;
use crate::crypto::CryptoProvider;
use crate::dtls::{self, Certificate, CertificateError};
use crate::env::{Env, Instant, Rng};
use crate::ice;
use crate::mem::{OutOfMemory, Placed};
use crate::sctp;
use crate::wire::sdp::Setup;

/// Builds an [`RTCPeerConnection`].
///
/// ```
/// use picortc::env::Instant;
/// use picortc::peer::{Limits, RTCConfiguration, RTCPeerConnectionBuilder};
///
/// // From the operating system, or the chip's generator.
/// let seed = [7; 32];
/// let pc = RTCPeerConnectionBuilder::new()
///     .with_configuration(RTCConfiguration::default())
///     .with_limits(Limits::DEFAULT)
///     .build(Instant::ZERO, seed)?;
/// # Ok::<_, picortc::peer::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RTCPeerConnectionBuilder<'a> {
    configuration: RTCConfiguration<'a>,
    settings: SettingEngine,
    limits: Limits,
    provider: Option<&'static CryptoProvider>,
}

/// Why a connection could not be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BuildError {
    /// The allocator refused memory.
    OutOfMemory,
    /// There is no crypto provider: the feature `rust-crypto` is off and none
    /// was given.
    NoCryptoProvider,
    /// A certificate could not be made.
    Certificate(CertificateError),
    /// A STUN or TURN server is of no use.
    IceServer(IceServerError),
    /// [`SettingEngine::mtu`] is below 576 octets.
    MtuTooSmall,
    /// [`SettingEngine::dscp`] is above 63.
    Dscp,
}

impl core::fmt::Display for BuildError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfMemory => OutOfMemory.fmt(f),
            Self::NoCryptoProvider => {
                f.write_str("no crypto provider: enable the feature rust-crypto or give one to the builder")
            }
            Self::Certificate(e) => e.fmt(f),
            Self::IceServer(e) => e.fmt(f),
            Self::MtuTooSmall => f.write_str("the MTU must be 576 octets at least"),
            Self::Dscp => f.write_str("a DSCP has six bits: 63 at most"),
        }
    }
}

impl core::error::Error for BuildError {}

impl From<OutOfMemory> for BuildError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<IceServerError> for BuildError {
    fn from(e: IceServerError) -> Self {
        Self::IceServer(e)
    }
}

impl From<CertificateError> for BuildError {
    fn from(e: CertificateError) -> Self {
        Self::Certificate(e)
    }
}

impl Default for RTCPeerConnectionBuilder<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> RTCPeerConnectionBuilder<'a> {
    /// A builder with the defaults of browsers.
    pub fn new() -> Self {
        Self {
            configuration: RTCConfiguration::default(),
            settings: SettingEngine::default(),
            limits: Limits::DEFAULT,
            #[cfg(feature = "rust-crypto")]
            provider: Some(&crate::crypto::rust_crypto::PROVIDER),
            #[cfg(not(feature = "rust-crypto"))]
            provider: None,
        }
    }

    /// The W3C's configuration.
    pub fn with_configuration(mut self, configuration: RTCConfiguration<'a>) -> Self {
        self.configuration = configuration;
        self
    }

    /// Knobs below the W3C's interface.
    pub fn with_setting_engine(mut self, settings: SettingEngine) -> Self {
        self.settings = settings;
        self
    }

    /// How much memory the connection takes.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What it computes with.
    pub fn with_crypto_provider(mut self, provider: &'static CryptoProvider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Builds the connection. `seed` must come from a cryptographic source;
    /// everything random is drawn from it.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(self, now: Instant, seed: [u8; 32]) -> Result<RTCPeerConnection, BuildError> {
        let Self { configuration, settings, limits, provider } = self;
        let provider = provider.ok_or(BuildError::NoCryptoProvider)?;
        if settings.mtu < 576 {
            return Err(BuildError::MtuTooSmall);
        }
        if settings.dscp > 63 {
            return Err(BuildError::Dscp);
        }
        let mut rng = Rng::new(seed);
        let certificate = match configuration.certificates.first() {
            Some(certificate) => certificate.clone(),
            None => Certificate::generate(provider, &mut rng)?,
        };
        let ice_config = ice::Config {
            lite: settings.ice_lite,
            renomination: settings.ice_renomination,
            simultaneous_open: settings.ice_tcp_simultaneous_open,
            #[cfg(feature = "turn-tcp")]
            relays_tcp: settings.turn_tcp_allocations,
            consent_interval: settings.ice_keepalive_interval,
            disconnected_timeout: settings.ice_disconnected_timeout,
            failed_timeout: settings.ice_failed_timeout,
            hide_host_addresses: settings.multicast_dns_mode == MulticastDnsMode::QueryAndGather,
            ..ice::Config::default()
        };
        let env = &mut Env::new(now, &mut rng);
        let ice = Placed::new(|| ice::Agent::new(ice_config, provider.hashes, &limits.ice, env))?;
        let dtls_config = dtls::Config {
            min_version: settings.dtls_min_version,
            max_version: settings.dtls_max_version,
            mtu: settings.mtu,
            hello_verify: settings.dtls_hello_verify,
            connection_id: settings.dtls_connection_id,
            defer_operations: settings.defer_public_key_operations,
            ..dtls::Config::new(provider, certificate)
        };
        let sctp_config = sctp::Config {
            interleaving: settings.sctp_interleaving,
            zero_checksum: settings.sctp_zero_checksum,
            ..sctp::Config::new(provider.hashes)
        };
        let answer_setup = match settings.answering_dtls_role {
            RTCDtlsRole::Client => Setup::Active,
            RTCDtlsRole::Server => Setup::Passive,
        };
        let mut gather = Gatherer::new(&limits.gather, now)?;
        gather.servers.set(configuration.ice_servers)?;
        #[cfg(feature = "turn")]
        let mut gather = gather.with_clients(provider.hashes, &limits.turn)?;
        #[cfg(feature = "turn-tcp")]
        {
            gather.relays_tcp = settings.turn_tcp_allocations;
        }
        gather.relay_only = configuration.ice_transport_policy == RTCIceTransportPolicy::Relay;
        let mut pc = RTCPeerConnection {
            now,
            ice,
            dtls: Placed::new(|| dtls::Connection::new(dtls_config, &limits.dtls))?,
            sctp: Placed::new(|| sctp::Association::new(sctp_config, &limits.sctp, &mut rng))?,
            channels: Channels::new(&limits.channel)?,
            jsep: Jsep::new(limits.jsep, rng.next_u64())?,
            signals: Signals::new(now),
            streams: Streams::new(&limits.streams)?,
            names: Names::new(settings.multicast_dns_mode, &limits.ice)?,
            gather,
            addresses: AddressPolicy {
                include_loopback: settings.include_loopback_candidate,
                filter: settings.address_filter,
                nat_1to1: settings.nat_1to1,
            },
            policies: Policies {
                bundle: configuration.bundle_policy,
                pool_size: configuration.ice_candidate_pool_size,
            },
            max_message_size: settings.sctp_max_message_size.min(limits.sctp.max_message_size),
            mtu: settings.mtu,
            #[cfg(feature = "path-mtu")]
            path_mtu: PathMtu {
                max: settings.max_mtu,
                max_within_host: settings.max_mtu_within_host,
                path: None,
            },
            marks: Marks { dscp: settings.dscp, ecn: settings.ecn },
            answer_setup,
            rng,
            dtls_role: None,
            dtls_ended: None,
            sctp_closed: false,
            held: None,
            closing: false,
            closed: false,
            wants_data: false,
            end_of_candidates: false,
            counters: Counters::default(),
        };
        #[cfg(feature = "snap")]
        pc.jsep.set_snap(settings.sctp_snap);
        if configuration.ice_candidate_pool_size > 0 {
            pc.start_pool();
        }
        pc.dtls.prepare(&mut Env::new(now, &mut pc.rng));
        Ok(pc)
    }
}
