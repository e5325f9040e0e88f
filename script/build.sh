#!/usr/bin/env bash
# Builds the products:
#
#   build/bottlebar          the program
#   build/show               drives it from outside (Linux)
#   build/standin/smolvm     the stand-in for smolvm: no VM (Linux)
#   build/demo.smolmachine   an artifact of the real format, with a demo inside (Linux)
. "$(dirname "$0")/lib.sh"

script/helpers.sh
mkdir -p build/standin
[ -x build/bottlebar ] || say "Building. The first time takes minutes: the toolkit and its C parts are compiled once."
go build -o build/bottlebar .
if [ "$(uname)" = Linux ]; then
  go build -o build/show ./internal/show
  CGO_ENABLED=0 go build -trimpath -o build/standin/smolvm ./smolvm/standin
  # What a release of smolvm brings beside its command: the system that runs the agent.
  mkdir -p build/standin/agent-rootfs/sbin
  printf '#!/bin/sh\n# Stands where the agent lies.\n' >build/standin/agent-rootfs/sbin/init
  chmod +x build/standin/agent-rootfs/sbin/init
  go run ./smolvm/artifact/build/demo -o build/demo.smolmachine
fi
