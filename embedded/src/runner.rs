//! The task between the socket and the connections.

use crate::rtc::{Addresses, PeerId, Rtc, both};
use crate::worker::Worker;
use core::future::{Future, poll_fn};
use core::net::{IpAddr, SocketAddr};
use core::pin::pin;
use core::task::{Context, Poll};
use embassy_futures::select::{Either, select};
use embassy_net::udp::{PacketMetadata, UdpMetadata, UdpSocket};
use embassy_net::{IpAddress, IpEndpoint, Stack};
use embassy_time::{Duration, Instant, Timer};
use picortc::env::{TransportContext, TransportProtocol};
use picortc::peer::{RTCEvent, RTCPeerConnection};
use picortc::wire::stun;

/// No datagram on an Ethernet has more.
const MAX_DATAGRAM: usize = 1472;
/// Datagrams that are taken in before others have their turn.
const BURST: usize = 16;
/// For how long a datagram to a peer waits for room, before whatever holds up
/// the socket is given up.
const DATA_TIMEOUT: Duration = Duration::from_millis(200);
/// For how long a check waits for the one before it, which may wait for the
/// hardware address of nobody. Checks are 50 ms apart; an address that answers
/// later is known when the check is repeated.
const CHECK_TIMEOUT: Duration = Duration::from_millis(20);

/// What the runner counted since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams received.
    pub received: u32,
    /// Datagrams sent.
    pub sent: u32,
    /// Datagrams that belong to no connection.
    pub strange: u32,
    /// Datagrams that could not be sent: no route, or nobody at the address.
    pub unsent: u32,
}

impl Counters {
    pub(crate) const NONE: Self = Self { received: 0, sent: 0, strange: 0, unsent: 0 };
}

/// The memory of the socket for checks.
pub(crate) struct Probes {
    rx_meta: [PacketMetadata; 1],
    rx: [u8; 0],
    tx_meta: [PacketMetadata; 1],
    tx: [u8; 512],
}

impl Probes {
    pub(crate) const fn new() -> Self {
        Self { rx_meta: [PacketMetadata::EMPTY], rx: [], tx_meta: [PacketMetadata::EMPTY], tx: [0; 512] }
    }
}

/// The memory of the sockets.
pub(crate) struct Sockets<'d> {
    pub(crate) rx_meta: &'d mut [PacketMetadata],
    pub(crate) rx: &'d mut [u8],
    pub(crate) tx_meta: &'d mut [PacketMetadata],
    pub(crate) tx: &'d mut [u8],
    pub(crate) probes: &'d mut Probes,
}

/// The task between the socket and the connections: spawn [`run`](Self::run).
pub struct Runner<'d> {
    stack: Stack<'d>,
    sockets: Sockets<'d>,
    drive: Drive<'d>,
}

impl core::fmt::Debug for Runner<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Runner").field("rtc", &self.drive.rtc).finish_non_exhaustive()
    }
}

impl<'d> Runner<'d> {
    pub(crate) fn new(
        rtc: Rtc<'d>,
        stack: Stack<'d>,
        sockets: Sockets<'d>,
        worker: Option<&'static Worker>,
    ) -> Self {
        let drive = Drive {
            rtc,
            stack,
            worker,
            port: rtc.shared.port(),
            buf: [0; MAX_DATAGRAM],
            waiting: None,
            counters: Counters::NONE,
        };
        Self { stack, sockets, drive }
    }

    /// Runs for ever. It sleeps until a datagram, a deadline, a finished
    /// computation, another address, or something that a handle did.
    pub async fn run(&mut self) -> ! {
        let Self { stack, sockets, drive } = self;
        loop {
            // In this order: what arrives goes to the first of two sockets
            // that have the same port.
            let Sockets { rx_meta, rx, tx_meta, tx, probes } = sockets;
            let mut data = UdpSocket::new(*stack, rx_meta, rx, tx_meta, tx);
            // A port that is not 0 and a socket that is new: it cannot fail.
            let _ = data.bind(drive.port);
            drive.port = data.endpoint().port;
            loop {
                let Probes { rx_meta, rx, tx_meta, tx } = &mut **probes;
                let mut checks = UdpSocket::new(*stack, rx_meta, rx, tx_meta, tx);
                let _ = checks.bind(drive.port);
                match drive.run(&mut data, &mut checks).await {
                    Stuck::Checks => debug!("nobody at an address that was to be checked"),
                    Stuck::Data => {
                        info!("nobody at a peer's address any more");
                        break;
                    }
                }
            }
        }
    }
}

