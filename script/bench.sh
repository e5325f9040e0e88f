#!/usr/bin/env bash
# Runs the benchmarks of the packages that have some, one package at a time, and
# prints one line each: name, then value and unit. Baselines are lines of the same run.
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- ./...

table() {
  awk '
    /^Benchmark/ {
      name = $1; sub(/^Benchmark/, "", name); sub(/-[0-9]+$/, "", name)
      printf "  %-42s", name
      for (i = 3; i < NF; i += 2) printf "  %9s %-9s", $i, $(i + 1)
      print ""; next
    }
    /^pkg: / { print ""; print $2; next }
    /^(goos|goarch|cpu): / || $0 == "PASS" { next }
    { print }'
}

go list -f '{{.Dir}}' "$@" | while read -r dir; do
  grep -qs '^func Benchmark' "$dir"/*_test.go || continue
  go test -run '^$' -bench . -benchmem -timeout 30m "$dir" </dev/null | table
done

# In the real toolkit, on a screen in memory: the terminal beside an empty window.
[ "$*" != ./... ] || { printf '\nbottlebar.app/internal/latency\n'; go run ./internal/latency | table; }
