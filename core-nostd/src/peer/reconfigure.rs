//! `setConfiguration` and `getConfiguration` (W3C WebRTC, Section 4.4.1.6).

use super::configuration::{RTCBundlePolicy, RTCConfiguration, RTCIceTransportPolicy};
use super::connection::RTCPeerConnection;
use super::ice_servers::{IceServerError, RTCIceServerUrl};
use crate::env::Instant;
use core::fmt;

/// Why a configuration was not taken. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConfigurationError {
    /// A STUN or TURN server is of no use.
    IceServer(IceServerError),
    /// The certificate, or the bundle policy, cannot change any more, nor the
    /// size of the candidate pool once there is a local description.
    InvalidModification,
    /// The connection is closed.
    Closed,
}

impl ConfigurationError {
    /// The name of the exception that the W3C's interface has for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::IceServer(e) => e.name(),
            Self::InvalidModification => "InvalidModificationError",
            Self::Closed => "InvalidStateError",
        }
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IceServer(e) => e.fmt(f),
            Self::InvalidModification => f.write_str(
                "the certificate and the bundle policy cannot be changed, nor the candidate pool once there is a local description",
            ),
            Self::Closed => f.write_str("the connection is closed"),
        }
    }
}

impl core::error::Error for ConfigurationError {}

impl From<IceServerError> for ConfigurationError {
    fn from(e: IceServerError) -> Self {
        Self::IceServer(e)
    }
}

/// What of the configuration does not change, or not by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policies {
    pub(super) bundle: RTCBundlePolicy,
    pub(super) pool_size: u8,
}

/// The configuration in use.
#[derive(Debug, Clone, Copy)]
pub struct RTCConfigurationInUse<'a> {
    pc: &'a RTCPeerConnection,
    /// Which candidates may be used.
    pub ice_transport_policy: RTCIceTransportPolicy,
    /// How media sections share transports.
    pub bundle_policy: RTCBundlePolicy,
    /// Whether candidates are gathered before they are needed.
    pub ice_candidate_pool_size: u8,
}

impl<'a> RTCConfigurationInUse<'a> {
    /// The URLs of the STUN and TURN servers. Passwords are not told.
    pub fn ice_servers(&self) -> impl Iterator<Item = RTCIceServerUrl<'a>> + use<'a> {
        let servers = &self.pc.gather.servers;
        (0..servers.list.len()).filter_map(|i| servers.url(i as u8))
    }
}

impl RTCPeerConnection {
    /// The configuration in use.
    pub fn get_configuration(&self) -> RTCConfigurationInUse<'_> {
        RTCConfigurationInUse {
            pc: self,
            ice_transport_policy: if self.gather.relay_only {
                RTCIceTransportPolicy::Relay
            } else {
                RTCIceTransportPolicy::All
            },
            bundle_policy: self.policies.bundle,
            ice_candidate_pool_size: self.policies.pool_size,
        }
    }

    /// Takes another configuration. Servers, their credentials and the
    /// transport policy count from the next gathering on, which an ICE restart
    /// begins; what was gathered goes on as it was.
    ///
    /// # Errors
    /// [`ConfigurationError`].
    pub fn set_configuration(
        &mut self,
        now: Instant,
        configuration: RTCConfiguration<'_>,
    ) -> Result<(), ConfigurationError> {
        self.tick(now);
        if self.closing {
            return Err(ConfigurationError::Closed);
        }
        let same = |c: &crate::dtls::Certificate| c.fingerprint() == self.certificate().fingerprint();
        let begun = self.local_description().is_some();
        let pool_size = configuration.ice_candidate_pool_size;
        if configuration.certificates.first().is_some_and(|c| !same(c))
            || configuration.bundle_policy != self.policies.bundle
            || begun && pool_size != self.policies.pool_size
        {
            return Err(ConfigurationError::InvalidModification);
        }
        self.gather.servers.set(configuration.ice_servers)?;
        self.gather.relay_only = configuration.ice_transport_policy == RTCIceTransportPolicy::Relay;
        self.policies.pool_size = pool_size;
        self.servers_changed();
        if pool_size > 0 && !begun {
            self.start_pool();
        }
        self.progress();
        Ok(())
    }
}
