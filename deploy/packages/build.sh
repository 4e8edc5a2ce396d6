#!/usr/bin/env bash
# Makes railgun, railgun-control and railgun-media as Debian packages, each with a -dbgsym package beside it that has
# the debug symbols. Needs dpkg-deb, and objcopy of binutils.
# Usage: build.sh DIRECTORY_OF_THE_BINARIES OUTPUT_DIRECTORY   with COMPRESSION=none for a trial
set -euo pipefail

binaries=$(realpath "$1")
mkdir -p "$2"
output=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
root=$(realpath "$here/../..")
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# package NAME SAMPLE DESCRIPTION
package() {
  local name=$1 sample=$2 description=$3 tree=$work/$1 symbols=$work/$1-dbgsym
  local id
  install -D -m 755 "$binaries/$name" "$tree/usr/bin/$name"
  id=$(readelf -n "$tree/usr/bin/$name" | sed -n 's/^ *Build ID: //p')
  local debug=$symbols/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug
  mkdir -p "$(dirname "$debug")"
  objcopy --only-keep-debug --compress-debug-sections "$tree/usr/bin/$name" "$debug"
  strip --strip-unneeded "$tree/usr/bin/$name"

  install -D -m 644 "$here/systemd/$name.service" "$tree/usr/lib/systemd/system/$name.service"
  install -D -m 644 "$root/deploy/samples/$sample" "$tree/usr/share/doc/$name/examples/$sample"
  install -D -m 644 "$root/README.md" "$tree/usr/share/doc/$name/README.md"
  install -D -m 644 "$root/docs/configuration.md" "$tree/usr/share/doc/$name/configuration.md"
  cat "$root/LICENSE-MIT" "$root/LICENSE-APACHE" >"$tree/usr/share/doc/$name/copyright"
  if [ "$name" != railgun-control ]; then
    install -D -m 644 "$here/sysctl.conf" "$tree/usr/lib/sysctl.d/60-$name.conf"
  fi
  if [ "$name" = railgun ]; then
    local file
    for file in etcd-member.sh etcd-users.sh turn-relay.sh; do
      install -D -m 755 "$root/deploy/bare-metal/$file" "$tree/usr/share/railgun/$file"
    done
    for file in deploy/bare-metal/haproxy.cfg deploy/bare-metal/nftables.conf turn/coturn.service.conf; do
      install -D -m 644 "$root/$file" "$tree/usr/share/railgun/$(basename "$file")"
    done
  fi
  local completions=$tree/usr/share/bash-completion/completions/$name
  mkdir -p "$(dirname "$completions")" "$tree/usr/share/zsh/vendor-completions"
  "$binaries/$name" completions bash >"$completions"
  "$binaries/$name" completions zsh >"$tree/usr/share/zsh/vendor-completions/_$name"

  mkdir -p "$tree/DEBIAN"
  sed "s/@NAME@/$name/g" "$here/postinst" >"$tree/DEBIAN/postinst"
  sed "s/@NAME@/$name/g" "$here/prerm" >"$tree/DEBIAN/prerm"
  chmod 755 "$tree/DEBIAN/postinst" "$tree/DEBIAN/prerm"
  control "$tree" "$name" "adduser, libc6 (>= 2.34), libgcc-s1" net "$description"
  mkdir -p "$symbols/DEBIAN"
  control "$symbols" "$name-dbgsym" "$name (= $version)" debug "debug symbols for $name"
  for tree in "$work/$name" "$symbols"; do
    dpkg-deb --root-owner-group "-Z${COMPRESSION:-xz}" --build "$tree" "$output" >/dev/null
  done
  printf '%-18s %6d kB stripped, %6d kB of symbols\n' "$name" \
    "$(($(stat -c %s "$work/$name/usr/bin/$name") / 1000))" "$(($(stat -c %s "$debug") / 1000))"
}

# control TREE PACKAGE DEPENDS SECTION DESCRIPTION
control() {
  local size
  size=$(du -sk --exclude=DEBIAN "$1" | cut -f 1)
  cat >"$1/DEBIAN/control" <<TEXT
Package: $2
Version: $version
Architecture: $architecture
Maintainer: Rail Gun developers <maintainers@railgun.invalid>
Section: $4
Priority: optional
Depends: $3
Installed-Size: $size
Description: $5
TEXT
}

package railgun railgun.toml "voice and video for a chat product, both planes in one process, and its tools"
package railgun-control control.toml "control-plane of Rail Gun voice and video"
package railgun-media media.toml "media node of Rail Gun voice and video"
ls -1 "$output"/*.deb
