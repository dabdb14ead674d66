#!/usr/bin/env bash
# The boards of examples-esp32 link completely, the radio's libraries included,
# and become images. What an ESP32 or an RP2350 does with its image no emulator
# here can say; the RP2040's images are booted on a model of the chip, and the
# one with Ethernet meets a browser there.
source "$(dirname "$0")/lib/common.bash"

need_command node nodejs
need_command npm npm
need_command python3 python3
python3 -c 'import ensurepip' 2>/dev/null || need_package python3-venv >/dev/null
export SSID=${SSID-example} PASSWORD=${PASSWORD-password}

# The ESP32-C6 is by name, `tests/run boards-esp32c6`: it compiles what the C3
# does again for another chip.
boards=(rp2040-w5500 rp2040-picow rp2350-w5500 esp32c3)
[ $# -eq 0 ] || boards=("$@")

mkdir -p tests/out
for board in "${boards[@]}"; do
  target=$(sed -n 's/^target = "\(.*\)"/\1/p' "examples-esp32/$board/.cargo/config.toml")
  check "$target is installed" need_target "$target"
  log=tests/out/image.$board.log
  check "$board links and becomes an image" bash -o pipefail -c "examples-esp32/image $board 2>&1 | tee $log"
  tail -n 2 "$log"
done
# The README's footprint is the image's: no more than a hundredth too small, no
# more than a tenth too large. readme BOARD LOG
readme() {
  local numbers='s/.*flash ([0-9,]+) octets.* memory ([0-9,]+) octets.*/\1 \2/p'
  local is said
  is=($(sed -nE "$numbers" "$2" | tr -d ,))
  said=($(sed -nE "/prints what the image takes/$numbers" "examples-esp32/$1/README.md" | tr -d ,))
  echo "it is ${is[*]}, and the README says ${said[*]}"
  for i in 0 1; do
    ((is[i] * 100 <= said[i] * 101 && said[i] * 10 <= is[i] * 11)) || return 1
  done
}
for board in "${boards[@]}"; do
  check "$board's README has its footprint" readme "$board" "tests/out/image.$board.log"
done
for board in "${boards[@]}"; do
  [[ $board == esp32* ]] || continue
  check "the image for $board is valid" grep -q "Validation hash: .* (valid)" "tests/out/image.$board.log"
done

if [[ " ${boards[*]} " != *" rp2040-"* ]]; then finish; fi
check "the emulator's package" npm ci --prefix tests/size --ignore-scripts --no-audit --no-fund --loglevel=error
boot() { node tests/boards/boot.mjs "target/boards/thumbv6m-none-eabi/release/$1" "${@:2}"; }
need_command chromium chromium
need_command dnsmasq dnsmasq-base
need_command ip iproute2
check "the rig's packages" npm ci --prefix tests/browsers --ignore-scripts --no-audit --no-fund --loglevel=error
check "rp2040-w5500 boots, and misses its W5500" \
  boot rp2040-w5500 "picortc on a W5500-EVB-Pico" "kept in flash" "the W5500 does not answer"
check "rp2040-picow boots, and says that it was built without the radio's nvram" \
  boot rp2040-picow "built without the radio's nvram"
# With its W5500, in a network with a browser: tests/embedded has the rig.
counted tests/embedded/net.sh node tests/embedded/run.mjs --only 'refusals|refused|its name|in cycles' \
  w5500=rp2040:target/boards/thumbv6m-none-eabi/release/rp2040-w5500
finish
