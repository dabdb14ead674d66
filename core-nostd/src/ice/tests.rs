//! Two agents on a small network, and a clock that jumps.

mod streams;

use super::*;
use crate::crypto::rust_crypto::PROVIDER;
use crate::env::{Rng, TransportProtocol};
use crate::wire::candidate::{Candidate, CandidateType};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::string::{String, ToString};
use std::vec::Vec;

struct Host {
    agent: Agent,
    rng: Rng,
    events: Vec<Event>,
    addrs: Vec<SocketAddr>,
}

struct Net {
    now: Instant,
    hosts: Vec<Host>,
    rng: Rng,
    /// Percent of datagrams that are lost.
    loss: u32,
    /// From one host to the other.
    delay: Duration,
    /// Private address to public one: a NAT that maps endpoint-independently
    /// and lets in only what was sent to before.
    nat: HashMap<SocketAddr, SocketAddr>,
    opened: Vec<(SocketAddr, SocketAddr)>,
    blocked: Vec<SocketAddr>,
    wire: Vec<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
    sent: usize,
}

fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

impl Net {
    fn new(a: Config, b: Config) -> Self {
        Self::with_limits(a, b, &Limits::DEFAULT)
    }

    fn with_limits(a: Config, b: Config, limits: &Limits) -> Self {
        let now = Instant::from_millis(77);
        let host = |config, seed| {
            let mut rng = Rng::new([seed; 32]);
            let agent = Agent::new(config, PROVIDER.hashes, limits, &mut Env::new(now, &mut rng)).unwrap();
            Host { agent, rng, events: Vec::new(), addrs: Vec::new() }
        };
        let mut net = Self {
            now,
            hosts: std::vec![host(a, 1), host(b, 2)],
            rng: Rng::new([3; 32]),
            loss: 0,
            delay: Duration::from_millis(20),
            nat: HashMap::new(),
            opened: Vec::new(),
            blocked: Vec::new(),
            wire: Vec::new(),
            sent: 0,
        };
        net.hosts[0].agent.set_controlling(true);
        net
    }

    fn on<R>(&mut self, i: usize, f: impl FnOnce(&mut Agent, &mut Env<'_>) -> R) -> R {
        let host = &mut self.hosts[i];
        f(&mut host.agent, &mut Env::new(self.now, &mut host.rng))
    }

    fn address(&mut self, i: usize, a: &str) {
        self.hosts[i].addrs.push(addr(a));
        self.on(i, |agent, env| {
            assert!(agent.add_local_address(env, addr(a), TransportProtocol::Udp, None));
            agent.gather();
        });
    }

    fn candidates(&self, i: usize) -> Vec<String> {
        let locals = self.hosts[i].agent.local_candidates();
        locals
            .iter()
            .filter(|c| c.is_signalled())
            .map(|c| c.with_attribute(None, |a| a.to_string()))
            .collect()
    }

    /// `to` learns the credentials of the other, and its candidates.
    fn signal(&mut self, to: usize, candidates: bool) {
        let from = &self.hosts[1 - to].agent;
        let (ufrag, pwd) = (from.local.ufrag().to_string(), from.local.pwd().to_string());
        let lines = if candidates { self.candidates(1 - to) } else { Vec::new() };
        self.on(to, |agent, env| {
            assert!(agent.set_remote_credentials(env, &ufrag, &pwd));
            for line in &lines {
                agent.add_remote_candidate(env, &Candidate::parse(line).unwrap().unwrap());
            }
        });
    }

    fn signal_both(&mut self) {
        for i in 0..2 {
            self.signal(i, true);
            self.on(i, |a, env| {
                a.end_of_local_addresses();
                a.end_of_remote_candidates(env);
            });
        }
    }

    fn poll(&mut self) {
        for i in 0..self.hosts.len() {
            let mut buf = [0; 1500];
            while let Some(t) = self.on(i, |a, env| a.poll_write(env, &mut buf)) {
                self.sent += 1;
                assert!(self.sent < 20_000, "the agents never fall silent");
                if self.rng.below(100) < self.loss {
                    continue;
                }
                let from = t.transport.local_addr;
                self.opened.push((from, t.transport.peer_addr));
                let seen = self.nat.get(&from).copied().unwrap_or(from);
                let at = self.now + self.delay;
                self.wire.push((at, seen, t.transport.peer_addr, buf[..t.len].to_vec()));
            }
            while let Some(event) = self.on(i, |a, _| a.poll_event()) {
                self.hosts[i].events.push(event);
            }
        }
    }

    fn arrive(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if self.blocked.contains(&from) || self.blocked.contains(&to) {
            return;
        }
        let inner = self.nat.iter().find(|(_, public)| **public == to).map(|(private, _)| *private);
        if let Some(inner) = inner
            && !self.opened.contains(&(inner, from))
        {
            return;
        }
        // Nobody outside reaches a private address.
        if inner.is_none() && self.nat.contains_key(&to) {
            return;
        }
        let to = inner.unwrap_or(to);
        if let Some(i) = self.hosts.iter().position(|h| h.addrs.contains(&to)) {
            let path = TransportContext::udp(to, from);
            self.on(i, |a, env| a.handle_read(env, &path, bytes));
        }
    }

    /// Runs until `done` or until `limit` has passed.
    fn run(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.poll();
            if done(self) {
                return true;
            }
            let arrival = self.wire.iter().map(|w| w.0).min();
            let timers = self.hosts.iter().filter_map(|h| h.agent.poll_timeout()).min();
            let Some(next) = [arrival, timers].into_iter().flatten().min() else { return false };
            if next > end {
                self.now = end;
                return false;
            }
            self.now = self.now.max(next);
            let now = self.now;
            let (due, rest): (Vec<_>, Vec<_>) =
                core::mem::take(&mut self.wire).into_iter().partition(|w| w.0 <= now);
            self.wire = rest;
            for (_, from, to, bytes) in due {
                self.arrive(from, to, &bytes);
            }
            for i in 0..2 {
                self.on(i, |a, env| a.handle_timeout(env));
                let next = self.hosts[i].agent.poll_timeout();
                let now = self.now;
                self.poll();
                assert!(
                    next.is_none_or(|n| n >= now || self.hosts[i].agent.poll_timeout() != next),
                    "time stands still"
                );
            }
        }
    }

