#!/usr/bin/env bash
# Tells the jobs that follow which targets the manifest has: one job for each, and no second list of them.
#
# usage: ci/targets.sh
set -euo pipefail

names=$(rotator targets --format json | jq --compact-output '[.targets[].name]')
echo "names=$names" | tee -a "${GITHUB_OUTPUT:-/dev/null}"
