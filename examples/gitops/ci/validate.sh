#!/usr/bin/env bash
# Checks the manifest without AWS and without credentials, so forks get it too. On GitHub, problems stand at their lines; and in a
# pull request, what its change means after expansion stands in the summary.
set -euo pipefail

if [[ ${GITHUB_ACTIONS:-} == true ]]; then
  rotator validate --format github
else
  rotator validate
fi
if [[ -n ${BASE_REF:-} ]]; then
  rotator diff "origin/$BASE_REF" --format markdown >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
fi