    fn both(&self, state: ConnectionState) -> bool {
        self.hosts.iter().all(|h| h.agent.connection_state() == state)
    }

    fn settled(&self) -> bool {
        let nominated = |h: &Host| h.agent.selected.is_some_and(|s| s.nominated);
        let [a, b] = [0, 1].map(|i| self.hosts[i].agent.selected_path());
        self.hosts.iter().all(nominated) && a.zip(b).is_some_and(|_| true)
    }
}

const LONG: Duration = Duration::from_secs(100);

#[test]
fn two_hosts_agree_on_a_path_and_complete() {
    for (a, b) in [("192.0.2.1:1000", "192.0.2.2:2000"), ("[2001:db8::1]:1000", "[2001:db8::2]:2000")] {
        let mut net = Net::new(Config::default(), Config::default());
        net.address(0, a);
        net.address(1, b);
        net.signal_both();
        assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
        assert_eq!(net.hosts[0].agent.selected_path(), Some(TransportContext::udp(addr(a), addr(b))));
        assert_eq!(net.hosts[1].agent.selected_path(), Some(TransportContext::udp(addr(b), addr(a))));
        assert!(net.now < Instant::from_millis(77 + 200), "{:?}", net.now);
        assert!(net.hosts[0].events.contains(&Event::ConnectionStateChange(ConnectionState::Checking)));
        assert!(net.hosts[0].events.contains(&Event::LocalCandidate(0)));
        let (_, _, nominated, _, stats) = net.hosts[0].agent.pairs().next().unwrap();
        assert!(nominated && stats.responses_received >= 2);
        assert_eq!(stats.current_round_trip_time, Some(Duration::from_millis(40)));
    }
}

#[test]
fn ipv6_is_preferred_where_both_have_it() {
    let mut net = Net::new(Config::default(), Config::default());
    for (i, a) in [(0, "192.0.2.1:1"), (0, "[2001:db8::1]:1"), (1, "192.0.2.2:2"), (1, "[2001:db8::2]:2")] {
        net.address(i, a);
    }
    net.signal_both();
    assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
    assert!(net.hosts[0].agent.selected_path().unwrap().peer_addr.is_ipv6());
}

