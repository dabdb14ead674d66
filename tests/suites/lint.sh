#!/usr/bin/env bash
# Formatting, lints and documentation: no warning in any of them.
source "$(dirname "$0")/lib/common.bash"

check "formatting" cargo fmt --all --check
check "clippy" cargo clippy --quiet --workspace --all-targets -- -D warnings
check "clippy, log and media" cargo clippy --quiet -p picortc --all-targets --features log,media,turn-server -- -D warnings
check "clippy, without defaults" cargo clippy --quiet -p picortc --lib --no-default-features --features data,rust-crypto -- -D warnings
check "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps
check "shell scripts parse" bash -n tests/run tests/wpt/run tests/suites/*.sh tests/suites/lib/*.bash
finish
