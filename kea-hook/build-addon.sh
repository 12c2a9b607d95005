#!/usr/bin/env bash
# Builds build/addon/lease_feed_core.node: the hook's core for tests and benchmarks in Node. Does nothing when it is
# newer than all it is made of.
set -euo pipefail
hook=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$hook")
target=$root/build/addon/lease_feed_core.node
build=$root/build/kea-hook-core

if [[ -f $target ]] && [[ -z $(find "$hook/src/core" "$hook/src/node" "$hook/CMakeLists.txt" "$hook/build-addon.sh" \
  -type f -newer "$target" -print -quit) ]]; then
  exit 0
fi

headers=$(bash "$root/test/setup/node-headers.sh")
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
