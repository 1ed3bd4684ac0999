#!/usr/bin/env bash
# What the checked-out commit changes, as Markdown: what weakens a policy, a limit or a freeze first. Nothing where nothing
# differs in meaning, or where it isn't known what to compare with. Needs neither AWS nor credentials. Never fails: what can't be
# compared is said.
#
# At most 20,000 bytes, so that a plan has room beside it. Every line of a comparison stands by itself, and may be the last one.
#
# usage: ci/change.sh
set -euo pipefail

base=${BASE_REF:+origin/$BASE_REF}
base=${base:-${CI_MERGE_REQUEST_DIFF_BASE_SHA:-}}
[[ -n $base ]] || exit 0
status=0
change=$(rotator diff "$base" --format markdown --detailed-exitcode) || status=$?
case $status in
  0) ;;
  2)
    LC_ALL=C awk '
      {size += length($0) + 1}
      size > 19800 {left++; next}
      {print}
      END {if (left) printf "\n**%d lines of this comparison are left out here**: `rotator diff` prints all of it.\n", left}
    ' <<<"$change"
    echo
    ;;
  *)
    echo "> [!CAUTION]"
    echo "> **What this changes could not be compared**, nor whether it weakens a policy, a limit or a freeze: \`rotator diff\` ended with $status, and its log says why."
    echo
    ;;
esac
