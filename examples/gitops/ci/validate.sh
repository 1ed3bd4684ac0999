#!/usr/bin/env bash
# Checks the manifest without AWS and without credentials, so forks get it too. On GitHub, problems stand at their lines. What a
# pull request changes after expansion stands in the summary, valid or not.
set -euo pipefail

status=0
if [[ ${GITHUB_ACTIONS:-} == true ]]; then
  rotator validate --format github || status=$?
else
  rotator validate || status=$?
fi
change=$("$(dirname "$0")/change.sh")
if [[ -n $change ]]; then
  echo "$change" >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
  if [[ ${GITHUB_ACTIONS:-} == true && $change == *"This weakens what guards the secrets"* ]]; then
    echo "::warning title=Guards are weakened::This pull request weakens a policy, a limit or a freeze: the summary of this job says how."
  fi
fi
exit "$status"
