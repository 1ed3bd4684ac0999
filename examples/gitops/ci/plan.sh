#!/usr/bin/env bash
# Plans all targets and writes into FOLDER: plan.rotator, the saved plan; plan.md, for people; plan.json, for tools. In a pull
# request, what it changes stands on top of plan.md, whatever becomes of the plan.
# Ends with the exit code of `rotator plan`. More arguments go to `rotator plan`.
#
# usage: ci/plan.sh FOLDER [OPTION…]
set -euo pipefail

folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder"
"$(dirname "$0")/change.sh" >"$folder/plan.md"
status=0
rotator plan --out "$folder/plan.rotator" --format markdown "$@" >"$folder/whole.md" || status=$?
# GitHub takes comments of 65,536 characters, and what the pipeline adds needs some of them. A plan's lists of changes may end after
# each of them; what stands before them is said in full or not at all.
room=$((64000 - $(wc -c <"$folder/plan.md")))
if [[ $(wc -c <"$folder/whole.md") -le $room ]]; then
  cat "$folder/whole.md" >>"$folder/plan.md"
else
  LC_ALL=C awk -v room="$room" '
    {size += length($0) + 1; lines = lines $0 "\n"}
    size > room {exit}
    $0 == "</details>" {printf "%s", lines; lines = ""}
  ' "$folder/whole.md" >>"$folder/plan.md"
  {
    echo
    echo "**The plan goes on**: this would be longer than a comment may be. The run's summary has more, \`rotator show\` all of it."
  } >>"$folder/plan.md"
fi
if [[ -f $folder/plan.rotator ]]; then
  rotator show --format json "$folder/plan.rotator" >"$folder/plan.json"
else
  echo "**There is no plan**: \`rotator plan\` ended with $status, and its log says why." | tee -a "$folder/whole.md" >>"$folder/plan.md"
fi
if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
  cat "$folder/whole.md" >>"$GITHUB_STEP_SUMMARY"
else
  cat "$folder/plan.md"
fi
rm "$folder/whole.md"
exit "$status"
