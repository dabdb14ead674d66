//! A name of the device on its own network: `picortc-xxxx.local`, so that a
//! person need not know its address.

use crate::rtc::{Addresses, Rtc};
use core::cell::{Cell, RefCell};
use core::fmt::Write;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Context, Poll};
use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpMetadata, UdpSocket};
use embassy_sync::waitqueue::MultiWakerRegistration;
use embassy_time::{Duration, Instant, Timer};
use picortc::dtls::Fingerprint;
use picortc::env::TransportContext;
use picortc::mdns::{GROUP_V4, Limits, Mdns, NameState, Ownership, PORT};

/// `picortc-`, four digits, and `.local`.
type Text = heapless::String<18>;

/// The name of the device on its network, by multicast DNS over IPv4: the start
/// of its identity's fingerprint, so that it stays the same as long as that is
/// kept. When somebody has it already, the next digits are tried.
///
/// Spawn [`run`](Self::run). The stack needs room for one more socket, and a
/// network card that lets multicast in.
#[derive(Debug)]
pub struct DeviceName {
    text: RefCell<Text>,
    is_ours: Cell<bool>,
    news: RefCell<MultiWakerRegistration<2>>,
}

impl Default for DeviceName {
    fn default() -> Self {
        Self::new()
    }
}

/// How a round of the responder ends.
enum End {
    /// The device has other addresses.
    Moved,
    /// Somebody else has the name.
    Taken,
}

impl DeviceName {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            text: RefCell::new(Text::new()),
            is_ours: Cell::new(false),
            news: RefCell::new(MultiWakerRegistration::new()),
        }
    }

    /// Looks at the name; `None` as long as it is not known to be ours.
    pub fn with<R>(&self, look: impl FnOnce(Option<&str>) -> R) -> R {
        let text = self.text.borrow();
        look(self.is_ours.get().then_some(text.as_str()))
    }

    /// Waits until the device has a name.
    pub async fn wait(&self) {
        poll_fn(|cx| {
            if self.is_ours.get() {
                return Poll::Ready(());
            }
            self.news.borrow_mut().register(cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Finds a name and answers for it, for ever.
    pub async fn run(&self, stack: Stack<'_>, rtc: Rtc<'_>) -> ! {
        let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 2]);
        let (mut rx, mut tx) = ([0; 1500], [0; 512]);
        let mut choice = 0;
        loop {
            rtc.wait_for_address().await;
            let addresses = rtc.addresses();
            let fingerprint = rtc.fingerprint();
            if let Some(text) = fingerprint.as_ref().and_then(|it| candidate(it, choice)) {
                *self.text.borrow_mut() = text;
            }
            let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
            // "All Multicast DNS responses (including responses sent via unicast)
            // SHOULD be sent with IP TTL set to 255" (RFC 6762, Section 11).
            socket.set_hop_limit(Some(255));
            let joined = stack.join_multicast_group(GROUP_V4).is_ok();
            // A port that is not 0 and a socket that is new: it cannot fail.
            let _ = socket.bind(PORT);
            let end = match Mdns::new(&Limits { published: 1, asked: 0, replies: 2 }) {
                Ok(mdns) if joined => self.serve(mdns, &socket, stack, rtc, addresses).await,
                _ => {
                    info!("no name: no memory for it, or no multicast");
                    changed(rtc, addresses).await;
                    End::Moved
                }
            };
            self.is_ours.set(false);
            if let End::Taken = end {
                info!("{} is somebody else's name", self.text.borrow().as_str());
                choice += 1;
            }
        }
    }

    async fn serve(
        &self,
        mut mdns: Mdns,
        socket: &UdpSocket<'_>,
        stack: Stack<'_>,
        rtc: Rtc<'_>,
        addresses: Addresses,
    ) -> End {
        let v4 = addresses.into_iter().flatten().find(SocketAddr::is_ipv4);
        let (Some(address), Some(prefix_len)) = (v4, prefix_len(stack)) else {
            changed(rtc, addresses).await;
            return End::Moved;
        };
        let local = SocketAddr::new(address.ip(), PORT);
        let text = self.text.borrow().clone();
        // There is room for one of each.
        let _ = mdns.add_interface(crate::now(), local, prefix_len);
        let _ = mdns.publish(crate::now(), &text, address.ip(), Ownership::Probe);
        let mut buf = [0; 1472];
        loop {
            mdns.handle_timeout(crate::now());
            while let Some(transmit) = mdns.poll_write(crate::now(), &mut buf) {
                let SocketAddr::V4(peer) = transmit.transport.peer_addr else { continue };
                let meta = UdpMetadata::from((*peer.ip(), peer.port()));
                let datagram = buf.get(..transmit.len).unwrap_or_default();
                // What cannot be sent is asked for again.
                let sending = poll_fn(|cx: &mut Context<'_>| socket.poll_send_to(datagram, meta, cx));
                let _ = embassy_time::with_timeout(Duration::from_millis(200), sending).await;
            }
            while mdns.poll_event().is_some() {}
            match mdns.state(&text) {
                Some(NameState::Conflict) => return End::Taken,
                Some(NameState::Established) if !self.is_ours.replace(true) => {
                    info!("the name is {}", text.as_str());
                    self.news.borrow_mut().wake();
                }
                _ => {}
            }
            let mut deadline = pin!(async {
                match mdns.poll_timeout() {
                    Some(at) => Timer::at(Instant::from_micros(at.as_micros())).await,
                    None => core::future::pending().await,
                }
            });
            let mut moved = pin!(changed(rtc, addresses));
            let received = poll_fn(|cx| {
                if moved.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(End::Moved));
                }
                if let Poll::Ready(received) = socket.poll_recv_from(&mut buf, cx) {
                    return Poll::Ready(Ok(received.ok()));
                }
                deadline.as_mut().poll(cx).map(|()| Ok(None))
            })
            .await;
            match received {
                Err(end) => return end,
                Ok(None) => {}
                Ok(Some((len, meta))) => {
                    let from = SocketAddr::new(meta.endpoint.addr.into(), meta.endpoint.port);
                    let datagram = buf.get(..len).unwrap_or_default();
                    mdns.handle_read(crate::now(), TransportContext::udp(local, from), datagram);
                }
            }
        }
    }
}

/// Waits until the addresses are others.
async fn changed(rtc: Rtc<'_>, addresses: Addresses) {
    poll_fn(|cx| {
        if rtc.addresses() != addresses {
            return Poll::Ready(());
        }
        rtc.shared.news.borrow_mut().register(cx.waker());
        Poll::Pending
    })
    .await;
}

fn prefix_len(stack: Stack<'_>) -> Option<u8> {
    stack.config_v4().map(|config| config.address.prefix_len())
}

/// The name that is tried after `choice` others; after the last octets of the
/// fingerprint, the first ones again.
fn candidate(fingerprint: &Fingerprint, choice: usize) -> Option<Text> {
    let pairs = fingerprint.digest().chunks_exact(2);
    let pair = pairs.cycle().nth(choice)?;
    let mut text = Text::new();
    text.push_str("picortc-").ok()?;
    for octet in pair {
        write!(text, "{octet:02x}").ok()?;
    }
    text.push_str(".local").ok()?;
    Some(text)
}
