//! Two ends that hide their addresses behind names of multicast DNS.

use picortc::env::TransportContext;
use picortc::mdns::{self, Mdns};
use picortc::peer::*;
use picortc_tests::{Pair, Setup, Weather};
use std::net::SocketAddr;
use std::time::Duration;

/// A querier and responder per end, on one link without delay.
struct Link(Vec<(Mdns, SocketAddr)>);

impl Link {
    fn new(pair: &Pair) -> Self {
        let one = |end: &picortc_tests::End| {
            let mut mdns = Mdns::new(&mdns::Limits::TINY).unwrap();
            let addr = SocketAddr::new(end.addr.ip(), mdns::PORT);
            mdns.add_interface(pair.now, addr, 24).unwrap();
            (mdns, addr)
        };
        Self(pair.ends.iter().map(one).collect())
    }

    fn carry(&mut self, pair: &mut Pair) {
        let mut buf = [0; 512];
        // A question, its answer, and what comes of it.
        for i in [0, 1, 0, 1] {
            let (mdns, local) = &mut self.0[i];
            mdns.handle_timeout(pair.now);
            pair.ends[i].pc.handle_mdns(pair.now, mdns).unwrap();
            let from = *local;
            while let Some(transmit) = self.0[i].0.poll_write(pair.now, &mut buf) {
                let (other, to) = &mut self.0[1 - i];
                other.handle_read(pair.now, TransportContext::udp(*to, from), &buf[..transmit.len]);
            }
        }
    }
}

fn hidden() -> Pair {
    let [a, b] = [0, 1].map(|i| {
        let mut setup = Setup::end(i);
        setup.settings.multicast_dns_mode = MulticastDnsMode::QueryAndGather;
        setup
    });
    let mut pair = Pair::with(Weather::default(), 1, &a, &b);
    pair.ends[0].pc.create_data_channel(pair.now, "data", Default::default()).unwrap();
    pair.negotiate(0, false);
    for end in &pair.ends {
        let sdp = end.pc.local_description().unwrap().sdp;
        assert!(!sdp.contains("192.0.2."), "{sdp}");
        assert!(sdp.contains(".local "), "{sdp}");
        let candidate = end.pc.local_candidate(0).unwrap().to_string();
        assert!(candidate.contains(".local ") && !candidate.contains("192.0.2."), "{candidate}");
    }
    pair
}

fn open(pair: &Pair) -> bool {
    pair.ends.iter().all(|e| !e.opened().is_empty())
}

#[test]
fn names_are_published_and_found() {
    let mut pair = hidden();
    let mut link = Link::new(&pair);
    let up = pair.run(Duration::from_secs(10), |pair| {
        link.carry(pair);
        open(pair)
    });
    assert!(up, "no channel: {:?}", pair.ends.each_ref().map(|e| &e.events));
    for end in &pair.ends {
        assert_eq!(end.pc.get_stats(pair.now).transport().ice_counters.candidates_ignored, 0);
    }
    // A closed connection takes its names back.
    let name = pair.ends[0].pc.get_stats(pair.now).local_candidates()[0].name.unwrap().to_text();
    assert_eq!(link.0[0].0.state(&name), Some(mdns::NameState::Established));
    pair.ends[0].pc.close(pair.now);
    link.carry(&mut pair);
    assert_eq!(link.0[0].0.state(&name), None);
}

#[test]
fn without_an_answer_there_is_no_path() {
    let mut pair = hidden();
    assert!(!pair.run(Duration::from_secs(20), |pair| open(pair)));
    for end in &mut pair.ends {
        assert_eq!(end.pc.ice_connection_state(), RTCIceConnectionState::Checking);
        let name = end.pc.poll_hidden_name().expect("the peer's name");
        assert_eq!(end.pc.poll_hidden_name(), None);
        end.pc.handle_event(pair.now, RTCEvent::HiddenNameResolved { name, addr: None });
        assert_eq!(end.pc.get_stats(pair.now).transport().ice_counters.candidates_ignored, 1);
    }
    assert!(!pair.run(Duration::from_secs(60), |pair| open(pair)));
    for end in &pair.ends {
        assert_eq!(end.pc.ice_connection_state(), RTCIceConnectionState::Failed);
    }
}

#[test]
fn one_end_that_finds_the_other_is_enough() {
    let mut pair = hidden();
    let name = pair.ends[0].pc.poll_hidden_name().expect("the peer's name");
    let addr = Some(pair.ends[1].addr.ip());
    pair.ends[0].pc.handle_event(pair.now, RTCEvent::HiddenNameResolved { name, addr });
    assert!(pair.run(Duration::from_secs(10), |pair| open(pair)));
}

#[test]
fn names_that_are_no_random_ones_and_too_many_are_passed_over() {
    let mut pair = hidden();
    let pc = &mut pair.ends[0].pc;
    for n in 0..10_000 {
        let candidate =
            format!("candidate:1 1 udp {n} {n:08x}-0000-4000-8000-000000000000.local 9000 typ host");
        let init =
            RTCIceCandidateInit { candidate: &candidate, sdp_mline_index: Some(0), ..Default::default() };
        pc.add_remote_candidate(pair.now, init).unwrap();
    }
    let printer = "candidate:1 1 udp 1 printer.local 9000 typ host";
    let init = RTCIceCandidateInit { candidate: printer, sdp_mline_index: Some(0), ..Default::default() };
    pc.add_remote_candidate(pair.now, init).unwrap();
    let mut names = Vec::new();
    while let Some(name) = pc.poll_hidden_name() {
        names.push(name.to_string());
    }
    assert_eq!(names.len(), 8);
    assert!(!names.contains(&"printer.local".to_string()));
    assert_eq!(pc.get_stats(pair.now).transport().ice_counters.candidates_ignored, 10_000 - 7 + 1);
}