#[test]
fn it_connects_through_loss() {
    for seed in 0..20 {
        let mut net = Net::new(Config::default(), Config::default());
        net.rng = Rng::new([seed; 32]);
        net.loss = 30;
        net.address(0, "192.0.2.1:1");
        net.address(1, "192.0.2.2:2");
        net.signal_both();
        assert!(net.run(LONG, Net::settled), "seed {seed}");
    }
}

#[test]
fn a_host_behind_a_nat_is_found_by_its_checks() {
    for natted in 0..2 {
        let mut net = Net::new(Config::default(), Config::default());
        net.address(natted, "10.0.0.1:1");
        net.address(1 - natted, "192.0.2.2:2");
        net.nat.insert(addr("10.0.0.1:1"), addr("203.0.113.9:777"));
        net.signal_both();
        assert!(net.run(LONG, Net::settled), "host {natted} behind the NAT");
        let other = &net.hosts[1 - natted].agent;
        assert_eq!(other.selected_path().unwrap().peer_addr, addr("203.0.113.9:777"));
        assert_eq!(other.selected_types(), Some((CandidateType::Host, CandidateType::PeerReflexive)));
        let own = net.hosts[natted].agent.local_candidates();
        assert!(
            own.iter().any(|c| c.kind == CandidateType::PeerReflexive && c.addr == addr("203.0.113.9:777"))
        );
    }
}

#[test]
fn a_peer_that_hides_its_address_is_found_by_its_checks() {
    let mut net = Net::new(Config::default(), Config::default());
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    net.signal(0, false);
    net.on(0, |a, env| {
        let hidden = "candidate:0 1 udp 2122252543 4f3b1a5c-9a4c-4b6b-8b6c-1e9d0a3f2b1c.local 60417 typ host";
        a.add_remote_candidate(env, &Candidate::parse(hidden).unwrap().unwrap());
        a.end_of_local_addresses();
        a.end_of_remote_candidates(env);
    });
    assert_eq!(net.hosts[0].agent.connection_state(), ConnectionState::Checking);
    net.signal(1, true);
    assert!(net.run(LONG, Net::settled));
    assert_eq!(net.hosts[0].agent.counters().candidates_ignored, 1);
}

#[test]
fn checks_that_come_before_the_answer_are_answered_and_remembered() {
    let mut net = Net::new(Config::default(), Config::default());
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    net.signal(1, true);
    assert!(!net.run(Duration::from_millis(900), Net::settled));
    let (_, state, ..) = net.hosts[1].agent.pairs().next().unwrap();
    assert_eq!(state, PairState::Succeeded);
    // Without a candidate: the check itself showed where the peer is.
    net.signal(0, false);
    assert!(net.run(LONG, Net::settled));
}

#[test]
fn a_role_conflict_is_resolved() {
    for controlling in [true, false] {
        let mut net = Net::new(Config::default(), Config::default());
        net.hosts.iter_mut().for_each(|h| h.agent.set_controlling(controlling));
        net.address(0, "192.0.2.1:1");
        net.address(1, "192.0.2.2:2");
        net.signal_both();
        assert!(net.run(LONG, Net::settled));
        assert_ne!(net.hosts[0].agent.is_controlling(), net.hosts[1].agent.is_controlling());
    }
}

#[test]
fn a_lite_agent_answers_and_follows() {
    for lite in 0..2 {
        let config = |i| Config { lite: i == lite, ..Config::default() };
        let mut net = Net::new(config(0), config(1));
        net.hosts[0].agent.set_controlling(lite != 0);
        net.on(1 - lite, |a, _| a.set_remote_lite(true));
        net.address(0, "192.0.2.1:1");
        net.address(1, "192.0.2.2:2");
        net.signal_both();
        assert!(net.run(LONG, Net::settled), "{lite}");
        assert!(!net.run(Duration::from_secs(60), |n| !n.settled()), "it stays");
        net.blocked.push(net.hosts[1 - lite].addrs[0]);
        assert!(net.run(LONG, |n| n.both(ConnectionState::Failed)));
    }
}

