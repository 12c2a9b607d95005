#!/usr/bin/env bash
# npm run build: dist/, the addon, and the hook for the Kea on this machine (or under KEA_ROOT), if there is one.
#
#   --typescript   dist/ only
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

only_typescript=
for argument in "$@"; do
  case $argument in
    --typescript) only_typescript=yes ;;
    *) fail "build: unknown argument '$argument' (known: --typescript)" ;;
  esac
done

begin_log
say "Build (log: build/setup.log)"
require_node
if [ -z "$only_typescript" ]; then
  system_packages "${build_packages[@]}"
  node_headers
fi
lock "$project/build/setup.lock"
npm_packages
build_typescript
[ -z "$only_typescript" ] || exit 0
build_native
build_addon
build_hook_for_machine
