//! Datagrams back to back, for UDP segmentation offload.

use picortc::env::TransportContext;
use picortc::peer::{RTCDataChannelMessage, RTCMessage};
use picortc_tests::{Pair, Weather};

#[test]
fn data_comes_in_runs_of_equal_datagrams_and_is_whole_at_the_other_end() {
    let mut pair = Pair::new(Weather::default(), 1);
    let [channel, _] = pair.connect();
    let now = pair.now;
    let message: Vec<u8> = (0..64 * 1024_u32).map(|i| (i * 7 / 5) as u8).collect();
    let [a, b] = &mut pair.ends;
    let sent = RTCMessage::DataChannelMessage(channel, RTCDataChannelMessage::binary(&message));
    a.pc.handle_write(now, sent).unwrap();
    let mut buf = vec![0; 16 * 1200];
    let (mut longest, mut got) = (0, Vec::new());
    loop {
        let mut quiet = true;
        while let Some(transmit) = a.pc.poll_write_segments(now, &mut buf, 8) {
            quiet = false;
            let size = transmit.segment_size.unwrap_or(transmit.len);
            let run = buf[..transmit.len].chunks_mut(size);
            longest = run.len().max(longest);
            for datagram in run {
                b.pc.handle_read(now, TransportContext::udp(b.addr, a.addr), datagram);
            }
        }
        while let Some(transmit) = b.pc.poll_write(now, &mut buf) {
            quiet = false;
            a.pc.handle_read(now, TransportContext::udp(a.addr, b.addr), &mut buf[..transmit.len]);
        }
        while let Some(RTCMessage::DataChannelMessage(_, received)) = b.pc.poll_read() {
            got.push(received.data.to_vec());
        }
        if quiet {
            break;
        }
    }
    assert_eq!(longest, 8, "as many as were asked for");
    assert_eq!(got, [message]);
}
