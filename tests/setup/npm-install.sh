#!/usr/bin/env bash
# Installs a folder's npm packages as its lock file has them, unless that was done already.
# Usage: npm-install.sh FOLDER
set -euo pipefail

cd "$1"
done_for=node_modules/.installed-lock
if [ -f "$done_for" ] && cmp -s package-lock.json "$done_for"; then exit 0; fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! npm ci --loglevel=error >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "npm ci failed in $1; check the connection to the npm registry and run it again." >&2
  exit 1
fi
cp package-lock.json "$done_for"
