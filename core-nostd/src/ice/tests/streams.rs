//! Streams: which are wanted, what becomes of those that end.

use super::*;
use crate::wire::candidate::TcpType;
use crate::wire::stun::{AttributeType, Builder, Class, Method, TransactionId};

fn tcp(local: &str, peer: &str) -> TransportContext {
    TransportContext {
        transport_protocol: TransportProtocol::Tcp,
        ..TransportContext::udp(addr(local), addr(peer))
    }
}

/// An agent that has nothing but streams, and the peer's candidates as told.
fn agent(config: Config, remote: &[&str]) -> Net {
    let mut net = Net::new(config, Config::default());
    net.on(0, |agent, env| {
        assert!(agent.add_local_address(env, addr("192.0.2.1:9"), TransportProtocol::Tcp, None));
        agent.gather();
        assert!(agent.set_remote_credentials(env, "ufrag", "a password of many characters"));
        for line in remote {
            agent.add_remote_candidate(env, &Candidate::parse(line).unwrap().unwrap());
        }
    });
    net
}

fn wanted(net: &mut Net) -> Option<(PairId, TransportContext)> {
    let now = net.now;
    net.on(0, |a, _| if a.wants_streams(now) { a.next_blocked(|_| true) } else { None })
}

const PASSIVE: &str = "candidate:1 1 tcp 1518280447 198.51.100.7 4000 typ host tcptype passive";
const RELAY: &str =
    "candidate:2 1 tcp 8388607 198.51.100.1 5000 typ relay raddr 0.0.0.0 rport 0 tcptype passive";

/// The owner of a relay has to hear of us before the relay lets us in: our stream
/// to it is tried again, one to a host is not.
#[test]
fn a_stream_to_a_relay_is_tried_five_times() {
    let mut net = agent(Config::default(), &[PASSIVE]);
    let (id, _) = wanted(&mut net).unwrap();
    net.on(0, |a, env| a.fail_pair(env, id));
    assert_eq!(wanted(&mut net), None);

    for opens in [false, true] {
        let mut net = agent(Config::default(), &[RELAY]);
        for n in 0..6 {
            let (id, path) = wanted(&mut net).expect("another try");
            assert_eq!(path.peer_addr, addr("198.51.100.1:5000"));
            assert_eq!(wanted(&mut net), None, "one at a time");
            net.on(0, |a, env| {
                if opens {
                    // It is taken in and closed at once.
                    let path = tcp(&std::format!("192.0.2.1:{}", 50_000 + n), "198.51.100.1:5000");
                    assert!(a.open_pair(env, id, path));
                    a.close_path(env, &path);
                } else {
                    a.fail_pair(env, id);
                }
            });
            assert_eq!(wanted(&mut net), None, "not at once");
            if n < 5 {
                let wait = net.hosts[0].agent.streams_deadline().unwrap() - net.now;
                assert_eq!(wait, Duration::from_secs(1));
                net.now += wait;
                net.on(0, |a, env| a.handle_timeout(env));
            }
        }
        net.now += Duration::from_secs(60);
        net.on(0, |a, env| a.handle_timeout(env));
        assert_eq!(wanted(&mut net), None);
        assert_eq!(net.hosts[0].agent.connection_state(), ConnectionState::Failed);
    }
}

/// A relay connects to us from the port at which it listens, where our own stream
/// went before: that one is gone, and this is another.
#[test]
fn a_stream_from_where_ours_went_is_another() {
    let mut net = agent(Config::default(), &[RELAY]);
    net.on(0, |a, env| {
        assert!(a.add_local_address(env, addr("192.0.2.1:4000"), TransportProtocol::Tcp, None));
    });
    let (id, _) = wanted(&mut net).unwrap();
    let ours = tcp("192.0.2.1:50000", "198.51.100.1:5000");
    net.on(0, |a, env| assert!(a.open_pair(env, id, ours)));
    let theirs = tcp("192.0.2.1:4000", "198.51.100.1:5000");
    let (ufrag, pwd) = {
        let local = net.hosts[0].agent.local_credentials();
        (local.ufrag().to_string(), local.pwd().to_string())
    };
    let mut buf = [0; 200];
    let id = TransactionId([5; 12]);
    let mut b = Builder::new(&mut buf, Class::Request, Method::BINDING, id).unwrap();
    b.attribute(AttributeType::USERNAME, &[ufrag.as_bytes(), b":ufrag"]).unwrap();
    b.attribute(AttributeType::PRIORITY, &[&[0x6e, 0, 0, 0xff]]).unwrap();
    b.integrity(PROVIDER.hashes, pwd.as_bytes()).unwrap();
    let n = b.finish_with_fingerprint().unwrap();
    net.on(0, |a, env| a.handle_read(env, &theirs, &buf[..n]));
    let paths: Vec<TransportContext> = net.hosts[0].agent.pairs().map(|p| p.0).collect();
    assert!(paths.iter().any(|p| p.same_path(&theirs)), "{paths:?}");
    let mut sent = Vec::new();
    while let Some(t) = net.on(0, |a, env| a.poll_write(env, &mut buf)) {
        sent.push((buf[0], t.transport));
        net.now += Duration::from_millis(50);
    }
    assert!(
        sent.contains(&(1, theirs)) && sent.contains(&(0, theirs)),
        "answered, and checked in return: {sent:?}"
    );
}

