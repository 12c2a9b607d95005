#!/usr/bin/env bash
# Builds the fuzzers with clang and libFuzzer: fuzz_request with this machine's libraries, fuzz_parameters with those of a Debian
# root that has Kea's (it runs inside that root).
#
#   build-fuzzers.sh ROOT OUT    OUT: folder
set -euo pipefail
hook=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=${1%/} out=$2
mkdir -p "$out"
version=$(sed -n 's/.*KEA_HOOKS_VERSION *= *\([0-9]*\).*/\1/p' "$root/usr/include/kea/hooks/hooks.h")
flags=(-std=c++17 -g -O1 -fno-omit-frame-pointer -I"$hook/src/core")

newer() { [[ -f $out/$1 ]] && [[ -z $(find "$hook/src" "$hook/fuzz" -type f -newer "$out/$1" -print -quit) ]]; }

newer fuzz_request || clang++ "${flags[@]}" -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
  "$hook/fuzz/fuzz_request.cc" "$hook/src/core/request.cc" "$hook/src/core/text.cc" -o "$out/fuzz_request"
# Without the undefined-behaviour sanitizer: its checks of types want to know Kea's, which are not built with it.
newer fuzz_parameters || clang++ --sysroot="$root" "${flags[@]}" -fsanitize=fuzzer,address \
  -DLEASE_FEED_KEA_VERSION="$version" -isystem "$root/usr/include/kea" \
  "$hook/fuzz/fuzz_parameters.cc" "$hook/src/kea/parameters.cc" "$hook/src/core/nearest.cc" \
  -lkea-cc -lkea-asiolink -lkea-exceptions -o "$out/fuzz_parameters"
