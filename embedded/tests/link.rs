//! Two devices, each with its embassy-net stack, on one emulated wire.

use embassy_net::{Config as NetConfig, Ipv4Address, Ipv4Cidr, StackResources, StaticConfigV4};
use embassy_net_driver_channel::driver::{HardwareAddress, LinkState};
use embassy_net_driver_channel::{Device, Runner, RxRunner, State, TxRunner};
use picortc_embassy::picortc::crypto::rust_crypto::CHIP;
use picortc_embassy::picortc::dtls::Certificate;
use picortc_embassy::picortc::env::Rng;
use picortc_embassy::picortc::peer::{
    Limits, RTCDataChannelEvent, RTCDataChannelId, RTCDataChannelInit, RTCPeerConnectionEvent,
};
use picortc_embassy::{CloseReason, Config, Peer, PeerEvent, Refusal, Resources, Rtc, Worker};

const MTU: usize = 1514;
type Port = Runner<'static, MTU>;

fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

fn port(last: u8) -> (Port, Device<'static, MTU>) {
    let address = HardwareAddress::Ethernet([2, 0, 0, 0, 0, last]);
    let (mut runner, device) = embassy_net_driver_channel::new(leak(State::<MTU, 8, 8>::new()), address);
    runner.set_link_state(LinkState::Up);
    (runner, device)
}

fn config(last: u8) -> StaticConfigV4 {
    StaticConfigV4 {
        address: Ipv4Cidr::new(Ipv4Address::new(10, 0, 0, last), 24),
        gateway: None,
        dns_servers: Default::default(),
    }
}

/// A device whose tasks run: its handle, its stack, and its end of the wire.
fn device<const PEERS: usize>(
    last: u8,
    worker: Option<&'static Worker>,
) -> (Rtc<'static>, embassy_net::Stack<'static>, Port) {
    let (port, driver) = port(last);
    let net = NetConfig::ipv4_static(config(last));
    let (stack, mut net) = embassy_net::new(driver, net, leak(StackResources::<4>::new()), u64::from(last));
    tokio::task::spawn_local(async move { net.run().await });
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    let certificate = Certificate::generate(&CHIP, &mut Rng::new(seed)).unwrap();
    let config = Config { worker, ..Config::new(seed, certificate) };
    let (rtc, mut runner) = picortc_embassy::new(stack, leak(Resources::<PEERS>::new()), config);
    tokio::task::spawn_local(async move { runner.run().await });
    (rtc, stack, port)
}

/// Carries frames from one end to the other.
async fn carry(mut tx: TxRunner<'static, MTU>, mut rx: RxRunner<'static, MTU>) {
    loop {
        let frame = tx.tx_buf().await.to_vec();
        tx.tx_done();
        let room = rx.rx_buf().await;
        room[..frame.len()].copy_from_slice(&frame);
        rx.rx_done(frame.len());
    }
}

fn plug(a: Port, b: Port) {
    let ((_, a_rx, a_tx), (_, b_rx, b_tx)) = (a.split(), b.split());
    tokio::task::spawn_local(carry(a_tx, b_rx));
    tokio::task::spawn_local(carry(b_tx, a_rx));
}

async fn opened(peer: &mut Peer<'_>) -> RTCDataChannelId {
    loop {
        match peer.next(&mut [0; 1024]).await {
            PeerEvent::Signal(RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id))) => {
                return id;
            }
            PeerEvent::Closed(reason) => panic!("closed before a channel opened: {reason}"),
            _ => {}
        }
    }
}

/// Echoes until the connection is over.
async fn echo(rtc: Rtc<'_>) -> CloseReason {
    let mut peer = rtc.accept().await;
    let mut buf = [0; 1024];
    loop {
        match peer.next(&mut buf).await {
            PeerEvent::Message { channel, is_string, len } => {
                peer.send(channel, is_string, &buf[..len]).await.unwrap();
            }
            PeerEvent::Closed(reason) => return reason,
            _ => {}
        }
    }
}

