#!/usr/bin/env bash
# Checks what deploy/ has by the programs that read it: packages, units, proxies, firewall, alerts, manifests. What is not
# installed is passed over and named. Usage: check.sh DIRECTORY_OF_THE_BINARIES
set -euo pipefail

binaries=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
export PATH="$PATH:/usr/sbin"
# What is set in this shell is not for what is tried here.
while read -r name; do unset "$name"; done < <(compgen -e RAILGUN_ || true)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

has() {
  command -v "$1" >/dev/null && return
  echo "not checked: $1 is not installed"
  return 1
}

fail() {
  echo "$1" >&2
  exit 1
}

# Packages: made, unpacked, and each unit's command lines run from there, as systemd would, for both installations.
if has dpkg-deb && has objcopy; then
  COMPRESSION=none "$here/packages/build.sh" "$binaries" "$work/debs"
  root=$work/root
  for name in railgun railgun-control railgun-media; do
    dpkg-deb --info "$work/debs/${name}_"*.deb >/dev/null
    dpkg-deb -x "$work/debs/${name}_"*.deb "$root"
  done
  railgun=$root/usr/bin/railgun
  "$railgun" init standalone --dir "$work/standalone" --address 127.0.0.1 --user nobody-of-that-name >/dev/null
  "$railgun" init control --dir "$work/two" --media-node localhost >/dev/null
  "$railgun" init media --dir "$work/two" --address 127.0.0.1 >/dev/null
  sed -i 's/^listen = "0.0.0.0:50051"/listen = "127.0.0.1:50051"/' "$work/two/media.toml"
  # unit NAME DIRECTORY PORTS: its commands, with what it would find in /usr/bin and /etc/railgun.
  unit() {
    local file=$root/usr/lib/systemd/system/$1.service
    local command
    for key in ExecStartPre ExecStart; do
      command=$(sed -n "s|^$key=-\?||p" "$file" | sed "s|/usr/bin/|$root/usr/bin/|; s|/etc/railgun|$2|")
      case $key in
        # shellcheck disable=SC2086 # the command is meant to be split
        ExecStartPre) env $3 $command >"$work/log" || fail "$1: $command: $(cat "$work/log")" ;;
        # shellcheck disable=SC2086
        ExecStart) env $3 "$here/packages/notify.py" $command >"$work/log" 2>&1 || fail "$1: $command: $(cat "$work/log")" ;;
      esac
    done
    echo "$1.service: ready, alive, and ended in order"
  }
  ports="RAILGUN_LISTEN=127.0.0.1:0 RAILGUN_OPERATORS_LISTEN=off RAILGUN_RTC_PORT_MIN=24600 RAILGUN_RTC_PORT_MAX=24699"
  unit railgun "$work/standalone" "$ports"
  unit railgun-control "$work/two" "$ports"
  unit railgun-media "$work/two" "$ports RAILGUN_RPC_LISTEN=127.0.0.1:0 RAILGUN_HEALTH_LISTEN=127.0.0.1:0"

  if has systemd-analyze; then
    mkdir -p "$work/units"
    for unit in "$root"/usr/lib/systemd/system/*.service; do
      # Where the commands are does not matter to how they are confined.
      sed "s|=\(-\?\)/usr/bin/|=\1$root/usr/bin/|" "$unit" >"$work/units/$(basename "$unit")"
    done
    systemd-analyze verify --man=no "$work"/units/*.service
    for unit in "$work"/units/*.service; do
      systemd-analyze security --offline=yes --threshold=20 --no-pager "$unit" | tail -n 1 ||
        fail "$unit is confined too little"
    done
  fi
fi

if has haproxy; then
  mkdir -p "$work/haproxy"
  # A certificate where the file has one: for a trial, this one.
  cat "$here/../tests/e2e/fixtures/expired.pem" "$here/../tests/e2e/fixtures/expired.key" >"$work/haproxy/crt.pem"
  sed "s|/etc/haproxy/certs/voice.example.org.pem|$work/haproxy/crt.pem|" "$here/bare-metal/haproxy.cfg" >"$work/haproxy/haproxy.cfg"
  haproxy -c -q -f "$work/haproxy/haproxy.cfg"
  echo "haproxy.cfg is valid"
fi
if has nft; then
  # In a namespace of its own, so that nothing is changed; without the right to make one it cannot be tried.
  if unshare --net true 2>/dev/null; then
    unshare --net nft -c -f "$here/bare-metal/nftables.conf"
    echo "nftables.conf is valid"
  else
    echo "not checked: nft needs root"
  fi
fi
if has promtool; then
  promtool check rules "$here/monitoring/rules.yml"
  promtool check config "$here/monitoring/prometheus.yml" >/dev/null
  promtool test rules "$here/monitoring/rules.test.yml"
fi
if has node && has npm; then
  "$here/../tests/setup/npm-install.sh" "$here/../tests/dashboard"
  node "$here/../tests/dashboard/check.mjs"
fi
if has kubernetes-validate; then
  kubernetes-validate --quiet "$here/kubernetes/railgun.yaml"
fi
if has check-jsonschema; then
  check-jsonschema -q --builtin-schema vendor.compose-spec "$here/containers/compose.yaml"
fi
echo "deploy/ is good"