/// "active candidates are always paired with passive, and S-O candidates with
/// each other" (RFC 6544, Section 3).
#[test]
fn only_ends_that_go_together_are_paired() {
    let kinds = [TcpType::Active, TcpType::Passive, TcpType::SimultaneousOpen];
    for kind in kinds {
        let line =
            std::format!("candidate:1 1 tcp 1518280447 198.51.100.7 4000 typ host tcptype {}", kind.as_str());
        for simultaneous_open in [false, true] {
            let mut net = agent(Config { simultaneous_open, ..Config::default() }, &[&line]);
            net.on(0, |a, env| {
                assert!(a.add_local_address(env, addr("192.0.2.1:4000"), TransportProtocol::Tcp, None));
            });
            let path = wanted(&mut net).map(|(_, path)| path.local_addr);
            let want = match kind {
                TcpType::Passive => Some(addr("192.0.2.1:9")),
                TcpType::SimultaneousOpen if simultaneous_open => Some(addr("192.0.2.1:4000")),
                _ => None,
            };
            assert_eq!(path, want, "{line}, {simultaneous_open}");
            let so = net.candidates(0).iter().filter(|c| c.contains("4000 typ host tcptype so")).count();
            assert_eq!(so, usize::from(simultaneous_open), "{:?}", net.candidates(0));
        }
    }
}

/// Of two ends that open at once one may be there first: what its listener takes
/// in is the stream, and that ours cannot be opened any more is no failure.
#[test]
fn a_stream_of_the_peers_takes_the_place_of_ours_that_was_to_be_opened_at_once() {
    let so = "candidate:1 1 tcp 1518280447 198.51.100.7 4000 typ host tcptype so";
    let config = Config { simultaneous_open: true, ..Config::default() };
    let mut net = agent(config, &[so, PASSIVE]);
    net.on(0, |a, env| {
        assert!(a.add_local_address(env, addr("192.0.2.1:4000"), TransportProtocol::Tcp, None));
    });
    // The passive candidate is at the same place, and a candidate of its own.
    let first = wanted(&mut net).unwrap();
    let (id, path) = wanted(&mut net).unwrap();
    assert_eq!(first.1.local_addr, addr("192.0.2.1:9"));
    assert!(path.same_path(&tcp("192.0.2.1:4000", "198.51.100.7:4000")));
    assert!(net.hosts[0].agent.is_simultaneous(id) && !net.hosts[0].agent.is_simultaneous(first.0));
    let (ufrag, pwd) = {
        let local = net.hosts[0].agent.local_credentials();
        (local.ufrag().to_string(), local.pwd().to_string())
    };
    let mut buf = [0; 200];
    let mut b = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId([5; 12])).unwrap();
    b.attribute(AttributeType::USERNAME, &[ufrag.as_bytes(), b":ufrag"]).unwrap();
    b.integrity(PROVIDER.hashes, pwd.as_bytes()).unwrap();
    let n = b.finish_with_fingerprint().unwrap();
    net.on(0, |a, env| {
        a.handle_read(env, &path, &buf[..n]);
        a.fail_pair(env, id);
    });
    let state = net.hosts[0].agent.pairs().find(|p| p.0.same_path(&path)).map(|p| p.1);
    assert_eq!(state, Some(PairState::Waiting), "it is checked in return");
    // Where nothing comes it is tried again: the other end may have been late.
    let mut net = agent(config, &[so]);
    net.on(0, |a, env| {
        assert!(a.add_local_address(env, addr("192.0.2.1:4000"), TransportProtocol::Tcp, None));
    });
    let (id, _) = wanted(&mut net).unwrap();
    net.on(0, |a, env| a.fail_pair(env, id));
    net.now += Duration::from_secs(1);
    net.on(0, |a, env| a.handle_timeout(env));
    assert!(wanted(&mut net).is_some());
}
