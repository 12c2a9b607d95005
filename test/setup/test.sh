#!/usr/bin/env bash
# npm test: set-up, build, lint, then every test.
#
#   --all             the slow tests (test/slow) too
#   --allow-missing   what this machine cannot host (no root, no namespaces) is skipped and said; else it fails
#   --only PATTERN    only the test files whose path contains PATTERN; no lint
#
# One run of Node's test runner, one file at a time: the end-to-end tests want the processor for themselves.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage="known: --all, --allow-missing, --only PATTERN"
all='' allow_missing='' only=''
while [ $# -gt 0 ]; do
  case $1 in
    --all) all=yes ;;
    --allow-missing) allow_missing=allow-missing ;;
    --only)
      [ $# -ge 2 ] || fail "test: --only needs a pattern"
      only=$2
      shift
      ;;
    --only=*) only=${1#--only=} ;;
    *) fail "test: unknown argument '$1' ($usage)" ;;
  esac
  shift
done

# for test/slow
with_fuzzers=$all
with_nodes=$all
with_browser=$all
[ -z "$all" ] || with_more=(databases agent prometheus systemd)
# libssl-dev: the reader of the benchmarks is in C, with OpenSSL.
laboratory_packages+=(tshark dpkg-dev libssl-dev)
[ -z "$all" ] || laboratory_packages+=(python3-zmq python3-protobuf protobuf-compiler)
prepare_laboratory "$allow_missing"

if [ -z "$only" ]; then
  say "Lint"
  node_modules/.bin/biome check .
fi

leave_out='^dist/test/slow/'
[ -z "$all" ] || leave_out='^$'
mapfile -t files < <(find dist/test -name '*.test.js' | grep -v "$leave_out" | grep -F -- "$only" | sort)
[ "${#files[@]}" -gt 0 ] || fail "test: no test file matches '$only'"

if [[ "${files[*]}" == */slow/packages.test.js* ]] && can_host_roots; then
  # shellcheck source=test/setup/package-roots.sh
  source "$project/test/setup/package-roots.sh"
  # shellcheck source=test/setup/packages.sh
  source "$project/test/setup/packages.sh"
  lock "$project/build/setup.lock"
  make_packages
  make_clean_roots
  unlock
fi

# A test that hangs fails; the bound is far above what any test takes.
minutes=10
[ -z "$all" ] || minutes=60
[ -z "$allow_missing" ] || export KEA_TEST_ALLOW_MISSING=1

say "Test: ${#files[@]} files"
exec node --enable-source-maps --test --test-reporter=spec --test-concurrency=1 --test-timeout=$((minutes * 60000)) "${files[@]}"
