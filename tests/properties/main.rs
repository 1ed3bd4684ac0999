//! Properties of the tool over generated states, worlds, manifests and schedules.
//!
//! `cargo test` tries a seeded sample. The whole run prints how many cases of each property it tried, and what they
//! held:
//!
//! ```text
//! ROTATOR_CASES=10000 cargo test --release --test properties -- --nocapture
//! ```

mod cases;
mod imports;
mod manifests;
mod plans;
mod schedules;
mod worlds;
