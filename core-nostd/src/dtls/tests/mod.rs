//! Two associations, a link between them, and a clock that jumps.

mod connection_id;
mod flips;
mod rekey;
mod schedules;
mod trace;

use super::*;
use crate::crypto::rust_crypto::{CHIP, PROVIDER};
use crate::env::Rng;
use std::vec::Vec;

struct End {
    dtls: Connection,
    rng: Rng,
    received: Vec<Vec<u8>>,
    events: Vec<Event>,
}

struct Pair {
    now: Instant,
    ends: [End; 2],
    /// Datagrams on their way, with where they go.
    wire: Vec<(usize, Vec<u8>)>,
    sent: usize,
    /// Which bit of the last flight of which end is to be flipped.
    tamper: Option<(usize, usize)>,
}

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lost,
    Once,
    Twice,
    /// It changes places with the one that follows.
    Late,
}

fn config(provider: &'static CryptoProvider, seed: u8) -> Config {
    let certificate = Certificate::generate(provider, &mut Rng::new([seed; 32])).unwrap();
    Config::new(provider, certificate)
}

const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;

/// An end that speaks one version only.
fn config_of(version: ProtocolVersion, provider: &'static CryptoProvider, seed: u8) -> Config {
    Config { min_version: version, max_version: version, ..config(provider, seed) }
}

impl Pair {
    fn new(client: Config, server: Config) -> Self {
        Self::with_limits(client, server, &Limits::DEFAULT)
    }

    fn with_limits(client: Config, server: Config, limits: &Limits) -> Self {
        let end = |config: Config, seed| End {
            dtls: Connection::new(config, limits).unwrap(),
            rng: Rng::new([seed; 32]),
            received: Vec::new(),
            events: Vec::new(),
        };
        Self {
            now: Instant::from_millis(5),
            ends: [end(client, 10), end(server, 11)],
            wire: Vec::new(),
            sent: 0,
            tamper: None,
        }
    }

    fn fingerprints(&self, of: usize) -> Fingerprints {
        let own = self.ends[of].dtls.machine.config.certificate.fingerprint().clone();
        Fingerprints::from_iter([own])
    }

    fn start(&mut self) {
        for (i, role) in [(0, Role::Client), (1, Role::Server)] {
            let fingerprints = self.fingerprints(1 - i);
            let end = &mut self.ends[i];
            end.dtls.start(&mut Env::new(self.now, &mut end.rng), role, fingerprints);
        }
        self.collect();
    }

    /// Polls both ends until neither has anything to say.
    fn collect(&mut self) {
        for (i, end) in self.ends.iter_mut().enumerate() {
            let machine = &mut end.dtls.machine;
            let is_last = match (machine.role, machine.state) {
                (Role::Server, State::AwaitClientCertificate) => true,
                (Role::Client, State::Connected) => machine.is_13(),
                (Role::Client, State::AwaitServerFinished) => !machine.is_13(),
                _ => false,
            };
            if is_last && let Some((_, bit)) = self.tamper.take_if(|t| t.0 == i) {
                // A ServerHello of 1.3 is part of the keys: without it there
                // is nothing that could be authentic.
                let is_hello = machine.is_13() && machine.role == Role::Server;
                let skip = if is_hello { machine.flight.first().unwrap().1.len() * 8 } else { 0 };
                if !machine.flight.flip(skip + bit) {
                    self.tamper = Some((i, bit));
                }
            }
            let mut env = Env::new(self.now, &mut end.rng);
            while let Some(event) = end.dtls.poll_event() {
                end.events.push(event);
            }
            let mut buf = [0; 2000];
            while let Some(n) = end.dtls.poll_write(&mut env, &mut buf) {
                self.wire.push((1 - i, buf[..n].to_vec()));
            }
        }
    }

    fn deliver(&mut self, to: usize, mut datagram: Vec<u8>) {
        let end = &mut self.ends[to];
        let mut env = Env::new(self.now, &mut end.rng);
        let mut records = Records::new(&mut datagram);
        while let Some(data) = end.dtls.handle_read(&mut env, &mut records) {
            end.received.push(data.to_vec());
        }
        self.collect();
    }

