#!/usr/bin/env bash
# The W3C's own tests of WebRTC against the npm package (tests/wpt/run). They
# are not in this repository: `--wpt DIR` or the environment variable WPT names
# a checkout, and without one they are skipped.
source "$(dirname "$0")/lib/common.bash"

need_command node nodejs
need_command npm npm
exec tests/wpt/run "$@"
