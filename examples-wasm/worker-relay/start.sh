#!/usr/bin/env bash
# coturn and `wrangler dev`, side by side; both end with this script. What is
# given goes to wrangler: `./start.sh --port 9000`. TURN_PORT is coturn's.
set -euo pipefail
cd "$(dirname "$0")"
command -v turnserver >/dev/null || { echo "install coturn first (apt-get install coturn)" >&2; exit 1; }
../package.sh
[ -x node_modules/.bin/wrangler ] || npm ci --no-audit --no-fund --loglevel=error >&2

# What relayed addresses are at: where browsers reach this machine.
address=$(hostname -I | cut -d' ' -f1)
port=${TURN_PORT:-3478}
folder=$(mktemp -d)
turnserver -n --listening-ip=127.0.0.1 --listening-port="$port" --relay-ip="${address:-127.0.0.1}" --lt-cred-mech \
  --user=picortc:picortc --realm=picortc --allow-loopback-peers --no-tls --no-dtls --no-cli \
  --userdb="$folder/turndb" --pidfile="$folder/turn.pid" --log-file=stdout >"$folder/log" 2>&1 &
turn=$!
trap 'kill "$turn" "${wrangler-}" 2>/dev/null; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM HUP
for _ in {1..100}; do
  kill -0 "$turn" 2>/dev/null && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && up=yes && break
  sleep 0.1
done
if [ -z "${up-}" ]; then
  echo "coturn does not listen on port $port (TURN_PORT chooses another); it says:" >&2
  tail -n 20 "$folder/log" >&2
  exit 1
fi
WRANGLER_SEND_METRICS=false node_modules/.bin/wrangler dev --var "TURN_SERVER:127.0.0.1:$port" "$@" <&0 &
wrangler=$!
wait "$wrangler"