    /// Runs until both are connected; `fate` says what becomes of the n-th
    /// datagram: how many copies arrive.
    fn run(&mut self, mut fate: impl FnMut(usize, usize, &mut Vec<u8>) -> usize) {
        self.run_late(|n, to, datagram| match fate(n, to, datagram) {
            0 => Fate::Lost,
            1 => Fate::Once,
            _ => Fate::Twice,
        });
    }

    fn run_late(&mut self, mut fate: impl FnMut(usize, usize, &mut Vec<u8>) -> Fate) {
        for _ in 0..400 {
            let mut late = Vec::new();
            while !self.wire.is_empty() || !late.is_empty() {
                if self.wire.is_empty() {
                    self.wire.append(&mut late);
                }
                let (to, mut datagram) = self.wire.remove(0);
                self.sent += 1;
                assert!(self.sent < 500, "the ends keep answering each other");
                match fate(self.sent - 1, to, &mut datagram) {
                    Fate::Lost => {}
                    Fate::Once => self.deliver(to, datagram),
                    Fate::Twice => {
                        self.deliver(to, datagram.clone());
                        self.deliver(to, datagram);
                    }
                    Fate::Late => {
                        late.push((to, datagram));
                        continue;
                    }
                }
                for (to, datagram) in late.drain(..) {
                    self.sent += 1;
                    self.deliver(to, datagram);
                }
            }
            if self.connected() {
                return;
            }
            let Some(next) = self.ends.iter().filter_map(|e| e.dtls.poll_timeout()).min() else { return };
            self.now = self.now.max(next);
            for end in &mut self.ends {
                end.dtls.handle_timeout(&mut Env::new(self.now, &mut end.rng));
            }
            self.collect();
        }
    }

    fn connected(&self) -> bool {
        self.ends.iter().all(|e| e.dtls.is_connected()) && self.wire.is_empty()
    }

    fn send(&mut self, from: usize, data: &[u8]) {
        let mut buf = [0; 1500];
        let (head, tail) = self.ends[from].dtls.overhead();
        let mut datagram = Datagram::new(&mut buf, head).unwrap();
        datagram.payload_room(tail, 1400)[..data.len()].copy_from_slice(data);
        assert!(datagram.set_payload_len(data.len()));
        assert!(self.ends[from].dtls.seal(&mut datagram));
        self.wire.push((1 - from, datagram.bytes().to_vec()));
    }

    fn exchange_data(&mut self) {
        self.send(0, b"from the client");
        self.send(1, b"from the server");
        for (to, datagram) in core::mem::take(&mut self.wire) {
            self.deliver(to, datagram);
        }
        assert_eq!(self.ends[1].received.last().unwrap(), b"from the client");
        assert_eq!(self.ends[0].received.last().unwrap(), b"from the server");
    }
}

#[test]
fn two_ends_connect_and_talk_with_each_suite_and_group() {
    static SUITES: [(&[u16], ProtocolVersion, usize); 6] = [
        (&[0xc02b], V12, 4),
        (&[0xc02c], V12, 4),
        (&[0xcca9], V12, 4),
        (&[0x1301], V13, 4),
        (&[0x1302], V13, 4),
        (&[0x1303], V13, 4),
    ];
    for (suites, version, datagrams) in SUITES {
        for group in 0..PROVIDER.key_exchanges.len() {
            let key_exchanges = &PROVIDER.key_exchanges[group..group + 1];
            let is_hybrid = key_exchanges[0].group() == crate::crypto::NamedGroup::X25519MLKEM768;
            if version == V12 && is_hybrid {
                continue;
            }
            let provider: &'static CryptoProvider =
                std::boxed::Box::leak(std::boxed::Box::new(CryptoProvider {
                    cipher_suites: suites,
                    key_exchanges,
                    ..PROVIDER
                }));
            let mut pair = Pair::new(config(provider, 1), config(&PROVIDER, 2));
            pair.start();
            pair.run(|_, _, _| 1);
            assert!(pair.connected(), "{suites:x?} {:?}", key_exchanges[0].group());
            let negotiated = pair.ends[1].dtls.negotiated().unwrap();
            assert_eq!(pair.ends[0].dtls.negotiated(), Some(negotiated));
            assert_eq!(negotiated.version, version.0);
            assert_eq!(negotiated.cipher_suite, suites[0]);
            assert_eq!(negotiated.group, key_exchanges[0].group().0);
            pair.exchange_data();
            // One per flight, and the hybrid's hellos fill one each.
            assert_eq!(pair.sent, datagrams + 2 * usize::from(is_hybrid));
        }
    }
}