#[test]
fn consent_is_lost_and_comes_back_or_does_not() {
    let mut net = Net::new(Config::default(), Config::default());
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    net.signal_both();
    assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
    net.blocked.push(addr("192.0.2.1:1"));
    assert!(net.run(LONG, |n| n.both(ConnectionState::Disconnected)));
    net.blocked.clear();
    assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
    assert!(!net.run(Duration::from_secs(600), |n| !n.both(ConnectionState::Completed)), "ten quiet minutes");
    net.blocked.push(addr("192.0.2.1:1"));
    assert!(net.run(LONG, |n| n.both(ConnectionState::Failed)));
    let sent = net.sent;
    net.run(LONG, |_| false);
    assert_eq!(net.sent, sent, "nothing is sent without consent");
    assert_eq!(net.hosts[0].agent.selected_path(), None);
}

#[test]
fn a_restart_keeps_the_old_path_until_there_is_a_new_one() {
    for restarter in 0..2 {
        let mut net = Net::new(Config::default(), Config::default());
        net.address(0, "192.0.2.1:1");
        net.address(1, "192.0.2.2:2");
        net.signal_both();
        assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
        let path = net.hosts[0].agent.selected_path();
        net.on(restarter, |a, env| {
            a.restart(env);
            a.gather();
        });
        assert!(!net.run(Duration::from_secs(60), |n| n.hosts[0].agent.selected_path() != path));
        assert!(
            net.both(ConnectionState::Connected)
                || net.both(ConnectionState::Completed)
                || net.settled()
                || { net.hosts[restarter].agent.connection_state() == ConnectionState::Connected }
        );
        net.on(1 - restarter, |a, env| {
            a.restart(env);
            a.gather();
        });
        net.signal_both();
        assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
        assert!(net.hosts.iter().all(|h| h.agent.previous.is_none()));
        assert!(net.hosts.iter().all(|h| h.agent.selected_path().is_some()));
    }
}

#[test]
fn a_new_address_takes_over_when_the_old_one_goes() {
    for mover in 0..2 {
        let mut net = Net::new(Config::default(), Config::default());
        net.address(mover, "192.0.2.1:1");
        net.address(1 - mover, "192.0.2.2:2");
        net.signal_both();
        assert!(net.run(LONG, Net::settled));
        net.address(mover, "198.51.100.7:1");
        net.run(Duration::from_secs(2), |_| false);
        net.on(mover, |a, env| a.remove_local_address(env, addr("192.0.2.1:1"), TransportProtocol::Udp));
        assert!(
            net.run(LONG, |n| {
                let path = n.hosts[1 - mover].agent.selected_path();
                path.is_some_and(|p| p.peer_addr == addr("198.51.100.7:1"))
            }),
            "mover {mover}"
        );
    }
}

/// How long after a move the other end sends to where the mover is now.
#[test]
fn a_move_is_followed_within_two_seconds() {
    for (mover, overlap, idle) in [
        (0, true, 0),
        (1, true, 0),
        (0, false, 0),
        (1, false, 0),
        (0, true, 4),
        (1, true, 4),
        (0, false, 4),
        (1, false, 4),
    ] {
        let mut net = Net::new(Config::default(), Config::default());
        net.address(mover, "192.0.2.1:1");
        net.address(1 - mover, "192.0.2.2:2");
        net.signal_both();
        assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
        net.run(Duration::from_secs(10 + idle), |_| false);
        let go = |n: &mut Net| {
            n.on(mover, |a, env| a.remove_local_address(env, addr("192.0.2.1:1"), TransportProtocol::Udp));
        };
        if overlap {
            net.address(mover, "198.51.100.7:1");
            net.run(Duration::from_secs(7), |_| false);
            go(&mut net);
        } else {
            go(&mut net);
            net.run(Duration::from_millis(300), |_| false);
            net.address(mover, "198.51.100.7:1");
        }
        let from = net.now;
        assert!(net.run(LONG, |n| {
            let path = n.hosts[1 - mover].agent.selected_path();
            path.is_some_and(|p| p.peer_addr == addr("198.51.100.7:1"))
        }));
        let gap = net.now - from;
        assert!(gap < Duration::from_secs(2), "mover {mover}, overlap {overlap}, idle {idle}: {gap:?}");
        let well = |s| matches!(s, ConnectionState::Connected | ConnectionState::Completed);
        assert!(net.run(LONG, |n| n.hosts.iter().all(|h| well(h.agent.connection_state()))));
        // And there it stays.
        net.run(Duration::from_secs(60), |_| false);
        assert_eq!(net.hosts[mover].agent.selected_path().unwrap().local_addr, addr("198.51.100.7:1"));
        assert!(net.hosts.iter().all(|h| well(h.agent.connection_state())));
    }
}

