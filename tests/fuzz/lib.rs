//! The targets of `tests/fuzz/targets`, for `cargo fuzz`.

#[path = "targets/mod.rs"]
mod targets;

/// Runs a target by its name.
pub fn run(name: &str, data: &[u8]) {
    let target = targets::ALL.iter().find(|target| target.name == name).expect("a target of that name");
    (target.run)(data);
}