#[test]
fn keys_are_exported_alike_and_srtp_is_negotiated() {
    let mut client = config(&PROVIDER, 1);
    let mut server = config(&PROVIDER, 2);
    client.srtp_profiles.extend([SrtpProfile::AES128_CM_HMAC_SHA1_80, SrtpProfile::AEAD_AES_128_GCM]);
    server.srtp_profiles.extend([SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AEAD_AES_256_GCM]);
    let mut pair = Pair::new(client, server);
    pair.start();
    pair.run(|_, _, _| 1);
    let keys = pair.ends.each_ref().map(|e| {
        assert_eq!(e.dtls.negotiated().unwrap().srtp_profile, Some(SrtpProfile::AEAD_AES_128_GCM));
        let mut out = [0; 56];
        e.dtls.export_keying_material(b"EXTRACTOR-dtls_srtp", &mut out).unwrap();
        out
    });
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], [0; 56]);
}

#[test]
fn exported_keys_are_those_of_a_foreign_stack() {
    let text = include_str!("../../../../tests/vectors/dtls/dtls12_srtp_exporter.json");
    let file: serde_json::Value = serde_json::from_str(text).unwrap();
    let hex = |name: &str| -> Vec<u8> {
        let s = file[name].as_str().unwrap_or_else(|| panic!("{name} in {file}"));
        (0..s.len()).step_by(2).map(|i| u8::from_str_radix(&s[i..i + 2], 16).unwrap()).collect()
    };
    let mut pair = Pair::new(config(&PROVIDER, 1), config(&PROVIDER, 2));
    let machine = &mut pair.ends[0].dtls.machine;
    machine.suite = keys::Suite::of(0xc02b);
    machine.master = keys::MasterSecret::new(&hex("master_secret"));
    machine.client_random.copy_from_slice(&hex("client_random"));
    machine.server_random.copy_from_slice(&hex("server_random"));
    let mut out = [0; 60];
    machine.export(b"EXTRACTOR-dtls_srtp", &mut out).unwrap();
    assert_eq!(out[..], hex("keying_material")[..]);
}

#[test]
fn an_mtu_is_respected_and_fragments_come_in_any_order() {
    let mut client = config(&PROVIDER, 1);
    let mut server = config(&PROVIDER, 2);
    client.mtu = 150;
    server.mtu = 150;
    let mut pair = Pair::with_limits(client, server, &Limits::TINY);
    pair.start();
    for _ in 0..50 {
        pair.wire.reverse();
        for (to, datagram) in core::mem::take(&mut pair.wire) {
            assert!(datagram.len() <= 150);
            pair.deliver(to, datagram);
        }
    }
    assert!(pair.connected());
    pair.exchange_data();
}

#[test]
fn a_wrong_fingerprint_never_connects() {
    for (wrong, version) in [(0, V12), (1, V12), (0, V13), (1, V13)] {
        let mut pair = Pair::new(config(&PROVIDER, 1), config_of(version, &PROVIDER, 2));
        let other = Certificate::generate(&PROVIDER, &mut Rng::new([99; 32])).unwrap();
        for (i, role) in [(0, Role::Client), (1, Role::Server)] {
            let mut fingerprints = pair.fingerprints(1 - i);
            if i == wrong {
                fingerprints[0] = other.fingerprint().clone();
            }
            let end = &mut pair.ends[i];
            end.dtls.start(&mut Env::new(pair.now, &mut end.rng), role, fingerprints);
        }
        pair.collect();
        pair.run(|_, _, _| 1);
        pair.collect();
        assert_eq!(pair.ends[wrong].events, [Event::Failed(Error::FingerprintMismatch)]);
        let told = Event::Failed(Error::PeerGaveUp(AlertDescription::BAD_CERTIFICATE));
        assert_eq!(pair.ends[1 - wrong].events.last(), Some(&told));
        // A client of DTLS 1.3 is through before the server has seen its
        // certificate.
        let early = version == V13 && wrong == 1;
        assert_eq!(pair.ends[1 - wrong].events.len(), 1 + usize::from(early));
    }
}

