//! The checks that rotate again, each from the beginning.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::sandbox::Answers;
use crate::sandbox::probe::Passwords;

use super::first::First;
use super::stand::{PLAIN, STEPS, Stand, Stop, answering, how};
use super::verdict::{Ending, Failure};

/// How many rotations follow each other: more than a service has places for keys, as a rule.
const IN_A_ROW: usize = 7;

/// After how many of them the service's credentials are counted first: by then the oldest is one of the function's own.
const SETTLED: usize = 3;

/// How many characters one password holds of those that are looked at.
const AT_ONCE: usize = 8;

/// Why a step is called again.
const CALLED_AGAIN: &str =
    "Secrets Manager calls a step again where its answer was lost: look first at what is done already";

/// A step that failed where it passed in the first rotation.
fn otherwise(stand: &Stand<'_>, step: &'static str, called: &crate::sandbox::Called) -> Ending {
    Ending::failed(vec![stand.failure(
        step,
        called,
        format!("{step} {}, and passed in the first rotation", how(called)),
    )])
}

/// `overlap`.
pub fn overlap<'s>(stand: &'s mut Stand<'_>, _: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    async move {
        stand.fresh().await?;
        let token = stand.bench.begin();
        let called = stand.plainly("createSecret", &token).await?;
        if !called.passed() {
            return Ok(otherwise(stand, "createSecret", &called));
        }
        let none = |reason: &str| Ok(Ending::DoesNotApply { reason: reason.to_owned() });
        if !stand.call("testSecret", &token, answering(Answers::Own)).await?.passed() {
            return none("the service takes the new credential only once it is set, in place of the old one");
        }
        if !stand.call("testSecret", &token, answering(Answers::Current)).await?.passed() {
            return none("testSecret doesn't take the current value either");
        }
        for step in ["setSecret", "testSecret"] {
            let called = stand.plainly(step, &token).await?;
            if !called.passed() {
                return Ok(otherwise(stand, step, &called));
            }
            let old = stand.call("testSecret", &token, answering(Answers::Current)).await?;
            if !old.passed() {
                let what = format!(
                    "after {step}, the service doesn't take the old credential any more, which clients read until finishSecret"
                );
                let hint = "revoke the old credential in the next rotation, or after finishSecret has moved AWSCURRENT";
                return Ok(Ending::failed(vec![Failure { hint: Some(hint), ..stand.at_step(step, what) }]));
            }
        }
        Ok(Ending::Passed { note: None })
    }
    .boxed()
}

/// `repeat`.
pub fn repeat<'s>(stand: &'s mut Stand<'_>, _: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    async move {
        stand.fresh().await?;
        // The second rotation finds an AWSPREVIOUS, and may do more.
        for round in 0..2 {
            match each_twice(stand).await? {
                Twice::Passed => {}
                Twice::Failed(failure) => return Ok(Ending::failed(vec![*failure])),
                Twice::NotOnce(failure) if round == 0 => return Ok(Ending::failed(vec![*failure])),
                // That is for another check to say.
                Twice::NotOnce(_) => {
                    let reason = "it rotates once, and not a second time".to_owned();
                    return Ok(Ending::NotTested { reason, because: Some("again") });
                }
            }
        }
        Ok(Ending::Passed { note: None })
    }
    .boxed()
}

/// How a rotation ended in which each step is called twice.
enum Twice {
    Passed,
    /// A step failed when it was called again, or changed something.
    Failed(Box<Failure>),
    /// A step failed when it was called for the first time.
    NotOnce(Box<Failure>),
}

async fn each_twice(stand: &mut Stand<'_>) -> Result<Twice, Stop> {
    let token = stand.bench.begin();
    for step in STEPS {
        let once = stand.plainly(step, &token).await?;
        if !once.passed() {
            let what = format!("{step} {}, after steps that were called twice", how(&once));
            return Ok(Twice::NotOnce(Box::new(stand.failure(step, &once, what))));
        }
        let before = stand.bench.see();
        let again = stand.plainly(step, &token).await?;
        let failure = if !again.passed() {
            stand.failure(step, &again, format!("{step} {} when it is called again", how(&again)))
        } else if stand.bench.see() != before {
            stand.at_step(step, format!("{step} changes the secret when it is called again"))
        } else {
            continue;
        };
        return Ok(Twice::Failed(Box::new(Failure { hint: Some(CALLED_AGAIN), ..failure })));
    }
    stand.bench.end(&token);
    Ok(Twice::Passed)
}

