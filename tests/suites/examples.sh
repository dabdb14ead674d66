#!/usr/bin/env bash
# The native examples, as a reader of the README runs them, without a browser.
source "$(dirname "$0")/lib/common.bash"

check "the examples build" cargo build --quiet --release -p picortc --examples
check "data-channels-offer-answer" timeout 60 target/release/examples/data-channels-offer-answer
check "mdns-query-and-gather" timeout 60 target/release/examples/mdns-query-and-gather
# Those of ICE that need no server; the suite turn runs the others.
for name in trickle-ice-host trickle-ice ice-tcp ice-tcp-active-passive ice-restart; do
  check "$name" timeout 60 "target/release/examples/$name"
done
finish
