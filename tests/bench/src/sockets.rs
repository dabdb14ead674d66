//! Two ends of picortc over loopback sockets, in one process and one thread:
//! what a program sees whose system calls take runs of datagrams (GSO, GRO,
//! `recvmmsg`).

use crate::cases::Found;
use crate::stacks::{Options, ours};
use cpu_time::ProcessTime;
use picortc::env::{Instant, TransportContext};
use picortc::peer::{
    RTCDataChannelEvent, RTCDataChannelId, RTCDataChannelMessage, RTCMessage, RTCPeerConnection,
    RTCPeerConnectionEvent,
};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use std::io::{ErrorKind, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

const LONGEST: usize = 64 * 1024;

struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    addr: SocketAddr,
}

impl Socket {
    fn new() -> std::io::Result<Self> {
        let io = UdpSocket::bind("127.0.0.1:0")?;
        io.set_nonblocking(true)?;
        let state = UdpSocketState::new((&io).into())?;
        let _ = state.set_recv_buffer_size((&io).into(), 4 << 20);
        let _ = state.set_send_buffer_size((&io).into(), 4 << 20);
        Ok(Self { addr: io.local_addr()?, io, state })
    }
}

struct End {
    pc: RTCPeerConnection,
    socket: Socket,
    peer: SocketAddr,
    channel: Option<RTCDataChannelId>,
    open: bool,
    octets: u64,
}

/// How datagrams go through the system.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Many in a call.
    Runs,
    /// One in a call, as without the offloads.
    One,
}

/// Payload octets per second of wall time and of CPU time, both ends.
pub fn throughput(options: &Options, size: usize, calls: Calls, octets: u64) -> std::io::Result<Found> {
    let sockets = [Socket::new()?, Socket::new()?];
    let addrs = [sockets[0].addr, sockets[1].addr];
    let (pcs, channel) = ours::negotiated(options, ours::best(), addrs);
    let mut channel = Some(channel);
    let mut i = 0;
    let mut ends = pcs.into_iter().zip(sockets).map(|(pc, socket)| {
        i += 1;
        End { pc, socket, peer: addrs[2 - i], channel: channel.take(), open: false, octets: 0 }
    });
    let mut ends = [ends.next().expect("the first"), ends.next().expect("the second")];
    let mut room = vec![0; BATCH_SIZE * LONGEST];
    let mut metas = vec![RecvMeta::default(); BATCH_SIZE];
    let mut buf = vec![0; 65_000];
    let message = vec![0xa5; size];
    let started = std::time::Instant::now();
    let now = || Instant::from_micros(started.elapsed().as_micros() as u64);
    let mut left = octets;
    let mut from = None;
    loop {
        let mut busy = false;
        for end in &mut ends {
            busy |= receive(end, now(), &mut room, &mut metas, calls)?;
            if end.pc.poll_timeout().is_some_and(|at| at <= now()) {
                end.pc.handle_timeout(now());
            }
            serve(end);
        }
        if from.is_none() && ends.iter().all(|e| e.open) {
            from = Some((std::time::Instant::now(), ProcessTime::now()));
        }
        if from.is_some() {
            busy |= write(&mut ends[0], now(), &message, &mut left);
        }
        for end in &mut ends {
            busy |= send(end, now(), &mut buf, calls)?;
        }
        if let Some((wall, cpu)) = from
            && ends[1].octets >= octets
        {
            let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
            return Ok([
                ("octets_per_second".to_string(), octets as f64 / wall),
                ("octets_per_cpu_second".to_string(), octets as f64 / cpu),
            ]
            .into());
        }
        if started.elapsed() > Duration::from_secs(60) {
            return Ok(Found::new());
        }
        if !busy {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

fn receive(
    end: &mut End,
    now: Instant,
    room: &mut [u8],
    metas: &mut [RecvMeta],
    calls: Calls,
) -> std::io::Result<bool> {
    let path = TransportContext::udp(end.socket.addr, end.peer);
    if calls == Calls::One {
        let mut any = false;
        while any_received(end.socket.io.recv_from(room), |len| {
            end.pc.handle_read(now, path, &mut room[..len]);
        })? {
            any = true;
        }
        return Ok(any);
    }
    let mut slices: Vec<_> = room.chunks_mut(LONGEST).map(IoSliceMut::new).collect();
    let count = match end.socket.state.recv((&end.socket.io).into(), &mut slices, metas) {
        Ok(count) => count,
        Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
        Err(e) => return Err(e),
    };
    for (octets, meta) in room.chunks_mut(LONGEST).zip(metas).take(count) {
        for datagram in octets[..meta.len].chunks_mut(meta.stride) {
            end.pc.handle_read(now, path, datagram);
        }
    }
    Ok(true)
}

fn any_received(
    received: std::io::Result<(usize, SocketAddr)>,
    take: impl FnOnce(usize),
) -> std::io::Result<bool> {
    match received {
        Ok((len, _)) => {
            take(len);
            Ok(true)
        }
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(e) => Err(e),
    }
}

fn serve(end: &mut End) {
    while let Some(event) = end.pc.poll_event() {
        if let RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) = event {
            end.channel = Some(id);
            end.open = true;
        }
    }
    while let Some(RTCMessage::DataChannelMessage(_, message)) = end.pc.poll_read() {
        end.octets += std::hint::black_box(message.data).len() as u64;
    }
}

fn write(end: &mut End, now: Instant, message: &[u8], left: &mut u64) -> bool {
    let Some(id) = end.channel else { return false };
    let mut any = false;
    while *left > 0 {
        let whole = RTCDataChannelMessage { is_string: false, data: message };
        if end.pc.handle_write(now, RTCMessage::DataChannelMessage(id, whole)).is_err() {
            break;
        }
        *left = left.saturating_sub(message.len() as u64);
        any = true;
    }
    any
}

fn send(end: &mut End, now: Instant, buf: &mut [u8], calls: Calls) -> std::io::Result<bool> {
    let max = if calls == Calls::Runs { end.socket.state.max_gso_segments() } else { 1 };
    let mut any = false;
    while let Some(transmit) = end.pc.poll_write_segments(now, buf, max) {
        any = true;
        let transmit = Transmit {
            destination: end.peer,
            ecn: None,
            contents: &buf[..transmit.len],
            segment_size: transmit.segment_size,
            src_ip: None,
        };
        // A full socket buffer is a loss like any other.
        match end.socket.state.try_send((&end.socket.io).into(), &transmit) {
            Err(e) if e.kind() != ErrorKind::WouldBlock => return Err(e),
            _ => {}
        }
    }
    Ok(any)
}
