#!/usr/bin/env bash
# What the operations of the data path may cost, in instructions:
# tests/bench/budgets.toml.
source "$(dirname "$0")/lib/common.bash"

# Other processors take other paths through the crypto and the C library, and
# have other counts.
if [ "$(uname -m)" != x86_64 ] || ! grep -qw aes /proc/cpuinfo || ! grep -qw avx2 /proc/cpuinfo; then
  echo "skipped: instruction budgets are those of x86-64 with AES and AVX2"
  passed=0 skipped=1
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
need_command valgrind valgrind
check "the bench builds" cargo build --quiet --release --manifest-path tests/bench/Cargo.toml
[ "$failed" -eq 0 ] || finish
out=$(tests/bench/target/release/picortc-bench budgets tests/bench/budgets.toml 2>&1)
printf '%s\n' "$out"
passed=$((passed + $(grep -c '^ok ' <<<"$out")))
failed=$((failed + $(grep -c '^FAIL ' <<<"$out")))
grep -q '^[0-9]* passed' <<<"$out" || failed=$((failed + 1))
finish
