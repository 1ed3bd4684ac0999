//! Two applies of one manifest at once. The first is held at one of its calls, before its effect or after it; the second runs whole;
//! then the first goes on. Or both run side by side, and calls of each are delayed as a seed says.
//!
//! The one that comes too late has nothing left to do, or says in one message what the other has changed.

use rotator::sandbox::faults::When;
use serde_json::json;

use super::course::{Undisturbed, caught, run};
use super::stage::{CALLER, Call, OTHER, difference, ended};
use super::support::Output;

/// How two applies are interleaved.
#[derive(Debug, Clone)]
pub enum Interleaving {
    /// The first is held at a call, while the second runs whole.
    Held(Call, When),
    /// Both run, and some calls of each are delayed.
    Delayed(u64),
}

impl std::fmt::Display for Interleaving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held(call, when) => write!(f, "{call}/{}", super::scenario::word(*when)),
            Self::Delayed(seed) => write!(f, "delayed/{seed}"),
        }
    }
}

/// What of a run is words of a loser: each says what happened, and that is all that may be said.
const CLEAR: &[&str] = &[
    "somebody has changed it since the plan was made",
    "a rotation has begun since the plan was made",
    "was changed by somebody else",
    "is being changed by somebody else",
    // A plan whose readings lie before and after the other's change leaves alone what may be in use.
    "its function still rotates",
];

impl Undisturbed {
    /// Tries an interleaving: what each of the two applies said, or what broke.
    pub async fn race(&self, interleaving: &Interleaving) -> Result<(), String> {
        let name = format!("{}/{interleaving}", self.course.name());
        caught(self.raced(interleaving)).await.map_err(|why| {
            format!("{name}: {why}\nagain, this one alone: CRASH_ONLY={name} cargo test --test crash every_race -- --ignored --nocapture")
        })
    }

    async fn raced(&self, interleaving: &Interleaving) -> Result<(), String> {
        let stage = self.stage().await;
        let words = self.course.first(self.scenario.prune, "");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (first, second) = match interleaving {
            Interleaving::Held(call, when) => {
                stage.hold(call, *when);
                let mut first = stage.start(CALLER, &words);
                stage.holds(&mut first).await;
                let second = ended(stage.start(OTHER, &words)).await;
                stage.let_go();
                (ended(first).await, second)
            }
            Interleaving::Delayed(seed) => {
                let rule =
                    |caller: &str, seed: u64| json!({"caller": caller, "percent": 40, "seed": seed, "delay_ms": 120});
                stage.script(&json!([rule(CALLER, *seed), rule(OTHER, !*seed)]).to_string());
                let (first, second) = (stage.start(CALLER, &words), stage.start(OTHER, &words));
                let both = tokio::join!(ended(first), ended(second));
                stage.let_go();
                both
            }
        };
        let said = || format!("the first: {}\nthe second: {}", first.all(), second.all());
        for output in [&first, &second] {
            is_clear(output).map_err(|why| format!("{why}\n{}", said()))?;
        }
        stage.at_rest().await;
        let next = run(&stage, &self.course.first(self.scenario.prune, "")).await;
        if next.code != 0 {
            return Err(format!("the next run fails: {}\n{}", next.all(), said()));
        }
        self.is_settled(&stage).await.map_err(|why| format!("{why}\n{}", said()))?;
        stage.at_rest().await;
        match difference(self.world(), &stage.world()) {
            Some(left) => Err(format!("another world comes of it:\n{left}\n{}", said())),
            None => Ok(()),
        }
    }
}

/// Whether a run succeeded, or said in plain words who was faster.
fn is_clear(output: &Output) -> Result<(), String> {
    if output.stderr.contains("panicked") {
        return Err("a panic".to_owned());
    }
    match output.code {
        0 => Ok(()),
        1 if CLEAR.iter().any(|words| output.stdout.contains(words) || output.stderr.contains(words)) => Ok(()),
        code => Err(format!("exit {code}, and not in words that tell what the other did")),
    }
}

/// The interleavings of a course: before each call of an undisturbed run, and after each that writes; and as many random ones as wanted.
pub fn interleavings(undisturbed: &Undisturbed, delayed: u64) -> Vec<Interleaving> {
    let held = undisturbed.calls.iter().flat_map(|call| {
        let after = (!call.only_reads()).then_some(When::After);
        [When::Before].into_iter().chain(after).map(|when| Interleaving::Held(call.clone(), when))
    });
    held.chain((0..delayed).map(Interleaving::Delayed)).collect()
}
