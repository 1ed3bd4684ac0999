#!/usr/bin/env bash
# Keeps one issue, known by its first line: opened or brought up to date where there is something to say, closed where there isn't.
#
# usage: ci/issue.sh open MARKER TITLE BODY    (BODY is a file, which begins with MARKER)
#        ci/issue.sh close MARKER WORDS
set -euo pipefail

what=$1 marker=$2
issue=$(
  gh api --paginate "repos/$GITHUB_REPOSITORY/issues?state=open&creator=github-actions%5Bbot%5D&per_page=100" \
    --jq '.[] | select(.pull_request | not) | [.number, ((.body // "") | split("\n")[0] | rtrimstr("\r"))] | @tsv' |
    awk -F '\t' -v marker="$marker" '$2 == marker && !found {found = $1} END {print found}'
)

case $what in
  open)
    title=$3 body=$4
    if [[ -n $issue ]]; then
      gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/$issue" --field "body=@$body"
    else
      gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues" --field "title=$title" --field "body=@$body"
    fi
    ;;
  close)
    words=$3
    if [[ -n $issue ]]; then
      gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues/$issue/comments" --field "body=$words"
      gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/$issue" --field state=closed --field state_reason=completed
    fi
    ;;
esac
