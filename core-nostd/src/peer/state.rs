//! The states of a connection, as the W3C names them.

macro_rules! state {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The value's name in the W3C's interface.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use state;

state! {
    /// How ICE and DTLS together stand (W3C WebRTC, Section 4.3.3).
    RTCPeerConnectionState {
        /// Nothing has started.
        #[default]
        New = "new",
        /// ICE or DTLS is being established.
        Connecting = "connecting",
        /// Data can flow.
        Connected = "connected",
        /// The path is silent; it may come back.
        Disconnected = "disconnected",
        /// ICE or DTLS has failed.
        Failed = "failed",
        /// The connection was closed by its owner.
        Closed = "closed",
    }
}

state! {
    /// How ICE stands (W3C WebRTC, Section 4.3.4).
    RTCIceConnectionState {
        /// No checks yet.
        #[default]
        New = "new",
        /// Checks are running.
        Checking = "checking",
        /// A pair works; checks may still run.
        Connected = "connected",
        /// A pair was nominated and checks have ended.
        Completed = "completed",
        /// Consent checks go unanswered.
        Disconnected = "disconnected",
        /// No pair works.
        Failed = "failed",
        /// Closed.
        Closed = "closed",
    }
}

state! {
    /// How the gathering of candidates stands (W3C WebRTC, Section 4.3.2).
    RTCIceGatheringState {
        /// Gathering has not started.
        #[default]
        New = "new",
        /// More candidates may come.
        Gathering = "gathering",
        /// All candidates are known.
        Complete = "complete",
    }
}

state! {
    /// How DTLS stands (W3C WebRTC, Section 5.5.1).
    RTCDtlsTransportState {
        /// Not started.
        #[default]
        New = "new",
        /// The handshake is running.
        Connecting = "connecting",
        /// The handshake is done and the peer's fingerprint was verified.
        Connected = "connected",
        /// Closed by either end.
        Closed = "closed",
        /// The handshake failed, or the fingerprint was wrong.
        Failed = "failed",
    }
}

state! {
    /// How SCTP stands (W3C WebRTC, Section 6.1.2).
    RTCSctpTransportState {
        /// Not yet established.
        #[default]
        Connecting = "connecting",
        /// Established.
        Connected = "connected",
        /// Shut down, aborted or failed.
        Closed = "closed",
    }
}
