#!/usr/bin/env bash
# Writes the golden files anew in each package whose tests know -update.
. "$(dirname "$0")/lib.sh"

go list -f '{{.Dir}}' ./... | while read -r dir; do
  grep -qsE 'flag\.Bool\("update"' "$dir"/*_test.go || continue
  go test "$dir" -update
done
git status --short -- '*testdata*'
