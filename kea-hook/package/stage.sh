#!/usr/bin/env bash
# stage.sh TREE LIBRARY: lays out what the Debian package kea-lease-feed-hook is made of, around a library that
# build-hook.sh has built.
set -euo pipefail
tree=$1
library=$2
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$project"
mkdir -p "$tree"
cp -r kea-hook/package/debian kea-hook/apparmor kea-hook/README.md proto/lease_feed.proto "$tree/"
cp proto/README.md "$tree/proto.md"
cp "$library" "$tree/libdhcp_lease_feed.so"
node dist/sidecar/package/main.js "$tree/written" kea-hook/README.md
mv "$tree/written/libdhcp_lease_feed.7" "$tree/"
rm -r "$tree/written"
