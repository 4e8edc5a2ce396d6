#!/usr/bin/env bash
# Says in one plain sentence which tool is missing and how to install it.
# Usage: check-tools.sh TOOL...   where TOOL is cargo, cc, etcd, haproxy, node, npm, protoc or valgrind.
set -euo pipefail

RUST_OLDEST=1.94
NODE_OLDEST=20.19

# Whether version $1 is at least version $2.
at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

complain() {
  echo "$1" >&2
  exit 1
}

check_cargo() {
  local install="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  command -v cargo >/dev/null || complain "Rust is missing; install it with: $install"
  local version
  version=$(rustc --version | cut -d ' ' -f 2)
  at_least "$version" "$RUST_OLDEST" ||
    complain "Rust $version is too old, $RUST_OLDEST or newer is needed; update it with: rustup update stable"
}

check_node() {
  local install="curl -fsSL https://deb.nodesource.com/setup_22.x | sudo -E bash - && sudo apt-get install -y nodejs"
  command -v node >/dev/null || complain "Node.js is missing; install it with: $install"
  local version
  version=$(node --version)
  at_least "${version#v}" "$NODE_OLDEST" ||
    complain "Node.js ${version#v} is too old, $NODE_OLDEST or newer is needed; install it with: $install"
}

check_npm() {
  command -v npm >/dev/null || complain "npm is missing; install it with: sudo apt-get install -y npm"
}

check_cc() {
  command -v cc >/dev/null || complain "A C compiler is missing; install it with: sudo apt-get install -y build-essential"
}

# A tool of a Debian package: check_package TOOL PACKAGE
check_package() {
  PATH="$PATH:/usr/sbin" command -v "$1" >/dev/null ||
    complain "$1 is missing; install it with: sudo apt-get install -y --no-install-recommends $2"
}

check_etcd() { check_package etcd etcd-server; }
check_haproxy() { check_package haproxy haproxy; }
check_valgrind() { check_package valgrind valgrind; }

# The etcd client's build also reads protoc's standard .proto files. Debian packs them apart, and installs
# them with protoc only where recommended packages are wanted.
check_protoc() {
  check_package protoc "protobuf-compiler libprotobuf-dev"
  local source
  source=$(mktemp -d)
  echo 'syntax = "proto3"; import "google/protobuf/descriptor.proto";' >"$source/probe.proto"
  local found=0
  protoc --proto_path="$source" --descriptor_set_out=/dev/null "$source/probe.proto" 2>/dev/null || found=$?
  rm -r "$source"
  [ "$found" -eq 0 ] ||
    complain "protoc finds no google/protobuf/descriptor.proto; install it with: sudo apt-get install -y libprotobuf-dev"
}

for tool in "$@"; do
  "check_$tool"
done
