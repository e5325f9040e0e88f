#!/usr/bin/env bash
# Builds the two programs that run on Linux, whatever the app runs on: the
# sidecar's and the helper in the VM. Each is packed so that the same source gives
# the same bytes: no paths, no build ID, no time in the gzip header.
. "$(dirname "$0")/lib.sh"

mkdir -p assets/linux build/linux
for arch in amd64 arm64; do
  for pair in sidecar=./sidecar/bundle helper=./guest/cmd; do
    name=${pair%%=*} from=${pair#*=}
    [ -d "$from" ] || die "Building the Linux helpers: $from is not there"
    CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -ldflags '-s -w -buildid=' -o "build/linux/$name-$arch.$$" "$from"
    packed=assets/linux/$name-$arch.gz
    gzip -9nc <"build/linux/$name-$arch.$$" >"$packed.new.$$"
    rm "build/linux/$name-$arch.$$"
    # An unchanged file keeps its time.
    if cmp -s "$packed.new.$$" "$packed"; then rm "$packed.new.$$"; else mv "$packed.new.$$" "$packed"; fi
  done
done
