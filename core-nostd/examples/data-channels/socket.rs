//! A UDP socket that sends and receives many datagrams in one system call,
//! where the system can (GSO, GRO and `recvmmsg` on Linux).

use picortc::env::{EcnCodepoint, Transmit};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// What the kernel may put together into one buffer.
const LONGEST: usize = 64 * 1024;

pub(crate) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
}

/// Where received datagrams lie.
pub(crate) struct Received {
    octets: Vec<u8>,
    metas: Vec<RecvMeta>,
}

impl Received {
    pub(crate) fn new() -> Self {
        Self { octets: vec![0; BATCH_SIZE * LONGEST], metas: vec![RecvMeta::default(); BATCH_SIZE] }
    }

    /// The first `count` buffers: datagrams, where they came from, and the mark
    /// that routers left.
    pub(crate) fn datagrams(
        &mut self,
        count: usize,
    ) -> impl Iterator<Item = (SocketAddr, EcnCodepoint, &mut [u8])> {
        self.octets.chunks_mut(LONGEST).zip(&self.metas).take(count).flat_map(|(octets, meta)| {
            let whole = octets.get_mut(..meta.len).unwrap_or_default();
            let ecn = EcnCodepoint::from_bits(meta.ecn.map_or(0, |ecn| ecn as u8));
            whole.chunks_mut(meta.stride.max(1)).map(move |datagram| (meta.addr, ecn, datagram))
        })
    }
}

impl Socket {
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let io = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new((&io).into())?;
        // As much as the system grants: bursts should not overflow.
        let _ = state.set_recv_buffer_size((&io).into(), 4 << 20);
        let _ = state.set_send_buffer_size((&io).into(), 4 << 20);
        Ok(Self { io, state })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// How many datagrams one call sends.
    pub(crate) fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Fills buffers with what has come; says how many.
    pub(crate) fn try_receive(&self, received: &mut Received) -> io::Result<usize> {
        let Received { octets, metas } = received;
        let mut room: Vec<_> = octets.chunks_mut(LONGEST).map(IoSliceMut::new).collect();
        self.io.try_io(Interest::READABLE, || self.state.recv((&self.io).into(), &mut room, metas))
    }

    /// Sends; that a path is not there is for ICE to find out.
    pub(crate) async fn send(&self, transmit: &Transmit, octets: &[u8]) -> io::Result<()> {
        if transmit.transport.dscp != 0 {
            return self.send_marked(transmit, octets).await;
        }
        let transmit = quinn_udp::Transmit {
            destination: transmit.transport.peer_addr,
            ecn: quinn_udp::EcnCodepoint::from_bits(transmit.transport.ecn.to_bits()),
            contents: octets,
            segment_size: transmit.segment_size,
            src_ip: None,
        };
        let sent =
            self.io.async_io(Interest::WRITABLE, || self.state.try_send((&self.io).into(), &transmit)).await;
        match sent {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(()),
        }
    }

    /// The same with a DSCP, which the way of many datagrams at once does not
    /// carry.
    async fn send_marked(&self, transmit: &Transmit, octets: &[u8]) -> io::Result<()> {
        let path = &transmit.transport;
        let class = u32::from(path.traffic_class());
        let socket = socket2::SockRef::from(&self.io);
        if path.peer_addr.is_ipv4() {
            socket.set_tos_v4(class)?
        } else {
            socket.set_tclass_v6(class)?
        }
        for datagram in octets.chunks(transmit.segment_size.unwrap_or(octets.len()).max(1)) {
            match self.io.send_to(datagram, path.peer_addr).await {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}
