#!/usr/bin/env bash
# Starts what was built. State of its own lies in build/home, so that trying
# things touches nobody's bottles; BOTTLEBAR_HOME chooses another folder.
. "$(dirname "$0")/lib.sh"

if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  say 'No screen here: showing the main job on a screen in memory.'
  exec build/show
fi

export BOTTLEBAR_HOME=${BOTTLEBAR_HOME:-$PWD/build/home}

real_smolvm() {
  local f
  for f in "$(command -v smolvm || true)" "$HOME/.local/bin/smolvm" /opt/homebrew/bin/smolvm /usr/local/bin/smolvm; do
    [ -z "$f" ] || [ ! -x "$f" ] || return 0
  done
  return 1
}
if [ -z "${BOTTLEBAR_SMOLVM:-}" ] && ! real_smolvm && [ -x build/standin/smolvm ]; then
  export BOTTLEBAR_SMOLVM=$PWD/build/standin/smolvm
  say 'smolvm is not installed: bottles are simulated, there is no VM.'
fi

# The choice of the driver is ours only in the line that carries this mark.
settings=$BOTTLEBAR_HOME/config/settings.toml
mark='# written by make run: no engine answered'
if [ -f "$settings" ]; then
  grep -vF "$mark" "$settings" >"$settings.new" || true
  mv "$settings.new" "$settings"
fi
if engine=$(script/engine.sh); then
  say "Sidecars are containers of $engine."
elif grep -qs '^driver *=' "$settings"; then
  say "No container engine answers; sidecars run as $settings says."
else
  mkdir -p "$(dirname "$settings")"
  printf 'driver = "process" %s\n%s' "$mark" "$(cat "$settings" 2>/dev/null || true)" >"$settings.new"
  mv "$settings.new" "$settings"
  say 'No container engine answers: sidecars are child processes of the app (driver "process").'
fi

say "State lies in $BOTTLEBAR_HOME. The icon is in the menu bar; Library takes build/demo.smolmachine."
exec build/bottlebar
