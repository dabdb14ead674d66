//! Two associations, a link between them, and a clock that jumps.

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
}

fn config(provider: &'static CryptoProvider, seed: u8) -> Config {
    let certificate = Certificate::generate(provider, &mut Rng::new([seed; 32])).unwrap();
    Config::new(provider, certificate)
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

    /// Runs until both are connected or `steps` are over; `fate` says what
    /// becomes of the n-th datagram: how many copies arrive.
    fn run(&mut self, mut fate: impl FnMut(usize, usize, &mut Vec<u8>) -> usize) {
        for _ in 0..400 {
            while !self.wire.is_empty() {
                let (to, mut datagram) = self.wire.remove(0);
                self.sent += 1;
                assert!(self.sent < 500, "the ends keep answering each other");
                for _ in 0..fate(self.sent - 1, to, &mut datagram) {
                    self.deliver(to, datagram.clone());
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
    static SUITES: [&[u16]; 3] = [&[0xc02b], &[0xc02c], &[0xcca9]];
    for suites in SUITES {
        for group in 0..2 {
            let provider: &'static CryptoProvider =
                std::boxed::Box::leak(std::boxed::Box::new(CryptoProvider {
                    cipher_suites: suites,
                    key_exchanges: &CHIP.key_exchanges[group..group + 1],
                    ..PROVIDER
                }));
            let mut pair = Pair::new(config(provider, 1), config(&PROVIDER, 2));
            pair.start();
            pair.run(|_, _, _| 1);
            assert!(pair.connected());
            let negotiated = pair.ends[1].dtls.negotiated().unwrap();
            assert_eq!(negotiated.cipher_suite, suites[0]);
            assert_eq!(negotiated.group, CHIP.key_exchanges[group].group().0);
            pair.exchange_data();
            assert_eq!(pair.sent, 4, "one datagram per flight");
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
    let text = include_str!("../../../tests/vectors/dtls/dtls12_srtp_exporter.json");
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
fn every_schedule_of_two_lost_or_doubled_datagrams_connects() {
    // 0 loses, 2 doubles; the rest arrives once.
    for first in 0..6 {
        for second in first..8 {
            for (a, b) in [(0, 0), (0, 2), (2, 0), (2, 2)] {
                let mut pair = Pair::new(config(&CHIP, 1), config(&CHIP, 2));
                pair.start();
                pair.run(|n, _, _| {
                    if n == first {
                        a
                    } else if n == second {
                        b
                    } else {
                        1
                    }
                });
                assert!(pair.connected(), "{first} {a} {second} {b}");
                pair.exchange_data();
            }
        }
    }
}

#[test]
fn the_last_flight_is_sent_again_as_often_as_it_is_asked_for() {
    let mut pair = Pair::new(config(&PROVIDER, 1), config(&PROVIDER, 2));
    pair.start();
    let mut lost = 0;
    pair.run(|n, to, _| {
        let lose = n >= 3 && to == 0 && lost < 6;
        lost += usize::from(lose);
        usize::from(!lose)
    });
    assert_eq!(lost, 6);
    assert!(pair.connected());
    pair.exchange_data();
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
    for wrong in 0..2 {
        let mut pair = Pair::new(config(&PROVIDER, 1), config(&PROVIDER, 2));
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
        let told = Error::PeerGaveUp(AlertDescription::BAD_CERTIFICATE);
        assert_eq!(pair.ends[1 - wrong].events, [Event::Failed(told)]);
    }
}

#[test]
fn a_server_may_ask_for_a_cookie_first() {
    let mut server = config(&PROVIDER, 2);
    server.hello_verify = true;
    let mut pair = Pair::new(config(&PROVIDER, 1), server);
    pair.start();
    pair.run(|_, _, _| 1);
    assert!(pair.connected());
    assert_eq!(pair.sent, 6);
    pair.exchange_data();
}

#[test]
fn deferred_operations_lead_to_the_same_end() {
    let mut client = config(&PROVIDER, 1);
    let mut server = config(&PROVIDER, 2);
    client.defer_operations = true;
    server.defer_operations = true;
    let mut pair = Pair::new(client, server);
    pair.start();
    let mut done = Vec::new();
    for _ in 0..50 {
        for (to, datagram) in core::mem::take(&mut pair.wire) {
            pair.deliver(to, datagram);
        }
        for i in 0..2 {
            let end = &mut pair.ends[i];
            if let Some(operation) = end.dtls.pending_operation() {
                done.push((i, operation.name()));
                assert!(end.dtls.pending_operation().is_none(), "it is handed out once");
                let outcome = operation.run();
                end.dtls.handle_operation(&mut Env::new(pair.now, &mut end.rng), outcome);
            }
        }
        pair.collect();
    }
    assert!(pair.connected(), "{done:?} {:?}", pair.ends.each_ref().map(|e| e.dtls.machine.state));
    let of = |i| done.iter().filter(|d| d.0 == i).map(|d| d.1).collect::<Vec<_>>();
    assert_eq!(of(0), ["verify", "respond", "sign"]);
    assert_eq!(of(1), ["generate", "sign", "agree", "verify"]);
    pair.exchange_data();
}

#[test]
fn a_client_hello_before_the_start_is_held() {
    let mut pair = Pair::new(config(&PROVIDER, 1), config(&PROVIDER, 2));
    let fingerprints = pair.fingerprints(1);
    let end = &mut pair.ends[0];
    end.dtls.start(&mut Env::new(pair.now, &mut end.rng), Role::Client, fingerprints);
    pair.collect();
    let (to, hello) = pair.wire.remove(0);
    pair.deliver(to, hello);
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
    let mut pair = Pair::new(config(&PROVIDER, 1), config(&PROVIDER, 2));
    pair.start();
    pair.run(|_, _, _| 1);
    let forged = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 0];
    pair.deliver(1, forged.to_vec());
    let forged = [21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 26].into_iter().chain([7; 26]).collect();
    pair.deliver(1, forged);
    pair.exchange_data();
    pair.ends[0].dtls.close();
    pair.collect();
    pair.run(|_, _, _| 1);
    pair.collect();
    assert_eq!(pair.ends[0].events, [Event::Connected, Event::Closed]);
    assert_eq!(pair.ends[1].events, [Event::Connected, Event::Closed]);
    assert_eq!(pair.ends[1].dtls.counters().forged, 1);
}

#[test]
fn no_flipped_octet_is_believed() {
    // Every octet of every datagram of a handshake, one run each: never two
    // ends that disagree about being connected with data flowing.
    let mut lengths = Vec::new();
    let mut pair = Pair::new(config(&CHIP, 1), config(&CHIP, 2));
    pair.start();
    pair.run(|_, _, d| {
        lengths.push(d.len());
        1
    });
    let mut outcomes = [0; 2];
    for (n, len) in lengths.iter().enumerate() {
        for at in (0..*len).step_by(3) {
            let mut pair = Pair::new(config(&CHIP, 1), config(&CHIP, 2));
            pair.start();
            pair.run(|i, _, d| {
                if i == n {
                    d[at] ^= 1;
                }
                1
            });
            let failed = pair.ends.iter().any(|e| matches!(e.dtls.machine.state, State::Failed));
            outcomes[usize::from(failed)] += 1;
            if pair.connected() {
                pair.exchange_data();
            } else {
                assert!(failed, "datagram {n} octet {at}: neither connected nor failed");
            }
        }
    }
    assert!(outcomes[0] > 50 && outcomes[1] > 50, "recovered and failed: {outcomes:?}");
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
