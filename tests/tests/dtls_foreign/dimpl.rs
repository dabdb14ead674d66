//! dimpl, in this process and under a clock of our own.

use super::*;
use ::dimpl::{Config as TheirConfig, ConfigBuilder, Dtls, DtlsCertificate, Output};
use picortc_tests::Dice;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Theirs {
    dtls: Dtls,
    start: std::time::Instant,
    timeout: Option<std::time::Instant>,
    connected: bool,
    closed: bool,
    exported: Option<Vec<u8>>,
    received: Vec<Vec<u8>>,
}

impl Theirs {
    fn new(version: ProtocolVersion, cookie: bool, active: bool) -> Self {
        let certificate = identity(2);
        let certificate =
            DtlsCertificate { certificate: certificate.der().to_vec(), private_key: pkcs8(&certificate) };
        Self::with(|config| config.use_server_cookie(cookie), certificate, version, active)
    }

    pub(super) fn with(
        adapt: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
        certificate: DtlsCertificate,
        version: ProtocolVersion,
        active: bool,
    ) -> Self {
        let config = TheirConfig::builder()
            .with_crypto_provider(::dimpl::crypto::rust_crypto::default_provider())
            .use_server_cookie(false)
            .dangerously_set_rng_seed(5);
        let config = Arc::new(adapt(config).build().expect("a configuration"));
        let start = std::time::Instant::now();
        let mut dtls = match version {
            V12 => Dtls::new_12(config, certificate, start),
            _ => Dtls::new_13(config, certificate, start),
        };
        dtls.set_active(active);
        let (connected, closed) = (false, false);
        Self { dtls, start, timeout: None, connected, closed, exported: None, received: Vec::new() }
    }

