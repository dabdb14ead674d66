#!/usr/bin/env bash
# How much the package carries for how much processor time, side by side with
# the libraries that Node has: by name only, since figures are no tests.
#   tests/run wasm-bench
source "$(dirname "$0")/lib/common.bash"

need_command node nodejs
need_command npm npm
ci() { npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error; }
check "the target is installed" need_target wasm32-unknown-unknown
check "the package's tools" ci wasm
check "the bench's packages" ci wasm/bench
check "the package builds" node wasm/build.mjs
if [ "$failed" -gt 0 ]; then finish; fi
check "the table is made" node wasm/bench/run.mjs tests/out/wasm-bench.md
cat tests/out/wasm-bench.md
finish
