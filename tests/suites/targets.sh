#!/usr/bin/env bash
# Release builds of the core where there is no operating system, and the proof
# that nothing in its graph needs std. Two of the targets have no std at all:
# what builds there cannot name it. The third has one, so there no dependency
# may be one that the others do without, nor have a feature `std` switched on.
source "$(dirname "$0")/lib/common.bash"

bare=(thumbv6m-none-eabi riscv32imc-unknown-none-elf)
hosted=wasm32-unknown-unknown

# The normal dependencies for a target: `name features`, one a line.
graph() {
  cargo tree -p picortc -e normal,no-proc-macro --prefix none --no-dedupe --target "$1" --format '{p} {f}' \
    | sed -E 's/ \(\*\)$//; s/^([^ ]+) v([^ ]+)( \([^)]*\))*/\1/' | sort -u
}

no_std_feature() {
  local found
  found=$(graph "$1" | awk '{ n = split($2, f, ","); for (i = 1; i <= n; i++) if (f[i] == "std") print $1 }')
  [ -z "$found" ] || { echo "std is switched on in: $found"; return 1; }
}

same_crates_as_bare() {
  local more
  more=$(comm -13 <(for t in "${bare[@]}"; do graph "$t"; done | cut -d' ' -f1 | sort -u) \
    <(graph "$hosted" | cut -d' ' -f1 | sort -u))
  [ -z "$more" ] || { echo "only on $hosted: $more"; return 1; }
}

for target in "${bare[@]}" "$hosted"; do
  check "$target is installed" need_target "$target"
  check "$target, default features" cargo build --quiet -p picortc --release --target "$target"
  check "$target, data, rust-crypto and critical-section" cargo build --quiet -p picortc --release --target "$target" \
    --no-default-features --features data,rust-crypto,critical-section
  check "$target, no feature std in the graph" no_std_feature "$target"
  echo "   $(graph "$target" | cut -d' ' -f1 | sort -u | wc -l) crates in the graph"
done
check "thumbv6m-none-eabi, defmt" cargo build --quiet -p picortc --release --target thumbv6m-none-eabi --features defmt
check "$hosted, no crate that the bare targets lack" same_crates_as_bare
finish
