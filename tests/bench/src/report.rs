//! All cases of all stacks, each in a process of its own, and the page that
//! shows them.

use crate::cases::{self, Found};
use crate::plot::{Line, log_log};
use crate::stacks::{self, Stack};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SIZES: [usize; 5] = [64, 1024, 16 * 1024, 64 * 1024, 256 * 1024];
/// Nothing measured here takes longer unless it has stalled.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs a case in a process; nothing when it fails or stalls.
pub fn measure(stack: &str, case: &str, args: &[&str]) -> Found {
    let exe = std::env::current_exe().expect("this program");
    output(Command::new(exe).args(["run", stack, case]).args(args)).map_or_else(Found::new, |o| parse(&o.0))
}

/// Runs a case under callgrind; instructions of the measured region are
/// found as `instructions`.
pub fn instructions(stack: &str, case: &str, args: &[&str]) -> Found {
    let exe = std::env::current_exe().expect("this program");
    let mut command = Command::new("valgrind");
    // callgrind counts `rep stosb` and `rep movsb` once per octet: what sets
    // and copies memory uses vectors instead, in all stacks.
    command
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.x86_rep_stosb_threshold=1073741824:glibc.cpu.x86_rep_movsb_threshold=1073741824",
        )
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=measured_region")
        .arg(exe)
        .args(["run", stack, case])
        .args(args);
    let Some((out, err)) = output(&mut command) else { return Found::new() };
    let mut found = parse(&out);
    let collected =
        err.lines().find_map(|l| l.split_once("Collected :").and_then(|(_, n)| n.trim().parse().ok()));
    match collected {
        Some(n) if !found.is_empty() => drop(found.insert("instructions".into(), n)),
        _ => found.clear(),
    }
    found
}

fn parse(out: &str) -> Found {
    let pair = |line: &str| line.split_once(' ').and_then(|(n, v)| Some((n.to_string(), v.parse().ok()?)));
    out.lines().filter_map(pair).collect()
}

fn output(command: &mut Command) -> Option<(String, String)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    let from = Instant::now();
    // The output is a few lines: it fits the pipes.
    while child.try_wait().ok()?.is_none() {
        if from.elapsed() > LIMIT {
            let _ = child.kill();
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let out = child.wait_with_output().ok()?;
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    out.status.success().then(|| (text(out.stdout), text(out.stderr)))
}

/// A number with three digits that matter, or a dash.
fn show(value: Option<f64>) -> String {
    match value {
        None => "–".into(),
        Some(v) if v == 0.0 => "0".into(),
        Some(v) if v.abs() >= 1e6 => format!("{:.1} M", v / 1e6),
        Some(v) if v.abs() >= 1e5 => format!("{:.0} k", v / 1e3),
        Some(v) if v.abs() >= 1e3 => format!("{:.1} k", v / 1e3),
        Some(v) if v.abs() >= 100.0 => format!("{v:.0}"),
        Some(v) if v.abs() >= 10.0 => format!("{v:.1}"),
        Some(v) if v.abs() < 0.005 => "< 0.01".into(),
        Some(v) => format!("{v:.2}"),
    }
}

fn of(found: &Found, name: &str) -> Option<f64> {
    found.get(name).copied()
}

struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(first: &str, stacks: &[Stack]) -> Self {
        let mut head = vec![first.to_string()];
        head.extend(stacks.iter().map(|s| s.about.to_string()));
        Self { head, rows: Vec::new() }
    }

    fn row(&mut self, name: &str, values: impl IntoIterator<Item = Option<f64>>) {
        let mut row = vec![name.to_string()];
        row.extend(values.into_iter().map(show));
        println!("{}", row.join(" | "));
        self.rows.push(row);
    }

    fn write(&self, page: &mut String) {
        let _ = writeln!(page, "| {} |", self.head.join(" | "));
        let _ = writeln!(page, "|{}", " --- |".repeat(self.head.len()));
        for row in &self.rows {
            let _ = writeln!(page, "| {} |", row.join(" | "));
        }
        page.push('\n');
    }
}

fn size_name(size: usize) -> String {
    if size < 1024 { format!("{size} B") } else { format!("{} KiB", size / 1024) }
}

