//! Hostile input: answers of AWS that lie, manifests of 50 MB, folders full of pipes and links.
//!
//! The tests run a seeded sample. All of it, with figures:
//! `cargo test --test hostile -- --ignored --nocapture --test-threads 1`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures of a run")]

mod big;
mod lies;
mod lying;
mod proxy;
mod support;
mod trees;
