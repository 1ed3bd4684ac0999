#!/usr/bin/env bash
# Puts `rotator` on the PATH of this job. A runner's image that has it already wins, and is quicker.
#
# Otherwise it is built from ROTATOR_SOURCE, the URL of its Git repository, at ROTATOR_REVISION: a full commit id, so that
# nobody but you decides what runs with your roles.
set -euo pipefail

if command -v rotator >/dev/null; then
  rotator --version
  exit
fi
if [[ -z ${ROTATOR_SOURCE:-} || ! ${ROTATOR_REVISION:-} =~ ^[0-9a-f]{40}$ ]]; then
  echo "rotator isn't installed: set ROTATOR_SOURCE, and ROTATOR_REVISION to a full commit id" >&2
  exit 1
fi
root=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/rotator
cargo install --locked --quiet --root "$root" --git "$ROTATOR_SOURCE" --rev "$ROTATOR_REVISION" rotator
if [[ -n ${GITHUB_PATH:-} ]]; then
  echo "$root/bin" >>"$GITHUB_PATH"
fi
"$root/bin/rotator" --version
