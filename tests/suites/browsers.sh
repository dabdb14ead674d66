#!/usr/bin/env bash
# Real browsers against the native example (tests/browsers/README.md). What is
# given to this script goes to the rig: `tests/suites/browsers.sh --only text`.
source "$(dirname "$0")/lib/common.bash"

need_command chromium chromium
need_command "firefox-esr|firefox" firefox-esr
need_command node nodejs
need_command npm npm
check "the rig's packages" npm ci --prefix tests/browsers --ignore-scripts --no-audit --no-fund --loglevel=error
check "the example builds" cargo build --quiet --release -p picortc --example data-channels
if [ "$failed" -gt 0 ]; then finish; fi
exec node tests/browsers/run.mjs "$@"
