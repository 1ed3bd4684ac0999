#!/usr/bin/env bash
# Looks whether AWS still is what the checked-out commit says for TARGET, and writes REPORT for people.
# Ends with 0 where it is, 2 where it differs, 5 where a policy, a limit or a freeze refuses what would be done about it, 1 where something
# else is wrong or can't be seen.
#
# usage: ci/drift.sh TARGET REPORT
set -euo pipefail

target=$1 report=$2
mkdir -p "$(dirname "$report")"
status=0
rotator plan --detailed-exitcode --format markdown --target "$target" >"$report" || status=$?
exit "$status"
