#!/usr/bin/env bash
# npm run bench: what it costs and what it carries, measured. Arguments go to it (-- --help).
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

require_root "npm run bench"
with_more=(databases)
# The reader of part bulk is in C, with OpenSSL.
laboratory_packages+=(libssl-dev)
prepare_laboratory
exec node --enable-source-maps dist/test/bench/main.js "$@"
