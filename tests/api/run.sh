#!/usr/bin/env bash
# Tests the operators' API against its own description, with schemathesis: what the description allows
# is taken, what it does not is refused, and every answer is as described. Before that, the description is linted and
# clients are generated of it and compiled (clients.sh). About a minute.
# Usage: run.sh FOLDER   with the built `railgun` and `railgun-control`, such as target/debug
# TIME is for how many seconds to go on; SEED is where chance begins.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1

here=$(cd "$(dirname "$0")" && pwd)
programs=$(cd "$1" && pwd)
work=$(cd "$here/../.." && pwd)/target/api
venv=$work/venv
mkdir -p "$work"

if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  rm -rf "$venv"
  if ! { python3 -m venv "$venv" &&
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"; } >"$work/install.log" 2>&1; then
    tail -n 20 "$work/install.log" >&2
    echo "Installing schemathesis failed; check the connection to PyPI and run it again." >&2
    exit 1
  fi
  cp "$here/requirements.txt" "$venv/installed.txt"
fi

# Three free ports: signaling, operators, media.
read -r signaling operators media < <(python3 -c '
import socket
kinds = [socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM]
held = [socket.socket(socket.AF_INET, kind) for kind in kinds]
for one in held:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))')

scopes=()
for what in channels bans entitlements rooms nodes; do
  scopes+=(--scope "$what:read" --scope "$what:write")
done
"$programs/railgun-control" operator-token --name tester "${scopes[@]}" --scope calls:read --scope audit:read \
  >"$work/tokens.toml" 2>"$work/token.txt"
token=$(sed -n 's/.*once: //p' "$work/token.txt")
cat >"$work/railgun.toml" <<TOML
[control]
listen = "127.0.0.1:$signaling"
operators.listen = "127.0.0.1:$operators"
operators.tokens = "$work/tokens.toml"
calls.dir = "$work/calls"
[media]
workers = 1
rtc.port_min = $media
rtc.port_max = $media
TOML

"$programs/railgun" --dev --config "$work/railgun.toml" >"$work/railgun.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true' EXIT
python3 -c '
import sys, time, urllib.request
for _ in range(300):
    try:
        sys.exit(urllib.request.urlopen(sys.argv[1]).status != 200)
    except OSError:
        time.sleep(0.1)
sys.exit(1)' "http://127.0.0.1:$operators/readyz" || { cat "$work/railgun.log" >&2; exit 1; }

python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())' \
  "http://127.0.0.1:$operators/v1/openapi.json" >"$work/openapi.json"
"$here/clients.sh" "$work/openapi.json" "$work"

cd "$work"
status=0
SCHEMATHESIS_HOOKS="$here/hooks.py" "$venv/bin/schemathesis" --config-file "$here/schemathesis.toml" run \
  "http://127.0.0.1:$operators/v1/openapi.json" --header "Authorization: Bearer $token" \
  --max-time "${TIME:-50}" --seed "${SEED:-1}" >"$work/report.txt" 2>&1 || status=$?
if ! kill -0 "$server" 2>/dev/null || grep -q 'panicked' "$work/railgun.log"; then
  status=1
  tail -n 40 "$work/railgun.log" >&2
fi
if [ "$status" != 0 ]; then
  cat "$work/report.txt" >&2
  exit "$status"
fi
tail -n 12 "$work/report.txt"
