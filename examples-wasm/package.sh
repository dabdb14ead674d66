#!/usr/bin/env bash
# Builds the package that the examples use, unless it is there: for start.sh of
# each. With Rust and its target wasm32-unknown-unknown, and npm.
set -euo pipefail
cd "$(dirname "$0")/../wasm"
if [ ! -f dist/wasm/picortc_bg.wasm ]; then
  echo "building picortc" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  npm run --silent build >&2
fi
