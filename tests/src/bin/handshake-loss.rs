//! How long ICE and DTLS take over a network that loses datagrams, in virtual
//! time: writes docs/handshake.md with `--write`, prints it without.
//!
//! `cargo run --release -p picortc-tests --bin handshake-loss -- --write`

use picortc::dtls::ProtocolVersion;
use picortc::peer::{Limits, RTCDtlsTransportState, RTCMilestoneStep, RTCPeerConnectionEvent};
use picortc_tests::{Pair, Setup, Weather};
use std::fmt::Write;
use std::time::Duration;

const SEEDS: u64 = 100;
const LOSSES: [u32; 4] = [0, 50, 100, 250];

/// What libwebrtc published for its own at the same losses (commit 68ca4f24d6
/// of webrtc.googlesource.com/src): mean and 95th percentile in milliseconds.
const PUBLISHED: [(&str, [(u32, u32); 4]); 2] = [
    ("libwebrtc, DTLS 1.3", [(750, 750), (838, 1150), (910, 1200), (1358, 2420)]),
    ("libwebrtc, DTLS 1.2", [(850, 850), (940, 0), (1106, 0), (6208, 0)]),
];

/// Both ends of one kind.
fn setups(version: ProtocolVersion, with_hybrid: bool) -> [Setup; 2] {
    [0, 1].map(|i| {
        let mut setup = Setup::end(i);
        setup.settings.dtls_min_version = version;
        setup.settings.dtls_max_version = version;
        if !with_hybrid {
            let mut limits = Limits::DEFAULT;
            // Too little for the hybrid group, which is left out then.
            limits.dtls.flight = 2047;
            setup.limits = limits;
        }
        setup
    })
}

/// From the answer until both ends' DTLS is connected, and of it from the second
/// end's start of DTLS on; each sorted.
fn times(loss: u32, setups: &[Setup; 2]) -> [Vec<u64>; 2] {
    let weather = Weather { delay: Duration::from_millis(50), loss, rate: 220_000 / 8, ..Weather::default() };
    let mut both: [Vec<u64>; 2] = (0..SEEDS)
        .map(|seed| {
            let mut pair = Pair::with(weather, seed, &setups[0], &setups[1]);
            let start = pair.now;
            pair.ends[0].pc.create_data_channel(start, "data", Default::default()).expect("a channel");
            pair.negotiate(0, false);
            let connected = |p: &mut Pair| {
                p.ends.iter().all(|e| e.pc.dtls_transport_state() == RTCDtlsTransportState::Connected)
            };
            assert!(
                pair.run(Duration::from_secs(120), connected),
                "seed {seed} at {loss} ‰ does not connect"
            );
            let all = (pair.now - start).as_millis() as u64;
            let started = pair.ends.iter().flat_map(|e| &e.events).filter_map(|event| match event {
                RTCPeerConnectionEvent::OnMilestone(m) if m.step == RTCMilestoneStep::DtlsStarted => {
                    Some(m.millis)
                }
                _ => None,
            });
            (all, all - started.max().expect("DTLS was started"))
        })
        .unzip::<_, _, Vec<u64>, Vec<u64>>()
        .into();
    both.iter_mut().for_each(|times| times.sort());
    both
}

/// Median, mean and 95th percentile.
fn figures(times: &[u64]) -> String {
    let mean = times.iter().sum::<u64>() / times.len() as u64;
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("{} / {mean} / {}", at(50), at(95))
}

fn main() -> std::io::Result<()> {
    let mut out = String::from(HEAD);
    let mut say = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    let mut head = String::from("| |");
    let mut rule = String::from("| --- |");
    for loss in LOSSES {
        let _ = write!(head, " {} % |", loss / 10);
        rule.push_str(" ---: |");
    }
    say(head);
    say(rule);
    for (name, version, with_hybrid) in [
        ("DTLS 1.3, X25519MLKEM768", ProtocolVersion::DTLS_1_3, true),
        ("DTLS 1.3, X25519", ProtocolVersion::DTLS_1_3, false),
        ("DTLS 1.2, X25519", ProtocolVersion::DTLS_1_2, false),
    ] {
        let (mut line, mut of_it) = (format!("| {name} |"), String::from("| – of it DTLS |"));
        for loss in LOSSES {
            let [all, dtls] = times(loss, &setups(version, with_hybrid));
            let _ = write!(line, " {} |", figures(&all));
            let _ = write!(of_it, " {} |", figures(&dtls));
        }
        say(line);
        say(of_it);
    }
    for (name, figures) in PUBLISHED {
        let mut line = format!("| {name} |");
        for (mean, p95) in figures {
            let p95 = if p95 == 0 { "–".to_string() } else { p95.to_string() };
            let _ = write!(line, " – / {mean} / {p95} |");
        }
        say(line);
    }
    if std::env::args().any(|arg| arg == "--write") {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/handshake.md"), &out)?;
    }
    print!("{out}");
    Ok(())
}

const HEAD: &str = "# Connecting over a network that loses datagrams

Written by `cargo run --release -p picortc-tests --bin handshake-loss -- --write`: ICE and DTLS between two connections on the emulated network, in virtual time, from the answer until both ends' DTLS is connected. One way takes 50 ms at 220 kbit/s; each datagram is lost with the probability at the head of the column; 100 seeds per cell. Milliseconds: median / mean / 95th percentile. Of it DTLS: from when both ends have a valid path of ICE and begin, which the second does later where its checks were lost.

The rows of libwebrtc are those that it published for its own stack (commit 68ca4f24d6), as far as they are known; its link was said to be of this kind, and was not reproduced, so that they are for orientation and no comparison of like with like.

";
