# shellcheck shell=bash
# What build.sh, test.sh, demo.sh and bench.sh share: steps with a log, and everything that has to be on the machine
# before the project can be built and run. Sourced, not run. Bash and Debian's base are all that is assumed.
#
# Every step looks first whether its work is done, so that a second run costs seconds. Nothing is installed outside
# the package manager's own places, the checkout (node_modules, build, dist) and the cache folder of the Debian roots.

set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$project"
mkdir -p build
setup_log=$project/build/setup.log

# ------------------------------------------------------------------------------------------------ saying what happens

say() { printf '%s\n' "$*"; }

# Ends the script with a sentence that says what to do.
fail() {
  printf '\n%s\n' "$*" >&2
  exit 1
}

# step WHAT COMMAND...: runs the command with its output in build/setup.log; if it fails, shows the end of that
# output and says which step it was.
step() {
  local what=$1 began=$SECONDS from status
  shift
  printf '  %s ... ' "$what"
  from=$(stat -c %s "$setup_log" 2>/dev/null || echo 0)
  printf '=== %s  %s\n' "$(date '+%F %T')" "$what" >>"$setup_log"
  # Not `if ( ... )`: bash ignores `set -e` inside a condition, and a failed command in the middle would go unseen.
  set +e
  ( set -e; "$@" ) >>"$setup_log" 2>&1 </dev/null
  status=$?
  set -e
  if [ "$status" -ne 0 ]; then
    printf 'FAILED\n\n' >&2
    tail -c "+$((from + 1))" "$setup_log" | tail -n 40 | sed 's/^/    /' >&2
    fail "Step \"$what\" failed with status $status. All of its output is in $setup_log"
  fi
  printf 'done (%s s)\n' "$((SECONDS - began))"
}

# Starts the log anew once it has grown, so that it never fills a disk.
begin_log() {
  if [ "$(stat -c %s "$setup_log" 2>/dev/null || echo 0)" -gt 4000000 ]; then mv -f "$setup_log" "$setup_log.1"; fi
  touch "$setup_log"
}

# ------------------------------------------------------------------------------------------------ one at a time

# lock FILE: waits for the lock, says so if it has to; it is held until unlock, or until the script ends.
lock() {
  exec 9>>"$1"
  if ! flock --nonblock 9; then
    say "  another set-up is at work; waiting for it ($1)"
    flock 9
  fi
}
unlock() { exec 9>&-; }

# ------------------------------------------------------------------------------------------------ the machine

is_root() { [ "$(id -u)" -eq 0 ]; }

require_root() {
  is_root || fail "$1 needs root: it makes network namespaces and mounts (all private, all removed at the end). Run it as root."
}

require_node() {
  command -v node >/dev/null || fail "Node.js 20.15 or newer is needed and no 'node' was found in PATH."
  node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major * 100 + +minor >= 2015 ? 0 : 1)' ||
    fail "Node.js 20.15 or newer is needed; $(command -v node) is $(node -v)."
  command -v npm >/dev/null || fail "npm is needed and was not found in PATH (on Debian's own nodejs: apt-get install npm)."
}

# Of the packages named, those that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
  done
}

# What the build needs, and what the roots and the test network need beside it.
build_packages=(g++ make cmake libzmq3-dev libprotozero-dev)
laboratory_packages=(debootstrap debian-archive-keyring ca-certificates iproute2 mount openssl libfaketime apparmor)
# For the slow tests: the hook's fuzzers, and a browser for the status page with a font worth looking at.
fuzz_packages=(clang libclang-rt-dev)
with_fuzzers=''
browser_packages=(chromium fonts-inter)
with_browser=''

