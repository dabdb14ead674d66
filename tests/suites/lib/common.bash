# What the suites share: counting, and installing by name what is missing.
# Sourced, at the top of the repository.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.." || exit 1
export CARGO_TERM_COLOR=never

passed=0 failed=0 skipped=0

# check NAME COMMAND…: runs the command; its output is shown when it fails.
check() {
  local name=$1 out
  shift
  if out=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok $name"
  else
    failed=$((failed + 1))
    echo "FAIL $name: $*"
    printf '%s\n' "$out" | tail -n 60 | sed 's/^/    /'
  fi
}

# Adds what a runner counts: its last line is `N passed, N failed`.
# counted COMMAND…
counted() {
  local log=tests/out/counted.log p f code
  mkdir -p tests/out
  "$@" | tee "$log"
  code=${PIPESTATUS[0]}
  read -r p f < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p' "$log" | tail -n 1)
  passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
  # What ends badly without a count has failed all the same.
  if [ "$code" -ne 0 ] && [ "${f:-0}" -eq 0 ]; then failed=$((failed + 1)); fi
}

# Ends a suite: the summary line, and the exit code that goes with it.
finish() {
  printf '%d passed, %d failed' "$passed" "$failed"
  [ "$skipped" -gt 0 ] && printf ', %d skipped' "$skipped"
  echo
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}

# Installs Debian packages: need_package PACKAGE… — as root, or through sudo.
need_package() {
  local -a as=()
  [ "$(id -u)" -eq 0 ] || as=(sudo -n)
  "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq \
    && "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# need_command COMMAND[|COMMAND…] PACKAGE…: one of the commands, or the packages.
need_command() {
  local names=$1 name
  shift
  for name in ${names//|/ }; do command -v "$name" >/dev/null && return; done
  echo "# installing $*"
  need_package "$@" >/dev/null
}

need_target() {
  rustup target list --installed | grep -qx "$1" || rustup target add "$1"
}
