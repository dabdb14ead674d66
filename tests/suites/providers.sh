#!/usr/bin/env bash
# The crypto providers: one body of tests over RustCrypto's and AWS-LC's, and
# over what is made of a chip's accelerators, which libraries stand in for.
source "$(dirname "$0")/lib/common.bash"

need_command cc gcc
log=tests/out/providers.cargo.log
mkdir -p tests/out
{
  cargo test -p picortc --features aws-lc-rs --test providers && cargo test -p picortc-embassy --features accelerator --test accelerated
} 2>&1 | tee "$log"
code=${PIPESTATUS[0]}
passed=$(grep -c '^test .* ok$' "$log")
failed=$(grep -c '^test .* FAILED$' "$log")
if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
finish
