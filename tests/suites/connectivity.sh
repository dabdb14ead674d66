#!/usr/bin/env bash
# Connections across NATs of every kind, through coturn and through our own
# server, on networks made of namespaces. What is given to this script goes to
# the rig: `tests/suites/connectivity.sh --only own-server`.
source "$(dirname "$0")/lib/common.bash"

need_command chromium chromium
need_command "firefox-esr|firefox" firefox-esr
need_command node nodejs
need_command npm npm
need_command turnserver coturn
need_command ip iproute2
need_command nft nftables
need_command openssl openssl
need_command certutil libnss3-tools
check "the rig's packages" npm ci --prefix tests/browsers --ignore-scripts --no-audit --no-fund --loglevel=error
check "the server's own tests" cargo test --quiet -p picortc --features turn-server --lib turn_server
check "the examples build" cargo build --quiet --release -p picortc --features turn-server --example data-channels --example turn-server
if [ "$failed" -gt 0 ]; then finish; fi
exec node tests/connectivity/run.mjs "$@"