/// A pair with two ways between them, of which the first is in use.
fn two_ways(controlling: usize) -> Net {
    let mut net = Net::new(Config::default(), Config::default());
    net.address(controlling, "192.0.2.1:1");
    net.address(1 - controlling, "192.0.2.2:2");
    net.address(1 - controlling, "198.51.100.2:2");
    for i in 0..2 {
        net.on(i, |a, _| a.set_controlling(i == controlling));
    }
    net.signal_both();
    assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
    net.run(Duration::from_secs(30), |_| false);
    net
}

/// How long after a path is cut who controls sends along the other one.
#[test]
fn a_path_that_is_cut_is_left_for_another_that_works() {
    for (controlling, busy, most) in [(0, true, 5), (1, true, 5), (0, false, 10), (1, false, 10)] {
        let mut net = two_ways(controlling);
        let path = |n: &Net| n.hosts[controlling].agent.selected_path().unwrap().peer_addr;
        let first = path(&net);
        net.blocked.push(first);
        let from = net.now;
        while path(&net) == first {
            if busy {
                net.on(controlling, |a, env| a.note_sent(env.now, 1000));
            }
            assert!(net.now - from < LONG);
            net.run(Duration::from_millis(100), |n| path(n) != first);
        }
        let gap = net.now - from;
        assert!(gap < Duration::from_secs(most), "{controlling} controls, busy: {busy}: {gap:?}");
        std::println!("{controlling} controls, busy: {busy}: left after {gap:?}");
        // The other end follows, and both stay.
        net.run(Duration::from_secs(60), |_| false);
        let there = net.hosts[1 - controlling].agent.selected_path().unwrap().local_addr;
        assert_eq!(there, path(&net));
        assert!(net.both(ConnectionState::Completed));
    }
}

#[test]
fn a_path_that_loses_a_seventh_is_not_left_for_another() {
    for controlling in 0..2 {
        let mut net = two_ways(controlling);
        let path = net.hosts[controlling].agent.selected_path().unwrap();
        net.loss = 15;
        for _ in 0..1200 {
            net.run(Duration::from_millis(500), |_| false);
            net.on(controlling, |a, env| a.note_sent(env.now, 1000));
            let now = net.hosts[controlling].agent.selected_path().unwrap();
            assert!(now.same_path(&path), "left at {:?}", net.now);
        }
    }
}

#[test]
fn a_wrong_password_fails_and_is_told() {
    let mut net = Net::new(Config::default(), Config::default());
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    net.signal_both();
    let ufrag = net.hosts[1].agent.local.ufrag().to_string();
    net.on(0, |a, env| a.set_remote_credentials(env, &ufrag, "not the password, at all"));
    net.run(LONG, |n| n.hosts[0].agent.connection_state() == ConnectionState::Failed);
    assert_eq!(net.hosts[0].agent.connection_state(), ConnectionState::Failed);
    assert!(net.hosts[1].agent.counters().unauthentic > 0);
}

#[test]
fn many_candidates_stay_within_the_limits() {
    let mut net = Net::with_limits(Config::default(), Config::default(), &Limits::TINY);
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    for n in 0..10_000u32 {
        let line = std::format!("candidate:{n} 1 udp {n} 198.51.100.{} {} typ host", n % 250, 1 + n % 60000);
        net.on(0, |a, env| a.add_remote_candidate(env, &Candidate::parse(&line).unwrap().unwrap()));
    }
    net.signal_both();
    assert!(net.hosts[0].agent.pairs().count() <= Limits::TINY.pairs);
    assert!(net.run(LONG, Net::settled), "the peer's own check still gets through");
}

