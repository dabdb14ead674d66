//! Larger datagrams where the path carries them (RFC 8899), and smaller ones
//! again when the selected pair is another.

use picortc::env::TransportProtocol;
use picortc::peer::{RTCDataChannelId, RTCDataChannelMessage, RTCEvent, RTCMessage, RTCSdpType};
use picortc_tests::{Pair, Setup, Weather};
use std::time::Duration;

const MAX: usize = 1452;
const MAX_WITHIN_HOST: usize = 16_336;

/// Ends that look for larger datagrams.
fn ends() -> [Setup; 2] {
    [0, 1].map(|i| {
        let mut setup = Setup::end(i);
        setup.settings.max_mtu = MAX;
        setup.settings.max_mtu_within_host = MAX_WITHIN_HOST;
        setup
    })
}

fn weather(mtu: usize) -> Weather {
    Weather { mtu, ..Weather::default() }
}

/// Sends messages of 64 KiB until the buffer is full; returns how many.
fn fill(pair: &mut Pair, channel: RTCDataChannelId) -> usize {
    let mut n = 0_u8;
    loop {
        let data = vec![n; 65_536];
        let message = RTCMessage::DataChannelMessage(channel, RTCDataChannelMessage::binary(&data));
        if pair.ends[0].pc.handle_write(pair.now, message).is_err() {
            return n.into();
        }
        n += 1;
    }
}

fn arrive(pair: &mut Pair, n: usize) {
    let whole = pair.run(Duration::from_secs(120), |p| p.ends[1].received.len() >= n);
    assert!(whole, "{} of {n} messages", pair.ends[1].received.len());
    for (salt, message) in pair.ends[1].received.iter().enumerate() {
        assert!(message.data == vec![salt as u8; 65_536], "message {salt}");
    }
}

/// The longest datagram of a transfer from now on.
fn longest(pair: &mut Pair, channel: RTCDataChannelId) -> usize {
    pair.net.longest = 0;
    pair.ends[1].received.clear();
    let n = fill(pair, channel);
    arrive(pair, n);
    pair.net.longest
}

#[test]
fn datagrams_grow_to_what_the_path_carries() {
    for (mtu, at_least) in [(1500, 1445), (1452, 1445), (1420, 1370), (1200, 1190)] {
        let [a, b] = ends();
        let mut pair = Pair::with(weather(mtu), 1, &a, &b);
        let [channel, _] = pair.connect();
        // Three probes of a size that fails take three seconds.
        pair.run(Duration::from_secs(30), |_| false);
        let longest = longest(&mut pair, channel);
        assert!((at_least..=mtu.min(MAX)).contains(&longest), "{longest} where {mtu} are carried");
        let stats = pair.ends[0].pc.get_stats(pair.now).transport().sctp;
        assert_eq!(stats.retransmitted, 0);
    }
}

#[test]
fn within_a_host_datagrams_are_as_long_as_loopback_carries() {
    let [a, mut b] = ends();
    b.addr = "192.0.2.1:2000";
    let mut pair = Pair::with(weather(65_507), 1, &a, &b);
    let [channel, _] = pair.connect();
    pair.run(Duration::from_secs(1), |_| false);
    let longest = longest(&mut pair, channel);
    assert!((MAX_WITHIN_HOST - 64..=MAX_WITHIN_HOST).contains(&longest), "{longest}");
}

#[test]
fn unless_told_so_no_datagram_is_longer_than_the_mtu() {
    let mut pair = Pair::with(weather(65_507), 1, &Setup::end(0), &Setup::end(1));
    let [channel, _] = pair.connect();
    assert!(longest(&mut pair, channel) <= 1200);
}

#[test]
fn one_end_may_look_for_larger_datagrams_and_the_other_not() {
    for searching in 0..2 {
        let mut setups = [Setup::end(0), Setup::end(1)];
        setups[searching] = ends()[searching].clone();
        let [a, mut b] = setups;
        b.addr = "192.0.2.1:2000";
        let mut pair = Pair::with(weather(65_507), 1, &a, &b);
        let [channel, _] = pair.connect();
        pair.run(Duration::from_secs(100), |_| false);
        let longest = longest(&mut pair, channel);
        // The other did not say that it takes more than Ethernet carries.
        let expected = if searching == 0 { 1472 } else { 1200 };
        assert!(longest <= expected && longest > expected - 30, "{longest}");
    }
}

