//! Gathering from STUN servers, as a connection's owner sees it. (Relays are
//! tested against coturn, by the suite `turn`.)

use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::*;
use picortc::wire::stun::{AttributeType, Builder, Class, Message, Method};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const HOME: &str = "192.0.2.1:1000";
const SERVER: &str = "198.51.100.1:3478";
const PUBLIC: &str = "203.0.113.5:6000";

fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

struct Rig {
    pc: RTCPeerConnection,
    now: Instant,
    /// What was told, in words.
    told: Vec<String>,
    /// Whether the server answers.
    server: bool,
    requests: usize,
}

impl Rig {
    fn new(urls: &[&str], settings: SettingEngine) -> Self {
        Self::with(
            RTCConfiguration {
                ice_servers: &[RTCIceServer { urls, ..Default::default() }],
                ..Default::default()
            },
            settings,
        )
    }

    fn with(configuration: RTCConfiguration<'_>, settings: SettingEngine) -> Self {
        let now = Instant::from_millis(1);
        let pc = RTCPeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_setting_engine(settings)
            .build(now, [3; 32])
            .unwrap();
        let mut rig = Self { pc, now, told: Vec::new(), server: true, requests: 0 };
        rig.address(HOME);
        rig.tell(RTCEvent::EndOfLocalAddresses);
        rig
    }

    fn tell(&mut self, event: RTCEvent) {
        self.pc.handle_event(self.now, event);
    }

    fn address(&mut self, s: &str) {
        self.tell(RTCEvent::LocalAddressAdded { addr: addr(s), protocol: TransportProtocol::Udp });
    }

    fn gather(&mut self) {
        let now = self.now;
        self.pc.create_data_channel(now, "x", Default::default()).unwrap();
        let offer = self.pc.create_offer(None).unwrap().sdp;
        self.pc.set_local_description(now, RTCSdpType::Offer, &offer).unwrap();
    }

    /// Lets the time run until nothing is waited for, a minute at most.
    fn run(&mut self) {
        let end = self.now + Duration::from_secs(60);
        let mut buf = [0; 1200];
        loop {
            while let Some(event) = self.pc.poll_event() {
                self.note(event);
            }
            while let Some(t) = self.pc.poll_write(self.now, &mut buf) {
                self.requests += 1;
                if self.server && t.transport.peer_addr == addr(SERVER) {
                    let mut answer = answer(&buf[..t.len], t.transport.local_addr);
                    self.pc.handle_read(self.now, t.transport, &mut answer);
                }
            }
            let complete = self.pc.ice_gathering_state() == RTCIceGatheringState::Complete;
            match self.pc.poll_timeout() {
                Some(at) if at <= end && (!complete || at - self.now < Duration::from_secs(1)) => {
                    self.now = self.now.max(at);
                    self.pc.handle_timeout(self.now);
                }
                _ => break,
            }
        }
        while let Some(event) = self.pc.poll_event() {
            self.note(event);
        }
    }

    fn note(&mut self, event: RTCPeerConnectionEvent) {
        use RTCPeerConnectionEvent as Event;
        let words = match event {
            Event::OnIceCandidateEvent(RTCPeerConnectionIceEvent { candidate: Some(index) }) => {
                self.pc.local_candidate(index).unwrap().to_string()
            }
            Event::OnIceCandidateEvent(_) => "end".into(),
            Event::OnIceGatheringStateChangeEvent(s) => s.to_string(),
            Event::OnIceCandidateErrorEvent(e) => {
                let url = self.pc.ice_server_url(e.server).unwrap().url;
                format!("{url} {} {}", e.error_code, e.error_text())
            }
            Event::OnServerNameRequest(id) => {
                let name = self.pc.server_name_request(id).unwrap().to_string();
                if name == "good.example" {
                    self.tell(RTCEvent::ServerResolved { id, addr: addr(SERVER).ip() });
                } else {
                    self.tell(RTCEvent::ServerUnresolved { id });
                }
                format!("name {name}")
            }
            _ => return,
        };
        self.told.push(words);
    }

    fn candidates(&self) -> Vec<&str> {
        self.told.iter().filter_map(|t| t.split_once(" udp ")?.1.split_once(' ')).map(|c| c.1).collect()
    }
}

/// What the server says, which sees a 1:1 NAT.
fn answer(request: &[u8], from: SocketAddr) -> Vec<u8> {
    let m = Message::parse(request).unwrap();
    assert_eq!((m.class, m.method), (Class::Request, Method::BINDING));
    let mut buf = [0; 100];
    let mut b = Builder::new(&mut buf, Class::Success, Method::BINDING, m.transaction_id).unwrap();
    let public = SocketAddr::new(addr(PUBLIC).ip(), from.port() + 5000);
    b.xor_address(AttributeType::XOR_MAPPED_ADDRESS, public).unwrap();
    let n = b.finish();
    buf[..n].to_vec()
}

