#!/usr/bin/env bash
# The emulated ARM board built for its own core, a Cortex-M3, instead of the
# RP2040's: boot, page, channel, echoes. By name, since it compiles everything
# again; `embedded` has the rest.
source "$(dirname "$0")/lib/common.bash"

need_command qemu-system-arm qemu-system-arm
need_command dnsmasq dnsmasq-base
need_command ip iproute2
need_command chromium chromium
need_command node nodejs
need_command npm npm

target=thumbv7m-none-eabi
check "$target is installed" need_target "$target"
check "qemu-arm builds" env --chdir examples-esp32/qemu-arm \
  cargo build --quiet --release --locked --target "$target" --target-dir "$PWD/target/boards"
check "the rig's packages" npm ci --prefix tests/browsers --ignore-scripts --no-audit --no-fund --loglevel=error
if [ "$failed" -gt 0 ]; then finish; fi
counted tests/embedded/net.sh node tests/embedded/run.mjs --only '/(the page|the LED|1,000 echoes|1 MiB)' \
  "thumbv7m=arm:target/boards/$target/release/qemu-arm"
finish