    fn poll(&mut self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut buf = vec![0; 4096];
        loop {
            match self.dtls.poll_output(&mut buf) {
                Output::Packet(p) => out.push(p.to_vec()),
                Output::Timeout(at) => {
                    self.timeout = Some(at);
                    return out;
                }
                Output::Connected => self.connected = true,
                Output::PeerCert(der) => assert_eq!(der, identity(1).der()),
                Output::KeyingMaterial(keys, _) => self.exported = Some(keys.to_vec()),
                Output::ApplicationData(data) => self.received.push(data.to_vec()),
                Output::CloseNotify => self.closed = true,
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Runs both until they are connected, over a network that loses so many of a
/// thousand; returns how long it took.
pub(super) fn run(ours: &mut Ours, theirs: &mut Theirs, role: Role, loss: u32, seed: u64) -> Duration {
    let mut dice = Dice(seed);
    let mut now = Instant::from_millis(1);
    let at = |theirs: &Theirs, now: Instant| theirs.start + Duration::from_micros(now.as_micros());
    let first = at(theirs, now);
    theirs.dtls.handle_timeout(first).expect("no time-out yet");
    ours.start(now, role);
    for _ in 0..10_000 {
        let mut moved = false;
        while let Some(datagram) = ours.write(now) {
            moved = true;
            if !dice.per_mille(loss) {
                // What it cannot use, it may say so; it goes on all the same.
                let _ = theirs.dtls.handle_packet(&datagram);
            }
        }
        for mut datagram in theirs.poll() {
            moved = true;
            if !dice.per_mille(loss) {
                ours.read(now, &mut datagram);
            }
        }
        if ours.dtls.is_connected() && theirs.connected && !moved {
            return Duration::from_micros(now.as_micros());
        }
        assert!(!matches!(ours.events.last(), Some(Event::Failed(_))), "{:?}", ours.events);
        if !moved {
            now += Duration::from_millis(10);
            let their_now = at(theirs, now);
            if theirs.timeout.is_some_and(|at| at <= their_now) {
                theirs.dtls.handle_timeout(their_now).expect("it does not give up");
            }
            ours.timeout(now);
        }
    }
    panic!("not connected: ours {:?}, theirs {}", ours.dtls, theirs.connected);
}

pub(super) fn talk(ours: &mut Ours, theirs: &mut Theirs) {
    let now = Instant::from_millis(100_000);
    for n in 0..10 {
        let text = format!("message {n}").into_bytes();
        theirs.dtls.handle_packet(&ours.seal(&text)).expect("it is authentic");
        theirs.dtls.send_application_data(&text).expect("it is connected");
        for mut datagram in theirs.poll() {
            ours.read(now, &mut datagram);
        }
        assert_eq!((ours.received.last(), theirs.received.last()), (Some(&text), Some(&text)));
    }
    assert_eq!(theirs.exported.as_deref(), Some(&ours.exported()[..]), "the same keys for SRTP");
}

pub(super) fn roles() -> [(Role, bool); 2] {
    [(Role::Client, false), (Role::Server, true)]
}

#[test]
fn each_version_suite_group_and_role() {
    let cases: [(ProtocolVersion, &[u16]); 2] =
        [(V13, &[0x1301, 0x1302, 0x1303]), (V12, &[0xc02b, 0xc02c, 0xcca9])];
    for (version, suites) in cases {
        for &suite in suites {
            for group in [NamedGroup::X25519, NamedGroup::SECP256R1] {
                for (role, active) in roles() {
                    let mut ours = Ours::new(|_| (), only(suite, group));
                    let mut theirs = Theirs::new(version, false, active);
                    run(&mut ours, &mut theirs, role, 0, 1);
                    let negotiated = ours.negotiated();
                    assert_eq!((negotiated.version, negotiated.cipher_suite), (version.0, suite));
                    assert_eq!(negotiated.group, group.0);
                    assert_eq!(negotiated.srtp_profile, Some(SrtpProfile::AEAD_AES_128_GCM));
                    talk(&mut ours, &mut theirs);
                    println!(
                        "{role:?} {} {} {}",
                        negotiated.tls_version(),
                        negotiated.dtls_cipher(),
                        negotiated.group_name()
                    );
                }
            }
        }
    }
}

#[test]
fn cookies_of_both_versions_and_roles() {
    for version in [V13, V12] {
        for (role, active) in roles() {
            let mut ours = Ours::new(|config| config.hello_verify = true, &CHIP);
            let mut theirs = Theirs::new(version, true, active);
            run(&mut ours, &mut theirs, role, 0, 1);
            assert_eq!(ours.negotiated().version, version.0);
            talk(&mut ours, &mut theirs);
        }
    }
}

/// The client's share is for a group that the server does not have: it is asked
/// for another one, once, by either engine.
#[test]
fn a_retry_changes_the_group_in_both_roles() {
    use ::dimpl::NamedGroup as TheirGroup;
    for (role, active) in roles() {
        for loss in [0, 250] {
            let certificate = identity(2);
            let certificate =
                DtlsCertificate { certificate: certificate.der().to_vec(), private_key: pkcs8(&certificate) };
            // The client prefers X25519, and the server has P-256 alone.
            let both = [TheirGroup::X25519, TheirGroup::Secp256r1];
            let (provider, groups) = match role {
                Role::Client => (&PROVIDER, &both[1..]),
                Role::Server => (only(0x1301, NamedGroup::SECP256R1), &both[..]),
            };
            let mut ours = Ours::new(|_| (), provider);
            let mut theirs = Theirs::with(|config| config.kx_groups(groups), certificate, V13, active);
            run(&mut ours, &mut theirs, role, loss, 3);
            let negotiated = ours.negotiated();
            assert_eq!((negotiated.version, negotiated.group), (V13.0, NamedGroup::SECP256R1.0));
            assert!(ours.retries > 0, "nobody asked for another group");
            talk(&mut ours, &mut theirs);
            println!("{role:?}, {loss} of 1,000 lost: {} after a retry", negotiated.group_name());
        }
    }
}

#[test]
fn both_versions_and_roles_over_a_network_that_loses_a_quarter() {
    for version in [V13, V12] {
        for (role, active) in roles() {
            let mut times = Vec::new();
            for seed in 0..50 {
                let mut ours = Ours::new(|_| (), &CHIP);
                let mut theirs = Theirs::new(version, false, active);
                times.push(run(&mut ours, &mut theirs, role, 250, seed));
                talk(&mut ours, &mut theirs);
            }
            times.sort();
            println!("{role:?} {:x}: median {:?}, slowest {:?}", version.0, times[25], times[49]);
        }
    }
}

#[test]
fn keys_change_and_the_end_is_told() {
    for (role, active) in roles() {
        let mut ours = Ours::new(|_| (), &CHIP);
        let mut theirs = Theirs::new(V13, false, active);
        run(&mut ours, &mut theirs, role, 0, 1);
        let now = Instant::from_millis(60_000);
        for _ in 0..5 {
            assert!(ours.dtls.update_keys());
            for _ in 0..10 {
                while let Some(datagram) = ours.write(now) {
                    theirs.dtls.handle_packet(&datagram).expect("it is authentic");
                }
                for mut datagram in theirs.poll() {
                    ours.read(now, &mut datagram);
                }
            }
            talk(&mut ours, &mut theirs);
        }
        ours.dtls.close();
        let goodbye = ours.write(now).expect("close_notify");
        theirs.dtls.handle_packet(&goodbye).expect("it is authentic");
        theirs.poll();
        assert!(theirs.closed);
    }
}