#[test]
fn noise_and_forgeries_change_nothing() {
    let mut net = Net::new(Config::default(), Config::default());
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    net.signal_both();
    let mut captured = Vec::new();
    for _ in 0..4 {
        net.poll();
        captured.extend(net.wire.iter().map(|w| w.3.clone()));
        net.run(Duration::from_millis(30), |_| false);
    }
    assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
    let paths = [0, 1].map(|i| net.hosts[i].agent.selected_path());
    let mut rng = Rng::new([9; 32]);
    for round in 0..20_000 {
        let mut junk = captured[rng.below(captured.len() as u32) as usize].clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(junk.len() as u32) as usize;
            junk[at] ^= 1 << rng.below(8);
        }
        if round % 3 == 0 {
            junk.truncate(rng.below(junk.len() as u32) as usize);
        }
        let from = addr(if round % 2 == 0 { "203.0.113.1:5" } else { "192.0.2.2:2" });
        let path = TransportContext::udp(addr("192.0.2.1:1"), from);
        net.on(0, |a, env| a.handle_read(env, &path, &junk));
    }
    net.poll();
    net.wire.clear();
    assert!(
        !net.hosts[0].agent.is_validated(&TransportContext::udp(addr("192.0.2.1:1"), addr("203.0.113.1:5")))
    );
    assert!(!net.run(Duration::from_secs(60), |n| !n.settled()));
    assert_eq!(paths, [0, 1].map(|i| net.hosts[i].agent.selected_path()));
}

#[test]
fn a_role_conflict_on_many_pairs_of_a_slow_network_switches_one_role_once() {
    for controlling in [true, false] {
        let mut net = Net::new(Config::default(), Config::default());
        net.delay = Duration::from_millis(300);
        net.hosts.iter_mut().for_each(|h| h.agent.set_controlling(controlling));
        let ties = [0, 1].map(|i| net.hosts[i].agent.tie_breaker);
        for n in 1..4 {
            net.address(0, &std::format!("192.0.2.{n}:1"));
            net.address(1, &std::format!("198.51.100.{n}:2"));
        }
        net.signal_both();
        let changes = std::cell::Cell::new(0);
        let last = std::cell::Cell::new([controlling; 2]);
        assert!(net.run(LONG, |n| {
            let roles = [0, 1].map(|i| n.hosts[i].agent.is_controlling());
            changes.set(changes.get() + u32::from(roles != last.replace(roles)));
            n.settled()
        }));
        assert_eq!(changes.get(), 1, "both began with controlling = {controlling}");
        // Whoever has the larger number controls.
        assert_eq!(net.hosts[0].agent.is_controlling(), ties[0] >= ties[1]);
        assert_ne!(net.hosts[0].agent.is_controlling(), net.hosts[1].agent.is_controlling());
    }
}

/// A browser checks a pair that it cannot write to every 48 ms. Each of its
/// checks used to spend one of our transmissions, and the one after the last
/// gave our check up while its answer was under way: with a round trip beyond
/// 0.3 s the pair never became valid.
#[test]
fn a_peer_that_checks_often_over_a_slow_network_does_not_spend_our_check() {
    let mut net = Net::new(Config::default(), Config::default());
    net.delay = Duration::from_millis(400);
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    net.signal_both();
    net.poll();
    let (from, to) = (addr("192.0.2.2:2"), addr("192.0.2.1:1"));
    let check = net.wire.iter().find(|w| w.1 == from).unwrap().3.clone();
    for _ in 0..30 {
        net.run(Duration::from_millis(48), |_| false);
        net.arrive(from, to, &check);
    }
    let (_, state, ..) = net.hosts[0].agent.pairs().next().unwrap();
    assert_eq!(state, PairState::Succeeded);
    let (.., stats) = net.hosts[0].agent.pairs().next().unwrap();
    assert!(stats.requests_sent < 15, "{} checks in 1.4 s", stats.requests_sent);
}

#[test]
fn a_second_restart_keeps_the_path_from_before_the_first() {
    let mut net = Net::new(Config::default(), Config::default());
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    net.signal_both();
    assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
    let path = net.hosts[0].agent.selected_path();
    for _ in 0..2 {
        net.on(0, |a, env| {
            a.restart(env);
            a.gather();
        });
    }
    assert!(!net.run(Duration::from_secs(90), |n| n.hosts[0].agent.selected_path() != path));
    net.on(1, |a, env| {
        a.restart(env);
        a.gather();
    });
    net.signal_both();
    assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
}

