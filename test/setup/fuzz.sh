#!/usr/bin/env bash
# npm run fuzz: searches for octets that break what reads them. Arguments go to it (-- --help).
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

require_root "npm run fuzz"
prepare_laboratory
exec node --enable-source-maps dist/test/fuzz/main.js "$@"
