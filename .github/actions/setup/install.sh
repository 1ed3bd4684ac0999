#!/usr/bin/env bash
# Puts a release of `rotator` on the PATH of this job, and builds nothing. A runner's image that has it already wins.
#
# ROTATOR_RELEASE: the URL of the release's .tar.gz for this platform. ROTATOR_SHA256: its SHA-256, so that you alone decide what runs
# with your roles. The archive is kept in ROTATOR_CACHE (by default the runner's folder for tools), and checked each time before it
# is unpacked: a cache is nothing to trust.
set -euo pipefail

if command -v rotator >/dev/null; then
  rotator --version
  exit
fi
if [[ ${ROTATOR_RELEASE:-} != *.tar.gz || ! ${ROTATOR_SHA256:-} =~ ^[0-9a-f]{64}$ ]]; then
  echo "rotator isn't installed: set ROTATOR_RELEASE to the URL of a release's .tar.gz, and ROTATOR_SHA256 to its SHA-256" >&2
  exit 1
fi
cache=${ROTATOR_CACHE:-${RUNNER_TOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/rotator}
archive=$cache/$ROTATOR_SHA256.tar.gz
root=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/rotator

# Whether the archive is there, and is the one that was asked for. macOS has no `sha256sum`.
holds() {
  local sum
  [[ -f $archive ]] || return 1
  if command -v sha256sum >/dev/null; then sum=$(sha256sum "$archive"); else sum=$(shasum -a 256 "$archive"); fi
  [[ ${sum%% *} == "$ROTATOR_SHA256" ]]
}

if ! holds; then
  mkdir -p "$cache"
  curl --fail --silent --show-error --location --retry 3 --output "$archive" "$ROTATOR_RELEASE"
  if ! holds; then
    rm -f "$archive"
    echo "$ROTATOR_RELEASE isn't what ROTATOR_SHA256 says: nothing of it was unpacked" >&2
    exit 1
  fi
fi
rm -rf "$root"
mkdir -p "$root"
tar -xzf "$archive" --strip-components 1 -C "$root"
if [[ -n ${GITHUB_PATH:-} ]]; then
  echo "$root" >>"$GITHUB_PATH"
fi
"$root/rotator" --version