/// Measures all, and writes `performance.md` and its plots to `folder`.
pub fn report(folder: &Path, notes: &Path) -> std::io::Result<()> {
    let all = stacks::all();
    let whole: Vec<Stack> = all.iter().copied().filter(|s| !s.sctp_only).collect();
    let alone: Vec<Stack> = all.iter().copied().filter(|s| s.sctp_only).collect();
    let mut page = String::from(INTRODUCTION);

    page.push_str("\n## Data\n\nPayload, in MB (10⁶ octets) per CPU second of both ends together:\n\n");
    data(&whole, &mut page, Some(&folder.join("performance-data.svg")))?;
    page.push_str("![Payload per CPU second over message size](performance-data.svg)\n\n");
    page.push_str("Instructions per 1,200 octets of payload, both ends:\n\n");
    data_instructions(&whole, &mut page);
    page.push_str("Allocations per datagram, connected:\n\n");
    let mut table = Table::new("messages of", &whole);
    for size in [64, 16 * 1024] {
        let per = |s: &Stack| of(&measure(s.name, "data", &[&size.to_string()]), "allocations_per_datagram");
        table.row(&size_name(size), whole.iter().map(per).collect::<Vec<_>>());
    }
    table.write(&mut page);

    page.push_str("## Connecting\n\nA pair, both certificates made on the way:\n\n");
    connecting(&whole, &mut page);
    page.push_str("## Idle\n\nPer connection:\n\n");
    idle(&whole, &mut page);
    page.push_str("## Paths\n\nPayload in MB per second of virtual time, 16 KiB messages, 20 s from the opening on:\n\n");
    paths(&whole, &mut page);
    page.push_str("## A long queue\n\nInstructions per message of 64 octets, when so many are queued before the first leaves:\n\n");
    queue(&mut page);
    page.push_str("## Sockets\n\nTwo ends in one process over loopback UDP, MB per second of wall time (and per CPU second):\n\n");
    sockets(&mut page);
    page.push_str("## Many connections\n\nConnections with the preset `TINY`, two by two, each woken when it has something to do; idle for 60 s, then a message of 200 octets every 20 ms on each pair:\n\n");
    scale(&mut page, &folder.join("performance-scale.svg"))?;
    page.push_str("![Cost per connection over their number](performance-scale.svg)\n\n");
    page.push_str("## SCTP alone\n\nMB per CPU second, both ends, without DTLS and checksums:\n\n");
    data(&alone, &mut page, None)?;
    page.push_str(&std::fs::read_to_string(notes)?);
    std::fs::write(folder.join("performance.md"), page)
}

fn data(stacks: &[Stack], page: &mut String, plot: Option<&Path>) -> std::io::Result<()> {
    let mut table = Table::new("messages of", stacks);
    let mut lines: Vec<Line<'_>> =
        stacks.iter().map(|s| Line { name: s.about, points: Vec::new() }).collect();
    for size in SIZES {
        // The machine is noisy: the best of three, taken in turns.
        let mut best = vec![None::<f64>; stacks.len()];
        for _ in 0..3 {
            for (stack, best) in stacks.iter().zip(&mut best) {
                let found = measure(stack.name, "data", &[&size.to_string()]);
                let rate = of(&found, "octets_per_cpu_second").map(|v| v / 1e6);
                *best = [*best, rate].into_iter().flatten().reduce(f64::max);
            }
        }
        for (line, best) in lines.iter_mut().zip(&best) {
            line.points.extend(best.map(|b| (size as f64, b)));
        }
        table.row(&size_name(size), best);
    }
    table.write(page);
    if let Some(path) = plot {
        let svg = log_log("Payload per CPU second, both ends", "octets per message", "MB / CPU s", &lines);
        std::fs::write(path, svg)?;
    }
    Ok(())
}

fn data_instructions(stacks: &[Stack], page: &mut String) {
    let mut table = Table::new("messages of", stacks);
    let mut messages = Vec::new();
    for size in SIZES {
        let found: Vec<Found> =
            stacks.iter().map(|s| instructions(s.name, "data-instructions", &[&size.to_string()])).collect();
        let per = |f: &Found, unit: &str| Some(of(f, "instructions")? / of(f, unit)?);
        if size == 64 {
            messages = found.iter().map(|f| per(f, "messages")).collect();
        }
        table.row(&size_name(size), found.iter().map(|f| per(f, "octets").map(|v| v * 1200.0)));
    }
    table.row("one message of 64 B", messages);
    table.write(page);
}

fn connecting(stacks: &[Stack], page: &mut String) {
    let found: Vec<Found> = stacks.iter().map(|s| measure(s.name, "connect", &[])).collect();
    let mut table = Table::new("", stacks);
    table.row("CPU µs", found.iter().map(|f| of(f, "cpu_us")));
    let count = |s: &Stack| of(&instructions(s.name, "connect-instructions", &[]), "instructions");
    table.row("instructions", stacks.iter().map(count).collect::<Vec<_>>());
    table.row("allocations", found.iter().map(|f| of(f, "allocations")));
    table.row("peak heap, KB", found.iter().map(|f| of(f, "peak_heap_of_pair").map(|v| v / 1000.0)));
    let trips = |s: &Stack| of(&measure(s.name, "rounds", &[]), "round_trips");
    table.row("round trips, answer to open channel", stacks.iter().map(trips).collect::<Vec<_>>());
    table.write(page);
}

