#!/usr/bin/env bash
# Builds build/addon/lease_feed_core.node: the hook's core for tests and benchmarks in Node. Does nothing when it is
# newer than all it is made of. Node's headers come from beside the Node that runs, or from npm's `nodedir`.
set -euo pipefail
hook=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$hook")
target=$root/build/addon/lease_feed_core.node
build=$root/build/kea-hook-core

if [[ -f $target ]] && [[ -z $(find "$hook/src/core" "$hook/src/node" "$hook/CMakeLists.txt" "$hook/build-addon.sh" \
  -type f -newer "$target" -print -quit) ]]; then
  exit 0
fi

exec_path=$(node -p 'require("fs").realpathSync(process.execPath)')
headers=
for candidate in "$(dirname "$exec_path")/../include/node" \
  "${npm_config_nodedir:+$npm_config_nodedir/include/node}" \
  "$(npm config get nodedir 2>/dev/null | grep '^/' || true)/include/node"; do
  if [[ -n $candidate && -f $candidate/node_api.h ]]; then
    headers=$(cd "$candidate" && pwd)
    break
  fi
done
if [[ -z $headers ]]; then
  echo "build-addon: Node's headers (node_api.h) are neither beside $exec_path nor where npm's nodedir points;" \
    "install them (Debian: libnode-dev) or run: npm config set nodedir=<prefix with include/node>" >&2
  exit 1
fi
api=$root/node_modules/node-addon-api
if [[ ! -f $api/napi.h ]]; then
  echo "build-addon: $api is missing; run: npm install" >&2
  exit 1
fi

generator=()
if command -v ninja >/dev/null && [[ ! -f $build/CMakeCache.txt ]]; then generator=(-G Ninja); fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake -S "$hook" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLEASE_FEED_TESTS=OFF \
  -DLEASE_FEED_NODE_INCLUDE="$headers" -DLEASE_FEED_NODE_ADDON_API="$api" &&
  cmake --build "$build" --target lease_feed_addon --parallel "$(nproc)"; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "build-addon: the addon could not be built (see above)" >&2
  exit 1
fi
mkdir -p "$(dirname "$target")"
# A new file, not new contents: a process that has the old one loaded keeps it.
cp "$build/lease_feed_core.node" "$target.$$" && mv "$target.$$" "$target"
