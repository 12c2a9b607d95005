#!/usr/bin/env bash
# Builds libdhcp_lease_feed.so for one Kea. Kea takes only a library built for its very release, so each Kea has its own.
#
#   build-hook.sh ROOT OUT [--force]
#
# ROOT  ""  or "/": the Kea of this machine
#       a Debian root (with its own compiler, cmake and kea-dev): built inside it; nothing in it is changed
#       any other folder: a prefix that Kea is installed under (ISC's packages, /opt/kea), built with this machine's tools
# OUT   the library to write, e.g. build/kea-hook/trixie/libdhcp_lease_feed.so. Does nothing when it is newer than all
#       that it is made of. What the compiler made is kept beside it, in OUT's folder under objects/.
set -euo pipefail

fail() { echo "build-hook: $*" >&2; exit 1; }

[[ $# -ge 2 && $# -le 3 && ( $# -eq 2 || $3 == --force ) ]] || fail "usage: build-hook.sh ROOT OUT [--force]"
hook=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${1%/}
mkdir -p "$(dirname "$2")"
out=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
objects=$(dirname "$out")/objects

[[ -z $root || -d $root ]] || fail "there is no folder $root"
header=
for candidate in "$root/usr/include/kea" "$root/usr/local/include/kea" "$root/include/kea"; do
  if [[ -f $candidate/hooks/hooks.h ]]; then header=$candidate/hooks/hooks.h; break; fi
done
[[ -n $header ]] || fail "Kea's headers are not under ${root:-/} (include/kea/hooks/hooks.h); Debian's package for them is kea-dev"
version=$(sed -n 's/.*KEA_HOOKS_VERSION *= *\([0-9]*\).*/\1/p' "$header")
[[ -n $version ]] || fail "$header does not say which Kea it is of (KEA_HOOKS_VERSION)"
dotted=$((version / 10000)).$((version / 100 % 100)).$((version % 100))
((version >= 20600)) || fail "Kea $dotted under ${root:-/} is too old: Kea 2.6 or later is needed, whose lease manager reports every write"

if [[ ${3:-} != --force && -f $out && $out -nt $header ]] && [[ -z $(find "$hook/src/core" "$hook/src/kea" \
  "$hook/CMakeLists.txt" "$hook/build-hook.sh" "$hook/../package.json" -type f -newer "$out" -print -quit) ]]; then
  exit 0
fi

product=$(sed -n 's/^  "version": "\([^"]*\)".*/\1/p' "$hook/../package.json" 2>/dev/null | head -1)
mkdir -p "$objects"
# A folder that was configured for another source, compiler or Kea is of no use.
configured="$hook $root $version"
if [[ $(cat "$objects/configured-for" 2>/dev/null || true) != "$configured" ]]; then
  rm -rf "$objects"
  mkdir -p "$objects"
  echo "$configured" >"$objects/configured-for"
fi

# compile SOURCE OBJECTS KEA_ROOT
compile='
  set -eu
  [ -f "$2/CMakeCache.txt" ] || cmake -S "$1" -B "$2" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLEASE_FEED_TESTS=OFF \
    -DLEASE_FEED_VERSION="$4" ${3:+-DKEA_ROOT="$3"}
  cmake --build "$2" --target dhcp_lease_feed --parallel "$(nproc)"
'
log=$(mktemp)
trap 'rm -f "$log"' EXIT
say_and_fail() {
  cat "$log" >&2
  fail "the hook for Kea $dotted could not be built (see above)"
}

if [[ -n $root && -x $root/bin/sh && -x $root/usr/bin/cmake ]]; then
  [[ $(id -u) == 0 ]] || fail "only root can build inside $root"
  # The mounts are in a namespace of their own and end with it. /mnt and /srv are empty in every Debian root.
  # shellcheck disable=SC2016  # expanded by the inner shell
  unshare --mount --propagation private bash -euc '
    mount --bind "$2" "$1/mnt"
    mount -o remount,bind,ro "$1/mnt"
    mount --bind "$3" "$1/srv"
    mount --rbind /dev "$1/dev"
    mount -t proc proc "$1/proc"
    mkdir -p "$3/tmp"
    exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TMPDIR=/srv/tmp \
      sh -c "$4" compile /mnt /srv "" "$5"
  ' build-hook "$root" "$hook" "$objects" "$compile" "$product" >"$log" 2>&1 || say_and_fail
else
  sh -c "$compile" compile "$hook" "$objects" "$root" "$product" >"$log" 2>&1 || say_and_fail
fi

# A new file, not new contents: a Kea that has the old one loaded keeps it.
cp "$objects/libdhcp_lease_feed.so" "$out.$$"
mv "$out.$$" "$out"