fn idle(stacks: &[Stack], page: &mut String) {
    let heap = |s: &Stack, limits| {
        of(&measure(s.name, "connect", &[limits]), "idle_heap_per_end").map(|v| v / 1000.0)
    };
    let found: Vec<Found> = stacks.iter().map(|s| measure(s.name, "idle", &[])).collect();
    let mut table = Table::new("", stacks);
    for limits in ["tiny", "server", "default"] {
        // Only ours knows presets.
        let known = |s: &&Stack| s.name.starts_with("picortc") || limits == "default";
        let name = format!("heap, KB (`{}`)", limits.to_uppercase());
        table.row(&name, stacks.iter().map(|s| heap(s, limits).filter(|_| known(&s))).collect::<Vec<_>>());
    }
    for (name, key) in [
        ("wake-ups per second", "wakeups_per_second"),
        ("datagrams per second", "datagrams_per_second"),
        ("allocations per second", "allocations_per_second"),
    ] {
        table.row(name, found.iter().map(|f| of(f, key)));
    }
    table.write(page);
}

fn paths(stacks: &[Stack], page: &mut String) {
    let mut table = Table::new("path", stacks);
    for (i, (name, _)) in cases::PATHS.iter().enumerate() {
        let rate = |s: &Stack| {
            of(&measure(s.name, "goodput", &[&i.to_string()]), "octets_per_second").map(|v| v / 1e6)
        };
        table.row(name, stacks.iter().map(rate).collect::<Vec<_>>());
    }
    table.write(page);
}

fn queue(page: &mut String) {
    let mut table = Table { head: vec!["queued".into(), "picortc".into()], rows: Vec::new() };
    for queued in [10, 100, 1000, 10_000] {
        let found = instructions("picortc", "queue", &[&queued.to_string()]);
        let per = of(&found, "instructions").zip(of(&found, "messages")).map(|(i, m)| i / m);
        table.row(&queued.to_string(), [per]);
    }
    table.write(page);
}

fn sockets(page: &mut String) {
    let node = |stack: &str, size: usize| {
        let args = ["tests/bench/sockets/run.mjs", stack, &size.to_string(), "50331648"];
        output(Command::new("node").args(args)).map_or_else(Found::new, |o| parse(&o.0))
    };
    let head = [
        "messages of",
        "picortc, aws-lc-rs",
        "the same, one call per datagram",
        "node-datachannel",
        "@roamhq/wrtc",
    ];
    let mut table = Table { head: head.map(String::from).into(), rows: Vec::new() };
    for size in &SIZES[1..] {
        let text = size.to_string();
        let found = [
            measure("picortc", "sockets", &[&text]),
            measure("picortc", "sockets-one", &[&text]),
            node("node-datachannel", *size),
            node("wrtc", *size),
        ];
        let mut row = vec![size_name(*size)];
        row.extend(found.iter().map(|f| {
            let mega = |name: &str| show(of(f, name).map(|v| v / 1e6));
            if f.is_empty() {
                return "–".to_string();
            }
            format!("{} ({})", mega("octets_per_second"), mega("octets_per_cpu_second"))
        }));
        println!("{}", row.join(" | "));
        table.rows.push(row);
    }
    table.write(page);
}

fn scale(page: &mut String, plot: &Path) -> std::io::Result<()> {
    let keys = [
        ("heap, octets", "heap_per_connection"),
        ("wake-ups per second", "wakeups_per_connection_second"),
        ("idle, CPU µs per second", "idle_cpu_us_per_connection_second"),
        ("active, CPU µs per message", "cpu_us_per_message"),
    ];
    let mut head = vec!["connections".to_string()];
    head.extend(keys.iter().map(|k| k.0.to_string()));
    let mut table = Table { head, rows: Vec::new() };
    let mut lines: Vec<Line<'_>> = keys.iter().map(|k| Line { name: k.0, points: Vec::new() }).collect();
    for count in [10, 100, 1000, 10_000] {
        let found = measure("picortc", "scale", &[&count.to_string()]);
        for (line, key) in lines.iter_mut().zip(&keys) {
            line.points.extend(of(&found, key.1).map(|v| (f64::from(count), v)));
        }
        table.row(&count.to_string(), keys.iter().map(|k| of(&found, k.1)));
    }
    table.write(page);
    std::fs::write(
        plot,
        log_log("Cost per connection over their number", "connections", "per connection", &lines),
    )
}

const INTRODUCTION: &str = "\
# Performance

Made by `tests/run bench`, which builds picortc and its peers in release mode, \
with thin LTO and one codegen unit, and measures them side by side: two endpoints in one process and one thread, \
datagrams handed over in memory and both ends drained after each, delay, loss \
and rate in a virtual clock. CPU is thread CPU time; instructions are counted \
by callgrind; allocations by a counting allocator. Every stack has its default \
configuration and at most 1 MiB buffered by the application unless its column \
says otherwise. The harness's own work (one queue in memory) is in all figures. \
Absolute speeds are those of one machine on one day; compare within a row.
";
