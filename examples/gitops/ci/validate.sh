#!/usr/bin/env bash
# Checks the manifest without AWS and without credentials, so forks get it too. On GitHub, problems stand at their lines.
set -euo pipefail

if [[ ${GITHUB_ACTIONS:-} == true ]]; then
  rotator validate --format github
else
  rotator validate
fi
