//! Instruction budgets: what an operation may cost, kept in `budgets.toml`.

use crate::report;
use std::path::Path;

/// How far from its budget an operation may be, in per cent.
const TOLERANCE: f64 = 3.0;

/// Checks every budget and prints one line for each; says how many were kept
/// and how many were not.
pub fn check(file: &Path) -> Result<(u32, u32), String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let table: toml::Table = text.parse().map_err(|e| format!("{}: {e}", file.display()))?;
    let (mut kept, mut broken) = (0, 0);
    for (name, entry) in &table {
        let text = |key: &str| entry.get(key).and_then(|v| v.as_str());
        let (Some(stack), Some(case)) = (text("stack"), text("case")) else {
            return Err(format!("{name}: stack and case are missing"));
        };
        let Some(budget) = entry.get("budget").and_then(toml::Value::as_integer) else {
            return Err(format!("{name}: budget is missing"));
        };
        let mut words = case.split(' ');
        let (case, args) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
        let found = report::instructions(stack, case, &args);
        let per = text("per").unwrap_or("pairs");
        let (Some(instructions), Some(units)) = (found.get("instructions"), found.get(per)) else {
            println!("FAIL {name}: was not measured");
            broken += 1;
            continue;
        };
        let scale = entry.get("scale").and_then(toml::Value::as_integer).unwrap_or(1) as f64;
        let cost = instructions / units * scale;
        let off = (cost / budget as f64 - 1.0) * 100.0;
        let mut verdict = "ok";
        if off > TOLERANCE {
            verdict = "FAIL";
        }
        println!("{verdict} {name}: {cost:.0} instructions, budget {budget} ({off:+.1} %)");
        if off < -TOLERANCE {
            println!("# {name} costs less than its budget: lower it");
        }
        if verdict == "ok" {
            kept += 1
        } else {
            broken += 1
        }
        let allocations = found.get("allocations").copied().unwrap_or(0.0);
        let allowed = entry.get("allocations").and_then(toml::Value::as_integer);
        if let Some(allowed) = allowed {
            let verdict = if allocations <= allowed as f64 { "ok" } else { "FAIL" };
            println!("{verdict} {name}: {allocations} allocations, {allowed} allowed");
            if verdict == "ok" { kept += 1 } else { broken += 1 }
        }
    }
    Ok((kept, broken))
}
