#!/usr/bin/env bash
# Plans all targets and writes into FOLDER: plan.rotator, the saved plan; plan.md, for people; plan.json, for tools.
# Ends with the exit code of `rotator plan`. More arguments go to `rotator plan`.
#
# usage: ci/plan.sh FOLDER [OPTION…]
set -euo pipefail

folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder"
status=0
rotator plan --out "$folder/plan.rotator" --format markdown "$@" >"$folder/plan.md" || status=$?
if [[ -f $folder/plan.rotator ]]; then
  rotator show --format json "$folder/plan.rotator" >"$folder/plan.json"
else
  echo "**There is no plan**: \`rotator plan\` ended with $status, and its log says why." >>"$folder/plan.md"
fi
if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
  cat "$folder/plan.md" >>"$GITHUB_STEP_SUMMARY"
else
  cat "$folder/plan.md"
fi
exit "$status"
