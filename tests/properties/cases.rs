//! Seeded cases: generated from a seed, a property's name and a number alone, so that each can be repeated by itself.
//!
//! | variable | |
//! |---|---|
//! | `ROTATOR_CASES` | how many cases of each property; without it, a sample that takes a minute or so in all |
//! | `ROTATOR_SEED` | another seed than the sample's |
//! | `ROTATOR_CASE` | only the case of this number, as a failure prints it |

use std::fmt::{Debug, Write as _};
use std::str::FromStr;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner};

/// The seed of the sample.
const SEED: u64 = 20_260_131;

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not `{text}`")))
}

/// The cases of one property that are to be tried.
#[derive(Debug, Clone)]
pub struct Cases {
    property: &'static str,
    seed: u64,
    numbers: Vec<u64>,
}

impl Cases {
    /// The cases of a property, of which a sample has so many.
    pub fn of(property: &'static str, sample: u64) -> Self {
        let seed = variable("ROTATOR_SEED").unwrap_or(SEED);
        let numbers = match variable("ROTATOR_CASE") {
            Some(case) => vec![case],
            None => (0..variable("ROTATOR_CASES").unwrap_or(sample)).collect(),
        };
        Self { property, seed, numbers }
    }

    /// Their numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + use<'_> {
        self.numbers.iter().copied()
    }

    /// What generates one case.
    pub fn runner(&self, case: u64) -> TestRunner {
        // FNV-1a: the same on every machine and with every version of the standard library.
        let name = self
            .property
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut seed = [0; 32];
        for (part, number) in seed.chunks_exact_mut(8).zip([self.seed, name, case, 0]) {
            part.copy_from_slice(&number.to_le_bytes());
        }
        let config = ProptestConfig {
            failure_persistence: None,
            max_shrink_iters: 20_000,
            max_shrink_time: 60_000,
            ..ProptestConfig::default()
        };
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }

    /// Ends the test with the smallest case that fails, and how to repeat it.
    pub fn fail(&self, case: u64, reason: &str, smallest: &str) -> ! {
        panic!(
            "{property}: {reason}\n--- the smallest case found\n{smallest}\n--- to repeat it\n\
             ROTATOR_SEED={seed} ROTATOR_CASE={case} cargo test --test properties {property}",
            property = self.property,
            seed = self.seed,
        );
    }

    /// Says how many cases were tried, and what they held.
    pub fn tell(&self, seen: &Seen) {
        let mut line = format!("{}: {} cases, seed {}", self.property, self.numbers.len(), self.seed);
        for (what, count) in &seen.counts {
            // Writing to a string never fails.
            let _ = write!(line, "; {count} {what}");
        }
        say(&line);
        // One case shows nothing about how the generators are spread, and neither does another seed's handful.
        let whole = self.numbers.len() >= 50;
        for (what, count) in seen.counts.iter().filter(|_| whole) {
            assert!(*count > 0, "{}: no case held {what}: the generator is too tame", self.property);
        }
    }
}

/// Says something about a run.
#[expect(clippy::print_stdout, reason = "the harness keeps it, or shows it where it is asked to")]
pub fn say(line: &str) {
    println!("{line}");
}

/// What the cases of a property held. What was named must have been there at all, or the property shows nothing of it.
#[derive(Debug, Default)]
pub struct Seen {
    counts: std::collections::BTreeMap<&'static str, u64>,
}

impl Seen {
    /// Something that may not be missing in all cases.
    pub fn expect(names: &[&'static str]) -> Self {
        Self { counts: names.iter().map(|name| (*name, 0)).collect() }
    }

    /// Counts it.
    pub fn add(&mut self, what: &'static str, count: usize) {
        *self.counts.entry(what).or_default() += count as u64;
    }
}

/// Tries a property on each of its cases, and ends with the smallest that fails.
///
/// The test also counts what it saw; while a failing case is made smaller, that counts too, and nobody reads it.
pub fn check<S: Strategy>(
    property: &'static str,
    sample: u64,
    expected: &[&'static str],
    strategy: &S,
    shown: impl Fn(&S::Value) -> String,
    test: impl Fn(&S::Value, &mut Seen) -> TestCaseResult,
) where
    S::Value: Debug,
{
    let cases = Cases::of(property, sample);
    let seen = std::cell::RefCell::new(Seen::expect(expected));
    for case in cases.numbers() {
        let mut runner = cases.runner(case);
        let tree = strategy.new_tree(&mut runner).expect("generators reject nothing");
        match runner.run_one(tree, |value| test(&value, &mut seen.borrow_mut())) {
            Ok(_) => {}
            Err(TestError::Fail(reason, smallest)) => cases.fail(case, reason.message(), &shown(&smallest)),
            Err(TestError::Abort(reason)) => cases.fail(case, reason.message(), "none"),
        }
    }
    cases.tell(&seen.borrow());
}

/// A row of numbers that decides everything about one thing that is generated. Zeros decide for the plainest, so that
/// proptest makes cases smaller by itself.
#[derive(Debug, Clone)]
pub struct Dice(Vec<u16>);

/// Rows of so many numbers.
pub fn dice(length: usize) -> impl Strategy<Value = Dice> {
    prop::collection::vec(any::<u16>(), length).prop_map(Dice)
}

/// Decisions, one after the other.
#[derive(Debug)]
pub struct Throws<'a>(std::slice::Iter<'a, u16>);

impl Dice {
    /// Begins to decide.
    pub fn throws(&self) -> Throws<'_> {
        Throws(self.0.iter())
    }
}

impl Throws<'_> {
    fn next(&mut self) -> usize {
        usize::from(*self.0.next().expect("a generator's dice are as many as it throws"))
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        self.next() % bound
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.next() % 100 >= 100 - percent
    }

    /// One of several; the first is the plainest.
    pub fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Something, in so many of a hundred cases. The same number of throws whether or not.
    pub fn maybe<T: Clone>(&mut self, percent: usize, of: &[T]) -> Option<T> {
        let there = self.chance(percent);
        let value = self.one_of(of);
        there.then_some(value)
    }
}