#[test]
fn host_and_server_reflexive_candidates_come_in_the_w3cs_order() {
    let mut rig = Rig::new(&["stun:198.51.100.1"], SettingEngine::default());
    rig.run();
    assert_eq!((rig.requests, rig.told.len()), (0, 0), "nothing before a local description");
    rig.gather();
    rig.run();
    assert_eq!(rig.told[0], "gathering");
    assert_eq!(rig.told[rig.told.len() - 2..], ["end", "complete"]);
    assert_eq!(
        rig.candidates(),
        ["192.0.2.1 1000 typ host", "203.0.113.5 6000 typ srflx raddr 192.0.2.1 rport 1000"]
    );
    let sdp = rig.pc.local_description().unwrap().sdp;
    assert!(sdp.contains("typ srflx") && sdp.contains("a=end-of-candidates"), "{sdp}");
}

#[test]
fn a_silent_server_and_a_name_without_address_are_told_and_end() {
    let mut rig = Rig::new(&["stun:198.51.100.1", "stun:bad.example"], SettingEngine::default());
    rig.server = false;
    rig.gather();
    rig.run();
    assert!(rig.now - Instant::from_millis(1) < Duration::from_secs(12), "{:?}", rig.now);
    let unreachable = |url: &str| format!("{url} 701 the server cannot be reached");
    for url in ["stun:198.51.100.1", "stun:bad.example"] {
        assert!(rig.told.contains(&unreachable(url)), "{:?}", rig.told);
    }
    assert_eq!(rig.told.last().unwrap(), "complete");
    assert_eq!(rig.candidates().len(), 1);
    // A restart asks again.
    rig.server = true;
    rig.told.clear();
    let now = rig.now;
    rig.pc.create_offer(Some(RTCOfferOptions { ice_restart: true })).unwrap();
    let offer = rig.pc.create_offer(None).unwrap().sdp;
    rig.pc.set_local_description(now, RTCSdpType::Offer, &offer).unwrap();
    rig.run();
    assert_eq!(rig.candidates().len(), 2, "{:?}", rig.told);
}

#[test]
fn names_are_asked_for_once_and_a_pool_gathers_before_it_is_needed() {
    let urls = ["stun:good.example"];
    let servers = [RTCIceServer { urls: &urls, ..Default::default() }];
    let configuration =
        RTCConfiguration { ice_servers: &servers, ice_candidate_pool_size: 1, ..Default::default() };
    let mut rig = Rig::with(configuration, SettingEngine::default());
    rig.run();
    // One, and four in a minute to keep the NAT's mapping.
    assert_eq!((rig.told.as_slice(), rig.requests), (&["name good.example".to_string()][..], 5));
    rig.gather();
    rig.run();
    assert_eq!(rig.requests, 5, "it was gathered already");
    assert_eq!(rig.candidates().len(), 2);
}

#[test]
fn answers_from_elsewhere_or_of_another_number_are_not_believed() {
    let mut rig = Rig::new(&["stun:198.51.100.1"], SettingEngine::default());
    rig.gather();
    let mut buf = [0; 1200];
    let t = rig.pc.poll_write(rig.now, &mut buf).unwrap();
    let good = answer(&buf[..t.len], t.transport.local_addr);
    let mut other_id = good.clone();
    other_id[10] ^= 1;
    rig.pc.handle_read(rig.now, t.transport, &mut other_id);
    let elsewhere = TransportContext { peer_addr: addr("198.51.100.2:3478"), ..t.transport };
    rig.pc.handle_read(rig.now, elsewhere, &mut good.clone());
    while let Some(event) = rig.pc.poll_event() {
        rig.note(event);
    }
    assert_eq!(rig.candidates().len(), 1, "{:?}", rig.told);
    assert!(rig.pc.poll_write(rig.now, &mut buf).is_none(), "nothing is answered to a stranger");
    rig.pc.handle_read(rig.now, t.transport, &mut good.clone());
    while let Some(event) = rig.pc.poll_event() {
        rig.note(event);
    }
    assert_eq!(rig.candidates().len(), 2);
}

