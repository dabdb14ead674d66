//! Multicast DNS on the interface of an address.

use picortc::env::{Instant, TransportContext};
use picortc::mdns::{self, Mdns};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;

/// A querier and responder, with its socket.
pub(crate) struct Multicast {
    pub(crate) mdns: Mdns,
    socket: UdpSocket,
    local: SocketAddr,
}

impl Multicast {
    /// Joins the group on the interface that has the address `ip`. Other
    /// programs on this machine may do so too.
    pub(crate) fn join(now: Instant, ip: IpAddr, limits: &mdns::Limits) -> io::Result<Self> {
        let interface = if_addrs::get_if_addrs()?.into_iter().find(|i| i.ip() == ip);
        let interface = interface.ok_or_else(|| io::Error::other(format!("no interface has {ip}")))?;
        let (domain, any): (_, IpAddr) = match ip {
            IpAddr::V4(_) => (Domain::IPV4, Ipv4Addr::UNSPECIFIED.into()),
            IpAddr::V6(_) => (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into()),
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        let prefix_len = match (ip, &interface.addr) {
            (IpAddr::V4(ip), if_addrs::IfAddr::V4(addr)) => {
                socket.join_multicast_v4(&mdns::GROUP_V4, &ip)?;
                socket.set_multicast_if_v4(&ip)?;
                socket.set_multicast_ttl_v4(255)?;
                socket.set_multicast_loop_v4(true)?;
                addr.prefixlen
            }
            (_, addr) => {
                let index = interface.index.unwrap_or(0);
                socket.set_only_v6(true)?;
                socket.join_multicast_v6(&mdns::GROUP_V6, index)?;
                socket.set_multicast_if_v6(index)?;
                socket.set_multicast_hops_v6(255)?;
                socket.set_multicast_loop_v6(true)?;
                if let if_addrs::IfAddr::V6(addr) = addr { addr.prefixlen } else { 64 }
            }
        };
        socket.bind(&SocketAddr::new(any, mdns::PORT).into())?;
        let local = SocketAddr::new(ip, mdns::PORT);
        let mut mdns = Mdns::new(limits).map_err(io::Error::other)?;
        mdns.add_interface(now, local, prefix_len).map_err(io::Error::other)?;
        Ok(Self { mdns, socket: UdpSocket::from_std(socket.into())?, local })
    }

    /// Waits until there is something to [`receive`](Self::receive).
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes in what came.
    pub(crate) fn receive(&mut self, now: Instant) {
        let mut buf = [0; 1500];
        while let Ok((len, from)) = self.socket.try_recv_from(&mut buf) {
            let path = TransportContext::udp(self.local, from);
            self.mdns.handle_read(now, path, buf.get(..len).unwrap_or_default());
        }
    }

    /// Sends what there is to send.
    pub(crate) async fn send(&mut self, now: Instant) {
        let mut buf = [0; 512];
        self.mdns.handle_timeout(now);
        while let Some(transmit) = self.mdns.poll_write(now, &mut buf) {
            let datagram = buf.get(..transmit.len).unwrap_or_default();
            // What is lost is asked or told again.
            let _ = self.socket.send_to(datagram, transmit.transport.peer_addr).await;
        }
    }
}
