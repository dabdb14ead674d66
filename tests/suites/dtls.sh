#!/usr/bin/env bash
# DTLS: vectors, every schedule of one and two misfortunes, every flipped bit,
# and handshakes with dimpl (in the process), OpenSSL, GnuTLS and NSS (beside
# it).
# What `unit` tries in part is tried in full here. The counts are the sums of
# cargo's lines.
source "$(dirname "$0")/lib/common.bash"

need_command openssl openssl
need_command gnutls-cli gnutls-bin
need_command tstclnt libnss3-tools
# Its NSS has DTLS 1.3 as the RFC has it.
need_command firefox-esr firefox-esr

mkdir -p tests/out
log=tests/out/dtls.cargo.log
export PICORTC_THOROUGH=1
{
  cargo test --release -p picortc --lib --no-fail-fast -- --nocapture dtls::
  one=$?
  cargo test --release -p picortc-tests --features foreign --test dtls_foreign --no-fail-fast -- --nocapture
  two=$?
  echo "codes $one $two"
} 2>&1 | tee "$log"
read -r passed failed skipped < <(awk '
  /^test result:/ { for (i = 1; i < NF; i++) {
    if ($(i + 1) == "passed;") p += $i
    if ($(i + 1) == "failed;") f += $i
    if ($(i + 1) == "ignored;") s += $i } }
  END { print p + 0, f + 0, s + 0 }' "$log")
# What does not compile, or ends without its line, has no count of its own.
if ! grep -qx 'codes 0 0' "$log" && [ "$failed" -eq 0 ]; then failed=1; fi
finish
