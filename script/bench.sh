#!/usr/bin/env bash
# Runs the benchmarks of the packages that have some, one package at a time.
# Each prints its own baseline and the ratio to it.
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- ./...
go list -f '{{.Dir}}' "$@" | while read -r dir; do
  grep -qs '^func Benchmark' "$dir"/*_test.go || continue
  go test -run '^$' -bench . -benchmem -timeout 30m "$dir"
done
