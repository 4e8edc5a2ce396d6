#!/usr/bin/env bash
# A cluster on this machine, for trials: etcd, two replicas of the control-plane, two media nodes and
# HAProxy, with certificates and tokens of its own. Everything ends with Ctrl-C, and leaves nothing.
# Usage: run.sh DIRECTORY_OF_THE_BINARIES
set -euo pipefail

binaries=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
export PATH="$PATH:/usr/sbin"
# What is set in this shell is not for the cluster.
while read -r name; do unset "$name"; done < <(compgen -e RAILGUN_ || true)
unset MEDIASOUP_ANNOUNCED_IP

etcd=127.0.0.1:23790
proxy=127.0.0.1:8080
replicas=(127.0.0.1:8091 127.0.0.1:8092)
operators=(127.0.0.1:8191 127.0.0.1:8192)
nodes=(127.0.0.1:50151 127.0.0.1:50152)
healths=(127.0.0.1:50251 127.0.0.1:50252)

directory=$(mktemp -d)
pids=()

stop() {
  trap - EXIT INT TERM
  [ "${#pids[@]}" -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  wait || true
  rm -rf "$directory"
}
trap stop EXIT INT TERM

# start LOG COMMAND...
start() {
  local log=$directory/$1.log
  shift
  "$@" >"$log" 2>&1 &
  pids+=($!)
}

# await NAME URL: until it answers well.
await() {
  for _ in $(seq 150); do
    if curl --silent --fail --output /dev/null "$2"; then return; fi
    sleep 0.2
  done
  echo "$1 did not become ready; the end of its log:" >&2
  tail -n 20 "$directory/$1.log" >&2
  exit 1
}

cd "$directory"
"$binaries/railgun-control" certs --out certs --node-san media-1 --node-san media-2 >/dev/null
ada=$("$binaries/railgun-control" token --user ada --tier pro --ttl 86400 --key token.key)
bob=$("$binaries/railgun-control" token --user bob --tier free --ttl 86400 --key token.key)

# The token is told once, the entry is what the replicas get.
operator=$("$binaries/railgun-control" operator-token --name trial --scope channels:read --scope channels:write \
  --scope rooms:read --scope rooms:write --scope bans:write --scope nodes:read --scope nodes:write \
  2>&1 >operators.toml | sed 's/.*: //')

start etcd etcd --name trial --data-dir etcd \
  --listen-client-urls "http://$etcd" --advertise-client-urls "http://$etcd" \
  --listen-peer-urls http://127.0.0.1:23800 --initial-advertise-peer-urls http://127.0.0.1:23800 \
  --initial-cluster trial=http://127.0.0.1:23800 --auto-compaction-retention 5m
await etcd "http://$etcd/health"

export RAILGUN_ETCD_ENDPOINTS=http://$etcd
for index in 0 1; do
  start "media-$((index + 1))" env RAILGUN_NODE_ID="media-$((index + 1))" \
    RAILGUN_RPC_LISTEN="${nodes[index]}" RAILGUN_HEALTH_LISTEN="${healths[index]}" RAILGUN_WORKERS=1 \
    RAILGUN_TLS_CA=certs/ca.pem RAILGUN_TLS_CERT=certs/media.pem RAILGUN_TLS_KEY=certs/media.key \
    "$binaries/railgun-media"
  start "control-$((index + 1))" env RAILGUN_LISTEN="${replicas[index]}" \
    RAILGUN_OPERATORS_LISTEN="${operators[index]}" RAILGUN_OPERATORS_TOKENS=operators.toml RAILGUN_AUTH_JWKS=token.jwks.json \
    RAILGUN_CHANNELS_CREATE_ON_JOIN=true RAILGUN_TRUSTED_PROXIES="${proxy%:*}" \
    RAILGUN_MEDIA_CA=certs/ca.pem RAILGUN_MEDIA_CERT=certs/control.pem RAILGUN_MEDIA_KEY=certs/control.key \
    "$binaries/railgun-control" serve
done
for index in 0 1; do
  await "media-$((index + 1))" "http://${healths[index]}/readyz"
  await "control-$((index + 1))" "http://${operators[index]}/readyz"
done

export RAILGUN_PROXY=$proxy RAILGUN_REPLICA_1=${replicas[0]} RAILGUN_REPLICA_2=${replicas[1]}
start haproxy haproxy -f "$here/haproxy.cfg"
await haproxy "http://$proxy/readyz"

cat <<TEXT
The cluster is up; logs are in $directory. Ctrl-C ends it.

  signaling and page   http://$proxy/   (HAProxy)
  replicas             http://${replicas[0]}  http://${replicas[1]}
  operators            http://${operators[0]}  http://${operators[1]}   (/healthz /readyz /metrics)
  media nodes          ${nodes[0]}  ${nodes[1]}   health: http://${healths[0]}  http://${healths[1]}
  etcd                 http://$etcd

  ada, Pro             http://$proxy/#token=$ada
  bob, Free            http://$proxy/#token=$bob

  operators' API       curl -H "Authorization: Bearer $operator" http://${operators[0]}/v1/nodes
TEXT
wait -n "${pids[@]}" || true
echo "Something ended by itself; the logs' ends:" >&2
tail -n 5 "$directory"/*.log >&2
exit 1
