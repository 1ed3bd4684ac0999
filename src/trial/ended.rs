//! The check that ends the function at each of its calls to AWS, and calls it again.
//!
//! A function may be ended at any moment: by its time-out, by a machine that goes away. What it has done by then stays done, at the service
//! too. Between two of its calls to AWS lies all that it does elsewhere, so that ending it before each call, and after each that changes
//! something, meets every state that a later try can find.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::sandbox::Ended;
use crate::sandbox::probe::{Made, Side};

use super::first::First;
use super::stand::{PLAIN, STEPS, Stand, Stop, ending_at, how};
use super::verdict::{Ending, Failure};

/// How often in a row the function is ended before it keeps what it made: more often than a service has places for keys, as a rule.
const IN_A_ROW: usize = 3;

/// How many failures end the check: the first and another one.
const MOST: usize = 2;

/// Where the function is ended.
struct Cut {
    /// In which step, by its place among them.
    step: usize,
    /// At which of its calls, from 0.
    at: usize,
    side: Side,
    /// What the call is.
    operation: String,
    /// How often in a row.
    times: usize,
}

/// `ended`.
pub fn ended<'s>(stand: &'s mut Stand<'_>, _: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    async move {
        stand.fresh().await?;
        // The first rotation finds no AWSPREVIOUS, and may do less.
        let mut calls = Vec::new();
        for _ in 0..2 {
            match stand.rotation(&PLAIN).await? {
                Ok(called) => calls = called.into_iter().map(|called| called.calls).collect(),
                Err(failure) => return Ok(Ending::failed(vec![failure])),
            }
        }
        let before = stand.credentials();
        let mut failures = Vec::new();
        let all = cuts(&calls);
        let many = all.len();
        for cut in all {
            if let Some(failure) = try_cut(stand, &cut).await? {
                failures.push(failure);
                if failures.len() == MOST {
                    break;
                }
                stand.fresh().await?;
            }
        }
        if !failures.is_empty() {
            return Ok(Ending::failed(failures));
        }
        // What earlier tries left is to be gone once two more rotations have been.
        for _ in 0..2 {
            if let Err(failure) = stand.rotation(&PLAIN).await? {
                let what = format!("after rotations that were ended half-way and then finished, a later one fails: {}", failure.what);
                return Ok(Ending::failed(vec![Failure { what, hint: Some(LEFTOVERS), ..failure }]));
            }
        }
        match before.zip(stand.credentials()) {
            Some((before, after)) if after > before => {
                let what = format!(
                    "a function that is ended half-way leaves credentials behind: the service takes {after}, and took {before} before"
                );
                Ok(Ending::failed(vec![Failure { hint: Some(LEFTOVERS), ..stand.at_step("createSecret", what) }]))
            }
            _ => Ok(Ending::Passed { note: Some(format!("at {many} places")) }),
        }
    }
    .boxed()
}

/// What to do about what is left behind.
const LEFTOVERS: &str = "look for what an earlier try left at the service, and revoke it: what neither the current nor the pending value names";

/// Where a rotation with these calls is ended. Before its first call, a step has done nothing; after one that only reads, it has done
/// nothing more than before the next.
fn cuts(calls: &[Vec<Made>]) -> Vec<Cut> {
    let mut all = Vec::new();
    for (step, calls) in calls.iter().enumerate() {
        for (at, made) in calls.iter().enumerate() {
            let cut = |side, times| Cut { step, at, side, operation: made.operation.clone(), times };
            if at > 0 {
                let keeps = made.writes() && made.operation != "UpdateSecretVersionStage";
                all.push(cut(Side::Before, if keeps { IN_A_ROW } else { 1 }));
            }
            if made.writes() {
                all.push(cut(Side::After, 1));
            }
        }
    }
    all
}

/// Ends the function there, and calls it again.
async fn try_cut(stand: &mut Stand<'_>, cut: &Cut) -> Result<Option<Failure>, Stop> {
    let token = stand.bench.begin();
    let ran = through(stand, cut, &token).await;
    stand.bench.end(&token);
    ran
}

async fn through(stand: &mut Stand<'_>, cut: &Cut, token: &str) -> Result<Option<Failure>, Stop> {
    for step in STEPS.into_iter().take(cut.step) {
        let called = stand.plainly(step, token).await?;
        if !called.passed() {
            return Ok(Some(stand.failure(step, &called, format!("{step} {}", how(&called)))));
        }
    }
    let step = STEPS[cut.step];
    for _ in 0..cut.times {
        let called = stand.call(step, token, ending_at(cut.at, cut.side)).await?;
        match called.ended {
            Ended::Cut => {}
            // It doesn't make this call every time: there is nothing to end.
            Ended::Passed => break,
            _ => return Ok(Some(again(cut, stand.failure(step, &called, format!("{step} {}", how(&called)))))),
        }
    }
    let ran = stand.steps_from(cut.step, token, &PLAIN).await?;
    Ok(ran.err().map(|failure| again(cut, failure)))
}

/// A failure after the function was ended.
fn again(cut: &Cut, failure: Failure) -> Failure {
    let step = STEPS[cut.step];
    let side = if cut.side == Side::Before { "before" } else { "after" };
    let what = format!(
        "{step} was ended {side} {} (its call {}) and called again: then {}",
        cut.operation,
        cut.at + 1,
        failure.what
    );
    Failure { what, hint: Some(LOOK_FIRST), ..failure }
}

const LOOK_FIRST: &str = "look first at what an earlier try has done, at the service too, and go on from there";

#[cfg(test)]
mod tests {
    use super::*;

    fn made(operations: &[&str]) -> Vec<Made> {
        let one = |name: &&str| Made { operation: (*name).to_owned(), secret: None, refused: None };
        operations.iter().map(one).collect()
    }

    /// Without it, a state that a later try can find would be left out, or each be met several times.
    #[test]
    fn each_state_is_met_once() {
        let calls = [
            made(&["DescribeSecret", "GetSecretValue", "PutSecretValue"]),
            made(&["DescribeSecret"]),
            made(&[]),
            made(&["UpdateSecretVersionStage"]),
        ];
        let all: Vec<(usize, usize, Side, usize)> =
            cuts(&calls).into_iter().map(|cut| (cut.step, cut.at, cut.side, cut.times)).collect();
        let wanted =
            [(0, 1, Side::Before, 1), (0, 2, Side::Before, IN_A_ROW), (0, 2, Side::After, 1), (3, 0, Side::After, 1)];
        assert_eq!(all, wanted);
    }
}
