#!/usr/bin/env bash
# Lints an OpenAPI document with redocly, and compiles a TypeScript and a Python client that are generated of it.
# Usage: clients.sh DOCUMENT FOLDER   for what is made
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
document=$(realpath "$1")
work=$2
tools=$here/node_modules/.bin
"$here/../setup/npm-install.sh" "$here"
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

"$tools/redocly" lint --config "$here/redocly.yaml" "$document"

rm -rf "$work/typescript" "$work/python"
mkdir -p "$work/typescript"
"$tools/openapi-typescript" "$document" --output "$work/typescript/openapi.d.ts" >"$work/typescript.log"
cp "$here/client.ts" "$work/typescript/"
"$tools/tsc" --noEmit --strict --skipLibCheck false --module esnext --moduleResolution bundler --target es2022 \
  "$work/typescript/client.ts"
echo "a TypeScript client compiles"

venv=$work/clients
if ! cmp -s "$here/clients.requirements.txt" "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/clients.requirements.txt"
  cp "$here/clients.requirements.txt" "$venv/installed.txt"
fi
PATH="$venv/bin:$PATH" "$venv/bin/openapi-python-client" generate --path "$document" --output-path "$work/python" --meta none \
  --fail-on-warning >"$work/python.log" || { cat "$work/python.log" >&2; exit 1; }
PYTHONPATH=$work "$venv/bin/python" - <<'PYTHON'
import importlib, pkgutil
import python as client

for module in pkgutil.walk_packages(client.__path__, "python."):
    importlib.import_module(module.name)
from python.api.calls import get_call
from python.models import CallDocument

assert callable(get_call.sync) and hasattr(CallDocument, "from_dict")
PYTHON
echo "a Python client compiles"
