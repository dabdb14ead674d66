#!/usr/bin/env bash
# cargo's own tests of the whole workspace, doctests included; the counts are
# the sums of cargo's lines.
source "$(dirname "$0")/lib/common.bash"

mkdir -p tests/out
log=tests/out/unit.cargo.log
cargo test --workspace --no-fail-fast 2>&1 | tee "$log"
code=${PIPESTATUS[0]}
read -r passed failed skipped < <(awk '
  /^test result:/ { for (i = 1; i < NF; i++) {
    if ($(i + 1) == "passed;") p += $i
    if ($(i + 1) == "failed;") f += $i
    if ($(i + 1) == "ignored;") s += $i } }
  END { print p + 0, f + 0, s + 0 }' "$log")
# What does not compile, or ends without its line, has no count of its own.
if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
finish