#[test]
fn a_server_may_ask_for_a_cookie_first() {
    for (version, datagrams) in [(V12, 6), (V13, 6)] {
        let mut server = config_of(version, &PROVIDER, 2);
        server.hello_verify = true;
        let mut pair = Pair::new(config(&CHIP, 1), server);
        pair.start();
        pair.run(|_, _, _| 1);
        assert!(pair.connected());
        assert_eq!(pair.sent, datagrams);
        assert_eq!(pair.ends[0].dtls.negotiated().unwrap().version, version.0);
        pair.exchange_data();
    }
}

#[test]
fn deferred_operations_lead_to_the_same_end() {
    for (version, client_does, server_does) in [
        (V12, &["generate", "verify", "respond", "sign"][..], &["generate", "sign", "agree", "verify"][..]),
        (V13, &["generate", "agree", "verify", "sign"][..], &["respond", "sign", "verify"][..]),
    ] {
        let mut client = config(&PROVIDER, 1);
        let mut server = config_of(version, &PROVIDER, 2);
        client.defer_operations = true;
        server.defer_operations = true;
        let mut pair = Pair::new(client, server);
        pair.start();
        let mut done = Vec::new();
        let mut out: Vec<(usize, Operation)> = Vec::new();
        for round in 0..200 {
            for (to, datagram) in core::mem::take(&mut pair.wire) {
                pair.deliver(to, datagram);
            }
            // Work is done a while after it was handed out: messages that
            // come in the meantime wait for it.
            if round % 4 == 3 {
                for (i, operation) in core::mem::take(&mut out) {
                    let end = &mut pair.ends[i];
                    let outcome = operation.run();
                    end.dtls.handle_operation(&mut Env::new(pair.now, &mut end.rng), outcome);
                }
            }
            for (i, end) in pair.ends.iter_mut().enumerate() {
                if let Some(operation) = end.dtls.pending_operation() {
                    done.push((i, operation.name()));
                    assert!(end.dtls.pending_operation().is_none(), "it is handed out once");
                    out.push((i, operation));
                }
            }
            pair.now += Duration::from_millis(30);
            for end in &mut pair.ends {
                end.dtls.handle_timeout(&mut Env::new(pair.now, &mut end.rng));
            }
            pair.collect();
        }
        assert!(pair.connected(), "{done:?} {:?}", pair.ends.each_ref().map(|e| e.dtls.machine.state));
        let of = |i| done.iter().filter(|d| d.0 == i).map(|d| d.1).collect::<Vec<_>>();
        assert_eq!(of(0), client_does);
        assert_eq!(of(1), server_does);
        pair.exchange_data();
    }
}

static WITHOUT_X25519: CryptoProvider = CryptoProvider { key_exchanges: &[CHIP.key_exchanges[1]], ..CHIP };

/// Shares that are made before the start are used once, by either role, and
/// whether they are ready when they are wanted or not.
#[test]
fn shares_are_made_ahead() {
    for (provider, client_version, server_version, client_does, server_does) in [
        (&CHIP, V13, V13, &["agree", "verify", "sign"][..], &["agree", "sign", "verify"][..]),
        (&CHIP, V12, V12, &["verify", "respond", "sign"], &["sign", "agree", "verify"]),
        (&CHIP, V13, V12, &["verify", "respond", "sign"], &["sign", "agree", "verify"]),
        (&CHIP, V12, V13, &["verify", "respond", "sign"], &["sign", "agree", "verify"]),
        // A server's side of a KEM cannot be made ahead.
        (&PROVIDER, V13, V13, &["agree", "verify", "sign"], &["respond", "sign", "verify"]),
        // The server has no X25519: the client makes another share.
        (&WITHOUT_X25519, V13, V13, &["generate", "agree", "verify", "sign"], &["agree", "sign", "verify"]),
    ] {
        for ready_after in [0, 1, 3, 9] {
            let client_provider = if core::ptr::eq(provider, &WITHOUT_X25519) { &CHIP } else { provider };
            let configs = [(client_version, client_provider, 1), (server_version, provider, 2)];
            let [client, server] = configs.map(|(version, provider, seed)| Config {
                defer_operations: true,
                max_version: version,
                ..config(provider, seed)
            });
            let mut pair = Pair::new(client, server);
            let mut ahead = Vec::new();
            for end in &mut pair.ends {
                end.dtls.prepare(&mut Env::new(pair.now, &mut end.rng));
                let operation = end.dtls.pending_operation().expect("something to do");
                assert_eq!(operation.name(), "generate");
                ahead.push(operation.run());
                end.dtls.prepare(&mut Env::new(pair.now, &mut end.rng));
            }
            let mut done = [Vec::new(), Vec::new()];
            for round in 0..60 {
                if round == ready_after {
                    for (end, outcome) in pair.ends.iter_mut().zip(ahead.drain(..)) {
                        end.dtls.handle_operation(&mut Env::new(pair.now, &mut end.rng), outcome);
                    }
                }
                if round == 1 {
                    pair.start();
                }
                for (to, datagram) in core::mem::take(&mut pair.wire) {
                    pair.deliver(to, datagram);
                }
                for (end, done) in pair.ends.iter_mut().zip(&mut done) {
                    if ahead.is_empty()
                        && let Some(operation) = end.dtls.pending_operation()
                    {
                        done.push(operation.name());
                        end.dtls.handle_operation(&mut Env::new(pair.now, &mut end.rng), operation.run());
                    }
                }
                pair.collect();
            }
            let states = pair.ends.each_ref().map(|e| e.dtls.machine.state);
            assert!(pair.connected(), "{client_version:?} {ready_after}: {done:?} {states:?}");
            assert_eq!(done, [client_does.to_vec(), server_does.to_vec()], "after {ready_after}");
            pair.exchange_data();
        }
    }
}

