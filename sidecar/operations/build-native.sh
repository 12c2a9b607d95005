#!/usr/bin/env bash
# Builds dist/sidecar/operations/notify-socket.node, which the service needs under systemd only. Written against N-API, so
# that one file is good for every Node. Does nothing when it is newer than what it is made of.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$(dirname "$here")")
target=$root/dist/sidecar/operations/notify-socket.node

if [[ $target -nt $here/notify-socket.c && $target -nt ${BASH_SOURCE[0]} ]]; then exit 0; fi

headers=$(bash "$root/test/setup/node-headers.sh")
mkdir -p "$(dirname "$target")"
# A new file, not new contents: a process that has the old one loaded keeps it.
${CC:-cc} -std=c11 -O2 -g -Wall -Wextra -Werror -fPIC -shared -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
  -D_GNU_SOURCE -DNAPI_VERSION=8 -DNODE_GYP_MODULE_NAME=notify_socket -I"$headers" \
  -Wl,-z,relro,-z,now -o "$target.$$" "$here/notify-socket.c"
mv "$target.$$" "$target"
