# shellcheck shell=bash
# What the scripts share: sourced, never run. It works with the bash 3.2 of macOS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:/usr/local/go/bin"
case " ${GOFLAGS:-} " in *" -buildvcs=false "*) ;; *) export GOFLAGS="${GOFLAGS:-} -buildvcs=false" ;; esac

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# bounded runs a command for at most so many seconds, where the system can.
bounded() {
  if have timeout; then timeout "$@"; else shift && "$@"; fi
}
