# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# The Debian roots in which the tests, the demo and the benchmark run Kea. Sourced by common.sh.
#
#   trixie            Debian 13 with its Kea 2.6
#   trixie-backports  the same with Kea 3.0 from its backports
#
# They are kept between runs in a cache folder of the system. A root is made under another name and renamed when it
# is complete, so that a root that has its name can be trusted. Nothing is ever mounted in a root outside a private
# mount namespace, so that removing one can never reach through a mount.

roots=${KEA_TEST_ROOTS:-/var/cache/kea-active-leasequery}
root_names=(trixie trixie-backports)
root_suite=trixie

kea_packages=(kea-dhcp4-server kea-dhcp6-server kea-admin kea-dev)
root_packages=("${kea_packages[@]}" ca-certificates libboost-dev g++ cmake make libzmq3-dev libprotozero-dev
  isc-dhcp-client iproute2 libfaketime procps socat)

# What only some runs need, and what of it goes into which roots that are there: lease databases other than a file; Kea's
# control agent, without which the older Kea takes no commands over HTTP; Prometheus, with its promtool; what an installed
# service runs under.
with_more=()
declare -A more_packages=([databases]="postgresql mariadb-server-core mariadb-client-compat"
  [agent]=kea-ctrl-agent [prometheus]="prometheus promtool"
  [systemd]="systemd nodejs")
declare -A more_roots=([databases]="${root_names[*]}" [agent]=trixie [prometheus]=trixie-backports
  [systemd]="${root_names[*]}")

# What a root of this name is made of; a root whose stamp says otherwise is made anew.
root_stamp() {
  printf 'root %s, format 1\n' "$1"
  printf '%s\n' "${root_packages[@]}" | sort
}

cannot_host=
can_host_roots() {
  if ! is_root; then
    cannot_host="root is needed, for debootstrap, network namespaces and mounts"
  elif ! command -v apt-get >/dev/null; then
    cannot_host="there is no apt-get, so no package mirror to make Debian roots from"
  elif ! unshare --mount --net true 2>/dev/null; then
    cannot_host="it allows no new mount and network namespaces (in a container: --privileged)"
  elif ! grep -qw overlay /proc/filesystems && ! modprobe overlay 2>/dev/null; then
    cannot_host="its kernel has no overlay file system"
  else
    return 0
  fi
  return 1
}

# The package mirror that this machine is configured with, as debootstrap wants it.
debian_mirror() {
  local uri
  # The main archive, told by what its Release file says, or else by the release's code name.
  uri=$(apt-get indextargets --format '$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' 2>/dev/null |
    awk -F'|' '$1 == "Packages" && $2 == "Debian" && $3 == "Debian" && $4 == "main" { print $5; exit }')
  if [ -z "$uri" ]; then
    uri=$(apt-get indextargets --format '$(CREATED_BY)|$(RELEASE)|$(COMPONENT)|$(REPO_URI)' 2>/dev/null |
      awk -F'|' -v suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" \
        '$1 == "Packages" && $2 == suite && $3 == "main" { print $4; exit }')
  fi
  case $uri in
    mirror+file:*)  # Debian's cloud images: a file with a list of mirrors
      uri=$(sed -n 's/^[[:space:]]*\([a-z+]*:[^[:space:]]*\).*/\1/p' "/${uri#mirror+file:*/}" | head -n 1)
      ;;
  esac
  if [ -z "$uri" ]; then
    uri=$(sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' "$(command -v debootstrap)" | head -n 1)
  fi
  [ -n "$uri" ] || fail "No Debian package mirror is configured on this machine (apt-get indextargets lists none)."
  printf '%s\n' "${uri%/}"
}

# apt's proxy, in the form that debootstrap and an apt elsewhere understand.
export_proxy() {
  local kea_http='' kea_https=''
  eval "$(apt-config shell kea_http Acquire::http::Proxy kea_https Acquire::https::Proxy)"
  if [ -n "$kea_http" ] && [ "$kea_http" != DIRECT ]; then export http_proxy=$kea_http; fi
  if [ -n "$kea_https" ] && [ "$kea_https" != DIRECT ]; then export https_proxy=$kea_https; fi
}

# in_root ROOT COMMAND...: in a chroot with /proc, in a mount namespace that ends with the command.
in_root() {
  local root=$1
  shift
  unshare --mount --propagation private bash -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive HOME=/root \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"
}

# Removes a root. Never across a mount: it refuses where there is one, and rm stays on one file system besides.
remove_root() {
  [ -e "$1" ] || return 0
  local path
  path=$(realpath "$1")
  if awk '{ print $5 }' /proc/self/mountinfo | grep -qF "$path/"; then
    echo "$path has something mounted in it; it is left alone"
    return 1
  fi
  rm -rf --one-file-system "$path"
}

# Half-made roots of set-ups that did not come to their end. The caller holds the lock, so nobody is making one.
remove_leftovers() {
  local leftover
  for leftover in "$roots"/.making-* "$roots"/.old-*; do
    if [ -e "$leftover" ]; then remove_root "$leftover"; fi
  done
}

install_in_root() {
  local root=$1
  shift
  in_root "$root" apt-get install -y --no-install-recommends "$@"
}

# A Debian of a suite with nothing in it but what apt needs: make_base ROOT SUITE
make_base() {
  local root=$1 suite=$2 mirror script=()
  export_proxy
  mirror=$(debian_mirror)
  echo "mirror: $mirror"
  # An older debootstrap knows a newer suite by the script of sid, from which all of them descend.
  if ! [ -e "/usr/share/debootstrap/scripts/$suite" ]; then script=(/usr/share/debootstrap/scripts/sid); fi
  # debootstrap mounts /proc in its target and unmounts it again, unless it is killed: hence the namespace.
  unshare --mount --propagation private debootstrap --variant=minbase --include=ca-certificates \
    "$suite" "$root" "$mirror" "${script[@]}" || { tail -n 30 "$root/debootstrap/debootstrap.log"; return 1; }
  # No package may start a server, and manual pages are of no use here.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  printf 'path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n' \
    >"$root/etc/dpkg/dpkg.cfg.d/small"
  printf 'deb %s %s main\n' "$mirror" "$suite" >"$root/etc/apt/sources.list"
  # A mirror may be older than the week that the index of testing is good for.
  printf 'Acquire::Languages "none";\nAcquire::Check-Valid-Until "false";\n' >"$root/etc/apt/apt.conf.d/small"
  case $mirror in
    https:*) cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" ;;
  esac
  in_root "$root" apt-get update
}

