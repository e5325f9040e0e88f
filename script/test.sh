#!/usr/bin/env bash
# Runs the tests with the race detector, then the show with the program as it is
# built: the toolkit races with itself, so windows and tray are driven without it.
#
#   script/test.sh [packages and options of go test]
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- ./...
began=$SECONDS worst=0
# Those that take longest and mostly wait go first, beside others.
first=()
[ "$*" != ./... ] || first=(./app ./smolvm/standin)

# Packing under the race detector would take minutes.
[ "$*" != ./... ] || go run ./internal/claude/make
go test -race -p 3 -timeout 25m "${first[@]}" "$@" || worst=$?
# Pictures of programs in the terminal, which the race detector would only slow down.
[ "$*" != ./... ] || go test -run 'LooksAsItDoes|LookAsTheyDo' ./terminal || worst=$?
say "tests: $([ $worst = 0 ] && echo passed || echo failed) in $((SECONDS - began)) s"
[ "$*" = ./... ] || exit $worst

# Once with containers, and once without an engine, dark and at scale 2.
build/show -driver docker || worst=$?
build/show -driver process -theme dark -scale 2 || worst=$?
say "all: $([ $worst = 0 ] && echo passed || echo failed) in $((SECONDS - began)) s"
exit $worst
