//! Two connections over nothing but TCP: the streams here are queues of octets
//! that arrive in pieces of any size.

use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::*;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

struct End {
    pc: RTCPeerConnection,
    listener: Option<SocketAddr>,
    received: Vec<Vec<u8>>,
    states: Vec<RTCPeerConnectionState>,
    closes: Vec<TransportContext>,
}

/// One stream: the path as each end sees it, and the octets to each end.
struct Stream {
    paths: [TransportContext; 2],
    to: [VecDeque<u8>; 2],
}

struct Net {
    now: Instant,
    ends: [End; 2],
    streams: Vec<Stream>,
    opened: u16,
    piece: usize,
}

fn tcp(local: SocketAddr, peer: SocketAddr) -> TransportContext {
    TransportContext { transport_protocol: TransportProtocol::Tcp, ..TransportContext::udp(local, peer) }
}

impl Net {
    fn new(addrs: [&str; 2], piece: usize) -> Self {
        let now = Instant::from_millis(5);
        let mut seed = 0;
        let ends = addrs.map(|addr| {
            seed += 1;
            let mut pc = RTCPeerConnectionBuilder::new().build(now, [seed; 32]).unwrap();
            let addr: SocketAddr = addr.parse().unwrap();
            let protocol = TransportProtocol::Tcp;
            pc.handle_event(now, RTCEvent::LocalAddressAdded { addr, protocol });
            pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
            let listener = (addr.port() != 0).then_some(addr);
            End { pc, listener, received: Vec::new(), states: Vec::new(), closes: Vec::new() }
        });
        Self { now, ends, streams: Vec::new(), opened: 0, piece }
    }

    fn negotiate(&mut self) -> RTCDataChannelId {
        let now = self.now;
        let [a, b] = &mut self.ends;
        let id = a.pc.create_data_channel(now, "data", Default::default()).unwrap();
        let offer = a.pc.create_offer(None).unwrap().sdp;
        a.pc.set_local_description(now, RTCSdpType::Offer, &offer).unwrap();
        b.pc.set_remote_description(now, RTCSdpType::Offer, &offer).unwrap();
        let answer = b.pc.create_answer(None).unwrap().sdp;
        b.pc.set_local_description(now, RTCSdpType::Answer, &answer).unwrap();
        a.pc.set_remote_description(now, RTCSdpType::Answer, &answer).unwrap();
        id
    }

    /// An end wants a stream: it gets one if the other listens there.
    fn open(&mut self, from: usize, id: RTCStreamId) {
        let Some(request) = self.ends[from].pc.stream_request(id) else { return };
        assert_eq!(request.protocol, TransportProtocol::Tcp);
        let RTCStreamPeer::Addr(to) = request.peer else { panic!("{request:?}") };
        let now = self.now;
        if self.ends[1 - from].listener != Some(to) {
            self.ends[from].pc.handle_event(now, RTCEvent::StreamFailed { id });
            return;
        }
        self.opened += 1;
        let local = SocketAddr::new(request.local_ip.unwrap(), 50_000 + self.opened);
        let mut paths = [tcp(local, to), tcp(to, local)];
        self.ends[from].pc.handle_event(now, RTCEvent::StreamOpened { id: Some(id), transport: paths[0] });
        self.ends[1 - from].pc.handle_event(now, RTCEvent::StreamOpened { id: None, transport: paths[1] });
        if from == 1 {
            paths.reverse();
        }
        self.streams.push(Stream { paths, to: Default::default() });
    }

    fn cut(&mut self) {
        let now = self.now;
        for stream in self.streams.drain(..) {
            for (end, transport) in self.ends.iter_mut().zip(stream.paths) {
                end.pc.handle_event(now, RTCEvent::StreamClosed { transport });
            }
        }
    }

    fn poll(&mut self) {
        let mut buf = [0; 1200];
        for i in 0..2 {
            while let Some(event) = self.ends[i].pc.poll_event() {
                match event {
                    RTCPeerConnectionEvent::OnStreamRequest(id) => self.open(i, id),
                    RTCPeerConnectionEvent::OnStreamClose(path) => {
                        self.ends[i].closes.push(path);
                        let Some(at) = self.streams.iter().position(|s| s.paths[i].same_path(&path)) else {
                            continue;
                        };
                        let stream = self.streams.remove(at);
                        let transport = stream.paths[1 - i];
                        self.ends[1 - i].pc.handle_event(self.now, RTCEvent::StreamClosed { transport });
                    }
                    RTCPeerConnectionEvent::OnConnectionStateChangeEvent(s) => self.ends[i].states.push(s),
                    _ => {}
                }
            }
            let end = &mut self.ends[i];
            while let Some(RTCMessage::DataChannelMessage(_, message)) = end.pc.poll_read() {
                end.received.push(message.data.to_vec());
            }
            while let Some(t) = end.pc.poll_write(self.now, &mut buf) {
                assert_eq!(t.transport.transport_protocol, TransportProtocol::Tcp);
                if let Some(s) = self.streams.iter_mut().find(|s| s.paths[i].same_path(&t.transport)) {
                    s.to[1 - i].extend(&buf[..t.len]);
                }
            }
        }
    }

