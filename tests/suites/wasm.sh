#!/usr/bin/env bash
# The npm package (wasm/test): as npm carries it, its interface in one process,
# and against real peers: Node, Deno, Bun and workerd with each other, with the
# native example, with Chromium and Firefox; and through coturn. What is given
# to this script goes to the runner: `tests/suites/wasm.sh --only deno`.
source "$(dirname "$0")/lib/common.bash"

need_command chromium chromium
need_command "firefox-esr|firefox" firefox-esr
need_command turnserver coturn
need_command openssl openssl
need_command node nodejs
need_command npm npm

ci() { npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error; }

check "the target is installed" need_target wasm32-unknown-unknown
check "the package's tools" ci wasm
check "the tests' packages" ci wasm/test
check "the rig's packages" ci tests/browsers
check "the package builds" node wasm/build.mjs
check "the native example builds" cargo build --quiet --release -p picortc --example data-channels
if [ "$failed" -gt 0 ]; then finish; fi

if [ $# -eq 0 ]; then
  counted node wasm/test/package.mjs
  counted node --expose-gc wasm/test/api.mjs
  counted node wasm/test/turn.mjs
  counted node wasm/test/candidates.mjs
  counted node wasm/test/relay.mjs deno --short
  counted node wasm/test/examples.mjs
  counted node wasm/test/libraries.mjs
fi
counted node wasm/test/run.mjs "$@"
finish
