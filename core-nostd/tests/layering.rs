//! The layers import downwards only. The table is the architecture; a file
//! that reaches upwards, or names `alloc` outside `mem`, is named here.

use std::fs;
use std::path::{Path, PathBuf};

/// Module and rank. A module imports lower ranks and itself.
const RANKS: &[(&str, u8)] = &[
    ("env", 0),
    ("mem", 0),
    ("crypto", 0),
    ("wire", 0),
    ("stun", 1),
    ("srtp", 1),
    ("ice", 2),
    ("turn", 2),
    ("turn_server", 2),
    ("dtls", 2),
    ("sctp", 2),
    ("mdns", 2),
    ("rtp", 2),
    ("channel", 3),
    ("peer", 4),
];

/// Arrows inside one rank: `env` and `mem` are what every other module of
/// rank 0 stands on.
const ARROWS: &[(&str, &str)] = &[
    ("mem", "env"),
    ("crypto", "env"),
    ("crypto", "mem"),
    ("wire", "env"),
    ("wire", "mem"),
    ("wire", "crypto"),
    ("ice", "turn"),
    ("ice", "mdns"),
];

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(m, _)| *m == module).map(|(_, r)| *r)
}

fn allowed(from: &str, to: &str) -> bool {
    from == to
        || ARROWS.contains(&(from, to))
        || matches!((rank(from), rank(to)), (Some(f), Some(t)) if t < f)
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the source tree is readable") {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The first path segments after each `crate::` in a line, braces included:
/// `crate::wire::x`, `crate::{env, mem::Y}`.
fn imports(line: &str) -> Vec<String> {
    let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut start = 0;
                for (i, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            found.push(word(group[start..i].trim()));
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.push(word(group[start..i].trim()));
                            start = i + 1;
                        }
                        _ => {}
                    }
                }
            }
            None => found.push(word(rest)),
        }
    }
    found
}

/// The file's code without comments, with multi-line `use` groups joined.
fn code(text: &str) -> String {
    text.lines().map(|l| l.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Every breach in one file's text.
fn breaches(module: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for statement in code(text).split(';') {
        for to in imports(statement) {
            if rank(&to).is_some() && !allowed(module, &to) {
                found.push(format!("`{module}` imports `{to}`, which is not below it"));
            }
        }
    }
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    if module != "mem" && code(product).contains("alloc::") {
        found.push(format!("`{module}` names `alloc`; only `mem` may"));
    }
    found
}

#[test]
fn modules_import_lower_ranks_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&root, &mut all);
    let mut found = Vec::new();
    let mut checked = 0;
    for file in &all {
        let relative = file.strip_prefix(&root).expect("below src");
        let first = relative.components().next().expect("a name");
        let module = Path::new(first.as_os_str()).file_stem().expect("a stem").to_string_lossy().into_owned();
        if rank(&module).is_none() {
            assert!(
                ["lib", "fmt"].contains(&module.as_str()),
                "`{module}` has no rank in the table: give it one"
            );
            continue;
        }
        checked += 1;
        let text = fs::read_to_string(file).expect("source is UTF-8");
        for breach in breaches(&module, &text) {
            found.push(format!("{}: {breach}", relative.display()));
        }
    }
    assert!(checked > 10, "only {checked} files were looked at");
    assert!(found.is_empty(), "layering:\n  {}", found.join("\n  "));
}

#[test]
fn a_breach_is_found() {
    assert_eq!(breaches("wire", "use crate::peer::X;").len(), 1);
    assert_eq!(breaches("ice", "use crate::{env::Instant,\n  sctp::{A, B},\n  wire};").len(), 1);
    assert_eq!(breaches("ice", "fn f() { crate::channel::open() }").len(), 1);
    assert_eq!(breaches("sctp", "use alloc::vec::Vec;").len(), 1);
    assert!(breaches("ice", "// crate::peer\nuse crate::{env::Instant, stun, wire::stun as w};").is_empty());
}
