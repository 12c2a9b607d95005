#!/usr/bin/env bash
# Builds what the service has in native code, into dist/sidecar; each is made anew only when older than what it is made of.
#
#   operations/notify-socket.node   tells systemd of the service
#   server/tls-engine.node          a TLS record for each DHCPv4 message, many at a time
#
# Written against N-API, so that one file is good for every Node; tls-engine.node also for every OpenSSL of one major version.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
own=$here/$(basename "${BASH_SOURCE[0]}")

# compile SOURCE COMPILER-AND-ITS-WORDS
compile() {
  local source=$here/$1 target=$root/dist/sidecar/${1%.*}.node
  shift
  if [[ $target -nt $source && $target -nt $own ]]; then return; fi
  local headers
  headers=$(bash "$root/test/setup/node-headers.sh")
  mkdir -p "$(dirname "$target")"
  # A new file, not new contents: a process that has the old one loaded keeps it. What is missing shows when it is loaded, not
  # in a call.
  "$@" -O2 -g -Wall -Wextra -Werror -fPIC -shared -fstack-protector-strong -D_FORTIFY_SOURCE=2 -D_GNU_SOURCE \
    -DNAPI_VERSION=8 -isystem "$headers" -Wl,-z,relro,-z,now -o "$target.$$" "$source"
  mv "$target.$$" "$target"
}

compile operations/notify-socket.c "${CC:-cc}" -std=c11 -DNODE_GYP_MODULE_NAME=notify_socket
compile server/tls-engine.cc "${CXX:-c++}" -std=c++17 -fvisibility=hidden -DNODE_GYP_MODULE_NAME=tls_engine \
  -DNAPI_CPP_EXCEPTIONS -isystem "$root/node_modules/node-addon-api"
