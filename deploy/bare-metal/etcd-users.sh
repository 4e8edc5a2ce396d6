#!/bin/sh
# On one member of etcd, once: makes the users root, railgun-control and railgun-media, each with a role of what it
# needs and nothing else, and turns authentication on. Their passwords are in /etc/etcd, from `railgun init control`.
# Usage: etcd-users.sh [PREFIX]   as etcd.prefix has it
set -eu
prefix=${1:-/rg/v1}
export ETCDCTL_API=3 ETCDCTL_CACERT=/etc/etcd/ca.pem ETCDCTL_ENDPOINTS=https://localhost:2379

# Until most members have found each other.
tries=60
until etcdctl endpoint health >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { etcdctl endpoint health; exit 1; }
    sleep 1
done

# user NAME ROLE PASSWORD_FILE
user() {
    etcdctl role add "$2"
    # From standard input: a command line is there to read for every process of the host.
    etcdctl user add "$1" --interactive=false <"$3"
    etcdctl user grant-role "$1" "$2"
}

user root root /etc/etcd/root.password
user railgun-control railgun-control /etc/etcd/control.password
etcdctl role grant-permission railgun-control --prefix=true readwrite "$prefix/"

# A media node writes its record, its load and whose its rooms are. Channels, bans and entitlements it cannot even read.
user railgun-media railgun-media /etc/etcd/media.password
for kind in node load room; do
    etcdctl role grant-permission railgun-media --prefix=true readwrite "$prefix/$kind/"
done
# What `railgun doctor` writes and deletes.
etcdctl role grant-permission railgun-media readwrite "$prefix/doctor"

etcdctl auth enable
# Nobody but root needs them here any more.
chown root: /etc/etcd/*.password
