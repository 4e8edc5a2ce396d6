#!/bin/sh
# On a member of etcd: starts it with what `railgun init control` made for it, which was copied to /etc/etcd.
# Usage: etcd-member.sh [NAME]   its name, unless that is the host's
set -eu
name=${1:-$(hostname)}
chown -R etcd: /etc/etcd
chmod 700 /etc/etcd
cp "/etc/etcd/$name.env" /etc/default/etcd
systemctl enable --quiet etcd
# It is ready when most members are, so that nobody can wait for the first one.
systemctl restart --no-block etcd