    fn run(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.poll();
            if done(self) {
                return true;
            }
            let mut moved = false;
            for s in 0..self.streams.len() {
                for i in 0..2 {
                    let n = self.piece.min(self.streams[s].to[i].len());
                    let mut piece: Vec<u8> = self.streams[s].to[i].drain(..n).collect();
                    if n > 0 {
                        moved = true;
                        let path = self.streams[s].paths[i];
                        self.ends[i].pc.handle_read(self.now, path, &mut piece);
                    }
                }
            }
            if !moved {
                let Some(next) = self.ends.iter().filter_map(|e| e.pc.poll_timeout()).min() else {
                    return false;
                };
                if next > end {
                    return false;
                }
                self.now = self.now.max(next);
                let now = self.now;
                self.ends.iter_mut().for_each(|e| e.pc.handle_timeout(now));
            }
        }
    }
}

#[test]
fn a_channel_opens_over_tcp_whichever_end_listens() {
    for addrs in
        [["192.0.2.1:0", "192.0.2.2:7000"], ["192.0.2.1:7000", "192.0.2.2:0"], ["192.0.2.1:1", "192.0.2.2:2"]]
    {
        for piece in [1, 7, 100_000] {
            let mut net = Net::new(addrs, piece);
            let id = net.negotiate();
            let up = |n: &mut Net| {
                n.ends[0].pc.data_channel(id).unwrap().ready_state() == RTCDataChannelState::Open
            };
            assert!(net.run(Duration::from_secs(30), up), "{addrs:?}");
            let now = net.now;
            net.ends[0].pc.data_channel(id).unwrap().send(now, &[9; 100_000]).unwrap();
            assert!(net.run(Duration::from_secs(30), |n| n.ends[1].received.len() == 1), "{addrs:?} {piece}");
            let path = net.ends[0].pc.selected_path().unwrap();
            assert_eq!(path.transport_protocol, TransportProtocol::Tcp);
            let sdp = net.ends[0].pc.local_description().unwrap().sdp;
            assert!(sdp.contains(" 9 typ host tcptype active"), "{sdp}");
            assert_eq!(sdp.contains("tcptype passive"), !addrs[0].ends_with(":0"), "{sdp}");
        }
    }
}

#[test]
fn a_stream_that_ends_is_opened_anew_and_nothing_is_lost() {
    let mut net = Net::new(["192.0.2.1:0", "192.0.2.2:7000"], 1000);
    let id = net.negotiate();
    let up = |n: &mut Net| n.ends[0].pc.data_channel(id).unwrap().ready_state() == RTCDataChannelState::Open;
    assert!(net.run(Duration::from_secs(30), up));
    for round in 1..=3 {
        let now = net.now;
        net.ends[0].pc.data_channel(id).unwrap().send(now, &[round; 200_000]).unwrap();
        net.run(Duration::ZERO, |_| false);
        net.cut();
        let all = |n: &mut Net| n.ends[1].received.len() == usize::from(round);
        let arrived = net.run(Duration::from_secs(60), all);
        for end in &net.ends {
            let stats = end.pc.get_stats(net.now);
            let pairs: Vec<_> = stats.candidate_pairs().collect();
            assert!(arrived, "round {round}, {} streams: {:?} {pairs:?}", net.opened, end.states);
        }
        assert!(net.ends[1].received.iter().all(|m| m.len() == 200_000));
    }
    assert_eq!(net.opened, 4);
    assert!(!net.ends[0].states.contains(&RTCPeerConnectionState::Failed));
    let now = net.now;
    net.ends[0].pc.close(now);
    net.run(Duration::from_secs(5), |_| false);
    assert_eq!(net.ends[0].closes.len(), 1, "a closed connection has its stream closed");
}

#[test]
fn a_peer_that_cannot_be_reached_fails_in_the_end() {
    let mut net = Net::new(["192.0.2.1:0", "192.0.2.2:7000"], 1000);
    net.ends[1].listener = None;
    net.negotiate();
    let failed = |n: &mut Net| n.ends[0].states.contains(&RTCPeerConnectionState::Failed);
    assert!(net.run(Duration::from_secs(120), failed));
}

#[test]
fn streams_beyond_the_limit_and_silent_ones_are_given_back() {
    let mut net = Net::new(["192.0.2.1:7000", "192.0.2.2:0"], 1000);
    let now = net.now;
    let limit = Limits::DEFAULT.streams.streams as u16;
    let path = |port| tcp("192.0.2.1:7000".parse().unwrap(), SocketAddr::from(([198, 51, 100, 7], port)));
    let pc = &mut net.ends[0].pc;
    for port in 1..=limit + 1 {
        pc.handle_event(now, RTCEvent::StreamOpened { id: None, transport: path(port) });
    }
    let closed = |pc: &mut RTCPeerConnection| {
        let mut ports = Vec::new();
        while let Some(event) = pc.poll_event() {
            if let RTCPeerConnectionEvent::OnStreamClose(path) = event {
                ports.push(path.peer_addr.port());
            }
        }
        ports
    };
    assert_eq!(closed(pc), [limit + 1]);
    // Not a word on the first; nonsense on the second.
    for _ in 0..100 {
        pc.handle_read(now, path(2), &mut [0xff; 5000]);
    }
    assert!(pc.poll_write(now, &mut [0; 1200]).is_none(), "nothing is answered to a stranger");
    let later = now + Duration::from_secs(15);
    assert!(pc.poll_timeout().is_some_and(|at| at <= later));
    pc.handle_timeout(later);
    assert_eq!(closed(pc), (1..=limit).collect::<Vec<_>>());
    assert!(!pc.has_stream(&path(1)));
}
