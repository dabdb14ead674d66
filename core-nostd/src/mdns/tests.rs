use super::*;
use crate::wire::dns::{Builder, Data, RecordType, Section};
use core::time::Duration;
use std::string::ToString;
use std::vec::Vec;

/// Hosts on one link. What one sends to the group all get, itself too.
struct Link {
    now: Instant,
    hosts: Vec<(Mdns, SocketAddr)>,
    /// Every datagram that was sent: by whom, to whom, and what.
    seen: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    lost: fn(usize) -> bool,
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Link {
    fn new(hosts: usize) -> Self {
        let now = Instant::from_millis(1000);
        let hosts = (1..=hosts).map(|n| {
            let mut mdns = Mdns::new(&Limits::TINY).unwrap();
            let addr = SocketAddr::new(Ipv4Addr::new(192, 0, 2, n as u8).into(), PORT);
            mdns.add_interface(now, addr, 24).unwrap();
            (mdns, addr)
        });
        Self { now, hosts: hosts.collect(), seen: Vec::new(), lost: |_| false }
    }

    fn ip(&self, host: usize) -> IpAddr {
        self.hosts[host].1.ip()
    }

    fn publish(&mut self, host: usize, name: &str) {
        let (now, ip) = (self.now, self.ip(host));
        self.hosts[host].0.publish(now, name, ip, Ownership::Probe).unwrap();
    }

    fn lookup(&mut self, host: usize, name: &str) -> std::string::String {
        let found = self.hosts[host].0.lookup(self.now, name).unwrap();
        match found {
            Lookup::Found(addresses) => {
                addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            other => std::format!("{other:?}"),
        }
    }

    /// Sends what there is to send, until there is nothing.
    fn settle(&mut self) {
        let mut buf = [0; 512];
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for i in 0..self.hosts.len() {
                while let Some(transmit) = self.hosts[i].0.poll_write(self.now, &mut buf) {
                    quiet = false;
                    let from = transmit.transport.local_addr;
                    self.deliver(from, transmit.transport.peer_addr, &buf[..transmit.len]);
                }
            }
            assert!(self.seen.len() < 1000, "the hosts keep answering each other");
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let number = self.seen.len();
        self.seen.push((from, to, datagram.to_vec()));
        if (self.lost)(number) {
            return;
        }
        for (mdns, addr) in self.hosts.iter_mut().filter(|(_, a)| to.ip().is_multicast() || *a == to) {
            mdns.handle_read(self.now, TransportContext::udp(*addr, from), datagram);
        }
    }

    /// Lets `ms` pass, doing all that is due on the way.
    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        self.settle();
        while let Some(at) = self.hosts.iter().filter_map(|(m, _)| m.poll_timeout()).min() {
            if at > end {
                break;
            }
            assert!(self.now <= at, "a deadline that stays");
            self.now = at;
            for (mdns, _) in &mut self.hosts {
                mdns.handle_timeout(at);
            }
            self.settle();
        }
        self.now = end;
    }
}

fn response(name: &str, ips: &[&str]) -> Vec<u8> {
    let mut buf = [0; 512];
    let mut b = Builder::response(&mut buf, 0).unwrap();
    for ip in ips {
        b.address(Section::Answer, name, true, 120, ip.parse().unwrap()).unwrap();
    }
    let n = b.finish();
    buf[..n].to_vec()
}

fn query(name: &str, kind: RecordType, id: u16, unicast: bool) -> Vec<u8> {
    let mut buf = [0; 512];
    let mut b = Builder::query(&mut buf, id).unwrap();
    b.question(name, kind, unicast).unwrap();
    let n = b.finish();
    buf[..n].to_vec()
}

#[test]
fn a_name_is_probed_announced_and_found() {
    let mut link = Link::new(2);
    link.publish(0, "Probe.local");
    link.pass(0);
    assert_eq!(link.hosts[0].0.state("probe.local"), Some(NameState::Probing));
    assert_eq!(link.hosts[1].0.counters().unsolicited, 0);
    link.pass(700);
    assert_eq!((link.seen.len(), link.hosts[0].0.state("probe.local")), (3, Some(NameState::Probing)));
    link.pass(3000);
    assert_eq!((link.seen.len(), link.hosts[0].0.state("probe.local")), (5, Some(NameState::Established)));
    assert_eq!(link.hosts[1].0.counters().unsolicited, 2, "announcements are not believed");

    assert_eq!(link.lookup(1, "probe.LOCAL."), "Asking");
    link.pass(0);
    assert_eq!(link.lookup(1, "probe.local"), "192.0.2.1");
    assert_eq!(link.seen.len(), 7, "a question and its answer");
    assert_eq!(link.hosts[1].0.poll_event(), Some(Event::LookupChange));
    assert_eq!(link.hosts[1].0.poll_event(), None);
    assert_eq!(link.lookup(0, "probe.local"), "192.0.2.1", "one's own name is known");

    // It is asked for again when its time is over.
    link.pass(119_000);
    assert_eq!((link.lookup(1, "probe.local"), link.seen.len()), ("192.0.2.1".into(), 7));
    link.pass(1_001);
    assert_eq!(link.lookup(1, "probe.local"), "Asking");
}

#[test]
fn a_random_name_is_announced_at_once_and_taken_back_with_a_goodbye() {
    let mut link = Link::new(2);
    let (now, ip) = (link.now, link.ip(0));
    link.hosts[0].0.publish(now, "random.local", ip, Ownership::Random).unwrap();
    link.lookup(1, "random.local");
    link.pass(0);
    assert_eq!(link.lookup(1, "random.local"), "192.0.2.1");
    link.pass(5000);
    link.hosts[0].0.unpublish(link.now, "random.local");
    assert_eq!(link.hosts[0].0.state("random.local"), Some(NameState::Leaving));
    link.pass(0);
    let (_, to, goodbye) = link.seen.last().unwrap();
    assert!(to.ip().is_multicast());
    assert!(Message::parse(goodbye).unwrap().records().all(|(_, r)| r.ttl == 0));
    assert_eq!(link.hosts[0].0.state("random.local"), None);
    assert_eq!(link.hosts[0].0.poll_timeout(), None);
}

#[test]
fn a_lost_question_or_answer_is_made_good_and_silence_ends() {
    let mut link = Link::new(2);
    let (now, ip) = (link.now, link.ip(0));
    link.hosts[0].0.publish(now, "a.local", ip, Ownership::Random).unwrap();
    link.pass(5000);
    link.seen.clear();
    link.lost = |n| n == 0 || n == 2; // a question, and the answer to the next
    link.lookup(1, "a.local");
    link.pass(2999);
    assert_eq!((link.lookup(1, "a.local"), link.seen.len()), ("Asking".into(), 3));
    link.pass(1);
    assert_eq!(link.lookup(1, "a.local"), "192.0.2.1");

    link.seen.clear();
    link.lost = |_| false;
    link.lookup(1, "nobody.local");
    link.pass(17_999);
    assert_eq!((link.lookup(1, "nobody.local"), link.seen.len()), ("Asking".into(), 5));
    link.pass(1);
    assert_eq!(link.lookup(1, "nobody.local"), "NotFound");
    link.pass(5_000);
    assert_eq!(link.lookup(1, "nobody.local"), "Asking", "and may be asked for again");
}

#[test]
fn who_has_a_name_defends_it() {
    let mut link = Link::new(2);
    link.publish(0, "mine.local");
    link.pass(3000);
    link.publish(1, "mine.local");
    link.pass(1000);
    assert_eq!(link.hosts[1].0.state("mine.local"), Some(NameState::Conflict));
    assert_eq!(link.hosts[1].0.poll_event(), Some(Event::NameStateChange));
    assert_eq!(link.hosts[0].0.state("mine.local"), Some(NameState::Established));
    link.hosts[1].0.unpublish(link.now, "mine.local");
    link.publish(1, "mine-2.local");
    link.pass(3000);
    assert_eq!(link.hosts[1].0.state("mine-2.local"), Some(NameState::Established));
}

#[test]
fn of_two_that_probe_at_once_one_gets_the_name() {
    let mut link = Link::new(2);
    link.publish(0, "both.local");
    link.publish(1, "both.local");
    link.pass(5000);
    // "the lexicographically later data wins"
    assert_eq!(link.hosts[1].0.state("both.local"), Some(NameState::Established));
    assert_eq!(link.hosts[0].0.state("both.local"), Some(NameState::Conflict));
}

#[test]
fn answers_to_what_was_not_asked_are_not_believed() {
    let mut link = Link::new(2);
    let liar = addr("192.0.2.66:5353");
    let to = SocketAddr::new(GROUP_V4.into(), PORT);
    // Before it is asked for, by another name, by an odd port, from afar.
    link.deliver(liar, to, &response("a.local", &["192.0.2.66"]));
    assert_eq!(link.lookup(1, "a.local"), "Asking");
    link.deliver(liar, to, &response("b.local", &["192.0.2.66"]));
    link.deliver(addr("192.0.2.66:999"), to, &response("a.local", &["192.0.2.66"]));
    link.deliver(addr("198.51.100.1:5353"), to, &response("a.local", &["192.0.2.66"]));
    // What it cannot be.
    for ip in ["127.0.0.1", "0.0.0.0", "224.0.0.1", "::ffff:127.0.0.1", "::1"] {
        link.deliver(liar, to, &response("a.local", &[ip]));
    }
    assert_eq!(link.lookup(1, "a.local"), "Asking");
    let counters = link.hosts[1].0.counters();
    assert_eq!((counters.unsolicited, counters.noise, counters.off_link), (7, 1, 1));
    // An answer stays, whatever others say afterwards.
    link.deliver(addr("192.0.2.7:5353"), to, &response("a.local", &["192.0.2.7", "2001:db8::7"]));
    link.deliver(liar, to, &response("a.local", &["192.0.2.66"]));
    assert_eq!(link.lookup(1, "a.local"), "192.0.2.7 2001:db8::7");
}

#[test]
fn a_resolver_that_knows_nothing_of_multicast_is_answered_by_unicast() {
    let mut link = Link::new(1);
    let ip6 = "2001:db8::9".parse().unwrap();
    link.publish(0, "a.local");
    link.hosts[0].0.publish(link.now, "a.local", ip6, Ownership::Probe).unwrap();
    link.pass(5000);
    link.seen.clear();
    let (client, group) = (addr("192.0.2.50:40000"), SocketAddr::new(GROUP_V4.into(), PORT));
    link.deliver(client, group, &query("a.local", RecordType::AAAA, 77, false));
    link.settle();
    let (_, to, answer) = &link.seen[1];
    assert_eq!(*to, client);
    let message = Message::parse(answer).unwrap();
    assert_eq!(message.id, 77);
    assert!(message.questions().next().unwrap().name.is("a.local"));
    let records: Vec<_> = message.records().collect();
    assert_eq!(records[0].1.data, Data::Address(ip6));
    assert!(records.iter().all(|(_, r)| r.ttl == 10 && !r.cache_flush));
    // What there is not is said too.
    link.deliver(client, group, &query("a.local", RecordType::TXT, 78, false));
    link.settle();
    let records: Vec<_> = Message::parse(&link.seen[3].2).unwrap().records().map(|(_, r)| r.kind).collect();
    assert_eq!(records[0], RecordType::NSEC);
    // From afar, nobody.
    link.deliver(addr("198.51.100.1:40000"), group, &query("a.local", RecordType::A, 79, false));
    link.settle();
    assert_eq!(link.seen.len(), 5);
}

#[test]
fn many_questions_are_answered_once_a_second_and_to_few_hosts_at_a_time() {
    let mut link = Link::new(1);
    link.publish(0, "a.local");
    link.pass(5000);
    link.seen.clear();
    let group = SocketAddr::new(GROUP_V4.into(), PORT);
    for _ in 0..100 {
        link.deliver(addr("192.0.2.50:5353"), group, &query("a.local", RecordType::A, 0, false));
        link.settle();
    }
    assert_eq!(link.seen.len(), 101);
    for port in 2000..2100 {
        link.deliver(SocketAddr::new(link.ip(0), port), group, &query("a.local", RecordType::A, port, true));
    }
    link.settle();
    assert_eq!(link.seen.len(), 101 + 100 + Limits::TINY.replies);
    assert_eq!(link.hosts[0].0.counters().suppressed, 99 + 98);
}

#[test]
fn who_knows_the_answer_gets_none() {
    let mut link = Link::new(1);
    link.publish(0, "a.local");
    link.pass(5000);
    link.seen.clear();
    for (ttl, answers) in [(60, 0), (59, 1)] {
        let mut buf = [0; 512];
        let mut b = Builder::query(&mut buf, 0).unwrap();
        b.question("a.local", RecordType::A, false).unwrap();
        b.address(Section::Answer, "a.local", false, ttl, link.ip(0)).unwrap();
        let n = b.finish();
        let before = link.seen.len();
        link.deliver(addr("192.0.2.50:5353"), SocketAddr::new(GROUP_V4.into(), PORT), &buf[..n]);
        link.settle();
        assert_eq!(link.seen.len() - before - 1, answers, "known for {ttl} s more");
    }
}

#[test]
fn full_is_an_error_and_old_answers_give_way() {
    let mut link = Link::new(1);
    let (now, ip) = (link.now, link.ip(0));
    let mdns = &mut link.hosts[0].0;
    for name in ["", ".local", "a", "a.b.local", "a.com", &std::format!("{}.local", "x".repeat(64))] {
        assert_eq!(mdns.publish(now, name, ip, Ownership::Probe), Err(Error::Name), "{name}");
        assert_eq!(mdns.lookup(now, name), Err(Error::Name), "{name}");
    }
    mdns.publish(now, "a.local", ip, Ownership::Probe).unwrap();
    mdns.publish(now, &std::format!("{}.local", "x".repeat(63)), ip, Ownership::Probe).unwrap();
    assert_eq!(mdns.publish(now, "c.local", ip, Ownership::Probe), Err(Error::Full));
    for name in ["1.local", "2.local", "3.local", "4.local"] {
        assert_eq!(mdns.lookup(now, name), Ok(Lookup::Asking));
    }
    assert_eq!(mdns.lookup(now, "5.local"), Err(Error::Full), "no question gives way");
    let group = SocketAddr::new(GROUP_V4.into(), PORT);
    link.deliver(addr("192.0.2.9:5353"), group, &response("2.local", &["192.0.2.9"]));
    assert_eq!(link.lookup(0, "5.local"), "Asking");
    assert_eq!(link.hosts[0].0.lookup(now, "2.local"), Err(Error::Full));
    for n in 2..=MAX_INTERFACES as u8 {
        let addr = SocketAddr::new(Ipv4Addr::new(198, 51, 100, n).into(), PORT);
        link.hosts[0].0.add_interface(now, addr, 24).unwrap();
    }
    assert_eq!(link.hosts[0].0.add_interface(now, addr("203.0.113.1:5353"), 24), Err(Error::Full));
}

#[test]
fn interfaces_that_come_and_go_are_asked_and_told() {
    let mut link = Link::new(1);
    let second = addr("[fe80::1]:5353");
    link.publish(0, "a.local");
    link.pass(5000);
    link.lookup(0, "b.local");
    link.settle();
    link.seen.clear();
    link.hosts[0].0.add_interface(link.now, second, 64).unwrap();
    link.settle();
    let sent: Vec<_> = link.seen.iter().map(|(from, to, _)| (*from, *to)).collect();
    let group = SocketAddr::new(GROUP_V6.into(), PORT);
    assert_eq!(sent, [(second, group), (second, group)], "an announcement and a question");
    link.seen.clear();
    let first = link.hosts[0].1;
    link.hosts[0].0.remove_interface(first);
    link.pass(2000);
    assert!(link.seen.iter().all(|(from, ..)| *from == second) && !link.seen.is_empty());
}

#[test]
fn no_datagram_makes_it_panic_or_answer_at_length() {
    let mut link = Link::new(1);
    link.publish(0, "a.local");
    link.pass(5000);
    let group = SocketAddr::new(GROUP_V4.into(), PORT);
    let mut rng = crate::env::Rng::new([5; 32]);
    let seeds = [
        query("a.local", RecordType::ANY, 7, true),
        response("a.local", &["192.0.2.9", "2001:db8::9"]),
        query("b.local", RecordType::A, 0, false),
    ];
    for round in 0..20_000u32 {
        let mut datagram = seeds[round as usize % seeds.len()].clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(datagram.len() as u32) as usize;
            datagram[at] = rng.next_u32() as u8;
        }
        datagram.truncate(datagram.len() - rng.below(8) as usize);
        let port = if round % 2 == 0 { PORT } else { 4000 };
        let before = link.seen.len();
        link.deliver(SocketAddr::new(Ipv4Addr::new(192, 0, 2, 50).into(), port), group, &datagram);
        if round % 50 == 0 {
            link.pass(1);
        } else {
            link.settle();
        }
        assert!(link.seen.len() - before <= 4, "round {round}");
        link.seen.clear();
    }
    link.pass(5000);
}
