#!/usr/bin/env bash
# Keeps one issue for TARGET: opened when a secret doesn't rotate as it should, or a function can't, updated while that lasts, closed when
# all rotate again.
#
# usage: ci/status-issue.sh TARGET
set -euo pipefail

target=$1
marker="<!-- rotator: status of $target -->"
run="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
report=.pipeline/status-$target.md
status=0
"$(dirname "$0")/status.sh" "$target" "$report" || status=$?

if [[ $status -ne 0 && ! -s $report ]]; then
  echo "::error title=rotator status::$target could not be looked at: the log says why. Its issue stays as it is."
  exit "$status"
fi

if [[ $status -eq 0 ]]; then
  "$(dirname "$0")/issue.sh" close "$marker" "All rotate as they should again: [this run]($run)."
  exit
fi

body=$(mktemp)
{
  echo "$marker"
  if [[ $status -eq 4 ]]; then
    echo "Something in $target doesn't rotate as it should. Each line says why, as far as AWS tells, and what to do."
  else
    echo "Not all of $target could be looked at: what isn't known is named below. What is there may not be all."
  fi
  echo
  cat "$report"
  echo
  echo "<sub>By [this run]($run). This issue closes itself.</sub>"
} >"$body"
"$(dirname "$0")/issue.sh" open "$marker" "Secrets in $target don't rotate as they should" "$body"
# What doesn't rotate is told by the issue; what can't be seen, by the job too.
[[ $status -eq 4 ]] || exit "$status"
