#!/usr/bin/env bash
# Builds the images of the Containerfile from binaries that are there, on a base of Debian's packages in place of the one
# that a registry would give, and runs each of them until it is healthy and ends in order. For who has no registry: what
# is not tried is the stage that compiles. Needs root, podman and mmdebstrap.
# Usage: try.sh DIRECTORY_OF_THE_BINARIES
set -euo pipefail

# crun refuses to run where version 2 of cgroups is mounted beside version 1: here it is not, then, and whatever else is
# mounted ends with this script.
if [ -z "${ALONE:-}" ]; then ALONE=yes exec unshare --mount bash "$0" "$@"; fi
if mountpoint --quiet /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi

binaries=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
# In a storage of its own, which goes with it.
pod=(podman --log-level error --root "$work/storage" --runroot "$work/run" --storage-driver vfs --cgroup-manager cgroupfs)
containers=()
ended() {
  for container in "${containers[@]}"; do "${pod[@]}" rm --force --time 1 "$container" >/dev/null 2>&1 || true; done
  rm -rf "$work"
}
trap ended EXIT

# As distroless has it: glibc, libgcc, certificates, and a user without rights. Kept for the next time.
base=$here/../../target/images/base.tar
if [ ! -s "$base" ]; then
  mkdir -p "$(dirname "$base")"
  mmdebstrap --quiet --variant=essential --include=ca-certificates,libgcc-s1 \
    --customize-hook='echo nonroot:x:65532:65532::/:/sbin/nologin >>"$1/etc/passwd"' \
    --customize-hook='echo nonroot:x:65532: >>"$1/etc/group"' bookworm "$work/base.tar"
  mv "$work/base.tar" "$base"
fi
"${pod[@]}" import --quiet "$base" localhost/base >/dev/null

mkdir "$work/context"
sed '/^FROM docker.io.*AS build$/,/^RUN make build/d
     s|^FROM gcr.io/distroless/[^ ]*|FROM localhost/base|
     s|^COPY --from=build /source/target/release/|COPY |' "$here/Containerfile" >"$work/context/Containerfile"
for name in railgun railgun-control railgun-media; do
  strip -o "$work/context/$name" "$binaries/$name"
done

# healthy NAME PORT PODMAN_OPTIONS… -- ARGUMENTS…: runs the image until it is healthy, and has it end by SIGTERM.
healthy() {
  local name=$1 port=$2
  shift 2
  local options=()
  while [ "$1" != -- ]; do options+=("$1") && shift; done
  shift
  "${pod[@]}" build --quiet --format oci --target "$name" --tag "localhost/$name" "$work/context" >/dev/null
  local container
  container=$("${pod[@]}" run --detach --network host --cgroups disabled \
    --ulimit "nofile=1024:$(ulimit -Hn)" --ulimit nproc=4096:4096 "${options[@]}" "localhost/$name" "$@")
  containers+=("$container")
  local tries=100
  until curl --silent --fail --max-time 2 --output /dev/null "http://127.0.0.1:$port/healthz"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { "${pod[@]}" logs "$container"; exit 1; }
    sleep 0.2
  done
  local user size
  user=$(stat --format %u "/proc/$("${pod[@]}" inspect --format '{{.State.Pid}}' "$container")")
  size=$("${pod[@]}" image inspect --format '{{.Size}}' "localhost/$name")
  [ "$user" = 65532 ] || { echo "$name runs as user $user" >&2; exit 1; }
  "${pod[@]}" stop --time 25 "$container" >/dev/null
  local status
  status=$("${pod[@]}" inspect --format '{{.State.ExitCode}}' "$container")
  [ "$status" = 0 ] || { "${pod[@]}" logs "$container"; echo "$name ended with $status" >&2; exit 1; }
  echo "$name: healthy as user $user, ended in order; $((size / 1000000)) MB with its base"
}

"$binaries/railgun" init control --dir "$work/railgun" --media-node localhost --user nobody-of-that-name >/dev/null
"$binaries/railgun" init standalone --dir "$work/one" --address 127.0.0.1 --user nobody-of-that-name >/dev/null
# Files of the host are its users'; a deployment maps them or gives them to user 65532.
chown -R 65532 "$work/railgun" "$work/one"
healthy railgun 18081 --volume "$work/one:$work/one:ro" --env RAILGUN_LISTEN=127.0.0.1:18080 \
  --env RAILGUN_OPERATORS_LISTEN=127.0.0.1:18081 -- --config "$work/one/railgun.toml"
healthy railgun-media 18082 --volume "$work/railgun:/etc/railgun:ro" --env RAILGUN_RPC_LISTEN=127.0.0.1:15051 \
  --env RAILGUN_HEALTH_LISTEN=127.0.0.1:18082 --env RAILGUN_TLS_CA=/etc/railgun/certs/ca.pem \
  --env RAILGUN_TLS_CERT=/etc/railgun/certs/media.pem --env RAILGUN_TLS_KEY=/etc/railgun/certs/media.key \
  --env RAILGUN_ANNOUNCED_ADDRESS=127.0.0.1 --
healthy railgun-control 18081 --volume "$work/railgun:/etc/railgun:ro" --env RAILGUN_LISTEN=127.0.0.1:18080 \
  --env RAILGUN_OPERATORS_LISTEN=127.0.0.1:18081 --env RAILGUN_AUTH_JWKS=/etc/railgun/token.jwks.json \
  --env RAILGUN_MEDIA_CA=/etc/railgun/certs/ca.pem --env RAILGUN_MEDIA_CERT=/etc/railgun/certs/control.pem \
  --env RAILGUN_MEDIA_KEY=/etc/railgun/certs/control.key --
echo "the images are good"
