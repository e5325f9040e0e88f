#!/usr/bin/env bash
# Brings what a target needs, or names it with the command that brings it.
#
#   script/setup.sh build|run|test
#
# build: a C compiler, the headers of the window system, and a static busybox for
# the demo artifact. run: also a screen in memory and a panel. test: also a
# container engine that answers, npm (it brings the real client for a test) and a
# file system that clones (for the benchmarks). On Debian as root all of it is installed; other
# people get one command to type. Nothing is asked of the network when nothing is missing.
. "$(dirname "$0")/lib.sh"

want=${1:-build}
case $want in build | run | test) ;; *) die "usage: script/setup.sh build|run|test" ;; esac

build_packages='gcc libc6-dev pkg-config libgl1-mesa-dev xorg-dev libwayland-dev libxkbcommon-dev busybox-static'
screen_packages='vim xvfb dbus libgl1-mesa-dri openbox xfce4-panel xfconf adwaita-icon-theme fonts-dejavu-core'
engine_packages='docker.io iptables ca-certificates curl'
test_packages='git python3 python3-pip-whl xfsprogs vttest htop fonts-droid-fallback fonts-noto-color-emoji'

# --- which packages are not there -------------------------------------------

missing_packages() {
  local p
  for p in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || printf '%s ' "$p"
  done
}

apt_install() {
  local opts='-o DPkg::Lock::Timeout=600 -o Acquire::Retries=5'
  export DEBIAN_FRONTEND=noninteractive
  say "Installing: $*"
  # shellcheck disable=SC2086 # options and packages are lists of plain words
  { apt-get $opts -qq update || true; apt-get $opts -qq -y --no-install-recommends install "$@"; } >build/apt.log 2>&1 ||
    { tail -n 15 build/apt.log >&2; die "Installing packages: apt-get ended with an error: build/apt.log has all of it"; }
}

# --- the engine ---------------------------------------------------------------

engine_answers() { script/engine.sh >/dev/null; }

# start_engine starts dockerd as a service where there is an init system, else by
# hand. A file system that cannot stack overlays gets the plain copying driver.
start_engine() {
  if [ -d /run/systemd/system ]; then
    systemctl start docker >/dev/null 2>&1 && await_engine 60 && return
  fi
  # A machine without an init system may not have what containers are counted by.
  mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup || true
  local driver
  for driver in '' vfs; do
    say "Starting dockerd${driver:+ with the storage driver $driver}"
    # A machine that was cut off leaves the file, and another process may have the number.
    pidof dockerd >/dev/null || rm -f /var/run/docker.pid
    nohup dockerd ${driver:+--storage-driver "$driver"} >build/dockerd.log 2>&1 </dev/null &
    disown
    await_engine 60 $! && return
  done
  tail -n 15 build/dockerd.log >&2
  die 'Starting dockerd: it does not answer: see build/dockerd.log'
}

# await_engine waits until the engine answers, its process ends, or the seconds are over.
await_engine() {
  local until=$((SECONDS + $1))
  while [ "$SECONDS" -lt "$until" ]; do
    engine_answers && return 0
    [ -z "${2:-}" ] || kill -0 "$2" 2>/dev/null || return 1
    sleep 0.3
  done
  return 1
}

# --- per system ---------------------------------------------------------------

need_go() {
  local wanted
  wanted=$(awk '$1 == "go" { print $2 }' go.mod)
  have go || die "Go $wanted or newer is missing. Get it from https://go.dev/dl/, for example:
  $1"
  go list -m >/dev/null || die "Go $wanted or newer is needed, and this is $(go env GOVERSION). Get it from https://go.dev/dl/"
}

debian() {
  local wanted=$build_packages missing
  [ "$want" = build ] || wanted="$wanted $screen_packages"
  if [ "$want" = test ]; then
    wanted="$wanted $test_packages"
    have npm || wanted="$wanted npm" # many people have it from elsewhere
    engine_answers || have dockerd || wanted="$wanted $engine_packages"
  fi
  # shellcheck disable=SC2086
  missing=$(missing_packages $wanted)
  if [ "$(id -u)" != 0 ]; then
    if [ -n "$missing" ] || { [ "$want" = test ] && ! engine_answers; }; then
      die "Missing: ${missing:-a container engine that answers this user}. Type this once, then run make again:
  sudo script/setup.sh $want"
    fi
    return
  fi
  mkdir -p build
  # shellcheck disable=SC2086
  [ -z "$missing" ] || apt_install $missing
  [ "$want" != test ] || engine_answers || start_engine
  # Called through sudo: whoever called goes on as themselves.
  if [ -n "${SUDO_UID:-}" ]; then
    chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" build
    [ "$want" != test ] || [ ! -S /var/run/docker.sock ] || chown "$SUDO_UID" /var/run/docker.sock
  fi
}

other_linux() {
  local tool lacking=''
  have gcc || lacking="$lacking gcc"
  have pkg-config || lacking="$lacking pkg-config"
  if have pkg-config; then
    for tool in gl x11 xrandr xcursor xinerama xi xxf86vm wayland-client xkbcommon; do
      pkg-config --exists "$tool" || lacking="$lacking $tool(headers)"
    done
  fi
  if [ "$want" != build ]; then
    for tool in Xvfb dbus-daemon openbox xfce4-panel busybox; do have "$tool" || lacking="$lacking $tool"; done
  fi
  [ -z "$lacking" ] || die "Missing:$lacking. Install them with this system's package manager; on Debian they are:
  $build_packages $screen_packages"
  [ "$want" != test ] || engine_answers || die 'The tests need a container engine that answers: start Docker, then run make again'
}

mac() {
  xcode-select -p >/dev/null 2>&1 || die "Apple's command line tools are missing. This brings them:
  xcode-select --install"
  if [ "$want" = test ] && ! engine_answers; then
    die 'The tests need a container engine that answers. This brings one:
  brew install colima docker && colima start'
  fi
  if [ "$want" = run ] && ! have "${BOTTLEBAR_SMOLVM:-smolvm}" && [ ! -x "$HOME/.local/bin/smolvm" ]; then
    say 'smolvm is missing: the app starts and its Setup window says so. https://smolmachines.com has it.'
  fi
}

if [ "$(uname)" = Darwin ]; then
  need_go 'brew install go'
  mac
else
  need_go "curl -fsSL https://go.dev/dl/go1.26.8.linux-$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/').tar.gz | sudo tar -C /usr/local -xz"
  if have apt-get && have dpkg-query; then debian; else other_linux; fi
fi
