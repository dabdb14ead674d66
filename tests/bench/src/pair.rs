//! Two ends on a network in memory, under a clock that jumps from one event to
//! the next.

use crate::stacks::{Dice, Ends, Got, Micros};
use std::collections::VecDeque;

/// How a network treats datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// How long each takes, in µs.
    pub delay: Micros,
    /// How many of a million are lost.
    pub loss: u32,
    /// Octets per second of each direction; 0 is without bound.
    pub rate: u64,
    /// Octets that may wait for the link.
    pub queue: u64,
}

/// One direction.
#[derive(Default)]
struct Link {
    flying: VecDeque<Flying>,
    /// When the link has sent all that waits, in ns.
    free_at: u64,
}

/// A datagram on its way; `order` is that of sending.
struct Flying {
    at: Micros,
    order: u64,
    buf: Box<[u8]>,
    len: usize,
}

/// What the network did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub datagrams: u64,
    pub lost: u64,
    pub overflowed: u64,
}

/// The pair.
pub struct Pair {
    pub now: Micros,
    pub ends: Ends,
    pub weather: Weather,
    pub counts: Counts,
    /// What each end has received.
    pub got: [Got; 2],
    links: [Link; 2],
    spare: Vec<Box<[u8]>>,
    dice: Dice,
}

/// What a datagram has around it on a link: IPv4 and UDP.
const FRAMING: u64 = 28;
const LONGEST: usize = 2048;

impl Pair {
    pub fn new(ends: Ends, weather: Weather) -> Self {
        Self {
            now: 0,
            ends,
            weather,
            counts: Counts::default(),
            got: [Got::default(); 2],
            links: Default::default(),
            spare: Vec::new(),
            dice: Dice(42),
        }
    }

    /// Takes the harness's own memory before anything is measured.
    pub fn warm(&mut self) {
        self.spare.resize_with(4096, || vec![0xff; LONGEST].into());
        for link in &mut self.links {
            link.flying.reserve(4096);
        }
    }

    /// Reads what end `i` has, and takes its datagrams.
    fn drain(&mut self, i: usize) {
        let got = self.ends[i].read(self.now);
        self.got[i].messages += got.messages;
        self.got[i].octets += got.octets;
        loop {
            let mut buf = self.spare.pop().unwrap_or_else(|| vec![0; LONGEST].into());
            let Some(len) = self.ends[i].poll_write(self.now, &mut buf) else {
                self.spare.push(buf);
                return;
            };
            self.send(i, buf, len);
        }
    }

    fn send(&mut self, i: usize, buf: Box<[u8]>, len: usize) {
        self.counts.datagrams += 1;
        let Weather { delay, loss, rate, queue } = self.weather;
        if loss > 0 && self.dice.roll() % 1_000_000 < u64::from(loss) {
            self.counts.lost += 1;
            self.spare.push(buf);
            return;
        }
        let mut leaves = self.now * 1000;
        if rate > 0 {
            let link = &mut self.links[i];
            let size = len as u64 + FRAMING;
            let waiting = link.free_at.saturating_sub(leaves) * rate / 1_000_000_000;
            if waiting + size > queue {
                self.counts.overflowed += 1;
                self.spare.push(buf);
                return;
            }
            link.free_at = link.free_at.max(leaves) + size * 1_000_000_000 / rate;
            leaves = link.free_at;
        }
        let at = leaves.div_ceil(1000) + delay;
        self.links[i].flying.push_back(Flying { at, order: self.counts.datagrams, buf, len });
    }

    /// Delivers the datagram that has arrived first, and drains who got it.
    fn deliver(&mut self) -> bool {
        let first = |l: &Link| l.flying.front().map_or((Micros::MAX, 0), |f| (f.at, f.order));
        let [a, b] = [first(&self.links[0]), first(&self.links[1])];
        let i = usize::from(b < a);
        if a.min(b).0 > self.now {
            return false;
        }
        let Flying { mut buf, len, .. } = self.links[i].flying.pop_front().expect("the one we saw");
        self.ends[1 - i].handle_read(self.now, &mut buf[..len]);
        self.spare.push(buf);
        self.drain(1 - i);
        true
    }

    /// Runs until `done`, which is asked before every step and may write; or
    /// until `limit`. Says whether it is done.
    pub fn run(&mut self, limit: Micros, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let limit = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if self.deliver() {
                continue;
            }
            self.drain(0);
            self.drain(1);
            if self.deliver() {
                continue;
            }
            let Some(next) = self.next() else { return false };
            if next > limit {
                self.now = limit;
                return false;
            }
            self.now = self.now.max(next);
            for i in 0..2 {
                if self.ends[i].poll_timeout().is_some_and(|at| at <= self.now) {
                    self.ends[i].handle_timeout(self.now);
                    self.drain(i);
                }
            }
        }
    }

    /// When something is to be done.
    pub fn next(&mut self) -> Option<Micros> {
        let flying = self.links.iter().filter_map(|l| l.flying.front().map(|f| f.at)).min();
        let timers = self.ends.iter_mut().filter_map(|e| e.poll_timeout()).min();
        [flying, timers].into_iter().flatten().min()
    }

    /// Runs until both ends have the channel.
    pub fn open(&mut self) {
        let open = self.run(60_000_000, |p| p.ends.iter().all(|e| e.is_open()));
        assert!(open, "no channel after a minute");
    }

    /// Sends messages of `size` octets from end 0 to end 1, as many as there is
    /// room for at any time, until `count` have arrived. `false` when that takes
    /// longer than `limit`.
    pub fn transfer(&mut self, size: usize, count: u64, limit: Micros) -> bool {
        let mut noise = Dice(7);
        let mut message = vec![0; size.next_multiple_of(8)];
        for chunk in message.chunks_exact_mut(8) {
            chunk.copy_from_slice(&noise.roll().to_le_bytes());
        }
        let goal = self.got[1].messages + count;
        let mut left = count;
        self.run(limit, |p| {
            let mut wrote = false;
            while left > 0 && p.ends[0].write(p.now, &message[..size]) {
                left -= 1;
                wrote = true;
            }
            if wrote {
                p.drain(0);
            }
            p.got[1].messages >= goal
        })
    }
}
