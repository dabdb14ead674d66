#!/usr/bin/env bash
# A network of the run's own, which ends with it: a bridge with this machine at
# 10.77.0.1, a DHCP server, and a tap for every board.
#
#   net.sh COMMAND…   runs the command in it
set -euo pipefail
if [ -z "${PICORTC_NET-}" ]; then
  export PICORTC_NET=inside
  if [ "$(id -u)" -eq 0 ]; then exec unshare --net --mount "$0" "$@"; fi
  exec unshare --map-root-user --net --mount "$0" "$@"
fi
ip link set lo up
ip link add br0 type bridge
ip addr add 10.77.0.1/24 dev br0
ip link set br0 up
for i in 0 1 2; do
  ip tuntap add dev "tap$i" mode tap
  ip link set "tap$i" master br0 up
done
dir=$(mktemp -d)
trap 'kill "$dhcp" 2>/dev/null; rm -rf "$dir"' EXIT
dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=br0 --bind-interfaces --user=root \
  --dhcp-range=10.77.0.50,10.77.0.99,255.255.255.0,1h --dhcp-authoritative --dhcp-leasefile="$dir/leases" \
  --log-facility=/dev/null &
dhcp=$!
"$@"
