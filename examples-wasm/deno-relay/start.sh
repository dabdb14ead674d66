#!/usr/bin/env bash
# The rooms on Deno; what is given goes to main.js. A Deno that is not installed
# comes from npm.
set -euo pipefail
cd "$(dirname "$0")"
../package.sh
if [ -z "${DENO-}" ]; then
  DENO=deno
  command -v deno >/dev/null || DENO="npx --yes deno@2.9.6"
fi
exec $DENO run --no-prompt --allow-net --allow-read=../relay-common/public main.js "$@"
