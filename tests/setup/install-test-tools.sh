#!/usr/bin/env bash
# Installs what `make test` needs from Debian: two browsers, `ip` for tests across network namespaces,
# coturn for tests of relays, etcd and HAProxy for tests of a whole cluster, faketime for a machine whose
# clock is off, protoc, which the etcd client is built with, and venv of Python, in which the tester of the operators' API is installed.
# With --guide also what `make guide` and `make images` need: systemd-nspawn for hosts, mmdebstrap for their roots, podman.
# What is there already is left alone. Without root and sudo it says what to run.
set -euo pipefail

packages=()
browser=""
for path in "${CHROMIUM:-}" /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome; do
  if [ -n "$path" ] && [ -x "$path" ]; then browser=$path; fi
done
[ -n "$browser" ] || packages+=(chromium)
firefox=""
for path in "${FIREFOX:-}" /usr/bin/firefox-esr /usr/bin/firefox; do
  if [ -n "$path" ] && [ -x "$path" ]; then firefox=$path; fi
done
[ -n "$firefox" ] || packages+=(firefox-esr)
PATH="$PATH:/usr/sbin:/sbin" command -v ip >/dev/null || packages+=(iproute2)
command -v turnserver >/dev/null || packages+=(coturn)
command -v etcd >/dev/null || packages+=(etcd-server)
PATH="$PATH:/usr/sbin" command -v haproxy >/dev/null || packages+=(haproxy)
"$(dirname "$0")/check-tools.sh" protoc 2>/dev/null || packages+=(protobuf-compiler libprotobuf-dev)
command -v faketime >/dev/null || packages+=(faketime)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)
if [ "${1:-}" = --guide ]; then
  for tool in systemd-nspawn:systemd-container mmdebstrap:mmdebstrap apt-ftparchive:apt-utils podman:podman crun:crun \
    netavark:netavark nft:nftables curl:curl openssl:openssl; do
    PATH="$PATH:/usr/sbin:/usr/lib/podman" command -v "${tool%:*}" >/dev/null || packages+=("${tool#*:}")
  done
fi
[ "${#packages[@]}" -gt 0 ] || exit 0

install="apt-get install -y --no-install-recommends ${packages[*]}"
if ! command -v apt-get >/dev/null; then
  echo "The tests need ${packages[*]}; install them with your system's package manager." >&2
  exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
else
  echo "The tests need ${packages[*]}; install them with: sudo apt-get update && sudo $install" >&2
  exit 1
fi
echo "Installing ${packages[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # the command is meant to be split
if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" $install; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "Installing ${packages[*]} failed; run it by hand: sudo apt-get update && sudo $install" >&2
  exit 1
fi
