#!/usr/bin/env bash
# What a microcontroller pays, against tests/size/budgets.json.
# `tests/suites/size.sh --write` also writes docs/size.md and docs/panics.md.
source "$(dirname "$0")/lib/common.bash"

need_command qemu-system-arm qemu-system-arm
need_command qemu-system-riscv32 qemu-system-misc
need_command llvm-nm llvm
need_command node nodejs
need_command npm npm
for target in thumbv6m-none-eabi thumbv7m-none-eabi riscv32imc-unknown-none-elf; do
  check "$target is installed" need_target "$target"
done
check "the emulator's package" npm ci --prefix tests/size --ignore-scripts --no-audit --no-fund --loglevel=error
if [ "$failed" -gt 0 ]; then finish; fi
exec node tests/size/run.mjs "$@"