/// `wrong-value`.
pub fn wrong_value<'s>(stand: &'s mut Stand<'_>, _: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    async move {
        stand.fresh().await?;
        let token = stand.bench.begin();
        for step in ["createSecret", "setSecret"] {
            let called = stand.plainly(step, &token).await?;
            if !called.passed() {
                return Ok(otherwise(stand, step, &called));
            }
        }
        if !stand.bench.can_be_wrong(&token) {
            let reason = "nothing of the value is text that could be made wrong".to_owned();
            return Ok(Ending::NotTested { reason, because: None });
        }
        let called = stand.call("testSecret", &token, answering(Answers::Wrong)).await?;
        if called.passed() {
            let what = "testSecret passes with a wrong value: it would let a broken one become current".to_owned();
            let hint = "use the value of AWSPENDING as its clients do, and raise what the service answers";
            return Ok(Ending::failed(vec![Failure { hint: Some(hint), ..stand.at_step("testSecret", what) }]));
        }
        stand.note_leak("testSecret", &called);
        Ok(Ending::Passed { note: None })
    }
    .boxed()
}

/// `characters`.
pub fn characters<'s>(stand: &'s mut Stand<'_>, first: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    async move {
        let Some(asked) = &first.asked else {
            return Ok(Ending::DoesNotApply { reason: "the function asks for no password".to_owned() });
        };
        if asked.allowed.is_empty() {
            return Ok(Ending::Passed { note: Some("it asks for letters and digits alone".to_owned()) });
        }
        let mut failure = None;
        for some in asked.allowed.chunks(asked.length.clamp(1, AT_ONCE)) {
            // Each from the beginning: whether a second rotation succeeds is for another check.
            stand.fresh().await?;
            if let Err(why) = stand.rotation(&Passwords::With(some.to_vec())).await? {
                failure = Some(why);
                break;
            }
        }
        let Some(failure) = failure else {
            return Ok(Ending::Passed { note: Some(format!("{} beside letters and digits", asked.allowed.len())) });
        };
        // Which they are: each alone, from the beginning, where one of them failed before.
        let mut refused = String::new();
        let mut is_fresh = false;
        for one in &asked.allowed {
            if !is_fresh {
                stand.fresh().await?;
            }
            let ran = stand.rotation(&Passwords::With(vec![*one; 2])).await?;
            is_fresh = ran.is_ok();
            if ran.is_err() {
                refused.push(*one);
            }
        }
        let what = if refused.is_empty() {
            format!("{} with a password of characters that the function allows", failure.what)
        } else {
            format!("{} with a password that holds one of the characters {refused}", failure.what)
        };
        let hint = "name them in `ExcludeCharacters` of `get_random_password`, or write them as the service wants them";
        Ok(Ending::failed(vec![Failure { what, hint: Some(hint), ..failure }]))
    }
    .boxed()
}

/// `again`.
pub fn again<'s>(stand: &'s mut Stand<'_>, _: &'s First) -> BoxFuture<'s, Result<Ending, Stop>> {
    async move {
        stand.fresh().await?;
        let mut settled = None;
        for round in 1..=IN_A_ROW {
            if let Err(failure) = stand.rotation(&PLAIN).await? {
                let what = format!("of {IN_A_ROW} rotations in a row, the {} fails: {}", number(round), failure.what);
                let hint = "what earlier rotations made may still be there: revoke what nothing reads any more";
                return Ok(Ending::failed(vec![Failure { what, hint: Some(hint), ..failure }]));
            }
            if round == SETTLED {
                settled = stand.credentials();
            }
        }
        match settled.zip(stand.credentials()) {
            Some((before, after)) if after > before => {
                let what = format!("each rotation leaves a credential behind: the service takes {after}, and took {before} four rotations before");
                let hint = "revoke what nothing reads any more: what AWSPREVIOUS was before the rotation";
                Ok(Ending::failed(vec![Failure { hint: Some(hint), ..stand.at_step("finishSecret", what) }]))
            }
            _ => Ok(Ending::Passed { note: None }),
        }
    }
    .boxed()
}

/// A number of a rotation in words.
fn number(round: usize) -> String {
    match round {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        other => format!("{other}th"),
    }
}
