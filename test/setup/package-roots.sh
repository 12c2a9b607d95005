# shellcheck shell=bash disable=SC2154
# What Debian packages are built in and tried on, beside the roots of roots.sh. Sourced by package.sh and test.sh.
#
#   testing         Debian testing with its Kea, to build the hook in
#   clean-trixie    Debian 13 without anything; apt knows backports, too
#   clean-testing   Debian testing without anything
#
# In the clean ones apt's lists, and the archives of all that our packages depend on, lie ready: packages are installed
# there as on a new machine, and without a network.

# Those with a Kea: the hook's package is built in each, for the Kea that is there.
package_root_names=("${root_names[@]}" testing)

more_packages[packaging]="debhelper dpkg-dev lintian"
testing_packages=("${kea_packages[@]}" libboost-dev g++ cmake make libzmq3-dev libprotozero-dev)
# What users have, or what apt brings with our packages.
clean_packages=(kea-dhcp4-server kea-dhcp6-server kea-admin nodejs libzmq5 systemd apparmor)

package_root_stamp() {
  printf 'root %s, format 1\n' "$1"
  case $1 in
    clean-*) printf '%s\n' "${clean_packages[@]}" ;;
    *) printf '%s\n' "${testing_packages[@]}" ;;
  esac
}

make_testing() {
  make_base "$1" testing
  install_in_root "$1" "${testing_packages[@]}"
  in_root "$1" apt-get clean
}

# download_for ROOT ARGUMENT...
download_for() {
  local root=$1
  shift
  install_in_root "$root" --download-only "$@" "${clean_packages[@]}"
}

make_clean_trixie() {
  local mirror
  make_base "$1" "$root_suite"
  mirror=$(awk '$1 == "deb" { print $2; exit }' "$1/etc/apt/sources.list")
  printf 'deb %s %s-backports main\n' "$mirror" "$root_suite" >>"$1/etc/apt/sources.list"
  in_root "$1" apt-get update
  download_for "$1"
  download_for "$1" -t "$root_suite-backports"
}

make_clean_testing() {
  make_base "$1" testing
  download_for "$1"
}

make_package_root() {
  "make_${1//-/_}" "$roots/.making-$1"
  package_root_stamp "$1" >"$roots/.making-$1/.stamp"
  place_root "$1"
}

# need_package_root NAME WHAT
need_package_root() {
  if [ "$(cat "$roots/$1/.stamp" 2>/dev/null)" = "$(package_root_stamp "$1")" ]; then return; fi
  require_space 2000 "The roots for packages"
  remove_leftovers >>"$setup_log" 2>&1
  step "making $2 (a minute or two, once)" make_package_root "$1"
}

# The roots that packages are built in, with what builds them.
make_package_roots() {
  local name
  lock_roots
  need_package_root testing "a root of Debian testing with its Kea"
  for name in "${package_root_names[@]}"; do
    if is_added "$name" packaging; then continue; fi
    require_space 1000 "The tools that build packages"
    step "adding what builds packages to $name (half a minute, once)" add_to_root "$roots/$name" packaging
  done
  unlock_roots
}

# The roots that packages are tried on.
make_clean_roots() {
  lock_roots
  need_package_root clean-trixie "a clean Debian 13"
  need_package_root clean-testing "a clean Debian testing"
  unlock_roots
}
