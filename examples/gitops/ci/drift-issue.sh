#!/usr/bin/env bash
# Keeps one issue for TARGET: opened when AWS differs from the default branch, updated while it does, closed when it doesn't.
#
# usage: ci/drift-issue.sh TARGET
set -euo pipefail

target=$1
marker="<!-- rotator: drift of $target -->"
run="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
report=.pipeline/drift-$target.md
status=0
"$(dirname "$0")/drift.sh" "$target" "$report" || status=$?

if [[ $status -ne 0 && ! -s $report ]]; then
  echo "::error title=rotator drift::$target could not be looked at: the log says why. Its issue stays as it is."
  exit "$status"
fi

if [[ $status -eq 0 ]]; then
  "$(dirname "$0")/issue.sh" close "$marker" "AWS is again what $GITHUB_SHA says: [this run]($run)."
  exit
fi

body=$(mktemp)
{
  echo "$marker"
  if [[ $status -eq 5 ]]; then
    echo "AWS isn't what $GITHUB_SHA and its rules ask for, and a policy, a limit or a freeze refuses the plan below, which says by what."
    echo "The workflow that applies would be refused too: change the manifest, agree with whoever owns the rule, or wait for the end of the freeze."
  else
    echo "AWS isn't what $GITHUB_SHA says: somebody changed it by hand, or a merged change was never applied."
    echo "To repair it, run the workflow that applies by hand. To keep it as it is, change the manifest."
  fi
  echo
  cat "$report"
  echo
  echo "<sub>By [this run]($run). This issue closes itself.</sub>"
} >"$body"
"$(dirname "$0")/issue.sh" open "$marker" "Rotation in $target isn't what the manifest says" "$body"
# What differs is told by the issue; what is wrong, by the job too.
[[ $status -eq 2 ]] || exit "$status"
