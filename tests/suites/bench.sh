#!/usr/bin/env bash
# picortc beside its peers: the tables and plots of docs/performance.md. Takes
# long, and wants a quiet machine: run by its name only.
source "$(dirname "$0")/lib/common.bash"

need_command valgrind valgrind
check "the bench and the peers build" \
  cargo build --quiet --release --features peers --manifest-path tests/bench/Cargo.toml
check "the JavaScript peers install" \
  npm ci --no-audit --no-fund --prefix tests/bench/sockets
[ "$failed" -eq 0 ] || finish
before=$SECONDS
if tests/bench/target/release/picortc-bench report docs tests/bench/notes.md; then
  passed=$((passed + 1))
  echo "ok docs/performance.md was made in $((SECONDS - before)) s"
else
  failed=$((failed + 1))
  echo "FAIL the report"
fi
finish
