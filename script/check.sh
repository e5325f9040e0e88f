#!/usr/bin/env bash
# What a change has to pass before its tests are worth running. Every part runs,
# so that one look shows all of it.
. "$(dirname "$0")/lib.sh"

worst=0
part() {
  local title=$1 began=$SECONDS
  shift
  if "$@"; then
    say "ok    $title ($((SECONDS - began)) s)"
  else
    say "FAIL  $title ($((SECONDS - began)) s)"
    worst=1
  fi
}

scripts() {
  local f
  for f in script/*.sh .ci/run; do bash -n "$f" || return 1; done
}

part 'format' script/tools.sh golangci-lint fmt --diff ./...
part 'scripts' scripts
part 'go.mod is tidy' go mod tidy -diff
part 'vet' go vet ./...
part 'lint' script/tools.sh golangci-lint run ./...
part 'licences' go run ./internal/licences -check docs/licences.md
part 'security model' go test ./internal/securitydoc
part 'macOS types' go run ./internal/darwincheck
exit $worst
