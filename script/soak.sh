#!/usr/bin/env bash
# Runs the tests that need real time, each for as long as is said: half an hour by itself.
#
#   script/soak.sh [DURATION]
. "$(dirname "$0")/lib.sh"

export BOTTLEBAR_SOAK=${1:-30m}
say "soaking for $BOTTLEBAR_SOAK"
go test -count 1 -timeout 2h -v -run 'RealTime' ./hop/ ./egress/
