#!/usr/bin/env bash
# The example on Node, or on Deno or Bun: ./start.sh [node|deno|bun] [OPTION…]
# What is not installed of the latter two comes from npm.
set -euo pipefail
cd "$(dirname "$0")"
../package.sh
# All that `npm install` does here.
[ -e node_modules/picortc ] || { mkdir -p node_modules && ln -s ../../../wasm node_modules/picortc; }
runtime=node
case "${1-}" in node | deno | bun) runtime=$1 && shift ;; esac
from_npm() { command -v "$1" >/dev/null && echo "$1" || echo "npx --yes $2"; }
case $runtime in
  node) exec node main.js "$@" ;;
  deno) exec ${DENO:-$(from_npm deno deno@2.9.6)} run --no-prompt --allow-net --allow-read=../../core-nostd/examples/data-channels main.js "$@" ;;
  bun) exec ${BUN:-$(from_npm bun bun@1.4.5)} run main.js "$@" ;;
esac
