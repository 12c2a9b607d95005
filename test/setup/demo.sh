#!/usr/bin/env bash
# npm run demo: the whole thing at work: Kea with the hook, the sidecar, requestors. Arguments go to it (-- --help).
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

require_root "npm run demo"
prepare_laboratory
exec node --enable-source-maps dist/test/demo/main.js "$@"
