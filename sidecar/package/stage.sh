#!/usr/bin/env bash
# stage.sh TREE: lays out what the Debian package kea-leasequery is made of. It takes what `npm run build` has made, and of
# node_modules what the daemon runs on.
set -euo pipefail
shopt -s extglob nullglob
tree=$1
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$project"
mkdir -p "$tree"/{bin,program/dist,program/proto,completions,manual,share,doc/requestor}
cp -r sidecar/package/debian "$tree/"
cp sidecar/package/kea-leasequery.service "$tree/debian/"

# ---------------------------------------------------------------- ours: compiled, without what only builds this package
cp -r dist/sidecar "$tree/program/dist/"
rm -r "$tree/program/dist/sidecar/package"
find "$tree/program/dist" -name '*.map' -delete
cp package.json "$tree/program/"
cp proto/lease_feed.proto "$tree/program/proto/"
mkdir -p "$tree/program/sidecar/operations"
cp -r sidecar/operations/page "$tree/program/sidecar/operations/"
cp sidecar/operations/{alerts.yml,grafana-dashboard.json} "$tree/share/"
for native in operations/notify-socket server/tls-engine; do
  [ -f "$tree/program/dist/sidecar/$native.node" ] || {
    echo "stage: dist/sidecar/$native.node is missing: run npm run build" >&2
    exit 1
  }
done
# Debian's Node, not whatever PATH has.
launcher() { printf '#!/bin/sh\nexec /usr/bin/node /usr/lib/kea-leasequery/dist/sidecar/%s "$@"\n' "$2" >"$tree/bin/$1"; }
launcher kea-leasequery main.js
launcher leasequery requestor/main.js

# ---------------------------------------------------------------- node_modules
mapfile -t packages < <(npm ls --omit=dev --all --parseable 2>/dev/null | tail -n +2)
modules=$tree/program/node_modules
for package in "${packages[@]}"; do
  name=${package##*/node_modules/}
  mkdir -p "$modules/$name"
  # Their own packages, where they have any, are in the list, too.
  find "$package" -mindepth 1 -maxdepth 1 ! -name node_modules -exec cp -r {} "$modules/$name/" \;
done
# Headers for compiling addons.
rm -r "$modules"/{node-addon-api,napi-macros}
# The loader of an addon, and what makes one.
find "$modules/cmake-ts" -type f ! -name package.json ! -path '*/build/loader.js' -delete
# Sources of addons, and what is for browsers or other compilers.
rm -r "$modules"/{classic-level/deps,protobufjs/dist,zeromq/lib/ts3.7}
# Of the binaries, the one that the loader takes on this architecture under Debian.
arch=$(node -p process.arch)
addon=$(node -p '
  const [manifest, arch] = process.argv.slice(1)
  const fits = Object.entries(require(manifest)).map(([key, path]) => ({ ...JSON.parse(key), path }))
    .filter((one) => one.os === "linux" && one.arch === arch && one.libc === "glibc")
  fits.sort((a, b) => b.abi - a.abi)[0].path
' "$modules/zeromq/build/manifest.json" "$arch")
find "$modules/zeromq/build" -type f ! -name manifest.json ! -path "*/build/$addon" -delete
rm -r "$modules"/classic-level/prebuilds/!("linux-$arch")
rm -f "$modules"/classic-level/prebuilds/*/*.musl.node
# What nothing is run from: licenses are in debian/copyright.
find "$modules" -type d \( -name test -o -name tests -o -name docs -o -name examples -o -name benchmarks -o -name .github \) \
  -prune -exec rm -r {} +
find "$modules" -type f ! \( -name '*.js' -o -name '*.cjs' -o -name '*.mjs' -o -name '*.json' -o -name '*.node' \) -delete
find "$modules" -type f \( -name '*.test.*js' -o -name 'test.js' -o -name 'bench*.js' -o -name 'example*.js' -o -name 'eslint.*' \
  -o -name tsconfig.json -o -name vcpkg.json -o -name '.*rc.js' \) -delete
find "$modules" -type d -empty -delete
# No file is a program of its own: see launcher.
find "$tree/program" -name '*.*js' -exec sed -i '1{/^#!/d}' {} +
find "$tree/program" -name '*.node' -exec strip --strip-unneeded {} +
find "$modules" -type f -exec chmod 644 {} +

# ---------------------------------------------------------------- beside the program
node dist/sidecar/package/main.js "$tree/written" kea-hook/README.md "${packages[@]}"
mv "$tree"/written/{kea-leasequery.8,leasequery.1} "$tree/manual/"
for completion in "$tree"/written/*.bash; do mv "$completion" "$tree/completions/$(basename "$completion" .bash)"; done
cat "$tree/written/npm-copyright" >>"$tree/debian/copyright"
rm -r "$tree/written"
cp sidecar/{README,operators-guide}.md "$tree/doc/"
sed -i '/^!\[/d' "$tree/doc/README.md" # its picture stays behind
cp sidecar/requestor/README.md "$tree/doc/requestor/"