/// A chip verified the server's signature elsewhere; the rest of the flight,
/// in another datagram, came meanwhile and was called unexpected.
#[test]
fn messages_wait_while_work_is_done_elsewhere() {
    let configs = [1, 2].map(|seed| Config { defer_operations: true, mtu: 300, ..config(&PROVIDER, seed) });
    let [client, server] = configs;
    let mut pair = Pair::new(client, server);
    pair.start();
    for _ in 0..50 {
        let working = [0, 1].map(|i| pair.ends[i].dtls.pending_operation());
        for (to, datagram) in core::mem::take(&mut pair.wire) {
            pair.deliver(to, datagram);
        }
        for (end, operation) in pair.ends.iter_mut().zip(working) {
            if let Some(operation) = operation {
                end.dtls.handle_operation(&mut Env::new(pair.now, &mut end.rng), operation.run());
            }
        }
        pair.collect();
        // One datagram a round, so that work is begun with some on their way.
        let late = pair.wire.split_off(pair.wire.len().min(1));
        for (to, datagram) in core::mem::take(&mut pair.wire) {
            pair.deliver(to, datagram);
        }
        pair.wire.splice(0..0, late);
    }
    assert!(pair.connected(), "{:?}", pair.ends.each_ref().map(|e| (e.dtls.machine.state, &e.events)));
    pair.exchange_data();
}

#[test]
fn a_client_hello_before_the_start_is_held() {
    let mut pair = Pair::new(config(&PROVIDER, 1), config(&PROVIDER, 2));
    let fingerprints = pair.fingerprints(1);
    let end = &mut pair.ends[0];
    end.dtls.start(&mut Env::new(pair.now, &mut end.rng), Role::Client, fingerprints);
    pair.collect();
    for (to, hello) in core::mem::take(&mut pair.wire) {
        pair.deliver(to, hello);
    }
    assert!(pair.wire.is_empty(), "no answer yet");
    let fingerprints = pair.fingerprints(0);
    let end = &mut pair.ends[1];
    end.dtls.start(&mut Env::new(pair.now, &mut end.rng), Role::Server, fingerprints);
    pair.collect();
    pair.run(|_, _, _| 1);
    assert!(pair.connected());
    assert_eq!(pair.now, Instant::from_millis(5), "without a retransmission");
}

#[test]
fn a_close_reaches_the_other_end_and_a_forged_one_does_not() {
    for (version, protected) in
        [(V12, &[21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 26][..]), (V13, &[0x2f, 0, 99, 0, 26][..])]
    {
        let mut pair = Pair::new(config(&PROVIDER, 1), config_of(version, &PROVIDER, 2));
        pair.start();
        pair.run(|_, _, _| 1);
        let forged = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 0];
        pair.deliver(1, forged.to_vec());
        pair.deliver(1, protected.iter().copied().chain([7; 26]).collect());
        pair.exchange_data();
        pair.ends[0].dtls.close();
        pair.collect();
        pair.run(|_, _, _| 1);
        pair.collect();
        assert_eq!(pair.ends[0].events, [Event::Connected, Event::Closed]);
        assert_eq!(pair.ends[1].events, [Event::Connected, Event::Closed]);
        assert_eq!(pair.ends[1].dtls.counters().forged, 1);
    }
}

