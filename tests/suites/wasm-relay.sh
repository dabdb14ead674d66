#!/usr/bin/env bash
# The relay examples end to end, each started by its start.sh from a fresh copy,
# with Chromium and Firefox in one room: worker-relay (coturn and workerd) and
# deno-relay. By name only; `wasm` has the second in short.
#   tests/run wasm-relay
source "$(dirname "$0")/lib/common.bash"

need_command chromium chromium
need_command "firefox-esr|firefox" firefox-esr
need_command turnserver coturn
need_command node nodejs
need_command npm npm
ci() { npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error; }
check "the target is installed" need_target wasm32-unknown-unknown
check "the package's tools" ci wasm
check "the tests' packages" ci wasm/test
check "the rig's packages" ci tests/browsers
check "the package builds" node wasm/build.mjs
if [ "$failed" -gt 0 ]; then finish; fi
counted node wasm/test/relay.mjs worker
counted node wasm/test/relay.mjs deno
finish
