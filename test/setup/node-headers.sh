#!/usr/bin/env bash
# Prints the folder of Node's headers: beside the Node that runs, or where npm's `nodedir` points.
set -euo pipefail

exec_path=$(node -p 'require("fs").realpathSync(process.execPath)')
for candidate in "$(dirname "$exec_path")/../include/node" \
  "${npm_config_nodedir:+$npm_config_nodedir/include/node}" \
  "$(npm config get nodedir 2>/dev/null | grep '^/' || true)/include/node"; do
  if [[ -n $candidate && -f $candidate/node_api.h ]]; then
    cd "$candidate" && pwd
    exit 0
  fi
done
echo "Node's headers (node_api.h) are neither beside $exec_path nor where npm's nodedir points;" \
  "install them (Debian: libnode-dev) or run: npm config set nodedir=<prefix with include/node>" >&2
exit 1
