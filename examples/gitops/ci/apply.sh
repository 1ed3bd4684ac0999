#!/usr/bin/env bash
# Applies the saved plan FOLDER/plan.rotator as it stands, and writes into FOLDER/result.md what came of it, in words that
# hold nothing from outside. Ends with the exit code of `rotator apply`.
#
# usage: ci/apply.sh FOLDER
set -euo pipefail

folder=$1
status=0
rotator apply "$folder/plan.rotator" || status=$?
case $status in
  0) level=notice words="**Applied.** AWS is as the plan said." ;;
  3) level=error words="**Refused: the saved plan no longer holds, and nothing was changed.** The log says what has moved. Plan anew and have that plan reviewed: run the workflow that applies by hand." ;;
  4) level=warning words="**Applied, but a rotation hasn't finished.** The log says which one, and where its function logs." ;;
  5) level=error words="**Refused by a policy, a limit, a freeze or the brake, and nothing was changed.** The log says by which. While that stands, another try ends the same way: change the manifest, agree with whoever owns the rule, or wait for the end of the freeze." ;;
  *) level=error words="**Not all of the plan was applied** (exit code $status). The log says what failed. Run the job again: the same plan goes on where it stopped." ;;
esac
echo "$words" >"$folder/result.md"
if [[ ${GITHUB_ACTIONS:-} == true ]]; then
  echo "::$level title=rotator apply::${words//\*\*/}"
else
  echo "${words//\*\*/}"
fi
exit "$status"
