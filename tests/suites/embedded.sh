#!/usr/bin/env bash
# The device of examples-esp32 on emulated boards, with real browsers at the
# other end: QEMU, in a network of the run's own (tests/embedded/net.sh). What
# is given to this script goes to the rig: `tests/suites/embedded.sh --only echo`.
source "$(dirname "$0")/lib/common.bash"

need_command qemu-system-arm qemu-system-arm
need_command qemu-system-riscv32 qemu-system-misc
need_command dnsmasq dnsmasq-base
need_command ip iproute2
need_command chromium chromium
need_command "firefox-esr|firefox" firefox-esr
need_command node nodejs
need_command npm npm

check "identities in flash" cargo test --quiet -p picortc-embassy --features flash --test identity

boards=()
# board NAME FOLDER KIND TARGET: builds a firmware.
board() {
  local name=$1 folder=$2 kind=$3 target=$4
  check "$target is installed" need_target "$target"
  check "$name builds" env --chdir "examples-esp32/$folder" \
    cargo build --quiet --release --locked --target "$target" --target-dir "$PWD/target/boards"
  boards+=("$name=$kind:target/boards/$target/release/$folder")
}

board arm qemu-arm arm thumbv6m-none-eabi
board riscv qemu-riscv riscv riscv32imc-unknown-none-elf
check "the rig's packages" npm ci --prefix tests/browsers --ignore-scripts --no-audit --no-fund --loglevel=error
if [ "$failed" -gt 0 ]; then finish; fi
ran=$passed
mkdir -p tests/out
tests/embedded/net.sh node tests/embedded/run.mjs "$@" "${boards[@]}" | tee tests/out/embedded.rig.log
read -r passed failed < <(awk '/^[0-9]+ passed, [0-9]+ failed/ { p = $1; f = $3 } END { print p + 0, (p == "" ? 1 : f) + 0 }' tests/out/embedded.rig.log)
passed=$((passed + ran))
finish