async fn message(peer: &mut Peer<'_>, buf: &mut [u8]) -> usize {
    loop {
        match peer.next(buf).await {
            PeerEvent::Message { len, .. } => return len,
            PeerEvent::Closed(reason) => panic!("closed while a message was awaited: {reason}"),
            _ => {}
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let test = async { tokio::time::timeout(std::time::Duration::from_secs(60), test).await };
    tokio::task::LocalSet::new().block_on(&runtime, test).expect("the devices were done in a minute");
}

/// Connects `a` to `b`; `b` answers.
async fn connect(a: Rtc<'static>, b: Rtc<'static>) -> Peer<'static> {
    a.wait_for_address().await;
    b.wait_for_address().await;
    let (id, offer) = a.offer("main", RTCDataChannelInit::default()).unwrap();
    let (_, answer) = b.answer(None, &offer.sdp).unwrap();
    a.accept_answer(id, &answer.sdp).unwrap();
    a.claim(id).unwrap()
}

async fn echoes(a: Rtc<'static>, b: Rtc<'static>) {
    let echoing = tokio::task::spawn_local(echo(b));
    let mut peer = connect(a, b).await;
    let channel = opened(&mut peer).await;
    let mut buf = [0; 1024];
    for len in [0, 1, 100, 1000, Limits::TINY.sctp.max_message_size] {
        let sent: Vec<u8> = (0..len).map(|i| i as u8).collect();
        peer.send(channel, false, &sent).await.unwrap();
        let len = message(&mut peer, &mut buf).await;
        assert_eq!(buf[..len], sent);
    }
    assert_eq!((a.peers(), b.peers()), (1, 1));
    drop(peer);
    assert_eq!(echoing.await.unwrap(), CloseReason::ByPeer);
    while a.peers() + b.peers() > 0 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn two_devices_connect_echo_and_part() {
    run(async {
        let (a, _, wire_a) = device::<1>(1, None);
        let (b, _, wire_b) = device::<1>(2, None);
        plug(wire_a, wire_b);
        // A place is used again.
        for _ in 0..3 {
            echoes(a, b).await;
        }
    });
}

#[test]
fn a_worker_in_another_thread_does_the_public_key_work() {
    run(async {
        let worker: &'static Worker = leak(Worker::new());
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(worker.run())
        });
        let (a, _, wire_a) = device::<2>(1, Some(worker));
        let (b, _, wire_b) = device::<2>(2, None);
        plug(wire_a, wire_b);
        echoes(a, b).await;
        echoes(b, a).await;
    });
}

#[test]
fn a_full_device_says_so_and_has_room_again_later() {
    run(async {
        let (a, _, wire_a) = device::<3>(1, None);
        let (b, _, wire_b) = device::<1>(2, None);
        plug(wire_a, wire_b);
        let echoing = tokio::task::spawn_local(echo(b));
        let mut peer = connect(a, b).await;
        opened(&mut peer).await;
        let (_, offer) = a.offer("more", RTCDataChannelInit::default()).unwrap();
        let refusal = b.answer(None, &offer.sdp).unwrap_err();
        assert_eq!((refusal, refusal.status()), (Refusal::Full, 503));
        drop(peer);
        echoing.await.unwrap();
        while b.peers() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(b.answer(None, &offer.sdp).is_ok());
    });
}

/// A neighbour that does not answer ARP stays at the head of smoltcp's queue;
/// what is behind it must leave all the same.
#[test]
fn candidates_of_nobody_on_the_wire_hold_up_nothing() {
    run(async {
        let (a, _, wire_a) = device::<1>(1, None);
        let (b, _, wire_b) = device::<1>(2, None);
        plug(wire_a, wire_b);
        a.wait_for_address().await;
        b.wait_for_address().await;
        let echoing = tokio::task::spawn_local(echo(b));
        let (id, offer) = a.offer("main", RTCDataChannelInit::default()).unwrap();
        let line = offer.sdp.lines().find(|l| l.starts_with("a=candidate")).unwrap();
        let dead: String =
            (50..54).map(|last| line.replace("10.0.0.1 ", &format!("10.0.0.{last} ")) + "\r\n").collect();
        let offer = offer.sdp.replace(line, &(dead + line));
        let (_, answer) = b.answer(None, &offer).unwrap();
        a.accept_answer(id, &answer.sdp).unwrap();
        let mut peer = a.claim(id).unwrap();
        let channel = opened(&mut peer).await;
        for _ in 0..50 {
            peer.send(channel, false, b"through").await.unwrap();
            assert_eq!(message(&mut peer, &mut [0; 64]).await, 7);
        }
        drop(peer);
        echoing.await.unwrap();
    });
}

/// DHCP gives another address in the middle of a connection.
#[test]
fn a_connection_goes_on_when_the_address_changes() {
    run(async {
        let (a, _, wire_a) = device::<1>(1, None);
        let (b, stack, wire_b) = device::<1>(2, None);
        plug(wire_a, wire_b);
        let echoing = tokio::task::spawn_local(echo(b));
        let mut peer = connect(a, b).await;
        let channel = opened(&mut peer).await;
        // Gone, as when the lease ends; the connection is kept.
        stack.set_config_v4(embassy_net::ConfigV4::None);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(b.peers(), 1);
        stack.set_config_v4(embassy_net::ConfigV4::Static(config(77)));
        peer.send(channel, false, b"where are you?").await.unwrap();
        assert_eq!(message(&mut peer, &mut [0; 64]).await, 14);
        let ip = peer.with(|pc, _| pc.selected_path().unwrap().peer_addr.ip()).unwrap();
        assert_eq!(ip, Ipv4Address::new(10, 0, 0, 77));
        drop(peer);
        echoing.await.unwrap();
    });
}
