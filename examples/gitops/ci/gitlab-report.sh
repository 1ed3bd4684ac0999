#!/usr/bin/env bash
# How much a plan in JSON adds, changes and deletes, for the widget of merge requests (artifacts:reports:terraform).
#
# usage: ci/gitlab-report.sh plan.json >report.json
set -euo pipefail

jq '[.resource_changes[]?.change.actions] as $all | {
  create: ($all | map(select(contains(["create"]))) | length),
  update: ($all | map(select(. == ["update"])) | length),
  delete: ($all | map(select(contains(["delete"]))) | length)
}' "$1"