/// Connects ends within one host by hand, with what `edit` makes of the answer,
/// and says how long their datagrams become.
fn with_answer(edit: impl Fn(&str, &str) -> String) -> usize {
    let [a, mut b] = ends();
    b.addr = "192.0.2.1:2000";
    let mut pair = Pair::with(weather(65_507), 1, &a, &b);
    let now = pair.now;
    let channel = pair.ends[0].pc.create_data_channel(now, "data", Default::default()).unwrap();
    let offer = pair.ends[0].pc.create_offer(None).unwrap();
    pair.ends[0].pc.set_local_description(now, RTCSdpType::Offer, &offer.sdp).unwrap();
    let answer = pair.answer(1, &offer);
    let edited = edit(&offer.sdp, &answer.sdp);
    pair.ends[0].pc.set_remote_description(now, RTCSdpType::Answer, &edited).unwrap();
    pair.run(Duration::from_secs(100), |_| false);
    longest(&mut pair, channel)
}

#[test]
fn a_peer_that_returns_attributes_which_it_does_not_know_asks_for_nothing() {
    const NAME: &str = "a=picortc-max-datagram-size:";
    let lines = |sdp: &str| sdp.lines().filter(|l| l.starts_with(NAME)).map(String::from).collect::<Vec<_>>();
    let long = with_answer(|offer, answer| {
        assert_eq!((lines(offer).len(), lines(answer).len()), (1, 1));
        answer.into()
    });
    assert!(long > 16_000, "{long}");
    let returned = with_answer(|offer, answer| answer.replace(&lines(answer)[0], &lines(offer)[0]));
    let silent = with_answer(|_, answer| answer.replace(&format!("{}\r\n", lines(answer)[0]), ""));
    let garbage = with_answer(|_, answer| answer.replace(&lines(answer)[0], &format!("{NAME}-1 \u{e4}")));
    for longest in [returned, silent, garbage] {
        assert!((1400..=1472).contains(&longest), "{longest}");
    }
}

#[test]
fn a_pair_of_a_smaller_mtu_takes_over_a_running_transfer() {
    for narrow in [1452, 1300, 1200] {
        let [mut a, mut b] = ends();
        // The best pair is within one host; the other leads to the address
        // that the network knows as another.
        a.addr = "192.0.2.1:1000";
        b.addr = "192.0.2.1:2000";
        b.second = Some("198.51.100.9:2000");
        let mut pair = Pair::with(weather(65_507), 1, &a, &b);
        let [channel, _] = pair.connect();
        pair.run(Duration::from_secs(1), |_| false);
        let n = fill(&mut pair, channel);
        let underway = |p: &mut Pair| p.ends[1].received.len() >= 3;
        assert!(pair.run(Duration::from_secs(10), underway));
        let before = pair.ends[0].pc.get_stats(pair.now).transport();
        assert!(before.sctp.max_packet > 16_000, "{}", before.sctp.max_packet);
        assert!(before.sctp.in_flight > 30_000, "{} octets in flight", before.sctp.in_flight);
        // The address is gone, with all that was on its way to it, and what is
        // left carries less.
        let addr = pair.ends[1].addr;
        pair.net.weather.mtu = narrow;
        pair.net.lose_all();
        pair.net.nat = Some([addr, addr]);
        let gone = RTCEvent::LocalAddressRemoved { addr, protocol: TransportProtocol::Udp };
        pair.ends[1].pc.handle_event(pair.now, gone);
        arrive(&mut pair, n);
        let after = pair.ends[0].pc.get_stats(pair.now).transport();
        assert_ne!(before.selected_path, after.selected_path);
        pair.run(Duration::from_secs(30), |_| false);
        let longest = longest(&mut pair, channel);
        assert!(longest <= narrow && longest > narrow * 9 / 10, "{longest} where {narrow} are carried");
    }
}
