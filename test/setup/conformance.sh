#!/usr/bin/env bash
# npm run conformance: every normative statement of the RFCs, and what the tests that name it say. Arguments go to it:
# --rows, --all; see test/conformance/report.ts.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

prepare_laboratory
exec node --enable-source-maps dist/test/conformance/report.js "$@"