#[test]
fn an_answer_from_elsewhere_or_to_another_question_does_not_count() {
    let mut net = Net::new(Config::default(), Config::default());
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    net.signal_both();
    net.poll();
    let (ours, theirs) = (addr("192.0.2.1:1"), addr("192.0.2.2:2"));
    let check = net.wire.iter().find(|w| w.1 == ours).unwrap().3.clone();
    net.wire.clear();
    let pwd = net.hosts[1].agent.local.pwd().to_string();
    let answer = |id| {
        use crate::wire::stun::{AttributeType, Builder, Class, Method};
        let mut buf = [0; 128];
        let mut b = Builder::new(&mut buf, Class::Success, Method::BINDING, id).unwrap();
        b.xor_address(AttributeType::XOR_MAPPED_ADDRESS, ours).unwrap();
        b.integrity(PROVIDER.hashes, pwd.as_bytes()).unwrap();
        let len = b.finish_with_fingerprint().unwrap();
        buf[..len].to_vec()
    };
    let id = crate::wire::stun::Message::parse(&check).unwrap().transaction_id;
    let mut other = id;
    other.0[0] ^= 1;
    net.arrive(theirs, ours, &answer(other));
    assert!(!net.hosts[0].agent.is_validated(&TransportContext::udp(ours, theirs)));
    let elsewhere = addr("203.0.113.5:2");
    net.arrive(elsewhere, ours, &answer(id));
    for peer in [theirs, elsewhere] {
        assert!(!net.hosts[0].agent.is_validated(&TransportContext::udp(ours, peer)), "{peer}");
    }
    assert_eq!(net.hosts[0].agent.selected_path(), None);
}

#[test]
fn a_tiny_agent_takes_4400_octets_at_most() {
    // Chips have 32-bit pointers; nothing here is larger there.
    assert!(Limits::TINY.heap_bytes() <= 4400, "{} octets", Limits::TINY.heap_bytes());
    assert!(Limits::TINY.heap_bytes() < Limits::DEFAULT.heap_bytes());
}

/// Whatever is asked of two agents in whatever order, they stay within their
/// limits, refer to pairs that exist, and fall silent when time stands still.
#[test]
fn any_order_of_operations_is_survived() {
    let mut connected = 0;
    for seed in 0..250 {
        let mut net = Net::with_limits(Config::default(), Config::default(), &Limits::TINY);
        net.rng = Rng::new([seed; 32]);
        net.loss = net.rng.below(40);
        net.delay = Duration::from_millis(u64::from(net.rng.below(400)));
        for step in 0..80 {
            net.sent = 0;
            let i = net.rng.below(2) as usize;
            let n = net.rng.below(6);
            let home = std::format!("192.0.2.{}:{}", n + 1, i + 1);
            match net.rng.below(16) {
                0..=2 => {
                    net.hosts[i].addrs.push(addr(&home));
                    net.on(i, |a, env| {
                        a.add_local_address(env, addr(&home), TransportProtocol::Udp, None);
                        a.gather();
                    });
                }
                3 => net.on(i, |a, env| a.remove_local_address(env, addr(&home), TransportProtocol::Udp)),
                4 => net.on(i, |a, env| {
                    a.restart(env);
                    a.gather();
                }),
                5..=7 => net.signal(i, n != 0),
                8 => net.signal_both(),
                9 => net.on(i, |a, _| a.set_controlling(n < 3)),
                10 => net.on(i, |a, env| a.end_of_remote_candidates(env)),
                11 => net.blocked.push(addr(&home)),
                12 => net.blocked.clear(),
                13 if n == 0 && step > 40 => net.on(i, |a, _| a.close()),
                13 => net.now += Duration::from_secs(u64::from(n) * 7),
                _ => {
                    let span = Duration::from_millis(u64::from(net.rng.below(4000)));
                    net.run(span, |_| false);
                }
            }
            for host in &net.hosts {
                let agent = &host.agent;
                assert!(agent.pairs().count() <= Limits::TINY.pairs, "seed {seed}, step {step}");
                if let Some(selected) = agent.selected {
                    let pair = agent.pairs.iter().find(|p| p.id == selected.id);
                    let pair = pair.unwrap_or_else(|| panic!("seed {seed}, step {step}: no such pair"));
                    assert!(pair.path.same_path(&selected.path) && agent.is_validated(&pair.path));
                }
            }
            connected += u32::from(net.settled());
        }
    }
    assert!(connected > 400, "connected after {connected} of 20000 steps: too few to show anything");
}

