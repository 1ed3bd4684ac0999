#!/usr/bin/env bash
# Fetches the saved plan that goes with this commit into FOLDER, and writes into FOLDER/pull the number of the pull request
# that it was reviewed in. A run that was started by hand takes the plan that it has just made.
#
# usage: ci/fetch-plan.sh FOLDER
set -euo pipefail

folder=$1
rm -rf "$folder"
mkdir -p "$folder"

refuse() {
  echo "::error title=No plan to apply::$1. Run this workflow by hand: it plans anew, and waits for a reviewer."
  exit 1
}

if [[ $GITHUB_EVENT_NAME == workflow_dispatch ]]; then
  head=$GITHUB_SHA
else
  found=$(
    gh api "repos/$GITHUB_REPOSITORY/commits/$GITHUB_SHA/pulls" \
      --jq '.[] | select(.merged_at != null) | [.number, .head.sha, .merge_commit_sha] | @tsv' |
      awk -F '\t' -v commit="$GITHUB_SHA" '$3 == commit && !found {found = $1 " " $2} END {print found}'
  )
  read -r pull head <<<"$found"
  [[ -n $pull ]] || refuse "No merged pull request has made commit $GITHUB_SHA"
  echo "$pull" >"$folder/pull"
fi

# The newest plan that a run on exactly this commit has saved. A pull request of a fork has none: it gets no credentials.
id=$(
  gh api "repos/$GITHUB_REPOSITORY/actions/artifacts?name=rotator-plan-$head&per_page=100" \
    --jq '.artifacts[] | select(.expired | not) | [.created_at, .id, .workflow_run.head_sha] | @tsv' |
    sort --reverse |
    awk -F '\t' -v head="$head" '$3 == head && !found {found = $2} END {print found}'
)
[[ -n $id ]] || refuse "No plan was saved for commit $head"
gh api "repos/$GITHUB_REPOSITORY/actions/artifacts/$id/zip" >"$folder/plan.zip"
unzip -p "$folder/plan.zip" plan.rotator >"$folder/plan.rotator"
