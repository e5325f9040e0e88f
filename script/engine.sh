#!/usr/bin/env bash
# Prints which container engine answers, and fails when none does.
. "$(dirname "$0")/lib.sh"

# The command is asked first, since it knows the person's contexts; a machine may
# have the engine without it.
bounded 10 docker version --format 'Docker {{.Server.Version}}' 2>/dev/null && exit
bounded 10 curl -sf --unix-socket /var/run/docker.sock http://engine/_ping >/dev/null 2>&1 && say 'the engine at /var/run/docker.sock'