/// Two hosts have nominated a pair; then the controlling one gets an address
/// whose pair is better. How long until both use it; `None` when they do not.
fn better_pair_later(announced: [bool; 2], controlling: usize, loss: u32) -> Option<Duration> {
    let config = |i: usize| Config { renomination: announced[i], ..Config::default() };
    let mut net = Net::new(config(0), config(1));
    for i in 0..2 {
        net.on(i, |a, _| {
            a.set_controlling(i == controlling);
            a.set_remote_renomination(announced[1 - i]);
        });
    }
    net.address(0, "192.0.2.1:1");
    net.address(1, "192.0.2.2:2");
    net.address(1, "[2001:db8::2]:2");
    net.signal_both();
    assert!(net.run(LONG, Net::settled));
    net.loss = loss;
    let begun = net.now;
    net.address(0, "[2001:db8::1]:1");
    net.signal(1, true);
    let moved = net.run(Duration::from_secs(40), |n| {
        n.hosts.iter().all(|h| h.agent.selected_path().is_some_and(|p| p.peer_addr.is_ipv6()))
    });
    let at = net.now;
    let path = net.hosts[0].agent.selected_path();
    net.run(Duration::from_secs(20), |_| false);
    assert_eq!(net.hosts[0].agent.selected_path(), path, "it stays there");
    moved.then(|| at - begun)
}

#[test]
fn a_better_pair_is_nominated_when_both_ends_announce_it() {
    for controlling in 0..2 {
        let took = better_pair_later([true, true], controlling, 0).unwrap();
        assert!(took < Duration::from_millis(500), "{took:?}");
        assert!(better_pair_later([true, true], controlling, 20).is_some());
    }
}

#[test]
fn a_nomination_is_the_last_with_a_peer_that_does_not_announce_renomination() {
    for controlling in 0..2 {
        for announced in [[true, false], [false, true], [false, false]] {
            assert_eq!(better_pair_later(announced, controlling, 0), None, "{announced:?}");
        }
    }
}

#[test]
fn the_controlled_end_goes_by_the_highest_number_whatever_arrives_last() {
    // The controlled host has two pairs that work; the peer's requests name
    // one and the other, and some arrive late.
    for announced in [true, false] {
        let config = Config { renomination: true, ..Config::default() };
        let mut net = Net::new(config, config);
        net.on(1, |a, _| a.set_remote_renomination(announced));
        for a in ["192.0.2.1:1", "[2001:db8::1]:1"] {
            net.address(0, a);
        }
        for a in ["192.0.2.2:2", "[2001:db8::2]:2"] {
            net.address(1, a);
        }
        net.signal_both();
        assert!(net.run(LONG, |n| n.both(ConnectionState::Completed)));
        let good = net.hosts[1].agent.selected_path().unwrap();
        let other = TransportContext::udp(addr("192.0.2.2:2"), addr("192.0.2.1:1"));
        assert!(good.peer_addr.is_ipv6());
        let nominate = |net: &mut Net, path: TransportContext, number| {
            let mut buf = [0; 500];
            let id = crate::wire::stun::TransactionId([number as u8; 12]);
            let len = net.on(0, |a, _| a.write_request(id, a.generation, 1, Some(number), &mut buf)).unwrap();
            net.on(1, |a, env| a.handle_read(env, &path, &buf[..len]));
            net.hosts[1].agent.selected_path().unwrap().same_path(&path)
        };
        assert_eq!(nominate(&mut net, other, 7), announced);
        assert_eq!(nominate(&mut net, good, 6), !announced, "an older one comes late");
        assert!(nominate(&mut net, good, 8));
        assert!(!nominate(&mut net, other, 7), "and once more");
    }
}
