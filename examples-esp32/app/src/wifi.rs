//! A station that stays in its network, and says on the console why when it is
//! not in it. What a radio does is the board's; what is done about it is here,
//! where it runs on a host too (`embedded/tests/wifi.rs`).

use core::fmt;
use embassy_time::{Duration, Timer};

/// After so long the next attempt is made.
pub const NEXT_ATTEMPT: Duration = Duration::from_secs(3);

/// Why a station is not in its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoNetwork {
    /// No access point has that name, or none is near enough.
    NotFound,
    /// The access point did not let it in.
    Refused,
    /// What the board's radio has another word for.
    Other(&'static str),
}

impl fmt::Display for NoNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no such network here; is SSID right?"),
            Self::Refused => f.write_str("the network does not let this device in; is PASSWORD right?"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// A radio.
#[allow(async_fn_in_trait, reason = "one executor does everything")]
pub trait Station {
    /// Goes into the network.
    async fn connect(&mut self) -> Result<(), NoNetwork>;

    /// Waits until it is not in it any more.
    async fn lost(&mut self);

    /// What else the radio has to do for so long.
    async fn idle(&mut self, time: Duration) {
        Timer::after(time).await;
    }
}

/// Goes into the network `ssid`, and again whenever it is not in it.
pub async fn stay_connected(station: &mut impl Station, ssid: &str, again: Duration) -> ! {
    loop {
        info!("connecting to {:?}", ssid);
        match station.connect().await {
            Ok(()) => {
                info!("connected to {:?}", ssid);
                station.lost().await;
                warn!("the network {:?} is gone", ssid);
            }
            Err(why) => {
                #[cfg(feature = "defmt")]
                let why = defmt::Display2Format(&why);
                warn!("no connection to {:?}: {}", ssid, why);
            }
        }
        station.idle(again).await;
    }
}