make_trixie() {
  make_base "$1" "$root_suite"
  install_in_root "$1" "${root_packages[@]}"
  in_root "$1" apt-get clean
}

make_trixie_backports() {
  local root=$1 mirror
  export_proxy
  cp -a --reflink=auto "$roots/trixie" "$root"
  rm -f "$root/.stamp"
  mirror=$(awk '$1 == "deb" { print $2; exit }' "$root/etc/apt/sources.list")
  printf 'deb %s %s-backports main\n' "$mirror" "$root_suite" >>"$root/etc/apt/sources.list"
  in_root "$root" apt-get update
  install_in_root "$root" -t "$root_suite-backports" "${kea_packages[@]}"
  in_root "$root" apt-get clean
}

# That a root has its packages, and that its Kea runs and is of the series it should be: verify_root ROOT SERIES
verify_root() {
  local package version
  for package in "${root_packages[@]}"; do
    [ "$(in_root "$1" dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || {
      echo "$1 lacks $package"
      return 1
    }
  done
  version=$(in_root "$1" kea-dhcp4 -v)
  case $version in
    "$2".*) echo "$1 has Kea $version" ;;
    *) echo "$1 should have a Kea $2, but has $version"; return 1 ;;
  esac
}

make_root() {
  local name=$1 series=$2 new=$roots/.making-$1
  "make_${name//-/_}" "$new"
  verify_root "$new" "$series"
  root_stamp "$name" >"$new/.stamp"
  place_root "$name"
}

# Gives a root that is complete its name.
place_root() {
  if [ -e "$roots/$1" ]; then mv -T "$roots/$1" "$roots/.old-$1"; fi
  mv -T "$roots/.making-$1" "$roots/$1"
  remove_leftovers
}

# True if the root is there as it should be. One without a stamp that has all that it should have gets its stamp.
root_is_made() {
  [ -d "$roots/$1" ] || return 1
  if [ -f "$roots/$1/.stamp" ]; then
    [ "$(cat "$roots/$1/.stamp")" = "$(root_stamp "$1")" ]
  else
    verify_root "$roots/$1" "$2" >>"$setup_log" 2>&1 && root_stamp "$1" >"$roots/$1/.stamp"
  fi
}

# add_to_root ROOT WHAT: adds to a root in its place: Kea may be running from it, and nothing that is there changes. The
# root's policy-rc.d keeps what is added from being started. The file .WHAT says that it is there.
add_to_root() {
  local root=$1 what=$2 packages
  read -ra packages <<<"${more_packages[$what]}"
  export_proxy
  # The tests make databases of their own, and need none of a server of the root's.
  mkdir -p "$root/etc/postgresql-common"
  printf 'create_main_cluster = false\n' >"$root/etc/postgresql-common/createcluster.conf"
  in_root "$root" dpkg --configure -a
  in_root "$root" apt-get update
  install_in_root "$root" -o Dpkg::Options::=--force-confold "${packages[@]}"
  in_root "$root" apt-get clean
  printf '%s\n' "${more_packages[$what]}" >"$root/.$what"
}

is_added() { [ "$(cat "$roots/$1/.$2" 2>/dev/null)" = "${more_packages[$2]}" ]; }

# require_space MEGABYTES WHAT
require_space() {
  local free
  free=$(($(df --output=avail -k "$roots" | tail -n 1) / 1000))
  [ "$free" -gt "$1" ] || fail "$2 in $roots need $1 MB of disk space; $free MB are free there."
}

# Until unlock_roots, or the end of the script.
lock_roots() {
  mkdir -p "$roots"
  exec 8>>"$roots/.lock"
  if ! flock --nonblock 8; then
    say "  another set-up is making the Debian roots; waiting for it"
    flock 8
  fi
}
unlock_roots() { exec 8>&-; }

make_roots() {
  local name what
  lock_roots
  if ! root_is_made trixie 2.6; then
    require_space 3500 "The Debian roots"
    step "clearing what an interrupted set-up left" remove_leftovers
    step "making a Debian 13 root with Kea 2.6 (a minute or two, once)" make_root trixie 2.6
  fi
  if ! root_is_made trixie-backports 3.0; then
    require_space 3500 "The Debian roots"
    step "clearing what an interrupted set-up left" remove_leftovers
    step "making a Debian 13 root with Kea 3.0 (half a minute, once)" make_root trixie-backports 3.0
  fi
  for what in "${with_more[@]}"; do
    for name in ${more_roots[$what]}; do
      if is_added "$name" "$what"; then continue; fi
      require_space 1000 "Packages for the slow tests"
      step "adding to $name: ${more_packages[$what]} (up to a minute, once)" add_to_root "$roots/$name" "$what"
    done
  done
  unlock_roots
}
