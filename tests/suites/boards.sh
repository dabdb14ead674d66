#!/usr/bin/env bash
# The boards of examples-esp32 link completely, the radio's libraries included,
# and become images. What an ESP32 does with its image no emulator here can say;
# the RP2040's image is booted on a model of the chip.
source "$(dirname "$0")/lib/common.bash"

need_command node nodejs
need_command npm npm
need_command python3 python3
python3 -c 'import ensurepip' 2>/dev/null || need_package python3-venv >/dev/null
export SSID=${SSID-example} PASSWORD=${PASSWORD-password}

boards=(rp2040-w5500 esp32c3)

for board in "${boards[@]}"; do
  target=$(sed -n 's/^target = "\(.*\)"/\1/p' "examples-esp32/$board/.cargo/config.toml")
  check "$target is installed" need_target "$target"
  log=tests/out/image.$board.log
  mkdir -p tests/out
  check "$board links and becomes an image" bash -o pipefail -c "examples-esp32/image $board 2>&1 | tee $log"
  tail -n 1 "$log"
done
check "the image for the ESP32-C3 is valid" grep -q "Validation hash: .* (valid)" tests/out/image.esp32c3.log

check "the emulator's package" npm ci --prefix tests/size --ignore-scripts --no-audit --no-fund --loglevel=error
check "rp2040-w5500 boots, and misses its W5500" node tests/boards/boot.mjs \
  target/boards/thumbv6m-none-eabi/release/rp2040-w5500 "picortc on a W5500-EVB-Pico" "the W5500 does not answer"
finish
