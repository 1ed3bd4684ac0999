#!/usr/bin/env bash
# Keeps one comment of a kind on a pull request: writes it, and from then on updates it in place.
#
# usage: ci/comment.sh PULL_REQUEST KIND FILE
set -euo pipefail

pull=$1 kind=$2 file=$3
marker="<!-- rotator: $kind -->"
body=$(mktemp)
{
  echo "$marker"
  cat "$file"
  echo
  echo "<sub>For ${HEAD_SHA:-$GITHUB_SHA} by [this run]($GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID).</sub>"
} >"$body"

# Only the pipeline's own comments: anybody may write our marker.
id=$(
  gh api --paginate "repos/$GITHUB_REPOSITORY/issues/$pull/comments?per_page=100" \
    --jq '.[] | [.id, .user.login, (.body | split("\n")[0] | rtrimstr("\r"))] | @tsv' |
    awk -F '\t' -v marker="$marker" '$2 == "github-actions[bot]" && $3 == marker && !found {found = $1} END {print found}'
)
if [[ -n $id ]]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --field "body=@$body"
else
  gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues/$pull/comments" --field "body=@$body"
fi
