#!/usr/bin/env bash
# npm run conformance: every normative statement of the RFCs, and what the tests that name it say. Arguments go to it:
#
#   --rows     each row that passed, too, with the tests that show it
#   --no-kea   leave out the tests on a real Kea, which takes no root and a minute
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case " $* " in
  *" --no-kea "*)
    begin_log
    require_node
    npm_packages
    build_typescript
    ;;
  *) prepare_laboratory ;;
esac
exec node --enable-source-maps dist/test/conformance/report.js "$@"
