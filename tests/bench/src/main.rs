//! picortc and its peers, side by side; see `docs/performance.md`.

mod budgets;
mod cases;
mod count;
mod pair;
mod plot;
mod report;
mod scale;
mod sockets;
mod stacks;

use cases::Found;
use stacks::{Limits, Options, Stack};

#[global_allocator]
static ALLOCATOR: count::Counting = count::Counting;

/// The application's send buffer, in every stack.
const BUFFER: usize = 1024 * 1024;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["run", stack, case, rest @ ..] => {
            let stacks = stacks::all();
            let Some(stack) = stacks.iter().find(|s| s.name == *stack) else {
                fail(&format!("there is no stack {stack:?}"));
            };
            if *case == "sizes" {
                return stacks::ours::sizes();
            }
            for (name, value) in run(stack, case, rest) {
                println!("{name} {value}");
            }
        }
        ["report", folder, notes] => {
            if let Err(e) = report::report(folder.as_ref(), notes.as_ref()) {
                fail(&e.to_string());
            }
        }
        ["budgets", file] => match budgets::check(file.as_ref()) {
            Ok((kept, broken)) => {
                println!("{kept} passed, {broken} failed");
                std::process::exit(i32::from(broken > 0));
            }
            Err(e) => fail(&e),
        },
        _ => fail("picortc-bench run STACK CASE [ARGUMENT…] | report FOLDER NOTES | budgets FILE"),
    }
}

fn fail(why: &str) -> ! {
    eprintln!("picortc-bench: {why}");
    std::process::exit(2)
}

fn run(stack: &Stack, case: &str, args: &[&str]) -> Found {
    let size = || args.first().and_then(|s| s.parse().ok()).unwrap_or(16 * 1024);
    let mut options = Options { buffer: BUFFER, limits: Limits::Default };
    for arg in args {
        match *arg {
            "tiny" => options.limits = Limits::Tiny,
            "server" => options.limits = Limits::Server,
            "crowd" => options.limits = Limits::Crowd,
            _ => {}
        }
    }
    match case {
        "data" => cases::data(stack, &options, size(), 0.5),
        "data-instructions" => cases::data_instructions(stack, &options, size()),
        "connect" => cases::connect(stack, &options),
        "connect-instructions" => cases::connect_instructions(stack, &options),
        "rounds" => cases::rounds(stack, &options),
        "scale" => {
            options.limits = Limits::Tiny;
            scale::scale(stack, &options, size())
        }
        "sockets" | "sockets-one" => {
            let calls = if case == "sockets" { sockets::Calls::Runs } else { sockets::Calls::One };
            match sockets::throughput(&options, size(), calls, 256 << 20) {
                Ok(found) => found,
                Err(e) => fail(&e.to_string()),
            }
        }
        "queue" => cases::queue(stack, &options, size() as u64),
        "idle" => cases::idle(stack, &options),
        "goodput" => {
            let path = args.first().and_then(|s| s.parse().ok()).unwrap_or(0_usize);
            let Some((_, weather)) = cases::PATHS.get(path) else { fail("there is no such path") };
            cases::goodput(stack, &options, *weather)
        }
        _ => fail(&format!("there is no case {case:?}")),
    }
}
