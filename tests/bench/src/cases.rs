//! What is measured. Each case runs in a process of its own, so that neither
//! heap nor instruction counts depend on what ran before.

use crate::count;
use crate::pair::{Pair, Weather};
use crate::stacks::{Options, Stack};
use cpu_time::ThreadTime;
use std::collections::BTreeMap;

/// What a case found, by name.
pub type Found = BTreeMap<String, f64>;

/// Between the first and the last instruction of this function callgrind
/// counts, and nowhere else.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn measured_region(work: &mut Work<'_>) {
    (work.0)();
}

pub struct Work<'a>(&'a mut dyn FnMut());

fn measured(mut work: impl FnMut()) {
    measured_region(&mut Work(&mut work));
}

fn found(pairs: &[(&str, f64)]) -> Found {
    pairs.iter().map(|(name, value)| (name.to_string(), *value)).collect()
}

const MINUTE: u64 = 60_000_000;

/// Octets for which [`data`] runs at least.
fn batch(size: usize) -> u64 {
    (256 * 1024_u64).div_ceil(size as u64).clamp(2, 2000)
}

fn connected(stack: &Stack, options: &Options, weather: Weather) -> Pair {
    let mut pair = Pair::new((stack.pair)(options), weather);
    pair.open();
    pair
}

/// Payload octets per CPU second, both ends, without delay; for `seconds`.
pub fn data(stack: &Stack, options: &Options, size: usize, seconds: f64) -> Found {
    let mut pair = connected(stack, options, Weather::default());
    pair.warm();
    let batch = batch(size);
    if !pair.transfer(size, batch, MINUTE) {
        return Found::new();
    }
    let (allocations, datagrams) = (count::calls(), pair.counts.datagrams);
    let (from, mut octets) = (ThreadTime::now(), 0);
    loop {
        if !pair.transfer(size, batch, MINUTE) {
            return Found::new();
        }
        octets += batch * size as u64;
        let cpu = from.elapsed().as_secs_f64();
        if cpu >= seconds {
            let datagrams = (pair.counts.datagrams - datagrams) as f64;
            return found(&[
                ("octets_per_cpu_second", octets as f64 / cpu),
                ("allocations_per_datagram", (count::calls() - allocations) as f64 / datagrams),
                ("datagrams_per_1200", datagrams * 1200.0 / octets as f64),
            ]);
        }
    }
}

/// For callgrind: a transfer after one that warmed everything up. Says how
/// many octets and messages were measured.
pub fn data_instructions(stack: &Stack, options: &Options, size: usize) -> Found {
    let mut pair = connected(stack, options, Weather::default());
    pair.warm();
    let batch = batch(size);
    let mut whole = pair.transfer(size, batch, MINUTE);
    // The harness's message is one allocation.
    let before = count::calls() + 1;
    measured(|| whole &= pair.transfer(size, batch, MINUTE));
    if !whole {
        return Found::new();
    }
    let allocations = (count::calls() - before) as f64;
    found(&[
        ("octets", (batch * size as u64) as f64),
        ("messages", batch as f64),
        ("allocations", allocations),
    ])
}

/// For callgrind: messages of 64 octets, so many of them queued before the
/// first leaves, until all have arrived.
pub fn queue(stack: &Stack, options: &Options, queued: u64) -> Found {
    let mut options = *options;
    options.limits = crate::stacks::Limits::Crowd;
    let mut pair = connected(stack, &options, Weather { delay: 1000, ..Weather::default() });
    pair.warm();
    let (message, goal) = ([0xa5; 64], pair.got[1].messages + queued);
    let mut whole = true;
    measured(|| {
        for _ in 0..queued {
            whole &= pair.ends[0].write(pair.now, &message);
        }
        whole &= pair.run(MINUTE, |p| p.got[1].messages >= goal);
    });
    if whole { found(&[("messages", queued as f64)]) } else { Found::new() }
}

/// For callgrind: two ends made, negotiated and connected. What a process does
/// once is done before.
pub fn connect_instructions(stack: &Stack, options: &Options) -> Found {
    drop(connected(stack, options, Weather::default()));
    measured(|| drop(connected(stack, options, Weather::default())));
    found(&[("pairs", 1.0)])
}

/// CPU time to make, negotiate and connect a pair; allocations; heap.
pub fn connect(stack: &Stack, options: &Options) -> Found {
    drop(connected(stack, options, Weather::default()));
    let mut times = Vec::new();
    for _ in 0..20 {
        let from = ThreadTime::now();
        let pair = connected(stack, options, Weather::default());
        times.push(from.elapsed().as_secs_f64());
        drop(pair);
    }
    times.sort_by(f64::total_cmp);
    count::take_peak();
    let (live, calls) = (count::live(), count::calls());
    let mut pair = connected(stack, options, Weather::default());
    let peak = count::take_peak() - live;
    let calls = count::calls() - calls;
    pair.run(5_000_000, |_| false);
    let idle = (count::live() - live) as f64 / 2.0;
    found(&[
        ("cpu_us", times[times.len() / 2] * 1e6),
        ("allocations", calls as f64),
        ("peak_heap_of_pair", peak as f64),
        ("idle_heap_per_end", idle),
    ])
}

/// Round trips from the answer to a channel open at both ends.
pub fn rounds(stack: &Stack, options: &Options) -> Found {
    let delay = 25_000;
    let pair = connected(stack, options, Weather { delay, ..Weather::default() });
    found(&[("round_trips", pair.now as f64 / (2 * delay) as f64)])
}

/// What an idle connection does in a minute.
pub fn idle(stack: &Stack, options: &Options) -> Found {
    let mut pair = connected(stack, options, Weather { delay: 1000, ..Weather::default() });
    pair.run(10_000_000, |_| false);
    let (calls, datagrams, mut wakeups) = (count::calls(), pair.counts.datagrams, 0);
    let mut last = 0;
    pair.run(MINUTE, |p| {
        // Each time when something is due is one, for one of the two.
        wakeups += u32::from(p.now != last);
        last = p.now;
        false
    });
    let per = 120.0;
    found(&[
        ("wakeups_per_second", f64::from(wakeups) / per),
        ("datagrams_per_second", (pair.counts.datagrams - datagrams) as f64 / per),
        ("allocations_per_second", (count::calls() - calls) as f64 / per),
    ])
}

/// The paths of [`goodput`].
pub const PATHS: [(&str, Weather); 3] = [
    ("RTT 50 ms", Weather { delay: 25_000, loss: 0, rate: 0, queue: 0 }),
    ("RTT 50 ms, 1 % loss", Weather { delay: 25_000, loss: 10_000, rate: 0, queue: 0 }),
    // One product of bandwidth and delay may wait: 125,000 octets.
    ("20 Mbit/s, RTT 50 ms", Weather { delay: 25_000, loss: 0, rate: 2_500_000, queue: 125_000 }),
];

/// Octets per second of virtual time, 16 KiB messages, over 20 s and from the
/// opening on.
pub fn goodput(stack: &Stack, options: &Options, weather: Weather) -> Found {
    let mut pair = connected(stack, options, weather);
    let (size, span) = (16 * 1024, 20_000_000);
    let before = pair.counts;
    pair.transfer(size, u64::MAX / 2, span);
    let octets = pair.got[1].octets as f64;
    found(&[
        ("octets_per_second", octets / (span as f64 / 1e6)),
        ("lost", (pair.counts.lost - before.lost) as f64),
        ("overflowed", (pair.counts.overflowed - before.overflowed) as f64),
    ])
}
