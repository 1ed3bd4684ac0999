//! Hostile input, in every run of the tests: the kept corpus, and a fixed number of seeded changes of it, through the same
//! functions that `cargo fuzz` runs (`tests/fuzz/run`).
//!
//! `ROTATOR_SEED=7 ROTATOR_CASES=20000 cargo test --test fuzz` tries others, and more.

#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/targets/mod.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fastrand::Rng;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(&path).expect("a kept input"))).collect()
}

fn dictionary(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/dictionaries");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let mut words = mutate::words(&read("common.dict"));
    words.extend(mutate::words(&read(&format!("{name}.dict"))));
    words
}

/// Runs a target once; what it panics about is said with the way to see it again.
fn attempt(target: &targets::Target, data: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(data))).is_err() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-findings");
        let path = folder.join(format!("{}-{:016x}", target.name, fxhash(data)));
        let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, data));
        panic!(
            "{}: {what} does what it must not\n  its {} bytes are in {} ({kept:?}); keep them in tests/fuzz/corpus/{}\n  {:?}",
            target.name,
            data.len(),
            path.display(),
            target.name,
            String::from_utf8_lossy(&data[..data.len().min(400)]),
        );
    }
}

/// A name for an input.
fn fxhash(data: &[u8]) -> u64 {
    data.iter().fold(0, |hash: u64, byte| (hash.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x517c_c1b7_2722_0a95))
}

fn run(name: &str) {
    let target = targets::ALL.iter().find(|target| target.name == name).expect("a target");
    let kept = corpus(name);
    for (path, data) in &kept {
        attempt(target, data, &path.display().to_string());
    }
    let mut seeds = (target.seeds)();
    for (index, data) in seeds.iter().enumerate() {
        attempt(target, data, &format!("seed {index}"));
    }
    seeds.extend(kept.into_iter().map(|(_, data)| data));
    assert!(!seeds.is_empty(), "{name} has nothing to start from");
    let words = dictionary(name);
    let seed = number("ROTATOR_SEED").unwrap_or(1);
    let cases = number("ROTATOR_CASES").unwrap_or(target.cases as u64);
    for case in 0..cases {
        let mut rng = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(case));
        let data = mutate::mutated(&mut rng, &seeds, &words);
        attempt(target, &data, &format!("case {case} of ROTATOR_SEED={seed}"));
    }
}

macro_rules! targets {
    ($($(#[$comment:meta])* $name:ident)*) => {
        $($(#[$comment])* #[test] fn $name() { run(stringify!($name)); })*

        /// Without it, a new target would run under `cargo fuzz` alone.
        #[test]
        fn every_target_runs() {
            let here = [$(stringify!($name)),*];
            assert_eq!(targets::ALL.iter().map(|target| target.name).collect::<Vec<_>>(), here);
            for name in here {
                let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/fuzz_targets").join(format!("{name}.rs"));
                let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{} is missing", file.display()));
                assert!(text.contains(&format!("\"{name}\"")), "{} runs something else", file.display());
            }
        }
    };
}

targets! {
    /// Without it, a manifest from a stranger could stop the program, or show a place that doesn't exist.
    front_end
    /// Without it, a variable's value could become more than a value.
    variables
    /// Without it, a name could break what it stands in.
    fields
    /// Without it, a file of rules could stop the pipeline that it is to protect.
    policies
    /// Without it, a schedule could be accepted that never opens, leaves its day, or overlaps itself.
    schedules
    /// Without it, an ARN from AWS or a manifest could be read as another one.
    names
    /// Without it, a pattern or an address could stop the program, or select something else than it says.
    patterns
    /// Without it, an edited plan could stop the command that shows it, or lie to the terminal.
    plan_files
    /// Without it, anyone who may write a function's policy could stop every plan.
    function_policies
    /// Without it, a broken package could stop the program, or mean one thing here and another there.
    zips
    /// Without it, a hostile package could write outside of its folder, or fill the disk.
    packages
    /// Without it, a function's code could stop the program that checks it.
    code
    /// Without it, a request could stop the sandbox, or be answered with something that is no answer.
    protocols
    /// Without it, a name could steer a terminal, write into a comment, or forge a pipeline's commands.
    texts
}
