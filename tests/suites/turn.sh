#!/usr/bin/env bash
# Relays: native examples and browsers through coturn, over UDP, TCP and TLS; and
# browsers over ICE-TCP.
source "$(dirname "$0")/lib/common.bash"

need_command turnserver coturn
need_command openssl openssl
need_command certutil libnss3-tools
need_command chromium chromium
need_command "firefox-esr|firefox" firefox-esr
need_command node nodejs
need_command npm npm
check "the rig's packages" npm ci --prefix tests/browsers --ignore-scripts --no-audit --no-fund --loglevel=error
check "the examples build" cargo build --quiet --release -p picortc --example data-channels \
  --example trickle-ice-srflx --example trickle-ice-relay
if [ "$failed" -gt 0 ]; then finish; fi

# Browsers do not reach a relay on 127.0.0.1.
address=$(ip -4 -o addr show scope global 2>/dev/null | awk '{ sub("/.*", "", $4); print $4; exit }')
address=${address:-127.0.0.1}
work=$(mktemp -d)
example=target/release/examples/data-channels
children=()
tidy() {
  [ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap tidy EXIT

# A port that nobody listens on now.
free_port() { node -e 'const s = require("net").createServer().listen(0, process.argv[1], () => { console.log(s.address().port); s.close(); })' "$address"; }
port=$(free_port) tls_port=$(free_port)

check "the run's certificates" node tests/browsers/certificates.mjs "$work" "$address"
cat >"$work/coturn.conf" <<CONF
listening-ip=$address
relay-ip=$address
listening-port=$port
tls-listening-port=$tls_port
lt-cred-mech
user=user:password
realm=relay.test
allow-loopback-peers
no-cli
no-dtls
cert=$work/cert.pem
pkey=$work/key.pem
userdb=$work/db
pidfile=$work/pid
log-file=$work/log
simple-log
CONF
# Nonces of nine seconds: every longer case goes through a stale one.
turnserver -c "$work/coturn.conf" --stale-nonce=9 >"$work/out" 2>&1 &
children+=($!)
for _ in $(seq 100); do
  (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null && break
  sleep 0.1
done

# transfer NAME OFFERER-ARGUMENTS…: 4 MiB from one example to the other, which
# has no servers; the offerer must have gone through the relay.
transfer() {
  local url
  # The programs open these after they were forked; until then what the last
  # ones said would still stand there.
  : >"$work/answerer"
  : >"$work/offerer"
  "$example" --bind "$address:0" --http "$address:0" --receive --exit-after 90 >"$work/answerer" 2>&1 &
  local answerer=$!
  children+=("$answerer")
  for _ in $(seq 100); do grep -q '^http' "$work/answerer" && break; sleep 0.1; done
  url=$(head -n 1 "$work/answerer")
  "$example" --bind "$address:0" --http "$address:0" --offer-to "${url}offer" --send 4194304 --log --exit-after 60 "$@" \
    >"$work/offerer" 2>&1 &
  local offerer=$!
  children+=("$offerer")
  for _ in $(seq 600); do
    grep -q sha256 "$work/offerer" && break
    kill -0 "$offerer" 2>/dev/null || break
    sleep 0.1
  done
  kill -INT "$offerer" "$answerer" 2>/dev/null
  wait "$offerer" "$answerer"
  cat "$work/offerer"
  grep -q 'same at both ends' "$work/offerer" && grep -q "$pair" "$work/offerer"
}
# A wrong password is told, and the direct path is used.
wrong_password() {
  pair='pair host' transfer --ice-server "turn:$address:$port" --username user --credential wrong || return 1
  grep -q 'does not accept the username or the credential (401)' "$work/offerer"
}
# A name, and a server that is not there: told, and no reason to wait.
nobody_there() {
  pair='pair host' transfer --ice-server "turn:localhost:$(free_port)?transport=tcp" --username u --credential p || return 1
  grep -q 'cannot be reached (701)' "$work/offerer"
}
login=(--username user --credential password --tls-ca "$work/ca.pem")
pair='pair relay' check "relay only, UDP" transfer --ice-server "turn:$address:$port" "${login[@]}" --relay-only
pair='pair relay' check "relay only, TCP" transfer --ice-server "turn:$address:$port?transport=tcp" "${login[@]}" --relay-only --no-udp
pair='pair relay' check "relay only, TLS by rustls" transfer --ice-server "turns:$address:$tls_port" "${login[@]}" --relay-only --no-udp
pair='pair host' check "a relay that is not needed" transfer --ice-server "stun:$address:$port" --ice-server "turn:$address:$port" "${login[@]}"
check "a wrong password" wrong_password
check "nobody there" nobody_there
check "a bad URL is refused in words" bash -c "'$example' --bind $address:0 --http $address:0 --exit-after 5 \
  --offer-to http://$address:9/ --ice-server http://$address 2>&1 | grep 'it must begin with stun:'"

for url in "turn:$address:$port" "turn:$address:$port?transport=tcp"; do
  check "trickle-ice-relay, ${url#*"$port"}" timeout 60 target/release/examples/trickle-ice-relay "$url" user password "$address"
done
check "trickle-ice-srflx" timeout 60 target/release/examples/trickle-ice-srflx "stun:$address:$port" "$address"

node tests/browsers/relay.mjs "$address" "$port" "$tls_port" "$work/ca.pem" 2>&1 | tee "$work/browsers"
read -r p f < <(awk '/^[0-9]+ passed/ { print $1, $3 }' "$work/browsers" | tail -n 1)
passed=$((passed + ${p:-0})) failed=$((failed + ${f:-1}))
finish
