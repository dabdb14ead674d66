//! Two whole connections, without a network between them.

use super::{RTCEvent, RTCMessage, RTCPeerConnection, RTCPeerConnectionBuilder, RTCSdpType, SettingEngine};
use crate::env::{EcnCodepoint, Instant, TransportContext, TransportProtocol};
use core::net::SocketAddr;
use core::time::Duration;

fn connection(now: Instant, seed: u8, settings: SettingEngine, addr: SocketAddr) -> RTCPeerConnection {
    let builder = RTCPeerConnectionBuilder::new().with_setting_engine(settings);
    let mut pc = builder.build(now, [seed; 32]).unwrap();
    pc.handle_event(now, RTCEvent::LocalAddressAdded { addr, protocol: TransportProtocol::Udp });
    pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
    pc
}

/// One end marks; on the way each ECT(1) becomes CE; the other end, which does
/// not mark, counts and gives none of it back.
#[test]
fn marks_travel_both_ways() {
    let addrs: [SocketAddr; 2] = [([192, 0, 2, 1], 1000).into(), ([192, 0, 2, 2], 2000).into()];
    let mut now = Instant::from_millis(1);
    let marking = SettingEngine { dscp: 46, ecn: EcnCodepoint::Ect1, ..SettingEngine::default() };
    let mut ends =
        [connection(now, 1, marking, addrs[0]), connection(now, 2, SettingEngine::default(), addrs[1])];
    let [a, b] = &mut ends;
    let channel = a.create_data_channel(now, "data", Default::default()).unwrap();
    let offer = a.create_offer(None).unwrap();
    a.set_local_description(now, RTCSdpType::Offer, &offer.sdp).unwrap();
    b.set_remote_description(now, RTCSdpType::Offer, &offer.sdp).unwrap();
    let answer = b.create_answer(None).unwrap();
    b.set_local_description(now, RTCSdpType::Answer, &answer.sdp).unwrap();
    a.set_remote_description(now, RTCSdpType::Answer, &answer.sdp).unwrap();
    let (mut sent, mut arrived, mut marked) = (false, false, 0);
    for _ in 0..2000 {
        let mut buf = [0; 1500];
        for i in 0..2 {
            while let Some(transmit) = ends[i].poll_write(now, &mut buf) {
                let TransportContext { dscp, ecn, .. } = transmit.transport;
                // Checks are never marked, nor are handshakes.
                let data = i == 0 && buf[0] >= 20 && ecn == EcnCodepoint::Ect1;
                assert!(data || ecn == EcnCodepoint::NotEct, "{transmit:?}");
                assert_eq!(dscp, [46, 0][i], "{transmit:?}");
                marked += u64::from(data);
                let ecn = if data { EcnCodepoint::Ce } else { ecn };
                let path = TransportContext { dscp, ecn, ..TransportContext::udp(addrs[1 - i], addrs[i]) };
                ends[1 - i].handle_read(now, path, &mut buf[..transmit.len]);
            }
            while ends[i].poll_event().is_some() {}
        }
        if !sent {
            sent = ends[0].data_channel(channel).unwrap().send(now, b"hello").is_ok();
        }
        if let Some(RTCMessage::DataChannelMessage(_, message)) = ends[1].poll_read() {
            assert_eq!(message.data, b"hello");
            arrived = true;
        }
        now += Duration::from_millis(1);
        ends.iter_mut().for_each(|end| end.handle_timeout(now));
    }
    assert!(arrived && marked > 0);
    let ecn = |end: &RTCPeerConnection| end.get_stats(now).transport().ecn;
    assert_eq!(ecn(&ends[1]).ce, marked);
    assert_eq!(ecn(&ends[0]), Default::default());
}
