//! Very many connections in one process, each woken when it has something to
//! do and at no other time.

use crate::cases::Found;
use crate::count;
use crate::pair::{Pair, Weather};
use crate::stacks::{Micros, Options, Stack};
use cpu_time::ThreadTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Pairs on one clock, and when each wants to go on.
struct Crowd {
    pairs: Vec<Pair>,
    due: BinaryHeap<Reverse<(Micros, usize)>>,
    wakeups: u64,
}

impl Crowd {
    fn new(stack: &Stack, options: &Options, pairs: usize) -> Self {
        let weather = Weather { delay: 1000, ..Weather::default() };
        let connect = |_| {
            let mut pair = Pair::new((stack.pair)(options), weather);
            pair.open();
            pair.run(2_000_000, |_| false);
            pair
        };
        Self { pairs: (0..pairs).map(connect).collect(), due: BinaryHeap::new(), wakeups: 0 }
    }

    fn wait(&mut self, i: usize) {
        if let Some(at) = self.pairs[i].next() {
            self.due.push(Reverse((at, i)));
        }
    }

    /// Lets time pass until `end`.
    fn run(&mut self, end: Micros) {
        while let Some(&Reverse((at, i))) = self.due.peek()
            && at <= end
        {
            self.due.pop();
            // Woken for this before.
            if self.pairs[i].next().is_some_and(|next| next > at) {
                continue;
            }
            self.wakeups += 1;
            self.pairs[i].now = self.pairs[i].now.max(at);
            self.pairs[i].run(0, |_| false);
            self.wait(i);
        }
    }
}

/// Heap, wake-ups and CPU of idle connections, then CPU per message of active
/// ones.
pub fn scale(stack: &Stack, options: &Options, connections: usize) -> Found {
    let pairs = (connections / 2).max(1);
    let live = count::live();
    let mut crowd = Crowd::new(stack, options, pairs);
    let heap = (count::live() - live) as f64 / (2 * pairs) as f64;
    let start = crowd.pairs.iter().map(|p| p.now).max().unwrap_or(0);
    for i in 0..pairs {
        crowd.pairs[i].now = start;
        crowd.wait(i);
    }
    let (from, seconds) = (ThreadTime::now(), 60);
    crowd.run(start + seconds * 1_000_000);
    let idle = from.elapsed().as_secs_f64();
    let per = (2 * pairs) as f64 * seconds as f64;
    let wakeups = crowd.wakeups as f64 / per;

    // Every end 0 sends a message of 200 octets every 20 ms: two of
    // them wait for each acknowledgement, as many as `TINY` has room for.
    let (message, rounds) = ([0xa5; 200], (20_000 / pairs as u64).clamp(5, 500));
    let mut now = start + seconds * 1_000_000;
    let from = ThreadTime::now();
    for _ in 0..rounds {
        for i in 0..pairs {
            let pair = &mut crowd.pairs[i];
            pair.now = now;
            assert!(pair.ends[0].write(now, &message), "there is room");
            pair.run(0, |_| false);
            crowd.wait(i);
        }
        now += 20_000;
        crowd.run(now);
    }
    let active = from.elapsed().as_secs_f64();
    let got: u64 = crowd.pairs.iter().map(|p| p.got[1].messages).sum();
    assert!(got + 2 * pairs as u64 >= rounds * pairs as u64, "all but the last have arrived");
    [
        ("heap_per_connection".to_string(), heap),
        ("wakeups_per_connection_second".to_string(), wakeups),
        ("idle_cpu_us_per_connection_second".to_string(), idle * 1e6 / per),
        ("cpu_us_per_message".to_string(), active * 1e6 / (rounds * pairs as u64) as f64),
    ]
    .into()
}