#[test]
fn addresses_are_filtered_mapped_and_come_and_go() {
    let external: IpAddr = addr(PUBLIC).ip();
    let only_v4: fn(IpAddr) -> bool = |ip| ip.is_ipv4();
    for replaces_host in [true, false] {
        let mapping = Nat1To1 { external, local: None, replaces_host };
        let settings = SettingEngine {
            address_filter: Some(only_v4),
            nat_1to1: [Some(mapping), None],
            ..SettingEngine::default()
        };
        let mut rig = Rig::new(&["stun:198.51.100.1"], settings);
        rig.server = false;
        rig.address("[2001:db8::1]:1");
        rig.gather();
        rig.run();
        let want: &[&str] = if replaces_host {
            &["203.0.113.5 1000 typ host"]
        } else {
            &["192.0.2.1 1000 typ host", "203.0.113.5 1000 typ srflx raddr 192.0.2.1 rport 1000"]
        };
        assert_eq!(rig.candidates(), want);
    }
    let mut rig = Rig::new(&["stun:198.51.100.1"], SettingEngine::default());
    rig.gather();
    rig.run();
    rig.told.clear();
    rig.tell(RTCEvent::LocalAddressRemoved { addr: addr(HOME), protocol: TransportProtocol::Udp });
    rig.address("192.0.2.200:1000");
    rig.run();
    assert_eq!(
        rig.candidates(),
        ["192.0.2.200 1000 typ host", "203.0.113.5 6000 typ srflx raddr 192.0.2.200 rport 1000"]
    );
    let sdp = rig.pc.local_description().unwrap().sdp;
    assert!(!sdp.contains("192.0.2.1 "), "{sdp}");
}

/// The policy `relay` is there to hide addresses: none may be in an event, a
/// description or a candidate's related address.
#[test]
fn relay_only_tells_nobody_of_other_candidates() {
    let servers = [RTCIceServer { urls: &["stun:198.51.100.1"], ..Default::default() }];
    let configuration = RTCConfiguration {
        ice_servers: &servers,
        ice_transport_policy: RTCIceTransportPolicy::Relay,
        ..Default::default()
    };
    let mut rig = Rig::with(configuration, SettingEngine::default());
    rig.gather();
    rig.run();
    assert_eq!(rig.told, ["gathering", "end", "complete"]);
    let sdp = rig.pc.local_description().unwrap().sdp;
    assert!(!sdp.contains("a=candidate") && !sdp.contains("192.0.2") && !sdp.contains("203.0.113"), "{sdp}");
}

#[test]
fn configurations_are_checked_and_changed() {
    let build = |urls: &[&str], username: &str| {
        let servers = [RTCIceServer { urls, username, credential: username }];
        let configuration = RTCConfiguration { ice_servers: &servers, ..Default::default() };
        RTCPeerConnectionBuilder::new().with_configuration(configuration).build(Instant::ZERO, [1; 32])
    };
    let error = build(&["stun:a", "http://b"], "").unwrap_err();
    assert_eq!(
        error.to_string(),
        "URL 1 of ICE server 0 is of no use: it must begin with stun:, turn: or turns:"
    );
    assert!(matches!(
        build(&["turn:a"], ""),
        Err(BuildError::IceServer(IceServerError::NoCredentials { server: 0 }))
    ));
    assert!(matches!(build(&[], ""), Err(BuildError::IceServer(IceServerError::NoUrl { server: 0 }))));
    let long = "x".repeat(200);
    assert!(matches!(
        build(&["turn:a"], &long),
        Err(BuildError::IceServer(IceServerError::CredentialsTooLong { .. }))
    ));
    let many: Vec<String> = (0..17).map(|i| format!("stun:host{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(matches!(build(&many, ""), Err(BuildError::IceServer(IceServerError::TooMany))));

    let mut pc = build(&["stun:a", "turn:b"], "me").unwrap();
    let now = Instant::ZERO;
    let urls = ["turns:c:443"];
    let bad = [RTCIceServer { urls: &["x:y"], ..Default::default() }];
    let refused = pc.set_configuration(now, RTCConfiguration { ice_servers: &bad, ..Default::default() });
    assert_eq!(refused.unwrap_err().name(), "SyntaxError");
    let old: Vec<String> = pc.get_configuration().ice_servers().map(|s| s.url.to_string()).collect();
    assert_eq!(old, ["stun:a", "turn:b"], "an error changes nothing");
    let servers = [RTCIceServer { urls: &urls, username: "you", credential: "pass" }];
    let configuration = RTCConfiguration {
        ice_servers: &servers,
        ice_transport_policy: RTCIceTransportPolicy::Relay,
        ..Default::default()
    };
    pc.set_configuration(now, configuration).unwrap();
    let used = pc.get_configuration();
    assert_eq!(used.ice_transport_policy, RTCIceTransportPolicy::Relay);
    assert_eq!(used.ice_servers().next(), Some(RTCIceServerUrl { url: "turns:c:443", username: "you" }));
    let bundle = RTCConfiguration { bundle_policy: RTCBundlePolicy::MaxBundle, ..Default::default() };
    assert_eq!(pc.set_configuration(now, bundle), Err(ConfigurationError::InvalidModification));
    pc.close(now);
    assert_eq!(pc.set_configuration(now, configuration), Err(ConfigurationError::Closed));
}
