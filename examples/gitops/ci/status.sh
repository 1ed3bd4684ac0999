#!/usr/bin/env bash
# Looks whether the secrets of TARGET rotate, and why those fail that don't, and writes REPORT for people.
# Ends with 0 where all do, 4 where something doesn't, 1 where something can't be seen.
#
# usage: ci/status.sh TARGET REPORT
set -euo pipefail

target=$1 report=$2
mkdir -p "$(dirname "$report")"
status=0
rotator status --reasons --format markdown --target "$target" >"$report" || status=$?
exit "$status"
