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

issue=$(
  gh api --paginate "repos/$GITHUB_REPOSITORY/issues?state=open&creator=github-actions%5Bbot%5D&per_page=100" \
    --jq '.[] | select(.pull_request | not) | [.number, ((.body // "") | split("\n")[0] | rtrimstr("\r"))] | @tsv' |
    awk -F '\t' -v marker="$marker" '$2 == marker && !found {found = $1} END {print found}'
)

if [[ $status -eq 0 ]]; then
  if [[ -n $issue ]]; then
    gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues/$issue/comments" \
      --field "body=AWS is again what $GITHUB_SHA says: [this run]($run)."
    gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/$issue" --field state=closed --field state_reason=completed
  fi
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
if [[ -n $issue ]]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/$issue" --field "body=@$body"
else
  gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues" \
    --field "title=Rotation in $target isn't what the manifest says" --field "body=@$body"
fi
# What differs is told by the issue; what is wrong, by the job too.
[[ $status -eq 2 ]] || exit "$status"
