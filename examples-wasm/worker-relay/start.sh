#!/usr/bin/env bash
# coturn and `wrangler dev`, side by side; both end with this script.
set -euo pipefail
cd "$(dirname "$0")"
command -v turnserver >/dev/null || { echo "install coturn first (apt-get install coturn)" >&2; exit 1; }
address=$(hostname -I | cut -d' ' -f1)
folder=$(mktemp -d)
turnserver -n --listening-ip=127.0.0.1 --relay-ip="${address:-127.0.0.1}" --lt-cred-mech --user=picortc:picortc \
  --realm=picortc --no-tls --no-dtls --no-cli --userdb="$folder/turndb" --pidfile="$folder/turn.pid" --log-file=stdout >"$folder/log" &
turn=$!
trap 'kill "$turn" 2>/dev/null; rm -rf "$folder"' EXIT
WRANGLER_SEND_METRICS=false npx wrangler dev "$@"
