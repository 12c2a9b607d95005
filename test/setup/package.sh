#!/usr/bin/env bash
# npm run package: the Debian packages, for each Debian that has a Kea for them: an apt repository each in build/packages.
#
#   --here   for this machine alone (Debian 13 or later) and the Kea that is on it (package kea-dev), in build/packages/here
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=test/setup/package-roots.sh
source "$project/test/setup/package-roots.sh"
# shellcheck source=test/setup/packages.sh
source "$project/test/setup/packages.sh"

here=''
for argument in "$@"; do
  case $argument in
    --here) here=yes ;;
    *) fail "package: unknown argument '$argument' (known: --here)" ;;
  esac
done

if [ -n "$here" ]; then
  begin_log
  say "Packages for this machine (log: build/setup.log)"
  require_node
  system_packages "${build_packages[@]}" libboost-dev debhelper dpkg-dev
  node_headers
  lock "$project/build/setup.lock"
  [ -n "$(kea_hooks_version /)" ] || fail "There is no Kea 2.6 or newer with its headers on this machine (package kea-dev)."
  npm_packages
  build_typescript
  build_native
  make_packages_here
else
  require_root "npm run package"
  prepare_laboratory
  lock "$project/build/setup.lock"
  make_packages
fi
unlock
say "Packages:"
find build/packages -name '*.deb' | sort | sed 's/^/  /'