/// Which socket makes no progress. A datagram to an address on the local
/// network whose owner does not answer stays at the head of its socket in
/// smoltcp, and everything behind it waits, for ever. So what may meet such an
/// address, checks of the peer's candidates, has a socket of its own with room
/// for one, and a socket that is stuck is made anew: what is lost with it is
/// sent again by the protocols.
#[derive(Debug, Clone, Copy)]
enum Stuck {
    Checks,
    Data,
}

struct Drive<'d> {
    rtc: Rtc<'d>,
    stack: Stack<'d>,
    worker: Option<&'static Worker>,
    port: u16,
    buf: [u8; MAX_DATAGRAM],
    /// The datagram in `buf` that found a socket stuck: to be sent first.
    waiting: Option<(usize, UdpMetadata, bool)>,
    counters: Counters,
}

impl Drive<'_> {
    async fn run(&mut self, data: &mut UdpSocket<'_>, checks: &mut UdpSocket<'_>) -> Stuck {
        if let Some((len, meta, is_validated)) = self.waiting.take() {
            let socket = if is_validated { &*data } else { &*checks };
            let datagram = self.buf.get(..len).unwrap_or_default();
            // A new socket has room for it.
            let sent = send(socket, datagram, meta, CHECK_TIMEOUT).await == Some(true);
            self.counters.sent += u32::from(sent);
        }
        loop {
            self.update_addresses();
            let mut touched = self.receive(data).await;
            touched |= self.work();
            touched |= self.expire();
            if self.rtc.shared.take_work() {
                touched = u16::MAX;
            }
            for index in 0..self.rtc.slots.len() {
                if touched & 1 << index != 0
                    && let Err(stuck) = self.flush(index, data, checks).await
                {
                    self.rtc.shared.wake_runner();
                    return stuck;
                }
            }
            self.rtc.shared.counters.set(self.counters);
            self.wait(data).await;
        }
    }

    /// Sleeps until there is something to do.
    async fn wait(&self, data: &UdpSocket<'_>) {
        let deadline =
            self.rtc.slots.iter().filter_map(|slot| slot.borrow().pc.as_ref()?.poll_timeout()).min();
        let mut deadline = pin!(async {
            match deadline {
                Some(at) => Timer::at(Instant::from_micros(at.as_micros())).await,
                None => core::future::pending().await,
            }
        });
        let up = self.stack.is_config_up();
        let mut state = pin!(async {
            if up { self.stack.wait_config_down().await } else { self.stack.wait_config_up().await }
        });
        poll_fn(|cx| {
            let mut ready = data.poll_recv_ready(cx).is_ready();
            ready |= self.worker.is_some_and(|worker| worker.poll_done(cx).is_ready());
            ready |= self.rtc.shared.poll_work(cx).is_ready();
            ready |= deadline.as_mut().poll(cx).is_ready();
            ready |= state.as_mut().poll(cx).is_ready() || self.seen() != self.rtc.seen();
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The stack's addresses.
    fn seen(&self) -> Addresses {
        let mut seen = [None; 2];
        #[cfg(feature = "proto-ipv4")]
        if let Some(config) = self.stack.config_v4() {
            seen[0] = Some(SocketAddr::from((config.address.address(), self.port)));
        }
        #[cfg(feature = "proto-ipv6")]
        if let Some(config) = self.stack.config_v6() {
            seen[1] = Some(SocketAddr::from((config.address.address(), self.port)));
        }
        seen
    }

    /// Tells the connections of addresses that came or went. An address that
    /// went without another one is kept: the link may be back in a moment, with
    /// the same address, and connections outlast that.
    fn update_addresses(&mut self) {
        let (known, seen) = (self.rtc.addresses(), self.seen());
        self.rtc.shared.lost.set(both(known, seen, |known, seen| known.is_some() && seen.is_none()));
        let next: Addresses = both(known, seen, |known, seen| seen.or(known));
        if next == known {
            return;
        }
        let (now, protocol) = (crate::now(), TransportProtocol::Udp);
        self.rtc.shared.addresses.set(next);
        for (old, new) in known.into_iter().zip(next).filter(|(old, new)| old != new) {
            if let Some(addr) = new {
                #[cfg(feature = "defmt")]
                let addr = defmt::Display2Format(&addr);
                info!("local address {}", addr);
            }
            for slot in self.rtc.slots {
                let mut slot = slot.borrow_mut();
                let Some(pc) = &mut slot.pc else { continue };
                if let Some(addr) = new {
                    pc.handle_event(now, RTCEvent::LocalAddressAdded { addr, protocol });
                }
                if let Some(addr) = old {
                    pc.handle_event(now, RTCEvent::LocalAddressRemoved { addr, protocol });
                }
            }
        }
        self.rtc.shared.wake_runner();
        self.rtc.shared.news.borrow_mut().wake();
    }

    /// Takes in datagrams; says which connections they were for.
    async fn receive(&mut self, socket: &UdpSocket<'_>) -> u16 {
        let mut touched = 0;
        for _ in 0..BURST {
            let received = poll_fn(|cx| Poll::Ready(socket.poll_recv_from(&mut self.buf, cx))).await;
            let Poll::Ready(received) = received else { break };
            self.counters.received += 1;
            let Ok((len, meta)) = received else {
                self.counters.strange += 1;
                continue;
            };
            let Some(local) = meta.local_address else { continue };
            let local = SocketAddr::new(local.into(), self.port);
            let remote = SocketAddr::new(meta.endpoint.addr.into(), meta.endpoint.port);
            let taken = self.route(TransportContext::udp(local, remote), len);
            self.counters.strange += u32::from(taken == 0);
            touched |= taken;
        }
        touched
    }

    /// Gives a datagram to its connection: the one that the check's ufrag
    /// names; or the one that has validated the path; or, while paths are being
    /// checked, whichever knows it, and the others drop it.
    fn route(&mut self, path: TransportContext, len: usize) -> u16 {
        let now = crate::now();
        let Some(datagram) = self.buf.get_mut(..len) else { return 0 };
        let slots = self.rtc.slots;
        let find = |is_it: &dyn Fn(&RTCPeerConnection) -> bool| {
            slots.iter().position(|slot| slot.borrow().pc.as_ref().is_some_and(is_it))
        };
        let named = stun::peek_local_ufrag(datagram);
        let found = match named {
            Some(ufrag) => find(&|pc| pc.local_ufrag() == ufrag),
            None => find(&|pc| pc.is_validated_path(&path)),
        };
        let tried = match (found, named) {
            (Some(index), _) => 1 << index,
            (None, Some(_)) => 0,
            (None, None) => u16::MAX,
        };
        let mut touched = 0;
        for (index, slot) in slots.iter().enumerate() {
            let mut slot = slot.borrow_mut();
            if tried & 1 << index != 0
                && let Some(pc) = &mut slot.pc
            {
                pc.handle_read(now, path, datagram);
                touched |= 1 << index;
            }
        }
        touched
    }

    /// Gives the worker something to do, and takes back what it did.
    fn work(&mut self) -> u16 {
        let Some(worker) = self.worker else { return 0 };
        let mut touched = 0;
        if let Some((who, outcome)) = worker.take_done()
            && let Some(slot) = self.rtc.slot(who)
            && let Some(pc) = &mut slot.borrow_mut().pc
        {
            pc.handle_operation(crate::now(), outcome);
            touched |= 1 << who.slot;
        }
        for (index, slot) in self.rtc.slots.iter().enumerate() {
            if !worker.is_idle() {
                break;
            }
            let mut slot = slot.borrow_mut();
            let who = PeerId { slot: index as u8, generation: slot.generation };
            if let Some(operation) = slot.pc.as_mut().and_then(RTCPeerConnection::pending_operation) {
                worker.ask(who, operation);
            }
        }
        touched
    }

    /// Does what is due.
    fn expire(&mut self) -> u16 {
        let now = crate::now();
        let mut touched = 0;
        for (index, slot) in self.rtc.slots.iter().enumerate() {
            if let Some(pc) = &mut slot.borrow_mut().pc
                && pc.poll_timeout().is_some_and(|at| at <= now)
            {
                pc.handle_timeout(now);
                touched |= 1 << index;
            }
        }
        touched
    }

    /// Sends all that a connection has to send, wakes its task, and frees its
    /// place when it is over.
    async fn flush(
        &mut self,
        index: usize,
        data: &UdpSocket<'_>,
        checks: &UdpSocket<'_>,
    ) -> Result<(), Stuck> {
        let Some(slot) = self.rtc.slots.get(index) else { return Ok(()) };
        let leaves = slot.borrow_mut().leave(crate::now());
        loop {
            let polled = {
                let mut slot = slot.borrow_mut();
                let Some(pc) = &mut slot.pc else { return Ok(()) };
                let transmit = pc.poll_write(crate::now(), &mut self.buf);
                transmit.map(|t| (t, pc.is_validated_path(&t.transport)))
            };
            let Some((transmit, is_validated)) = polled else { break };
            let Some(meta) = metadata(&transmit.transport) else {
                self.counters.unsent += 1;
                continue;
            };
            let Some(datagram) = self.buf.get(..transmit.len) else { break };
            let (socket, timeout, stuck) = if is_validated {
                (data, DATA_TIMEOUT, Stuck::Data)
            } else {
                (checks, CHECK_TIMEOUT, Stuck::Checks)
            };
            match send(socket, datagram, meta, timeout).await {
                Some(true) => self.counters.sent += 1,
                Some(false) => self.counters.unsent += 1,
                None => {
                    self.counters.unsent += 1;
                    self.waiting = Some((transmit.len, meta, is_validated));
                    return Err(stuck);
                }
            }
        }
        let mut slot = slot.borrow_mut();
        if leaves {
            info!("peer {}-{} has left", index, slot.generation);
            slot.free();
            drop(slot);
            self.rtc.shared.news.borrow_mut().wake();
        } else {
            slot.waker.wake();
        }
        Ok(())
    }
}

/// A path as the stack has it; `None` for a family that it does not speak.
fn metadata(path: &TransportContext) -> Option<UdpMetadata> {
    let endpoint = IpEndpoint::new(address(path.peer_addr.ip())?, path.peer_addr.port());
    Some(UdpMetadata { local_address: address(path.local_addr.ip()), ..endpoint.into() })
}

fn address(ip: IpAddr) -> Option<IpAddress> {
    match ip {
        #[cfg(feature = "proto-ipv4")]
        IpAddr::V4(ip) => Some(IpAddress::Ipv4(ip)),
        #[cfg(feature = "proto-ipv6")]
        IpAddr::V6(ip) => Some(IpAddress::Ipv6(ip)),
        #[allow(unreachable_patterns, reason = "not with both features")]
        _ => None,
    }
}

/// Sends a datagram when there is room: whether it could be, or `None` when
/// there was no room for too long.
async fn send(socket: &UdpSocket<'_>, datagram: &[u8], meta: UdpMetadata, timeout: Duration) -> Option<bool> {
    let sending = poll_fn(|cx: &mut Context<'_>| socket.poll_send_to(datagram, meta, cx));
    match select(sending, Timer::after(timeout)).await {
        Either::First(sent) => Some(sent.is_ok()),
        Either::Second(()) => None,
    }
}
