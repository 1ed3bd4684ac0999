//! The checks that name versions which nothing may change.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::sandbox::probe::Made;

use super::first::First;
use super::stand::{PLAIN, STEPS, Stand, Stop};
use super::verdict::{Ending, Failure};

/// `unknown-version`.
pub fn unknown<'s>(stand: &'s mut Stand<'_>, _: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    async move {
        stand.fresh().await?;
        unchanged(stand, &STEPS, UNKNOWN, ("a version that the secret doesn't have", true)).await
    }
    .boxed()
}

/// `not-pending`.
pub fn not_pending<'s>(stand: &'s mut Stand<'_>, _: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    after_a_rotation(stand, &STEPS[..3], "AWSPREVIOUS", ("a version that isn't AWSPENDING", true)).boxed()
}

/// `already-current`.
pub fn already_current<'s>(stand: &'s mut Stand<'_>, _: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    after_a_rotation(stand, &STEPS, "AWSCURRENT", ("the version that is AWSCURRENT already", false)).boxed()
}

/// The same for the version with a label, once the secret was rotated.
async fn after_a_rotation(
    stand: &mut Stand<'_>,
    steps: &[&'static str],
    label: &str,
    which: (&str, bool),
) -> Result<Ending, Stop> {
    stand.fresh().await?;
    if let Err(failure) = stand.rotation(&PLAIN).await? {
        return Ok(Ending::failed(vec![failure]));
    }
    let seen = stand.bench.see();
    let Some(version) = seen.version_with(label) else {
        return Ok(Ending::NotTested { reason: format!("no version is {label}"), because: None });
    };
    unchanged(stand, steps, version, which).await
}

/// `rotation-off`.
pub fn rotation_off<'s>(stand: &'s mut Stand<'_>, _: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    async move {
        stand.fresh().await?;
        stand.bench.switch(false);
        let ending = unchanged(stand, &STEPS, UNKNOWN, ("a version of a secret whose rotation is off", true)).await;
        stand.bench.switch(true);
        ending
    }
    .boxed()
}

/// The id of a version that no secret has.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// Calls steps for a version, and looks whether that changed anything of the secret. `refuses`: and whether a step does its work for it.
async fn unchanged(
    stand: &mut Stand<'_>,
    steps: &[&'static str],
    version: &str,
    (which, refuses): (&str, bool),
) -> Result<Ending, Stop> {
    let before = stand.bench.see();
    for step in steps.iter().copied() {
        let called = stand.plainly(step, version).await?;
        if !called.passed() {
            stand.note_leak(step, &called);
        }
        let looks = |made: &Made| ["DescribeSecret", "ListSecretVersionIds"].contains(&made.operation.as_str());
        let works = refuses && called.passed() && !called.calls.iter().all(looks);
        let what = if stand.bench.see() != before {
            format!("{step} changes the secret when it is called for {which}")
        } else if works {
            format!("{step} does its work when it is called for {which}")
        } else {
            continue;
        };
        let hint =
            "look in `VersionIdsToStages` of `describe_secret` first: go on only for a version that is AWSPENDING";
        return Ok(Ending::failed(vec![Failure { hint: Some(hint), ..stand.at_step(step, what) }]));
    }
    Ok(Ending::Passed { note: None })
}