#[test]
fn an_acknowledgement_in_the_clear_is_not_believed() {
    let mut pair = Pair::new(config_of(V13, &PROVIDER, 1), config_of(V13, &PROVIDER, 2));
    pair.start();
    while !pair.ends[0].dtls.is_connected() {
        let (to, datagram) = pair.wire.remove(0);
        pair.deliver(to, datagram);
    }
    // The client's last flight is lost; somebody claims that it arrived.
    pair.wire.clear();
    let mut forged = Vec::from([26, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2 + 8 * 16, 0, 8 * 16]);
    for sequence in 0..8u64 {
        forged.extend_from_slice(&2u64.to_be_bytes());
        forged.extend_from_slice(&sequence.to_be_bytes());
    }
    let before = pair.ends[0].dtls.counters().noise;
    pair.deliver(0, forged);
    assert_eq!(pair.ends[0].dtls.counters().noise, before + 1);
    pair.now = pair.ends[0].dtls.poll_timeout().expect("it waits for an answer");
    let end = &mut pair.ends[0];
    end.dtls.handle_timeout(&mut Env::new(pair.now, &mut end.rng));
    pair.collect();
    assert!(!pair.wire.is_empty(), "it is sent again");
}

#[test]
fn noise_never_hurts() {
    let mut pair = Pair::new(config(&PROVIDER, 1), config(&PROVIDER, 2));
    let mut rng = Rng::new([42; 32]);
    pair.start();
    for round in 0..3000 {
        if round == 1500 {
            pair.run(|_, _, _| 1);
        }
        let mut junk = std::vec![0; rng.below(120) as usize];
        rng.fill(&mut junk);
        // Half of it looks like a record of either epoch.
        if junk.len() > 13 && round % 2 == 0 {
            let len = (junk.len() - 13) as u16;
            junk[0] = 20 + rng.below(6) as u8;
            junk[1..5].copy_from_slice(&[0xfe, 0xfd, 0, (round / 2 % 2) as u8]);
            junk[11..13].copy_from_slice(&len.to_be_bytes());
            if junk[0] == 21 && junk[4] == 0 {
                continue; // an alert in the clear before the keys is believed
            }
            if junk[0] == 22 && junk[4] == 0 {
                junk[0] = 23; // and so would a handshake message be
            }
        }
        pair.deliver((round % 2) as usize, junk);
    }
    assert!(pair.connected());
    pair.exchange_data();
}

#[test]
fn browsers_hellos_in_fragments_are_answered() {
    use crate::wire::dtls::{HandshakeHeader, HandshakeType, vectors};
    for hello in [vectors::CHROMIUM_HELLO, vectors::FIREFOX_HELLO] {
        for cut in (1..hello.len()).step_by(97) {
            let mut pair = Pair::with_limits(config(&CHIP, 1), config(&CHIP, 2), &Limits::TINY);
            let end = &mut pair.ends[1];
            end.dtls.start(&mut Env::new(pair.now, &mut end.rng), Role::Server, Fingerprints::new());
            for (n, (from, to)) in [(cut, hello.len()), (0, cut)].into_iter().enumerate() {
                let header = HandshakeHeader {
                    fragment_offset: from as u32,
                    fragment_length: (to - from) as u32,
                    ..HandshakeHeader::whole(HandshakeType::CLIENT_HELLO, 0, hello.len() as u32)
                };
                let mut datagram = std::vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, n as u8];
                datagram.extend(((to - from + 12) as u16).to_be_bytes());
                datagram.extend(header.to_bytes());
                datagram.extend(&hello[from..to]);
                pair.deliver(1, datagram);
            }
            assert_eq!(pair.ends[1].dtls.machine.state, State::AwaitClientCertificate, "cut at {cut}");
            assert_eq!(pair.ends[1].dtls.machine.group, crate::crypto::NamedGroup::X25519);
        }
    }
}
