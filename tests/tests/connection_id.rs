//! DTLS connection IDs on a network where an address changes.

use picortc::dtls::{Cid, ProtocolVersion};
use picortc::env::TransportContext;
use picortc_tests::{Pair, Setup, Weather};
use std::net::SocketAddr;
use std::time::Duration;

const MOVED: &str = "203.0.113.9:4444";

fn pair(version: ProtocolVersion, with_ids: bool) -> Pair {
    let [a, b] = [(0, "first-end"), (1, "second-end")].map(|(i, id)| {
        let mut end = Setup::end(i);
        end.settings.dtls_max_version = version;
        end.settings.dtls_connection_id = with_ids.then(|| Cid::new(id.as_bytes()).unwrap());
        end
    });
    Pair::with(Weather::default(), 1, &a, &b)
}

/// The second end comes to be behind another address, as when a device wakes
/// and its NAT has forgotten it. What it sends is read at once; where the
/// first end sends is for ICE to say, and both go on without a new handshake.
#[test]
fn an_association_survives_a_change_of_address() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        for with_ids in [true, false] {
            let mut pair = pair(version, with_ids);
            let [a, b] = pair.connect();
            pair.run(Duration::from_secs(1), |_| false);
            let (home, moved): (SocketAddr, SocketAddr) = (pair.ends[1].addr, MOVED.parse().unwrap());
            pair.net.nat = Some([home, moved]);
            let now = pair.now;
            pair.ends[1].pc.data_channel(b).unwrap().send_text(now, "from elsewhere").unwrap();
            let at_once = pair.run(Duration::from_millis(50), |p| p.ends[0].received.len() == 1);
            assert_eq!(at_once, with_ids, "{version:?}");
            let transport = pair.ends[0].pc.get_stats(pair.now).transport();
            assert_eq!(transport.selected_path.unwrap().peer_addr, home, "nothing moves before ICE says so");
            assert_eq!(transport.datagrams_unvalidated > 0, !with_ids);

            let now = pair.now;
            pair.ends[0].pc.data_channel(a).unwrap().send_text(now, "back").unwrap();
            let both = pair.run(Duration::from_secs(60), |p| p.ends.iter().all(|e| e.received.len() == 1));
            assert!(both, "{version:?} {with_ids}");
            let transport = pair.ends[0].pc.get_stats(pair.now).transport();
            assert_eq!(transport.selected_path.unwrap().peer_addr, moved);
            println!("{version:?}, IDs {with_ids}: answered after {:?}", pair.now - now);
        }
    }
}

#[test]
fn another_id_from_another_address_is_nobodys() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        let mut pair = pair(version, true);
        pair.connect();
        let stranger = TransportContext::udp(pair.ends[0].addr, MOVED.parse().unwrap());
        let before = pair.ends[0].pc.get_stats(pair.now).transport();
        let wrong: &[&[u8]] = &[
            b"\x3ffirst-enD\0\0\0\x14aaaaaaaaaaaaaaaaaaaa",
            b"\x19\xfe\xfd\0\x01\0\0\0\0\0\x07first-enD\0\x14aaaaaaaaaaaaaaaaaaaa",
            b"\x2f\0\0\0\x14aaaaaaaaaaaaaaaaaaaa",
            b"\x17\xfe\xfd\0\x01\0\0\0\0\0\x07\0\x14aaaaaaaaaaaaaaaaaaaa",
        ];
        // With the right one, which anyone on the path can read, but no keys.
        let forged: &[&[u8]] = &[
            b"\x3ffirst-end\0\0\0\x14aaaaaaaaaaaaaaaaaaaa",
            b"\x19\xfe\xfd\0\x01\0\0\0\0\0\x07first-end\0\x14aaaaaaaaaaaaaaaaaaaa",
        ];
        for datagram in wrong.iter().chain(forged) {
            pair.ends[0].pc.handle_read(pair.now, stranger, &mut datagram.to_vec());
        }
        let after = pair.ends[0].pc.get_stats(pair.now).transport();
        assert_eq!(after.datagrams_unvalidated - before.datagrams_unvalidated, wrong.len() as u64);
        let counted = |c: picortc::dtls::Counters| c.forged + c.noise;
        assert_eq!(counted(after.dtls_counters) - counted(before.dtls_counters), forged.len() as u64);
        assert_eq!(after.selected_path, before.selected_path);
        assert_eq!(pair.ends[0].pc.connection_state(), picortc::peer::RTCPeerConnectionState::Connected);
    }
}
