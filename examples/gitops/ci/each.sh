#!/usr/bin/env bash
# Runs SCRIPT for each target of the manifest, with a report of each in .pipeline. Ends with 0 where all do, else with the exit code that weighs
# most, in rotator's own order.
#
# usage: ci/each.sh SCRIPT
set -euo pipefail

script=$1
ended=" "
while read -r target _; do
  status=0
  "$(dirname "$0")/$script.sh" "$target" ".pipeline/$script-$target.md" || status=$?
  echo "$script of $target ended with $status"
  ended+="$status "
done < <(rotator targets)
for code in 130 3 5 1 4 2; do
  [[ $ended != *" $code "* ]] || exit "$code"
done
