# shellcheck shell=bash disable=SC2154
# Builds the Debian packages: sourced by package.sh, and by test.sh for the tests of packages.
#
# What a package is made of is laid out by the stage.sh of its part, and packed by debhelper in the Debian that it is for.
# The same sources give the same octets: nothing in a package is newer than the newest commit.

packages=$project/build/packages

if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y package.json)
fi
export SOURCE_DATE_EPOCH

product_version() { node -p 'require("./package.json").version'; }

# in_folder ROOT FOLDER SCRIPT: runs a script of sh in a folder, inside ROOT or, where that is empty, here.
in_folder() {
  if [ -z "$1" ]; then
    (cd "$2" && sh -euc "$3")
    return
  fi
  # The mounts are in a namespace of their own and end with it. /mnt is empty in every Debian root.
  # shellcheck disable=SC2016  # expanded by the inner shell
  unshare --mount --propagation private bash -euc '
    mount --bind "$2" "$1/mnt"
    mount --rbind /dev "$1/dev"
    mount -t proc proc "$1/proc"
    exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root SOURCE_DATE_EPOCH="$4" \
      sh -euc "cd /mnt; $3"
  ' in-folder "$1" "$2" "$3" "$SOURCE_DATE_EPOCH"
}

# pack ROOT NAME VERSION FOLDER: makes the package of the tree FOLDER/source by its debian/. The .deb is put into FOLDER.
pack() {
  local root=$1 name=$2 version=$3 folder=$4
  printf '%s (%s) unstable; urgency=medium\n\n  * See README.md.\n\n -- kea-active-leasequery <%s>  %s\n' "$name" "$version" \
    packages@kea-active-leasequery.invalid "$(LC_ALL=C date -R -u -d "@$SOURCE_DATE_EPOCH")" >"$folder/source/debian/changelog"
  find "$folder/source" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
  in_folder "$root" "$folder" 'cd source && exec debian/rules binary'
}

# fresh_folder NAME: an empty one under build/package
fresh_folder() {
  rm -rf "$project/build/package/$1"
  mkdir -p "$project/build/package/$1/source"
  printf '%s\n' "$project/build/package/$1"
}

# package_sidecar ROOT OUT
package_sidecar() {
  local folder
  folder=$(fresh_folder kea-leasequery)
  bash sidecar/package/stage.sh "$folder/source"
  pack "$1" kea-leasequery "$(product_version)" "$folder"
  mv "$folder"/*.deb "$2/"
}

# The version of an installed package: in a root or, where that is empty, here.
installed_version() {
  dpkg-query ${1:+--admindir="$1/var/lib/dpkg"} -W -f '${Version}' "$2"
}

# package_hook ROOT LIBRARY OUT: its version is ours with that of its Kea behind, so that a newer Kea brings a newer one.
package_hook() {
  local folder
  folder=$(fresh_folder "kea-lease-feed-hook-$(basename "${1:-here}")")
  bash kea-hook/package/stage.sh "$folder/source" "$2"
  pack "$1" kea-lease-feed-hook "$(product_version)+kea$(installed_version "$1" kea-dev)" "$folder"
  mv "$folder"/*.deb "$3/"
}

# Makes a folder a repository for apt: index ROOT FOLDER
index() { in_folder "$1" "$2" 'dpkg-scanpackages --multiversion . >Packages'; }

# Has Debian judge the packages in a folder: judge ROOT FOLDER
judge() { in_folder "$1" "$2" 'lintian --allow-root --fail-on error,warning --tag-display-limit 0 ./*.deb'; }

# One repository for each Debian, in build/packages.
make_packages() {
  local name oldest=$roots/${root_names[0]}
  make_package_roots
  rm -rf "$packages"
  mkdir -p "$packages"
  step "packing kea-leasequery" package_sidecar "$oldest" "$packages"
  step "looking it over (lintian)" judge "$oldest" "$packages"
  for name in "${package_root_names[@]}"; do
    mkdir "$packages/$name"
    build_hook "$roots/$name" "$project/build/kea-hook/$name/libdhcp_lease_feed.so" \
      "Kea $(dotted "$(kea_hooks_version "$roots/$name")") in $name"
    step "packing kea-lease-feed-hook for $name" \
      package_hook "$roots/$name" "$project/build/kea-hook/$name/libdhcp_lease_feed.so" "$packages/$name"
    step "looking it over (lintian)" judge "$oldest" "$packages/$name"
    cp "$packages"/kea-leasequery_*.deb "$packages/$name/"
    step "making them a repository for apt" index "$oldest" "$packages/$name"
  done
  rm "$packages"/*.deb
}

# The same for this machine and its Kea.
make_packages_here() {
  rm -rf "$packages"
  mkdir -p "$packages/here"
  build_hook / "$project/build/kea-hook/libdhcp_lease_feed.so" "Kea $(dotted "$(kea_hooks_version /)") of this machine"
  step "packing kea-leasequery" package_sidecar '' "$packages/here"
  step "packing kea-lease-feed-hook" package_hook '' "$project/build/kea-hook/libdhcp_lease_feed.so" "$packages/here"
  step "making them a repository for apt" index '' "$packages/here"
}
