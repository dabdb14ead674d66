//! The tasks of a device.

use embassy_time::{Duration, TimeoutError, with_timeout};

/// What a device is started with, besides its network card and its board.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What it decides once.
    pub config: picortc_embassy::Config,
    /// The PIN of its page.
    pub pin: &'static str,
    /// A random number for the network stack.
    pub noise: u64,
}

/// The tasks of a device whose network card is a `$card` and whose board is a
/// `$board`, for `$peers` peers at once with `$rx` octets of datagrams that
/// wait; and `start_device`, which starts them all. `$dial` is where the device
/// dials out to, an `Option` of a [`Dial`](crate::Dial); a constant `None`
/// leaves the client out of the image.
///
/// A task of embassy's has no type parameters; hence a macro. The board needs
/// `embassy-executor` among its own dependencies.
#[macro_export]
macro_rules! tasks {
    ($card:ty, $board:ty, $peers:expr, $rx:expr, $dial:expr) => {
        /// Starts the device: its network, its connections and its page.
        fn start_device(
            spawner: ::embassy_executor::Spawner,
            card: $card,
            board: &'static $board,
            setup: $crate::Setup,
        ) -> Result<(), ::embassy_executor::SpawnError> {
            use $crate::parts::{ConstStaticCell, StaticCell};
            use $crate::parts::{embassy_net, picortc_embassy};
            // DHCP, DNS, two of the connections' and one in the making, two of
            // the page's, the name's, and the one that dials.
            static STACK: StaticCell<embassy_net::StackResources<9>> = StaticCell::new();
            let net = embassy_net::Config::dhcpv4(Default::default());
            let memory = STACK.init(embassy_net::StackResources::new());
            let (stack, net) = embassy_net::new(card, net, memory, setup.noise);
            static RESOURCES: ConstStaticCell<picortc_embassy::Resources<{ $peers }, { $rx }>> =
                ConstStaticCell::new(picortc_embassy::Resources::new());
            $crate::introduce(&setup);
            let (rtc, runner) = picortc_embassy::new(stack, RESOURCES.take(), setup.config);
            static NAME: StaticCell<picortc_embassy::DeviceName> = StaticCell::new();
            let host: &'static _ = NAME.init(picortc_embassy::DeviceName::new());
            static SITE: StaticCell<$crate::Site<'static>> = StaticCell::new();
            let name = $crate::Board::name(board);
            let site: &'static _ = SITE.init($crate::Site::new(rtc, name, host, setup.pin));
            static HTTP: ConstStaticCell<[$crate::HttpBuffers; 2]> =
                ConstStaticCell::new([const { $crate::HttpBuffers::new() }; 2]);

            spawner.spawn(net_task(net)?);
            spawner.spawn(rtc_task(runner)?);
            for buffers in HTTP.take() {
                spawner.spawn(http_task(stack, site, buffers)?);
            }
            for _ in 0..$peers {
                spawner.spawn(peer_task(rtc, board)?);
            }
            spawner.spawn(name_task(stack, rtc, host)?);
            spawner.spawn(address_task(rtc, host)?);
            let dial: Option<$crate::Dial> = $dial;
            if let Some(dial) = dial {
                spawner.spawn(dial_task(stack, rtc, dial, setup.noise)?);
            }
            Ok(())
        }

        #[::embassy_executor::task]
        async fn net_task(mut net: $crate::parts::embassy_net::Runner<'static, $card>) -> ! {
            net.run().await
        }

        #[::embassy_executor::task]
        async fn rtc_task(mut runner: $crate::parts::picortc_embassy::Runner<'static>) -> ! {
            runner.run().await
        }

        #[::embassy_executor::task(pool_size = 2)]
        async fn http_task(
            stack: $crate::parts::embassy_net::Stack<'static>,
            site: &'static $crate::Site<'static>,
            buffers: &'static mut $crate::HttpBuffers,
        ) -> ! {
            $crate::serve_http(stack, site, buffers).await
        }

        #[::embassy_executor::task(pool_size = $peers)]
        async fn peer_task(rtc: $crate::parts::picortc_embassy::Rtc<'static>, board: &'static $board) -> ! {
            $crate::serve_peers(rtc, board).await
        }

        #[::embassy_executor::task]
        async fn dial_task(
            stack: $crate::parts::embassy_net::Stack<'static>,
            rtc: $crate::parts::picortc_embassy::Rtc<'static>,
            dial: $crate::Dial,
            noise: u64,
        ) -> ! {
            $crate::dial_out(stack, rtc, dial, noise).await
        }

        #[::embassy_executor::task]
        async fn name_task(
            stack: $crate::parts::embassy_net::Stack<'static>,
            rtc: $crate::parts::picortc_embassy::Rtc<'static>,
            host: &'static $crate::parts::picortc_embassy::DeviceName,
        ) -> ! {
            host.run(stack, rtc).await
        }

        #[::embassy_executor::task]
        async fn address_task(
            rtc: $crate::parts::picortc_embassy::Rtc<'static>,
            host: &'static $crate::parts::picortc_embassy::DeviceName,
        ) {
            $crate::tell_address(rtc, host).await
        }
    };
}

/// Says who the device is.
pub fn introduce(setup: &Setup) {
    #[cfg(feature = "defmt")]
    let fingerprint = defmt::Display2Format(setup.config.certificate.fingerprint());
    #[cfg(not(feature = "defmt"))]
    let fingerprint = setup.config.certificate.fingerprint();
    info!("identity {}", fingerprint);
    info!("the PIN is {}", setup.pin);
}

/// A network without an address after this long is worth a line on the console.
const NO_ADDRESS: Duration = Duration::from_secs(8);

/// Says where the page is, or that there is no address yet.
pub async fn tell_address(rtc: picortc_embassy::Rtc<'_>, host: &picortc_embassy::DeviceName) {
    let mut patience = NO_ADDRESS;
    let address = loop {
        match with_timeout(patience, rtc.wait_for_address()).await {
            Ok(address) => break address,
            Err(TimeoutError) => warn!("no address: is there a network, and a DHCP server on it?"),
        }
        patience = (patience * 2).min(NO_ADDRESS * 6);
    };
    #[cfg(feature = "defmt")]
    let address = defmt::Display2Format(&address);
    info!("the page is at http://{}/", address);
    host.wait().await;
    host.with(|name| info!("the page is at http://{}/ too", name.unwrap_or_default()));
}
