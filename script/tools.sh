#!/usr/bin/env bash
# Runs a development tool in the release that is pinned here:
#
#   script/tools.sh golangci-lint run ./...
#
# One of that release on the PATH serves; else it is built once into build/tools.
. "$(dirname "$0")/lib.sh"

tool=$1
shift
case $tool in
golangci-lint) version=2.6.2 package=github.com/golangci/golangci-lint/v2/cmd/golangci-lint ;;
*) die "script/tools.sh: no release is pinned for $tool" ;;
esac

for found in "$(command -v "$tool" || true)" "build/tools/$tool"; do
  if [ -x "$found" ] && "$found" version 2>&1 | grep -qw "$version"; then exec "$found" "$@"; fi
done
say "Building $tool $version into build/tools, which takes some minutes the first time"
GOBIN="$PWD/build/tools" go install "$package@v$version"
exec "build/tools/$tool" "$@"