apt_install() {
  apt-get update || echo "apt-get update failed; trying with the package lists that are here"
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# system_packages PACKAGE...
system_packages() {
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    fail "The set-up knows Debian's package manager only, and there is no apt-get here. By hand: $*"
  local missing
  missing=$(missing_packages "$@")
  if [ -z "$missing" ]; then return; fi
  is_root || fail "These packages are missing, and only root may install them: apt-get install $missing"
  # shellcheck disable=SC2086  # a list of words
  step "installing $missing" apt_install $missing
}

# ------------------------------------------------------------------------------------------------ npm

npm_packages() {
  if [ -f node_modules/.package-lock.json ] && ! [ package-lock.json -nt node_modules/.package-lock.json ]; then return; fi
  # No package here needs its install script: the native ones carry their binaries.
  step "npm ci" npm ci --ignore-scripts --no-progress
  touch node_modules/.package-lock.json
}

# For the slow tests: the releases of Node that users have beside the one that runs here, as the npm packages that carry them.
with_nodes=''
other_nodes() {
  local folder=build/node-versions
  local architecture wanted
  architecture=$(node -p process.arch)
  wanted="node22@npm:node-linux-$architecture@22.23 node24@npm:node-linux-$architecture@24.21"
  if [ "$(cat "$folder/.made" 2>/dev/null)" = "$wanted" ]; then return; fi
  mkdir -p "$folder"
  printf '{ "private": true }\n' >"$folder/package.json"
  # shellcheck disable=SC2086  # a list of words
  step "fetching Node 22 and 24" npm install --prefix "$folder" --no-save --ignore-scripts --no-progress $wanted
  printf '%s\n' "$wanted" >"$folder/.made"
}

# ------------------------------------------------------------------------------------------------ building

compile_typescript() {
  node_modules/.bin/tsc -p .
  # What tsc left from sources that are gone would still be found and run as tests.
  find dist -name '*.js' | while read -r compiled; do
    source=${compiled#dist/}
    [ -f "${source%.js}.ts" ] || rm -f "$compiled" "$compiled.map"
  done
}

build_typescript() { step "compiling TypeScript to dist/" compile_typescript; }

build_addon() {
  [ -f kea-hook/build-addon.sh ] || fail "kea-hook/build-addon.sh is missing from this checkout."
  step "building the hook's core as a Node addon" bash kea-hook/build-addon.sh
}

# Debian keeps Node's headers in a package of their own.
node_headers() { bash test/setup/node-headers.sh >/dev/null 2>&1 || system_packages libnode-dev; }

build_native() { step "building the service's native code" bash sidecar/build-native.sh; }

# build_hook ROOT OUT WHAT
build_hook() {
  [ -f kea-hook/build-hook.sh ] || fail "kea-hook/build-hook.sh is missing from this checkout."
  mkdir -p "$(dirname "$2")"
  step "building the hook for $3 (a minute or two when it has changed)" bash kea-hook/build-hook.sh "$1" "$2"
}

# The version of the Kea whose headers are under a root ("/" or a folder); empty if there is none.
# KEA_HOOKS_VERSION is 20603 for 2.6.3.
kea_hooks_version() {
  local root=${1%/} header
  for header in "$root/usr/include/kea/hooks/hooks.h" "$root/usr/local/include/kea/hooks/hooks.h" "$root/include/kea/hooks/hooks.h"; do
    [ -f "$header" ] || continue
    sed -n 's/.*KEA_HOOKS_VERSION *= *\([0-9][0-9]*\).*/\1/p' "$header"
    return
  done
}

# The hook for the Kea on this machine, or for the one that KEA_ROOT names.
build_hook_for_machine() {
  local root=${KEA_ROOT:-/} version
  version=$(kea_hooks_version "$root")
  if [ -z "$version" ]; then
    [ -z "${KEA_ROOT:-}" ] || fail "KEA_ROOT is $KEA_ROOT, but there are no Kea headers under it (include/kea/hooks/hooks.h)."
    say "  no Kea headers on this machine (package kea-dev), so no hook for it: build/kea-hook/libdhcp_lease_feed.so is not made"
  elif [ "$version" -lt 20600 ]; then
    [ -z "${KEA_ROOT:-}" ] || fail "The Kea under KEA_ROOT=$KEA_ROOT is $(dotted "$version"); 2.6 or newer is needed."
    say "  this machine's Kea is $(dotted "$version"); the hook needs 2.6 or newer, so none is made for it"
  else
    build_hook "$root" "$project/build/kea-hook/libdhcp_lease_feed.so" "this machine's Kea $(dotted "$version")"
  fi
}

dotted() { printf '%d.%d.%d' $(($1 / 10000)) $(($1 / 100 % 100)) $(($1 % 100)); }

# Everything that the tests, the demo and the benchmark run on. With "allow-missing", what this machine cannot host is
# left out, and said.
prepare_laboratory() {
  local hosts_roots='' name
  begin_log
  say "Set-up (log: build/setup.log)"
  require_node
  if can_host_roots; then
    hosts_roots=yes
  elif [ "${1:-}" = allow-missing ]; then
    say "  this machine cannot host the test Keas ($cannot_host); tests that need them are skipped"
  else
    fail "This machine cannot host the test Keas: $cannot_host."
  fi
  system_packages "${build_packages[@]}" ${hosts_roots:+"${laboratory_packages[@]}"} ${with_fuzzers:+"${fuzz_packages[@]}"} \
    ${with_browser:+"${browser_packages[@]}"}
  node_headers
  lock "$project/build/setup.lock"
  npm_packages
  [ -z "$with_nodes" ] || other_nodes
  build_typescript
  build_native
  build_addon
  if [ -n "$hosts_roots" ]; then
    make_roots
    for name in "${root_names[@]}"; do
      build_hook "$roots/$name" "$project/build/kea-hook/$name/libdhcp_lease_feed.so" \
        "Kea $(dotted "$(kea_hooks_version "$roots/$name")") in $name"
    done
  fi
  unlock
}

# shellcheck source=test/setup/roots.sh
source "$project/test/setup/roots.sh"
