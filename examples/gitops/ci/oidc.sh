#!/usr/bin/env bash
# Lets the following steps be a role on AWS, by the token with which GitHub says which repository and event this job is.
# No key is stored anywhere. The role trusts GitHub's tokens for this repository alone: see README.md.
#
# usage: ci/oidc.sh ROLE_ARN
set -euo pipefail

role=$1
if [[ -z $role ]]; then
  echo "no role is set: see README.md, Roles" >&2
  exit 1
fi
if [[ -z ${ACTIONS_ID_TOKEN_REQUEST_URL:-} ]]; then
  echo "this job may not ask for a token: it lacks the permission \`id-token: write\`" >&2
  exit 1
fi
token=$RUNNER_TEMP/aws-token
(
  umask 077
  # The request's own token goes through a file: a command line could be read by other processes.
  printf 'header = "Authorization: bearer %s"\n' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" |
    curl --silent --show-error --fail --retry 3 --config - \
      "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=sts.amazonaws.com" |
    jq --exit-status --raw-output --join-output .value >"$token"
)
{
  echo "AWS_WEB_IDENTITY_TOKEN_FILE=$token"
  echo "AWS_ROLE_ARN=$role"
  echo "AWS_ROLE_SESSION_NAME=rotator-$GITHUB_RUN_ID"
} >>"$GITHUB_ENV"
